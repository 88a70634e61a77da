-- Identities: who somebody is to an identity provider, and which account that leads to.

CREATE TABLE identities (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The provider, and its name for them, as its tokens have them in `iss` and `sub`.
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (issuer, subject)
) STRICT;

CREATE INDEX identities_user_id_idx ON identities (user_id, id);

UPDATE schema_version SET version = 6;
