-- What was answered to requests with an Idempotency-Key, for a day: encrypted, and found by who asked and their key.

CREATE TABLE idempotency_keys (
    tenant_id   uuid NOT NULL REFERENCES tenants (id),
    key_hash    text NOT NULL,
    user_id     uuid NOT NULL,
    -- Of the request: another one under the same key is refused.
    fingerprint text NOT NULL,
    answer      text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);

CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
CREATE INDEX idempotency_keys_tenant_id_user_id_idx ON idempotency_keys (tenant_id, user_id);

-- The same of requests about one's own account, which are in no tenant.
CREATE TABLE account_idempotency_keys (
    user_id     uuid NOT NULL REFERENCES users (id),
    key_hash    text NOT NULL,
    fingerprint text NOT NULL,
    answer      text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, key_hash)
);

CREATE INDEX account_idempotency_keys_created_at_idx ON account_idempotency_keys (created_at);

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON idempotency_keys USING (tenant_id = NULLIF(current_setting('bailiwick.tenant', true), '')::uuid);
CREATE POLICY spanning ON idempotency_keys TO bailiwick_spanning USING (true);

UPDATE schema_version SET version = 8;
