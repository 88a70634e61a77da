-- How much of something a tenant may have, where the operator has said so of this one.
CREATE TABLE limits (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    name      text NOT NULL,
    most      bigint NOT NULL CHECK (most > 0),
    PRIMARY KEY (tenant_id, name)
);

ALTER TABLE limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE limits FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON limits USING (tenant_id = NULLIF(current_setting('bailiwick.tenant', true), '')::uuid);
CREATE POLICY spanning ON limits TO bailiwick_spanning USING (true);

-- The emails of a day, and what an account has under way, are counted.
CREATE INDEX deliveries_emails_idx ON deliveries (tenant_id, created_at) WHERE channel = 'email' AND state <> 'dead';
CREATE INDEX imports_user_id_idx ON imports (user_id);

UPDATE schema_version SET version = 21;
