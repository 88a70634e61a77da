-- Identities: who somebody is to an identity provider, and which account that leads to.

CREATE TABLE identities (
    id         uuid NOT NULL PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The provider, and its name for them, as its tokens have them in `iss` and `sub`.
    issuer     text NOT NULL,
    subject    text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (issuer, subject)
);

CREATE INDEX identities_user_id_idx ON identities (user_id, id);

UPDATE schema_version SET version = 6;
