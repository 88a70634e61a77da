-- Tenants on their way in: what has arrived of an import waits here, and is nothing yet. All of it becomes a tenant in one
-- transaction, or none of it.

CREATE TABLE imports (
    -- The tenant that it will be. There is none of this id while it waits.
    tenant_id  uuid NOT NULL,
    -- Who brings it; the nil id is the operator's.
    user_id    uuid NOT NULL,
    -- What the file began with and what was asked for, and what the next rows need to know of those before.
    state      jsonb NOT NULL,
    -- The line that comes next, and the digest of those before.
    next_line  bigint NOT NULL,
    digest     text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);

CREATE INDEX imports_updated_at_idx ON imports (updated_at);

CREATE TABLE import_rows (
    tenant_id uuid NOT NULL,
    user_id   uuid NOT NULL,
    line      bigint NOT NULL,
    kind      text NOT NULL,
    -- By which other rows refer to it.
    name      text NOT NULL,
    content   jsonb NOT NULL,
    PRIMARY KEY (tenant_id, user_id, line),
    UNIQUE (tenant_id, user_id, name),
    FOREIGN KEY (tenant_id, user_id) REFERENCES imports (tenant_id, user_id) ON DELETE CASCADE
);

CREATE INDEX import_rows_kind_idx ON import_rows (tenant_id, user_id, kind);

ALTER TABLE imports ENABLE ROW LEVEL SECURITY;
ALTER TABLE imports FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON imports USING (tenant_id = NULLIF(current_setting('bailiwick.tenant', true), '')::uuid);
CREATE POLICY spanning ON imports TO bailiwick_spanning USING (true);

ALTER TABLE import_rows ENABLE ROW LEVEL SECURITY;
ALTER TABLE import_rows FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON import_rows USING (tenant_id = NULLIF(current_setting('bailiwick.tenant', true), '')::uuid);
CREATE POLICY spanning ON import_rows TO bailiwick_spanning USING (true);

UPDATE schema_version SET version = 11;
