-- Sessions: each login makes one, and an access token is good only while its session is.

CREATE TABLE sessions (
    id           uuid NOT NULL PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id),
    -- Of the refresh token that is good next; each is good once.
    refresh_hash text NOT NULL,
    created_at   timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);

CREATE INDEX sessions_user_id_idx ON sessions (user_id, id);

UPDATE schema_version SET version = 3;
