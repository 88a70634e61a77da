-- ../sqlite has the same tables, columns, keys and constraints in SQLite's types.
-- Every tenant-owned table starts its primary key with tenant_id, so that it can be distributed by tenant.

CREATE TABLE schema_version (
    version bigint NOT NULL PRIMARY KEY
);

CREATE TABLE users (
    id            uuid NOT NULL PRIMARY KEY,
    email         text NOT NULL UNIQUE,
    name          text NOT NULL,
    password_hash text NOT NULL,
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    version       bigint NOT NULL
);

CREATE TABLE tenants (
    id         uuid NOT NULL PRIMARY KEY,
    slug       text NOT NULL UNIQUE,
    name       text NOT NULL,
    created_by uuid REFERENCES users (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL
);

CREATE TABLE memberships (
    tenant_id  uuid NOT NULL REFERENCES tenants (id),
    id         uuid NOT NULL,
    user_id    uuid NOT NULL REFERENCES users (id),
    role       text NOT NULL CHECK (role IN ('viewer', 'member', 'manager', 'owner')),
    status     text NOT NULL CHECK (status IN ('active', 'suspended')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, user_id)
);

CREATE INDEX memberships_user_id_idx ON memberships (user_id, tenant_id);

CREATE TABLE projects (
    tenant_id    uuid NOT NULL REFERENCES tenants (id),
    id           uuid NOT NULL,
    name         text NOT NULL,
    description  text NOT NULL,
    status       text NOT NULL CHECK (status IN ('draft', 'submitted', 'approved', 'rejected', 'in_progress', 'completed', 'archived')),
    visibility   text NOT NULL CHECK (visibility IN ('private', 'public')),
    created_by   uuid NOT NULL REFERENCES users (id),
    submitted_by uuid REFERENCES users (id),
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    version      bigint NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX projects_status_idx ON projects (tenant_id, status, id);

CREATE TABLE tasks (
    tenant_id   uuid NOT NULL REFERENCES tenants (id),
    id          uuid NOT NULL,
    project_id  uuid NOT NULL,
    title       text NOT NULL,
    description text NOT NULL,
    status      text NOT NULL CHECK (status IN ('todo', 'in_progress', 'blocked', 'done')),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, project_id) REFERENCES projects (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX tasks_project_id_idx ON tasks (tenant_id, project_id, status);

-- What happened, append-only. Entities may be gone, so nothing but the tenant is a foreign key.
CREATE TABLE activity (
    tenant_id   uuid NOT NULL REFERENCES tenants (id),
    id          uuid NOT NULL,
    actor_id    uuid,
    action      text NOT NULL,
    entity_type text NOT NULL,
    entity_id   uuid NOT NULL,
    detail      jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX activity_entity_idx ON activity (tenant_id, entity_type, entity_id, id);

-- Waits for its owner: the first user who registers, unless the configuration says otherwise.
INSERT INTO tenants (id, slug, name, created_at, updated_at, version)
VALUES ('00000000-0000-7000-8000-000000000001', 'default', 'Default',
        date_trunc('milliseconds', now()), date_trunc('milliseconds', now()), 1);

INSERT INTO schema_version (version) VALUES (1);
