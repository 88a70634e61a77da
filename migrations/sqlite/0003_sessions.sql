-- Sessions: each login makes one, and an access token is good only while its session is.

CREATE TABLE sessions (
    id           TEXT NOT NULL PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id),
    -- Of the refresh token that is good next; each is good once.
    refresh_hash TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    refreshed_at TEXT NOT NULL,
    expires_at   TEXT NOT NULL,
    revoked_at   TEXT
) STRICT;

CREATE INDEX sessions_user_id_idx ON sessions (user_id, id);

UPDATE schema_version SET version = 3;
