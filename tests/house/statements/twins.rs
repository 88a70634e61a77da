//! Two tenants whose rows have the same ids throughout, so that a statement which names a row of the one finds the
//! other's, too, as soon as nothing but the tenant keeps them apart; and the same database without the other tenant.

use std::{collections::BTreeMap, fmt::Write as _};

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::Config;
use bailiwick_tests::targets::Postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};

/// The tenant that is asked about.
pub(super) const OWN: &str = "0aaaaaaa-0000-7000-8000-00000000000a";
/// The tenant that nothing may be seen of.
pub(super) const OTHER: &str = "0bbbbbbb-0000-7000-8000-00000000000b";
/// The id of everything else: each table has one row of it for each tenant.
pub(super) const ID: &str = "0ccccccc-0000-7000-8000-00000000000c";

/// Tables with a tenant's rows, and the column that says whose they are.
pub(super) const OWNED: &str = "SELECT c.oid::regclass::text, a.attname::text \
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
     AND (a.attname = 'tenant_id' OR (c.relname = 'tenants' AND a.attname = 'id')) ORDER BY 1";

/// What must have a value in a new row: the name of the column, its type, the first value of an enumeration (of
/// roles the last, which may most), and whether no two tenants may have the same.
const COLUMNS: &str = "SELECT c.oid::regclass::text, a.attname::text, format_type(a.atttypid, NULL), \
     (SELECT substring(pg_get_constraintdef(k.oid) FROM \
      CASE a.attname WHEN 'role' THEN '.*''([^'']+)''' ELSE '''([^'']+)''' END) FROM pg_constraint k \
      WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum] LIMIT 1), \
     EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey) \
      AND NOT EXISTS (SELECT 1 FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attnum = ANY (i.indkey) \
       AND (t.attname = 'tenant_id' OR c.relname = 'tenants' AND t.attname = 'id'))) \
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped \
     AND c.relname NOT IN ('schema_version', '_sqlx_migrations') AND NOT a.atthasdef \
     AND (a.attnotnull OR a.atttypid IN ('uuid'::regtype, 'text'::regtype, 'date'::regtype)) ORDER BY 1, a.attnum";

/// A column of a new row.
struct Column {
    name: String,
    value: &'static str,
    enumerated: Option<String>,
    distinct: bool,
}

/// A database, and a superuser's connection to it.
pub(super) struct World {
    pub(super) connection: PgConnection,
    /// Reads all that the other tenant has.
    pub(super) snapshot: String,
}

impl World {
    /// Makes one on the server.
    pub(super) async fn make(server: &Postgres, name: &str, tenants: &[&'static str]) -> Self {
        let mut maintenance = PgConnection::connect(&server.url()).await.expect("a server");
        run(&mut maintenance, &format!("CREATE DATABASE {name}")).await;
        let url = server.login("bailiwick", name);
        let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("settings");
        let database = AnyDatabase::connect_as_owner(&config).await.expect("a database");
        database.migrate().await.expect("migrations");
        let mut connection = PgConnection::connect(&url).await.expect("the database");
        plant(&mut connection, tenants).await;
        let snapshot = snapshot(&mut connection).await;
        Self { connection, snapshot }
    }
}

pub(super) async fn run(connection: &mut PgConnection, sql: &str) {
    raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// A row for each tenant in each of their tables, and one in each that is nobody's, made up from the types of columns.
async fn plant(connection: &mut PgConnection, tenants: &[&'static str]) {
    type Described = (String, String, String, Option<String>, bool);
    let described: Vec<Described> =
        sqlx::query_as(COLUMNS).fetch_all(&mut *connection).await.expect("columns");
    let mut tables = BTreeMap::<String, Vec<Column>>::new();
    for (table, name, kind, enumerated, distinct) in described {
        let value = match kind.as_str() {
            "uuid" => ID,
            "text" => "x",
            "bigint" => "1",
            "jsonb" => "{}",
            "date" => "2050-01-01",
            "timestamp with time zone" => "2050-01-01 00:00:00Z",
            other => panic!("the test knows no value of type {other}: {table}.{name}"),
        };
        tables.entry(table).or_default().push(Column { name, value, enumerated, distinct });
    }
    // References are met in the end, whatever the order.
    run(connection, "SET session_replication_role = replica").await;
    for (table, columns) in tables {
        let owner = match table.as_str() {
            "tenants" => Some("id"),
            _ => columns.iter().any(|column| column.name == "tenant_id").then_some("tenant_id"),
        };
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        for &tenant in if owner.is_some() { tenants } else { &[OWN] } {
            let value = |column: &Column| match &column.enumerated {
                _ if Some(column.name.as_str()) == owner => format!("'{tenant}'"),
                // Somebody who stands for themselves, among those of the tenant that is asked about.
                _ if column.name == "imported_into" => format!("'{OWN}'"),
                Some(value) => format!("'{value}'"),
                None if column.distinct && tenant == OWN && owner.is_some() => "'y'".to_owned(),
                None => format!("'{}'", column.value),
            };
            let values: Vec<_> = columns.iter().map(value).collect();
            let (names, values) = (names.join(", "), values.join(", "));
            run(connection, &format!("INSERT INTO {table} ({names}) VALUES ({values})")).await;
        }
    }
    // A number that statements are asked with; the default is none of these.
    run(connection, "UPDATE imports SET by_operator = 1").await;
    // A word that searches are asked with.
    run(connection, "UPDATE projects SET name_words = 'x'; UPDATE tasks SET title_words = 'x'").await;
    run(connection, "SET session_replication_role = origin").await;
}

async fn snapshot(connection: &mut PgConnection) -> String {
    let owned: Vec<(String, String)> = sqlx::query_as(OWNED).fetch_all(connection).await.expect("tables");
    assert!(owned.len() >= 9, "{owned:?}");
    let mut sql = String::new();
    for (table, tenant) in owned {
        let union = if sql.is_empty() { "" } else { " UNION ALL " };
        write!(
            sql,
            "{union}SELECT '{table}' AS name, (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM {table} t \
             WHERE {tenant} = '{OTHER}') AS rows"
        )
        .expect("a string takes all");
    }
    sql
}
