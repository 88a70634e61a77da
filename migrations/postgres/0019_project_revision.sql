-- Counts the changes of what a project says: name, description, visibility. Who approves says which of them they mean.

ALTER TABLE projects ADD COLUMN revision bigint NOT NULL DEFAULT 1;

UPDATE schema_version SET version = 19;
