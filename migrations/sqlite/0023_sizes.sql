-- How much a tenant has stored, as it was measured last, and how far the measurement is that is under way.
CREATE TABLE sizes (
    tenant_id   TEXT PRIMARY KEY REFERENCES tenants (id),
    step        INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    row_count   INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    measured_at TEXT NOT NULL,
    part        INTEGER,
    behind      TEXT NOT NULL,
    part_bytes  INTEGER NOT NULL,
    part_rows   INTEGER NOT NULL,
    part_seq    INTEGER NOT NULL
) STRICT;

-- Those whose measurement is under way are found by it.
CREATE INDEX sizes_part_idx ON sizes (tenant_id) WHERE part IS NOT NULL;

UPDATE schema_version SET version = 23;
