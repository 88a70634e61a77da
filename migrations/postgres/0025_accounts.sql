-- Whoever deletes their account leaves all their tenants in one statement each. On Postgres, `bailiwick migrate` grants the role for
-- statements that span tenants what these need.

-- To an address of which a reset was asked for a moment ago no other mail goes, whatever account has it now.
CREATE INDEX password_resets_email_idx ON password_resets (email, created_at);

UPDATE schema_version SET version = 25;
