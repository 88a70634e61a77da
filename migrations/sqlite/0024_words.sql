-- Words are made anew in the background, because letters of full width, ligatures, ł and ø, Hangul and pictographs are found now.
-- Rows have a 2 in `indexed` once they have them; no row is touched here. The indexes of those with a 0 stay for servers of the
-- version before, which ask for them every few seconds; they are empty, and go with a later version.
CREATE INDEX projects_words_due_idx ON projects (tenant_id, id) WHERE indexed < 2;
CREATE INDEX tasks_words_due_idx ON tasks (tenant_id, id) WHERE indexed < 2;

UPDATE schema_version SET version = 24;
