-- Members and invitations, tasks, comments, notifications and their deliveries.

ALTER TABLE tenants ADD COLUMN suspended_at TEXT;
ALTER TABLE tenants ADD COLUMN config TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(config));

-- The kinds of notifications that the member does not want.
ALTER TABLE memberships ADD COLUMN muted TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(muted));

-- SQLite adds no composite foreign key to a table that is there, so the table is made anew. Nothing refers to it yet.
CREATE TABLE tasks_new (
    tenant_id   TEXT NOT NULL REFERENCES tenants (id),
    id          TEXT NOT NULL,
    project_id  TEXT NOT NULL,
    title       TEXT NOT NULL,
    description TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('todo', 'in_progress', 'blocked', 'done')),
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    version     INTEGER NOT NULL,
    priority    TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    assignee_id TEXT,
    due_on      TEXT,
    created_by  TEXT REFERENCES users (id),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, project_id) REFERENCES projects (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, assignee_id) REFERENCES memberships (tenant_id, user_id)
) STRICT;

INSERT INTO tasks_new (tenant_id, id, project_id, title, description, status, created_at, updated_at, version)
SELECT tenant_id, id, project_id, title, description, status, created_at, updated_at, version FROM tasks;

DROP TABLE tasks;

ALTER TABLE tasks_new RENAME TO tasks;

CREATE INDEX tasks_project_id_idx ON tasks (tenant_id, project_id, status);
CREATE INDEX tasks_assignee_id_idx ON tasks (tenant_id, assignee_id, id);

CREATE TABLE comments (
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    id         TEXT NOT NULL,
    task_id    TEXT NOT NULL,
    author_id  TEXT NOT NULL REFERENCES users (id),
    body       TEXT NOT NULL,
    edited_at  TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, task_id) REFERENCES tasks (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX comments_task_id_idx ON comments (tenant_id, task_id, id);

-- The token itself is nowhere: it can be derived from the id and the key that signs tokens.
CREATE TABLE invitations (
    tenant_id   TEXT NOT NULL REFERENCES tenants (id),
    id          TEXT NOT NULL,
    email       TEXT NOT NULL,
    role        TEXT NOT NULL CHECK (role IN ('viewer', 'member', 'manager')),
    token_hash  TEXT NOT NULL,
    invited_by  TEXT NOT NULL REFERENCES users (id),
    expires_at  TEXT NOT NULL,
    accepted_at TEXT,
    accepted_by TEXT REFERENCES users (id),
    revoked_at  TEXT,
    created_at  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;

-- One invitation of an address is open at a time.
CREATE UNIQUE INDEX invitations_tenant_id_email_key ON invitations (tenant_id, email) WHERE accepted_at IS NULL AND revoked_at IS NULL;

CREATE TABLE notifications (
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    id           TEXT NOT NULL,
    recipient_id TEXT NOT NULL,
    kind         TEXT NOT NULL,
    title        TEXT NOT NULL,
    body         TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id   TEXT NOT NULL,
    read_at      TEXT,
    created_at   TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, recipient_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
) STRICT;

CREATE INDEX notifications_recipient_id_idx ON notifications (tenant_id, recipient_id, id);

-- The outbox: what is to be sent to the outside, written in the batch of the change that it tells of. A claim on one
-- lasts until next_attempt_at.
CREATE TABLE deliveries (
    tenant_id       TEXT NOT NULL REFERENCES tenants (id),
    id              TEXT NOT NULL,
    channel         TEXT NOT NULL CHECK (channel IN ('email', 'slack')),
    kind            TEXT NOT NULL,
    recipient_id    TEXT,
    address         TEXT,
    title           TEXT NOT NULL,
    body            TEXT NOT NULL,
    subject_type    TEXT NOT NULL,
    subject_id      TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'dead')),
    attempts        INTEGER NOT NULL,
    next_attempt_at TEXT NOT NULL,
    claim           TEXT,
    last_error      TEXT,
    sent_at         TEXT,
    created_at      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;

CREATE INDEX deliveries_next_attempt_at_idx ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_claim_idx ON deliveries (claim) WHERE state = 'pending';
CREATE INDEX deliveries_state_idx ON deliveries (tenant_id, state, id);

CREATE INDEX activity_created_at_idx ON activity (tenant_id, created_at);

UPDATE schema_version SET version = 2;
