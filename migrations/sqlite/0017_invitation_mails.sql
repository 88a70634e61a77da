-- How often an address was invited of late, which is limited.

CREATE INDEX invitations_address_idx ON invitations (tenant_id, email, created_at);

UPDATE schema_version SET version = 17;
