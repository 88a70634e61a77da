-- What whoever operates the service wants to know of the outbox: from which request a delivery comes, and how many were
-- given up.

-- The trace of what caused it, as the header `traceparent` has it.
ALTER TABLE deliveries ADD COLUMN trace text;

CREATE INDEX deliveries_dead_idx ON deliveries (tenant_id) WHERE state = 'dead';

UPDATE schema_version SET version = 10;
