-- On Postgres there is row-level security from here on; SQLite has none. The numbers go together.

UPDATE schema_version SET version = 7;
