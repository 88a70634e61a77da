-- The words of names and descriptions, by which searches go. The service makes them (core/src/search.rs), the same for
-- every engine; what is here already gets them in the background.

ALTER TABLE projects ADD COLUMN name_words text NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN description_words text NOT NULL DEFAULT '';
-- 1 if it has its words.
ALTER TABLE projects ADD COLUMN indexed bigint NOT NULL DEFAULT 0;

ALTER TABLE tasks ADD COLUMN title_words text NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN description_words text NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN indexed bigint NOT NULL DEFAULT 0;

CREATE INDEX projects_waiting_idx ON projects (tenant_id, id) WHERE indexed = 0;
CREATE INDEX tasks_waiting_idx ON tasks (tenant_id, id) WHERE indexed = 0;

-- In the index each word has in front the last digits of its tenant's id, which are random: so what a search costs depends
-- on the tenant's own texts alone. (It does not keep tenants apart; that is up to the statements.)
CREATE INDEX projects_words_idx ON projects USING gin
    (array_to_tsvector(string_to_array(btrim(replace(' ' || btrim(name_words || ' ' || description_words), ' ', ' ' || right(tenant_id::text, 8))), ' ')));
CREATE INDEX tasks_words_idx ON tasks USING gin
    (array_to_tsvector(string_to_array(btrim(replace(' ' || btrim(title_words || ' ' || description_words), ' ', ' ' || right(tenant_id::text, 8))), ' ')));

-- Row-level security lets no condition near the rows before its own, unless the condition's operator is known not to
-- tell of what it sees (`LEAKPROOF`). That of text search is not, so the planner never takes these indexes for a statement
-- that is under row-level security. These functions look into them as the owner of the tables, who sees every row (as a
-- member of bailiwick_spanning). What they return are ids, of the tenant that the transaction is about and of no other;
-- and the statement around them still reads the rows themselves, as row-level security lets it.
CREATE FUNCTION matching_projects(words text) RETURNS SETOF uuid
    LANGUAGE sql STABLE STRICT SECURITY DEFINER ROWS 100
BEGIN ATOMIC
    SELECT id FROM projects WHERE tenant_id = NULLIF(current_setting('bailiwick.tenant', true), '')::uuid AND
    array_to_tsvector(string_to_array(btrim(replace(' ' || btrim(name_words || ' ' || description_words), ' ', ' ' || right(tenant_id::text, 8))), ' '))
    @@ ('''' || right(current_setting('bailiwick.tenant', true), 8)
        || replace(words, ' ', ''':* & ''' || right(current_setting('bailiwick.tenant', true), 8)) || ''':*')::tsquery;
END;

CREATE FUNCTION matching_tasks(words text) RETURNS SETOF uuid
    LANGUAGE sql STABLE STRICT SECURITY DEFINER ROWS 100
BEGIN ATOMIC
    SELECT id FROM tasks WHERE tenant_id = NULLIF(current_setting('bailiwick.tenant', true), '')::uuid AND
    array_to_tsvector(string_to_array(btrim(replace(' ' || btrim(title_words || ' ' || description_words), ' ', ' ' || right(tenant_id::text, 8))), ' '))
    @@ ('''' || right(current_setting('bailiwick.tenant', true), 8)
        || replace(words, ' ', ''':* & ''' || right(current_setting('bailiwick.tenant', true), 8)) || ''':*')::tsquery;
END;

REVOKE ALL ON FUNCTION matching_projects(text), matching_tasks(text) FROM PUBLIC;

UPDATE schema_version SET version = 9;
