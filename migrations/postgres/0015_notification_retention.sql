-- Notifications are kept for a time after they were read; this finds those of which it has passed.

CREATE INDEX notifications_read_idx ON notifications (read_at) WHERE read_at IS NOT NULL;

UPDATE schema_version SET version = 15;
