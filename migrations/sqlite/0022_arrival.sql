-- How many lines of an import are rows of its tenant: nothing while more of it may arrive. Until all are, the tenant looks as if it was deleted.
ALTER TABLE imports ADD COLUMN placed INTEGER;

-- What has arrived of a table, in pieces.
CREATE INDEX import_rows_kind_line_idx ON import_rows (tenant_id, user_id, kind, line);
DROP INDEX import_rows_kind_idx;

UPDATE schema_version SET version = 22;
