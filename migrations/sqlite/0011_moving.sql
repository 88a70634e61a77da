-- Tenants on their way in: what has arrived of an import waits here, and is nothing yet. All of it becomes a tenant in one
-- transaction, or none of it.

CREATE TABLE imports (
    -- The tenant that it will be. There is none of this id while it waits.
    tenant_id  TEXT NOT NULL,
    -- Who brings it; the nil id is the operator's.
    user_id    TEXT NOT NULL,
    -- What the file began with and what was asked for, and what the next rows need to know of those before.
    state      TEXT NOT NULL CHECK (json_valid(state)),
    -- The line that comes next, and the digest of those before.
    next_line  INTEGER NOT NULL,
    digest     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) STRICT;

CREATE INDEX imports_updated_at_idx ON imports (updated_at);

CREATE TABLE import_rows (
    tenant_id TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    line      INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    -- By which other rows refer to it.
    name      TEXT NOT NULL,
    content   TEXT NOT NULL CHECK (json_valid(content)),
    PRIMARY KEY (tenant_id, user_id, line),
    UNIQUE (tenant_id, user_id, name),
    FOREIGN KEY (tenant_id, user_id) REFERENCES imports (tenant_id, user_id) ON DELETE CASCADE
) STRICT;

CREATE INDEX import_rows_kind_idx ON import_rows (tenant_id, user_id, kind);

UPDATE schema_version SET version = 11;
