-- The chain of a tenant's activity: each entry gets the next number and a hash over itself and the hash before it. Both
-- are set once, in the background, right after the entry was written; until then they are NULL.

ALTER TABLE activity ADD COLUMN seq INTEGER;
ALTER TABLE activity ADD COLUMN hash TEXT;

CREATE UNIQUE INDEX activity_tenant_id_seq_key ON activity (tenant_id, seq) WHERE seq IS NOT NULL;
CREATE INDEX activity_unsealed_idx ON activity (tenant_id, id) WHERE seq IS NULL;

UPDATE schema_version SET version = 5;
