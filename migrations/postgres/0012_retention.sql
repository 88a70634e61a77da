-- Deliveries are kept for a time after they were sent or given up; this finds those of which it has passed.

CREATE INDEX deliveries_settled_idx ON deliveries (next_attempt_at) WHERE state <> 'pending';

UPDATE schema_version SET version = 12;
