-- How much a tenant has stored, as it was measured last, and how far the measurement is that is under way.
CREATE TABLE sizes (
    tenant_id   uuid PRIMARY KEY REFERENCES tenants (id),
    step        bigint NOT NULL,
    bytes       bigint NOT NULL,
    row_count   bigint NOT NULL,
    seq         bigint NOT NULL,
    measured_at timestamptz NOT NULL,
    part        bigint,
    behind      uuid NOT NULL,
    part_bytes  bigint NOT NULL,
    part_rows   bigint NOT NULL,
    part_seq    bigint NOT NULL
);

ALTER TABLE sizes ENABLE ROW LEVEL SECURITY;
ALTER TABLE sizes FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON sizes USING (tenant_id = NULLIF(current_setting('bailiwick.tenant', true), '')::uuid);
CREATE POLICY spanning ON sizes TO bailiwick_spanning USING (true);

-- Those whose measurement is under way are found by it.
CREATE INDEX sizes_part_idx ON sizes (tenant_id) WHERE part IS NOT NULL;

UPDATE schema_version SET version = 23;
