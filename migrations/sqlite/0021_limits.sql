-- How much of something a tenant may have, where the operator has said so of this one.
CREATE TABLE limits (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    name      TEXT NOT NULL,
    most      INTEGER NOT NULL CHECK (most > 0),
    PRIMARY KEY (tenant_id, name)
) STRICT;

-- The emails of a day, and what an account has under way, are counted.
CREATE INDEX deliveries_emails_idx ON deliveries (tenant_id, created_at) WHERE channel = 'email' AND state <> 'dead';
CREATE INDEX imports_user_id_idx ON imports (user_id);

UPDATE schema_version SET version = 21;
