-- What is brought in over HTTP makes no accounts. Rows of users that stand for people who have not shown themselves are
-- placeholders: of one tenant, with the address that the file has of them beside, where nothing looks for an account.

ALTER TABLE users ADD COLUMN imported_into uuid;
ALTER TABLE users ADD COLUMN imported_email text;
CREATE UNIQUE INDEX users_imported_into_imported_email_key ON users (imported_into, imported_email) WHERE imported_into IS NOT NULL;

-- The placeholder in whose place somebody is: older entries of the activity name them by it.
ALTER TABLE memberships ADD COLUMN imported_id uuid;

-- What a placeholder has becomes theirs who take its place; this finds it.
CREATE INDEX projects_created_by_idx ON projects (tenant_id, created_by);
CREATE INDEX projects_submitted_by_idx ON projects (tenant_id, submitted_by) WHERE submitted_by IS NOT NULL;
CREATE INDEX tasks_created_by_idx ON tasks (tenant_id, created_by) WHERE created_by IS NOT NULL;
CREATE INDEX comments_author_id_idx ON comments (tenant_id, author_id);
CREATE INDEX invitations_invited_by_idx ON invitations (tenant_id, invited_by);
CREATE INDEX invitations_accepted_by_idx ON invitations (tenant_id, accepted_by) WHERE accepted_by IS NOT NULL;

-- The operator's imports are told apart by this, and by no id that a user could have.
ALTER TABLE imports ADD COLUMN by_operator bigint NOT NULL DEFAULT 0;
UPDATE imports SET by_operator = 1 WHERE user_id = '00000000-0000-0000-0000-000000000000';

-- What no other row may have either, beside the name.
ALTER TABLE import_rows ADD COLUMN also text;
CREATE UNIQUE INDEX import_rows_tenant_id_user_id_also_key ON import_rows (tenant_id, user_id, also) WHERE also IS NOT NULL;

-- People of imports that are under way.
UPDATE import_rows SET content = content || jsonb_build_object('placeholder', 1,
    'imported_email', CASE WHEN content ->> 'email' LIKE '%.invalid' THEN NULL ELSE content ->> 'email' END,
    'email', (content ->> 'id') || '@unclaimed.invalid')
WHERE kind = 'users' AND content ->> 'known' IS NULL AND user_id <> '00000000-0000-0000-0000-000000000000';

-- Accounts that nobody has logged in to and that came with a tenant which somebody brought in over HTTP become what they
-- would be now, unless they are something elsewhere. (The last entry of an import says who brought it: the operator is none.)
UPDATE users SET imported_into = (SELECT m.tenant_id FROM memberships m WHERE m.user_id = users.id ORDER BY m.tenant_id LIMIT 1)
WHERE password_hash = '' AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = users.id)
    AND EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id)
    AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id AND m.imported_at IS NULL
        AND (SELECT a.actor_id FROM activity a WHERE a.tenant_id = m.tenant_id AND a.entity_type = 'tenant'
            AND a.entity_id = m.tenant_id AND a.action = 'tenant.imported'
            ORDER BY CASE WHEN a.seq IS NULL THEN 0 ELSE 1 END, a.seq DESC LIMIT 1) IS NULL);

-- The same of those who are no members and have left something there.
UPDATE users SET imported_into = (SELECT x.tenant_id FROM projects x WHERE x.created_by = users.id ORDER BY x.tenant_id LIMIT 1)
WHERE imported_into IS NULL AND password_hash = '' AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = users.id)
    AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id)
    AND id IN (SELECT x.created_by FROM projects x WHERE (SELECT a.actor_id FROM activity a WHERE a.tenant_id = x.tenant_id AND a.entity_type = 'tenant'
            AND a.entity_id = x.tenant_id AND a.action = 'tenant.imported'
            ORDER BY CASE WHEN a.seq IS NULL THEN 0 ELSE 1 END, a.seq DESC LIMIT 1) IS NOT NULL);
UPDATE users SET imported_into = (SELECT x.tenant_id FROM projects x WHERE x.submitted_by = users.id ORDER BY x.tenant_id LIMIT 1)
WHERE imported_into IS NULL AND password_hash = '' AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = users.id)
    AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id)
    AND id IN (SELECT x.submitted_by FROM projects x WHERE (SELECT a.actor_id FROM activity a WHERE a.tenant_id = x.tenant_id AND a.entity_type = 'tenant'
            AND a.entity_id = x.tenant_id AND a.action = 'tenant.imported'
            ORDER BY CASE WHEN a.seq IS NULL THEN 0 ELSE 1 END, a.seq DESC LIMIT 1) IS NOT NULL);
UPDATE users SET imported_into = (SELECT x.tenant_id FROM tasks x WHERE x.created_by = users.id ORDER BY x.tenant_id LIMIT 1)
WHERE imported_into IS NULL AND password_hash = '' AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = users.id)
    AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id)
    AND id IN (SELECT x.created_by FROM tasks x WHERE (SELECT a.actor_id FROM activity a WHERE a.tenant_id = x.tenant_id AND a.entity_type = 'tenant'
            AND a.entity_id = x.tenant_id AND a.action = 'tenant.imported'
            ORDER BY CASE WHEN a.seq IS NULL THEN 0 ELSE 1 END, a.seq DESC LIMIT 1) IS NOT NULL);
UPDATE users SET imported_into = (SELECT x.tenant_id FROM comments x WHERE x.author_id = users.id ORDER BY x.tenant_id LIMIT 1)
WHERE imported_into IS NULL AND password_hash = '' AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = users.id)
    AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id)
    AND id IN (SELECT x.author_id FROM comments x WHERE (SELECT a.actor_id FROM activity a WHERE a.tenant_id = x.tenant_id AND a.entity_type = 'tenant'
            AND a.entity_id = x.tenant_id AND a.action = 'tenant.imported'
            ORDER BY CASE WHEN a.seq IS NULL THEN 0 ELSE 1 END, a.seq DESC LIMIT 1) IS NOT NULL);
UPDATE users SET imported_into = (SELECT x.tenant_id FROM invitations x WHERE x.invited_by = users.id ORDER BY x.tenant_id LIMIT 1)
WHERE imported_into IS NULL AND password_hash = '' AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = users.id)
    AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id)
    AND id IN (SELECT x.invited_by FROM invitations x WHERE (SELECT a.actor_id FROM activity a WHERE a.tenant_id = x.tenant_id AND a.entity_type = 'tenant'
            AND a.entity_id = x.tenant_id AND a.action = 'tenant.imported'
            ORDER BY CASE WHEN a.seq IS NULL THEN 0 ELSE 1 END, a.seq DESC LIMIT 1) IS NOT NULL);
UPDATE users SET imported_into = (SELECT x.tenant_id FROM invitations x WHERE x.accepted_by = users.id ORDER BY x.tenant_id LIMIT 1)
WHERE imported_into IS NULL AND password_hash = '' AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = users.id)
    AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id)
    AND id IN (SELECT x.accepted_by FROM invitations x WHERE (SELECT a.actor_id FROM activity a WHERE a.tenant_id = x.tenant_id AND a.entity_type = 'tenant'
            AND a.entity_id = x.tenant_id AND a.action = 'tenant.imported'
            ORDER BY CASE WHEN a.seq IS NULL THEN 0 ELSE 1 END, a.seq DESC LIMIT 1) IS NOT NULL);

UPDATE users SET imported_email = CASE WHEN email LIKE '%.invalid' THEN NULL ELSE email END, email = CAST(id AS text) || '@unclaimed.invalid'
WHERE imported_into IS NOT NULL;

UPDATE memberships SET status = 'suspended', imported_at = updated_at
WHERE imported_at IS NULL AND user_id IN (SELECT u.id FROM users u WHERE u.imported_into IS NOT NULL);

UPDATE schema_version SET version = 18;
