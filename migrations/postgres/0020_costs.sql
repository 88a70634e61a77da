-- What one tenant has heaped up costs nobody else anything, and itself no more than it asks for.

-- The slugs of tenants that were deleted: for a time nobody but the user who did that may take one. (No user is the operator.)
CREATE TABLE released_slugs (
    slug        text NOT NULL PRIMARY KEY,
    user_id     uuid,
    released_at timestamptz NOT NULL
);

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

-- A tenant's words are looked for in the index of words alone: asked for the tenant as text, which no index has. Of a tenant with
-- some thousand rows it would rather have taken all and made their words anew.
CREATE OR REPLACE FUNCTION matching_projects(words text) RETURNS SETOF uuid
    LANGUAGE sql STABLE STRICT SECURITY DEFINER ROWS 100
BEGIN ATOMIC
    SELECT id FROM projects WHERE tenant_id::text = current_setting('bailiwick.tenant', true) AND
    array_to_tsvector(string_to_array(btrim(replace(' ' || btrim(name_words || ' ' || description_words), ' ', ' ' || right(tenant_id::text, 8))), ' '))
    @@ ('''' || right(current_setting('bailiwick.tenant', true), 8)
        || replace(words, ' ', ''':* & ''' || right(current_setting('bailiwick.tenant', true), 8)) || ''':*')::tsquery;
END;

CREATE OR REPLACE FUNCTION matching_tasks(words text) RETURNS SETOF uuid
    LANGUAGE sql STABLE STRICT SECURITY DEFINER ROWS 100
BEGIN ATOMIC
    SELECT id FROM tasks WHERE tenant_id::text = current_setting('bailiwick.tenant', true) AND
    array_to_tsvector(string_to_array(btrim(replace(' ' || btrim(title_words || ' ' || description_words), ' ', ' ' || right(tenant_id::text, 8))), ' '))
    @@ ('''' || right(current_setting('bailiwick.tenant', true), 8)
        || replace(words, ' ', ''':* & ''' || right(current_setting('bailiwick.tenant', true), 8)) || ''':*')::tsquery;
END;

-- What others have written of late is in no list that every search goes through before it comes to the index itself.
DO $$
BEGIN
    ALTER INDEX projects_words_idx SET (fastupdate = off);
    ALTER INDEX tasks_words_idx SET (fastupdate = off);
    PERFORM gin_clean_pending_list('projects_words_idx'::regclass), gin_clean_pending_list('tasks_words_idx'::regclass);
END
$$;

-- An import is one user's: all rows of a tenant that have arrived are those of its user, too.
CREATE STATISTICS import_rows_statistics (dependencies) ON tenant_id, user_id FROM import_rows;

UPDATE schema_version SET version = 20;
