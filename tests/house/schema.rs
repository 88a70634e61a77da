//! The two migration trees make the same schema, and every statement of the catalogue is one that both engines take.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::{Config, repository::CATALOGUE};
use bailiwick_tests::targets::Postgres;
use sqlx::{AssertSqlSafe, Column, Executor, PgPool, Row, SqlitePool, raw_sql};

fn config(url: &str) -> Config {
    Config::read(|name| (name == "DATABASE_URL").then(|| url.to_owned())).expect("a configuration")
}

async fn sqlite(directory: &tempfile::TempDir) -> SqlitePool {
    let url = format!("sqlite://{}", directory.path().join("schema.db").display());
    AnyDatabase::connect_as_owner(&config(&url)).await.expect("a file").migrate().await.expect("migrations");
    SqlitePool::connect(&url).await.expect("the file")
}

async fn postgres(server: &Postgres) -> PgPool {
    AnyDatabase::connect_as_owner(&config(&server.url()))
        .await
        .expect("a server")
        .migrate()
        .await
        .expect("migrations");
    PgPool::connect(&server.url()).await.expect("the server")
}

/// What a table is, in words that both engines share.
#[derive(Debug, Default, PartialEq)]
struct Table {
    /// Name, general type, `null` or `not null`; in order.
    columns: Vec<(String, String, String)>,
    primary_key: Vec<String>,
    /// Columns of each uniqueness constraint.
    unique: BTreeSet<String>,
    /// `columns -> table columns action`.
    foreign_keys: BTreeSet<String>,
    /// Names and columns.
    indexes: BTreeSet<String>,
    /// The values that enumerations allow, by column.
    checks: BTreeSet<String>,
}

type Schema = BTreeMap<String, Table>;

async fn rows<'c, D: sqlx::Database>(
    executor: impl Executor<'c, Database = D>,
    sql: &'static str,
) -> Vec<Vec<String>>
where
    for<'r> String: sqlx::Decode<'r, D> + sqlx::Type<D>,
    usize: sqlx::ColumnIndex<D::Row>,
    for<'q> D::Arguments: sqlx::IntoArguments<D>,
{
    let rows = sqlx::query(sql).fetch_all(executor).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter()
        .map(|row| (0..row.columns().len()).map(|index| row.get::<String, _>(index)).collect())
        .collect()
}

/// Types that mean the same: `uuid`, `timestamptz` and `jsonb` are text to SQLite.
fn general(type_name: &str) -> String {
    match type_name.to_lowercase().as_str() {
        "bigint" | "integer" => "integer",
        "uuid" | "text" | "timestamp with time zone" | "date" | "jsonb" => "text",
        other => panic!("the test knows no type {other}"),
    }
    .to_owned()
}

/// The columns and values of `CHECK (column IN ('a', 'b'))`, out of either engine's spelling.
fn enumerations(table_sql: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for check in table_sql.split("CHECK").skip(1) {
        let column = check.trim_start_matches(['(', ' ']).split([' ', ')']).next().unwrap_or_default();
        let end = check.find("CHECK").unwrap_or(check.len());
        let until = check[..end].find('\n').unwrap_or(end);
        let values: Vec<_> = check[..until].split('\'').skip(1).step_by(2).collect();
        if !values.is_empty() {
            found.insert(format!("{column}: {}", values.join(" ")));
        }
    }
    found
}

/// Without the indexes of words, which each engine has in a way of its own: `.._search` here, GIN there.
async fn sqlite_schema(pool: &SqlitePool) -> Schema {
    let mut schema = Schema::new();
    for table in rows(pool, "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE '%\\_search%' ESCAPE '\\'").await {
        assert!(table[1].ends_with("STRICT"), "{} is not STRICT", table[0]);
        schema.insert(table[0].clone(), Table { checks: enumerations(&table[1]), ..Table::default() });
    }
    for row in rows(pool, "SELECT m.name, c.name, c.type, CASE c.\"notnull\" WHEN 1 THEN 'not null' ELSE 'null' END, CAST(c.pk AS TEXT) FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid").await {
        if let Some(table) = schema.get_mut(&row[0]) {
            table.columns.push((row[1].clone(), general(&row[2]), row[3].clone()));
            if row[4] != "0" {
                table.primary_key.push(row[1].clone());
            }
        }
    }
    for row in rows(pool, "SELECT m.name, i.name, i.origin, (SELECT group_concat(name, ' ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) || CASE i.\"unique\" WHEN 1 THEN ', unique' ELSE '' END || CASE i.partial WHEN 1 THEN ', partial' ELSE '' END FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table' AND i.origin IN ('u', 'c') AND NOT EXISTS (SELECT 1 FROM pragma_index_info(i.name) e WHERE e.cid = -2)").await {
        if let Some(table) = schema.get_mut(&row[0]) {
            if row[2] == "u" {
                table.unique.insert(row[3].trim_end_matches(", unique").to_owned());
            } else {
                table.indexes.insert(format!("{}: {}", row[1], row[3]));
            }
        }
    }
    for row in rows(pool, "SELECT m.name, group_concat(f.\"from\", ' ') || ' -> ' || f.\"table\" || ' ' || group_concat(f.\"to\", ' ') || ' ' || f.on_delete FROM sqlite_master m JOIN (SELECT * FROM sqlite_master) n ON n.name = m.name JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' GROUP BY m.name, f.id ORDER BY f.seq").await {
        if let Some(table) = schema.get_mut(&row[0]) {
            table.foreign_keys.insert(row[1].clone());
        }
    }
    schema
}

async fn postgres_schema(pool: &PgPool) -> Schema {
    let mut schema = Schema::new();
    for row in rows(pool, "SELECT table_name::text, column_name::text, data_type::text, CASE is_nullable WHEN 'NO' THEN 'not null' ELSE 'null' END FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_%' ORDER BY table_name, ordinal_position").await {
        schema.entry(row[0].clone()).or_default().columns.push((row[1].clone(), general(&row[2]), row[3].clone()));
    }
    let constraints = "SELECT c.conrelid::regclass::text, c.contype::text, \
         (SELECT string_agg(a.attname, ' ' ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY k (number, place) \
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number), \
         coalesce(c.confrelid::regclass::text || ' ' || \
         (SELECT string_agg(a.attname, ' ' ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY k (number, place) \
          JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number), '') \
         || CASE c.confdeltype WHEN 'c' THEN ' CASCADE' WHEN 'a' THEN ' NO ACTION' ELSE '' END, \
         pg_get_constraintdef(c.oid) FROM pg_constraint c WHERE c.connamespace = 'public'::regnamespace";
    for row in rows(pool, constraints).await {
        let Some(table) = schema.get_mut(&row[0]) else { continue };
        match row[1].as_str() {
            "p" => table.primary_key = row[2].split(' ').map(str::to_owned).collect(),
            "u" => drop(table.unique.insert(row[2].clone())),
            "f" => drop(table.foreign_keys.insert(format!("{} -> {}", row[2], row[3]))),
            "c" => table.checks.extend(enumerations(&row[4])),
            other => panic!("the test knows no constraint {other}"),
        }
    }
    let indexes = "SELECT t.relname::text, i.relname::text, \
         (SELECT string_agg(a.attname, ' ' ORDER BY k.place) FROM unnest(x.indkey::smallint[]) WITH ORDINALITY k (number, place) \
          JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number) \
         || CASE WHEN x.indisunique THEN ', unique' ELSE '' END || CASE WHEN x.indpred IS NOT NULL THEN ', partial' ELSE '' END \
         FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid \
         WHERE t.relnamespace = 'public'::regnamespace AND 0 <> ALL (x.indkey) AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = x.indexrelid AND c.contype IN ('p', 'u'))";
    for row in rows(pool, indexes).await {
        if let Some(table) = schema.get_mut(&row[0]) {
            table.indexes.insert(format!("{}: {}", row[1], row[2]));
        }
    }
    schema
}

#[tokio::test]
async fn both_trees_make_the_same_schema_and_both_engines_take_every_statement() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Postgres::start().await;
    let (sqlite, postgres) = (sqlite(&directory).await, postgres(&server).await);

    let (one, other) = (sqlite_schema(&sqlite).await, postgres_schema(&postgres).await);
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    assert!(one.len() >= 11);
    for (name, table) in &one {
        assert_eq!(table, &other[name], "the table {name}: SQLite on the left, Postgres on the right");
        if table.columns.iter().any(|(column, ..)| column == "tenant_id") {
            // By its id, or by what else tells its rows apart, where there is more than one.
            let second = match &table.primary_key[..] {
                [only] if only == "tenant_id" && name == "sizes" => "id",
                [first, second, ..] if first == "tenant_id" => second,
                other => panic!("{name}: {other:?}"),
            };
            assert!(["id", "key_hash", "name", "user_id"].contains(&second), "{name}");
            let own = |key: &String| key.starts_with("tenant_id") || key.contains("-> users");
            assert!(table.foreign_keys.iter().all(own), "{name}: {:?}", table.foreign_keys);
            assert!(
                table.foreign_keys.contains("tenant_id -> tenants id NO ACTION")
                    || table.foreign_keys.iter().any(|key| key.starts_with("tenant_id "))
                    // The tenant is not there before the last of it has arrived.
                    || name == "imports",
                "{name}"
            );
        }
    }

    let mut connection = postgres.acquire().await.expect("a connection");
    let mut names = BTreeSet::new();
    for sql in CATALOGUE.iter().copied().flatten() {
        assert!(names.insert(sql.name), "{} stands twice", sql.name);
        let prepared = sqlite.prepare(sqlx::SqlStr::from_static(sql.sqlite)).await;
        let prepared = prepared.unwrap_or_else(|error| panic!("{} on SQLite: {error}", sql.name));
        let columns: Vec<_> =
            sqlx::Statement::columns(&prepared).iter().map(|column| column.name().to_owned()).collect();
        // D1 answers with objects, in which a second column of the same name would take the first one's place.
        assert_eq!(columns.iter().collect::<BTreeSet<_>>().len(), columns.len(), "{}: {columns:?}", sql.name);
        assert_eq!(sql.returns, !columns.is_empty(), "{}", sql.name);
        let prepare = format!("PREPARE s AS {}", sql.postgres);
        let prepared = raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await;
        assert!(prepared.is_ok(), "{} on Postgres: {prepared:?}", sql.name);
        raw_sql("DEALLOCATE s").execute(&mut *connection).await.expect("it was prepared");
        assert!(
            !sql.sqlite.contains("now()") && !sql.sqlite.contains("ILIKE"),
            "{} is not portable",
            sql.name
        );
    }
    assert!(names.len() >= 90, "{}", names.len());
}
