-- What one tenant has heaped up costs nobody else anything, and itself no more than it asks for.

-- The slugs of tenants that were deleted: for a time nobody but the user who did that may take one. (No user is the operator.)
CREATE TABLE released_slugs (
    slug        TEXT NOT NULL PRIMARY KEY,
    user_id     TEXT,
    released_at TEXT NOT NULL
) STRICT;

CREATE INDEX released_slugs_released_at_idx ON released_slugs (released_at);

-- How ids end, under which the words of each tenant are in the index of words: an import chooses its id.
CREATE INDEX tenants_ending_idx ON tenants (substr(CAST(id AS text), 29));

-- Which tenants have something left to be removed: they take turns, in the order of their ids.
CREATE INDEX tenants_removal_idx ON tenants (id) WHERE deleted_at IS NOT NULL;

-- What is asked of one member, one project or one state, among however many rows of the tenant.
CREATE INDEX memberships_role_idx ON memberships (tenant_id, role, id);
-- (The project stands first, so that nobody takes this index for one of ids and goes through all of the tenant in it; and the one
-- by project and status goes, lest it be taken for as good where a page of the newest is asked for.)
CREATE INDEX tasks_newest_idx ON tasks (project_id, tenant_id, id);
CREATE INDEX tasks_open_idx ON tasks (tenant_id, project_id) WHERE status IN ('todo', 'in_progress', 'blocked');
DROP INDEX tasks_project_id_idx;
CREATE INDEX projects_public_idx ON projects (tenant_id, id) WHERE visibility = 'public' AND status <> 'draft';
CREATE INDEX notifications_unread_idx ON notifications (tenant_id, recipient_id, id) WHERE read_at IS NULL;
CREATE INDEX invitations_inviter_idx ON invitations (tenant_id, invited_by) WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX sessions_open_idx ON sessions (user_id, id) WHERE revoked_at IS NULL;
CREATE INDEX sessions_expires_at_idx ON sessions (user_id, expires_at);

-- The activity by who, by what, and what moved a project.
CREATE INDEX activity_actor_idx ON activity (tenant_id, actor_id, id);
CREATE INDEX activity_action_idx ON activity (tenant_id, action, id);
CREATE INDEX activity_moves_idx ON activity (tenant_id, entity_id, id) WHERE action = 'project.moved';

UPDATE schema_version SET version = 20;
