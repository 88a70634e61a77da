-- What was answered to requests with an Idempotency-Key, for a day: encrypted, and found by who asked and their key.

CREATE TABLE idempotency_keys (
    tenant_id   TEXT NOT NULL REFERENCES tenants (id),
    key_hash    TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    -- Of the request: another one under the same key is refused.
    fingerprint TEXT NOT NULL,
    answer      TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, key_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
CREATE INDEX idempotency_keys_tenant_id_user_id_idx ON idempotency_keys (tenant_id, user_id);

-- The same of requests about one's own account, which are in no tenant.
CREATE TABLE account_idempotency_keys (
    user_id     TEXT NOT NULL REFERENCES users (id),
    key_hash    TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    answer      TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    PRIMARY KEY (user_id, key_hash)
) STRICT;

CREATE INDEX account_idempotency_keys_created_at_idx ON account_idempotency_keys (created_at);

UPDATE schema_version SET version = 8;
