-- What of a tenant is due, and what is under way: claiming goes from tenant to tenant, not through all that waits.

CREATE INDEX deliveries_turn_idx ON deliveries (tenant_id, next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX deliveries_busy_idx ON deliveries (tenant_id, next_attempt_at) WHERE claim IS NOT NULL;

-- When somebody came with a tenant that was brought in by another one, as long as they have not agreed to be in it.
ALTER TABLE memberships ADD COLUMN imported_at TEXT;

UPDATE schema_version SET version = 14;
