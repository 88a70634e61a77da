-- Passwords that were forgotten: a token that sets another one, and the mail that brings it.

CREATE TABLE password_resets (
    -- An account has one at the most.
    user_id         TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- Where the mail goes. If the account has another address by then, the token is worth nothing.
    email           TEXT NOT NULL,
    -- What the token names, and its digest.
    id              TEXT NOT NULL UNIQUE,
    token_hash      TEXT NOT NULL,
    expires_at      TEXT NOT NULL,
    -- When the mail is tried next, how often it was, and who does just now; not at all once it was sent or given up.
    next_attempt_at TEXT,
    attempts        INTEGER NOT NULL,
    claim           TEXT,
    created_at      TEXT NOT NULL
) STRICT;

CREATE INDEX password_resets_due_idx ON password_resets (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX password_resets_claim_idx ON password_resets (claim) WHERE claim IS NOT NULL;
CREATE INDEX password_resets_expires_at_idx ON password_resets (expires_at);

UPDATE schema_version SET version = 13;
