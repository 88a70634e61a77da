-- The words of names and descriptions, by which searches go. The service makes them (core/src/search.rs), the same for
-- every engine; what is here already gets them in the background.

ALTER TABLE projects ADD COLUMN name_words TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN description_words TEXT NOT NULL DEFAULT '';
-- 1 if it has its words.
ALTER TABLE projects ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;

ALTER TABLE tasks ADD COLUMN title_words TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN description_words TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;

CREATE INDEX projects_waiting_idx ON projects (tenant_id, id) WHERE indexed = 0;
CREATE INDEX tasks_waiting_idx ON tasks (tenant_id, id) WHERE indexed = 0;

-- The index of words; the words themselves are kept in the table above alone. It finds a row by its id as if that were a
-- word, for the rowid of a table without an INTEGER PRIMARY KEY changes when the file is compacted; words have no hyphens
-- and ids have, so neither is taken for the other. Each word has in front the last digits of its tenant's id, which are
-- random: so what a search costs depends on the tenant's own texts alone. (It does not keep tenants apart; that is up to
-- the statements.)
CREATE VIRTUAL TABLE project_search USING fts5(tenant_id UNINDEXED, id UNINDEXED, words, tokenize = "ascii tokenchars '-'", detail = none, content = '', contentless_delete = 1, contentless_unindexed = 1);
CREATE VIRTUAL TABLE task_search USING fts5(tenant_id UNINDEXED, id UNINDEXED, words, tokenize = "ascii tokenchars '-'", detail = none, content = '', contentless_delete = 1, contentless_unindexed = 1);

-- Triggers keep it right, whoever writes, and when a project takes its tasks with it. (D1 is given one statement at a
-- time, told apart by semicolons at the ends of lines; hence the long lines.)
CREATE TRIGGER project_search_insert AFTER INSERT ON projects BEGIN INSERT INTO project_search (tenant_id, id, words) VALUES (new.tenant_id, new.id, new.id || replace(' ' || new.name_words || ' ' || new.description_words, ' ', ' ' || substr(new.tenant_id, -8))); END;
CREATE TRIGGER project_search_update AFTER UPDATE OF name_words, description_words ON projects WHEN old.name_words <> new.name_words OR old.description_words <> new.description_words BEGIN DELETE FROM project_search WHERE rowid IN (SELECT s.rowid FROM project_search s WHERE s.project_search MATCH ('"' || old.id || '"') AND s.tenant_id = old.tenant_id); INSERT INTO project_search (tenant_id, id, words) VALUES (new.tenant_id, new.id, new.id || replace(' ' || new.name_words || ' ' || new.description_words, ' ', ' ' || substr(new.tenant_id, -8))); END;
CREATE TRIGGER project_search_delete AFTER DELETE ON projects BEGIN DELETE FROM project_search WHERE rowid IN (SELECT s.rowid FROM project_search s WHERE s.project_search MATCH ('"' || old.id || '"') AND s.tenant_id = old.tenant_id); END;
CREATE TRIGGER task_search_insert AFTER INSERT ON tasks BEGIN INSERT INTO task_search (tenant_id, id, words) VALUES (new.tenant_id, new.id, new.id || replace(' ' || new.title_words || ' ' || new.description_words, ' ', ' ' || substr(new.tenant_id, -8))); END;
CREATE TRIGGER task_search_update AFTER UPDATE OF title_words, description_words ON tasks WHEN old.title_words <> new.title_words OR old.description_words <> new.description_words BEGIN DELETE FROM task_search WHERE rowid IN (SELECT s.rowid FROM task_search s WHERE s.task_search MATCH ('"' || old.id || '"') AND s.tenant_id = old.tenant_id); INSERT INTO task_search (tenant_id, id, words) VALUES (new.tenant_id, new.id, new.id || replace(' ' || new.title_words || ' ' || new.description_words, ' ', ' ' || substr(new.tenant_id, -8))); END;
CREATE TRIGGER task_search_delete AFTER DELETE ON tasks BEGIN DELETE FROM task_search WHERE rowid IN (SELECT s.rowid FROM task_search s WHERE s.task_search MATCH ('"' || old.id || '"') AND s.tenant_id = old.tenant_id); END;

UPDATE schema_version SET version = 9;
