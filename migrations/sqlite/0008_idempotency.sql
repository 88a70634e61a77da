-- Holds the place of another change.

UPDATE schema_version SET version = 8;
