-- API keys: what machines log in with. A key opens one tenant, in the name of a member, and goes with the membership.

CREATE TABLE api_keys (
    tenant_id    uuid NOT NULL REFERENCES tenants (id),
    id           uuid NOT NULL,
    user_id      uuid NOT NULL,
    name         text NOT NULL,
    role         text NOT NULL CHECK (role IN ('viewer', 'member', 'manager', 'owner')),
    -- How the key begins. Of the rest there is a digest only.
    prefix       text NOT NULL,
    token_hash   text NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);

CREATE INDEX api_keys_tenant_id_user_id_idx ON api_keys (tenant_id, user_id);

UPDATE schema_version SET version = 4;
