-- Whoever deletes their account leaves all their tenants in one statement each. On Postgres, `bailiwick migrate` grants the role for
-- statements that span tenants what these need; the tables are as before.
UPDATE schema_version SET version = 25;
