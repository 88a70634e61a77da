-- API keys: what machines log in with. A key opens one tenant, in the name of a member, and goes with the membership.

CREATE TABLE api_keys (
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    id           TEXT NOT NULL,
    user_id      TEXT NOT NULL,
    name         TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('viewer', 'member', 'manager', 'owner')),
    -- How the key begins. Of the rest there is a digest only.
    prefix       TEXT NOT NULL,
    token_hash   TEXT NOT NULL,
    expires_at   TEXT NOT NULL,
    last_used_at TEXT,
    created_at   TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
) STRICT;

CREATE INDEX api_keys_tenant_id_user_id_idx ON api_keys (tenant_id, user_id);

UPDATE schema_version SET version = 4;
