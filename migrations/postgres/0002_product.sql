-- Members and invitations, tasks, comments, notifications and their deliveries.

ALTER TABLE tenants ADD COLUMN suspended_at timestamptz;
ALTER TABLE tenants ADD COLUMN config jsonb NOT NULL DEFAULT '{}';

-- The kinds of notifications that the member does not want.
ALTER TABLE memberships ADD COLUMN muted jsonb NOT NULL DEFAULT '[]';

ALTER TABLE tasks ADD COLUMN priority text NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent'));
ALTER TABLE tasks ADD COLUMN assignee_id uuid;
ALTER TABLE tasks ADD COLUMN due_on date;
ALTER TABLE tasks ADD COLUMN created_by uuid REFERENCES users (id);
ALTER TABLE tasks ADD FOREIGN KEY (tenant_id, assignee_id) REFERENCES memberships (tenant_id, user_id);

CREATE INDEX tasks_assignee_id_idx ON tasks (tenant_id, assignee_id, id);

CREATE TABLE comments (
    tenant_id  uuid NOT NULL REFERENCES tenants (id),
    id         uuid NOT NULL,
    task_id    uuid NOT NULL,
    author_id  uuid NOT NULL REFERENCES users (id),
    body       text NOT NULL,
    edited_at  timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, task_id) REFERENCES tasks (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX comments_task_id_idx ON comments (tenant_id, task_id, id);

-- The token itself is nowhere: it can be derived from the id and the key that signs tokens.
CREATE TABLE invitations (
    tenant_id   uuid NOT NULL REFERENCES tenants (id),
    id          uuid NOT NULL,
    email       text NOT NULL,
    role        text NOT NULL CHECK (role IN ('viewer', 'member', 'manager')),
    token_hash  text NOT NULL,
    invited_by  uuid NOT NULL REFERENCES users (id),
    expires_at  timestamptz NOT NULL,
    accepted_at timestamptz,
    accepted_by uuid REFERENCES users (id),
    revoked_at  timestamptz,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- One invitation of an address is open at a time.
CREATE UNIQUE INDEX invitations_tenant_id_email_key ON invitations (tenant_id, email) WHERE accepted_at IS NULL AND revoked_at IS NULL;

CREATE TABLE notifications (
    tenant_id    uuid NOT NULL REFERENCES tenants (id),
    id           uuid NOT NULL,
    recipient_id uuid NOT NULL,
    kind         text NOT NULL,
    title        text NOT NULL,
    body         text NOT NULL,
    subject_type text NOT NULL,
    subject_id   uuid NOT NULL,
    read_at      timestamptz,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, recipient_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);

CREATE INDEX notifications_recipient_id_idx ON notifications (tenant_id, recipient_id, id);

-- The outbox: what is to be sent to the outside, written in the batch of the change that it tells of. A claim on one
-- lasts until next_attempt_at.
CREATE TABLE deliveries (
    tenant_id       uuid NOT NULL REFERENCES tenants (id),
    id              uuid NOT NULL,
    channel         text NOT NULL CHECK (channel IN ('email', 'slack')),
    kind            text NOT NULL,
    recipient_id    uuid,
    address         text,
    title           text NOT NULL,
    body            text NOT NULL,
    subject_type    text NOT NULL,
    subject_id      uuid NOT NULL,
    state           text NOT NULL CHECK (state IN ('pending', 'sent', 'dead')),
    attempts        bigint NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    claim           uuid,
    last_error      text,
    sent_at         timestamptz,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX deliveries_next_attempt_at_idx ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_claim_idx ON deliveries (claim) WHERE state = 'pending';
CREATE INDEX deliveries_state_idx ON deliveries (tenant_id, state, id);

CREATE INDEX activity_created_at_idx ON activity (tenant_id, created_at);

UPDATE schema_version SET version = 2;
