//! A way into each target's database that does not pass through the service: to arrange what no route can, and to
//! see that nothing was changed.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::{
    AssertSqlSafe, PgPool, Row, SqlitePool, TypeInfo, ValueRef,
    postgres::PgPoolOptions,
    raw_sql,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use crate::PATIENCE;

/// Connections to the SQLite file of a URL, which wait for their turn.
pub async fn sqlite(url: &str) -> SqlitePool {
    let options: SqliteConnectOptions = url.parse().expect("a URL");
    let pool = SqlitePoolOptions::new().acquire_timeout(PATIENCE);
    pool.connect_with(options.busy_timeout(PATIENCE)).await.expect("the file")
}

/// Connections to a Postgres, which wait for their turn.
pub async fn postgres(url: &str) -> PgPool {
    PgPoolOptions::new().acquire_timeout(PATIENCE).connect(url).await.expect("Postgres")
}

/// The file of the one D1 that is kept in a directory: open to be read, while workerd has it open too.
pub async fn d1(directory: &Path) -> SqlitePool {
    let objects = directory.join("d1/miniflare-D1DatabaseObject");
    let files = std::fs::read_dir(&objects).unwrap_or_else(|error| panic!("{}: {error}", objects.display()));
    let mut databases = files.filter_map(|file| {
        let path = file.expect("a file").path();
        let name = path.file_name()?.to_str()?;
        (name.ends_with(".sqlite") && name != "metadata.sqlite").then_some(path)
    });
    let file = databases.next().expect("the file of the database");
    assert_eq!(databases.next(), None, "one database is enough");
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let pool = SqlitePoolOptions::new().acquire_timeout(PATIENCE);
    pool.connect_with(options.busy_timeout(PATIENCE)).await.expect("the file")
}

async fn sqlite_rows(pool: &SqlitePool, sql: &str) -> Vec<Vec<Option<String>>> {
    let rows =
        raw_sql(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let cell = |row: &sqlx::sqlite::SqliteRow, index| {
        let value = row.try_get_raw(index).expect("a value");
        // Of a column it says the column's type, whatever is in it.
        if value.is_null() {
            return None;
        }
        match value.type_info().name() {
            "INTEGER" => Some(row.get::<i64, _>(index).to_string()),
            "REAL" => Some(row.get::<f64, _>(index).to_string()),
            _ => Some(row.get::<String, _>(index)),
        }
    };
    rows.iter().map(|row| (0..row.columns().len()).map(|index| cell(row, index)).collect()).collect()
}

async fn postgres_rows(pool: &PgPool, sql: &str) -> Vec<Vec<Option<String>>> {
    // Unprepared statements bring every value as text.
    let rows =
        raw_sql(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let cell = |row: &sqlx::postgres::PgRow, index| {
        let value = row.try_get_raw(index).expect("a value");
        (!value.is_null()).then(|| value.as_str().expect("text").to_owned())
    };
    rows.iter().map(|row| (0..row.columns().len()).map(|index| cell(row, index)).collect()).collect()
}

/// What the Worker's host answers to what its database is asked.
async fn asked(http: &reqwest::Client, control: &str, question: &Value) -> Value {
    let response = http.post(format!("{control}/sql")).json(question).send().await.expect("an answer");
    let (status, text) = (response.status(), response.text().await.expect("a body"));
    assert!(status.is_success(), "{question}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// A database, from behind.
#[derive(Clone, Debug)]
pub enum Backdoor {
    /// The file that the native server has open.
    Sqlite(SqlitePool),
    /// The server that the native server is connected to.
    Postgres(PgPool),
    /// The control endpoint beside the Worker, by which it writes, and the file that the Worker's D1 writes.
    Edge(reqwest::Client, String, SqlitePool),
}

impl Backdoor {
    /// Runs one statement of the dialect that all have in common, and returns its rows as text (`NULL` is `None`).
    pub async fn sql(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        match self {
            Self::Sqlite(pool) => sqlite_rows(pool, sql).await,
            // Who reads is in nobody's way; a writer beside it would be, because D1 does not wait for its turn.
            Self::Edge(_, _, file) if sql.starts_with("SELECT ") => sqlite_rows(file, sql).await,
            Self::Postgres(pool) => postgres_rows(pool, sql).await,
            Self::Edge(http, control, _) => {
                let body = asked(http, control, &json!({ "sql": sql })).await;
                let cell = |value: &Value| match value {
                    Value::Null => None,
                    Value::String(text) => Some(text.clone()),
                    other => Some(other.to_string()),
                };
                let rows = body["rows"].as_array().cloned().unwrap_or_default();
                rows.iter().map(|row| row.as_array().into_iter().flatten().map(cell).collect()).collect()
            }
        }
    }

    /// Runs statements in a row, of which nobody wants to see any row: one way for all of them.
    pub async fn all(&self, statements: &[String]) {
        match self {
            Self::Sqlite(_) | Self::Postgres(_) => {
                self.sql(&statements.join(";\n")).await;
            }
            Self::Edge(http, control, _) => {
                asked(http, control, &json!({ "statements": statements })).await;
            }
        }
    }

    /// The single integer that a statement returns.
    pub async fn count(&self, sql: &str) -> i64 {
        let rows = self.sql(sql).await;
        rows[0][0].as_deref().expect("a number").parse().expect("a whole number")
    }

    /// The tables that belong to tenants: those with a column `tenant_id`.
    pub async fn tenant_tables(&self) -> Vec<String> {
        self.tables_with("tenant_id").await
    }

    /// The tables of tenants whose rows have an id.
    pub async fn tables_with_ids(&self) -> Vec<String> {
        let ids = self.tables_with("id").await;
        self.tenant_tables().await.into_iter().filter(|table| ids.contains(table)).collect()
    }

    /// Puts down that what a tenant stores is measured up to a table, by its place, or, without one, that all of it is and is
    /// nothing.
    pub async fn measured(&self, tenant: &str, part: Option<u32>) {
        let (nil, part) =
            ("00000000-0000-0000-0000-000000000000", part.map_or("NULL".to_owned(), |part| part.to_string()));
        let sql = format!(
            "INSERT INTO sizes (tenant_id, step, bytes, row_count, seq, measured_at, part, behind, part_bytes, part_rows, part_seq) \
             VALUES ('{tenant}', 1, 0, 0, 0, '2026-01-01T00:00:00.000Z', {part}, '{nil}', 0, 0, 0)"
        );
        self.sql(&sql).await;
    }

    /// The tables that have a column of this name.
    async fn tables_with(&self, column: &str) -> Vec<String> {
        let sql = match self {
            Self::Postgres(_) => format!(
                "SELECT table_name FROM information_schema.columns \
                 WHERE table_schema = 'public' AND column_name = '{column}' ORDER BY 1"
            ),
            Self::Sqlite(_) | Self::Edge(..) => format!(
                "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
                 WHERE m.type = 'table' AND c.name = '{column}' ORDER BY 1"
            ),
        };
        self.sql(&sql).await.into_iter().flatten().flatten().collect()
    }

    /// Every row that a tenant has, in a fixed order: two of these are equal only if nothing changed.
    pub async fn snapshot(&self, tenant: &str) -> Vec<String> {
        self.rows_of("tenant_id", tenant, "tenants").await
    }

    /// Every row that an account has, likewise.
    pub async fn snapshot_of_account(&self, user: &str) -> Vec<String> {
        self.rows_of("user_id", user, "users").await
    }

    /// Every row in whose column of this name there is this id, and the row of this table that has it.
    async fn rows_of(&self, column: &str, id: &str, of: &str) -> Vec<String> {
        let mut rows = Vec::new();
        let mut tables = self.tables_with(column).await;
        assert!(tables.len() >= 4, "the tables were not found: {tables:?}");
        tables.push(of.to_owned());
        for table in tables {
            let column = if table == of { "id" } else { column };
            let columns = match &*table {
                // Its place in the chain is given to an entry in the background, whatever is asked for.
                "activity" => "id, actor_id, action, entity_type, entity_id, detail, created_at",
                // It is measured in the background, whoever asks for what.
                "sizes" => "tenant_id",
                // When a key was last used is noted now and then, whatever it is used for.
                "api_keys" => "id, user_id, name, role, prefix, token_hash, expires_at, created_at",
                _ => "*",
            };
            let order = if columns.contains([',', '*']) { "1, 2" } else { "1" };
            let sql = format!("SELECT {columns} FROM {table} WHERE {column} = '{id}' ORDER BY {order}");
            for row in self.sql(&sql).await {
                rows.push(format!("{table} {row:?}"));
            }
        }
        rows
    }
}
