-- Postgres itself holds every statement to the tenant that its transaction is about. Without a tenant there are no rows,
-- for the owner of the tables neither. `bailiwick migrate` makes the two roles beforehand and says afterwards what each
-- may do; see docs/POSTGRES.md.
--
-- The condition is a plain comparison, so that the planner sees that it says what the statements say, too: it is
-- evaluated once for each statement and not for each row. An `OR` in it would cost every list its index.
--
-- A later migration that makes a table with a tenant_id does the same for it; a test fails until it does.

DO $$
DECLARE
    owned record;
BEGIN
    FOR owned IN
        SELECT c.oid::regclass AS name, a.attname AS tenant
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
        AND (a.attname = 'tenant_id' OR (c.relname = 'tenants' AND a.attname = 'id'))
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', owned.name);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', owned.name);
        -- After a transaction what was set for it alone is empty, not absent.
        EXECUTE format(
            'CREATE POLICY one_tenant ON %s USING (%I = NULLIF(current_setting(''bailiwick.tenant'', true), '''')::uuid)',
            owned.name, owned.tenant);
        EXECUTE format('CREATE POLICY spanning ON %s TO bailiwick_spanning USING (true)', owned.name);
    END LOOP;
END
$$;

UPDATE schema_version SET version = 7;
