-- Since when a tenant is deleted of which rows are left. They go piece by piece; this row is the last.
ALTER TABLE tenants ADD COLUMN deleted_at TEXT;

CREATE INDEX tenants_deleted_at_idx ON tenants (deleted_at) WHERE deleted_at IS NOT NULL;

UPDATE schema_version SET version = 16;
