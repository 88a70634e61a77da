//! Embedded SQLite: one connection that writes, some that read beside it.

use std::{path::Path, str::FromStr, time::Duration};

use bailiwick_core::{
    Config,
    ports::{Database, DatabaseError},
    sql::{Cell, Row, Rows, Statement, Value},
};
use sqlx::{
    Column, Connection, Executor, Row as _, Sqlite as Engine, SqliteConnection, SqlitePool, TypeInfo,
    ValueRef,
    query::Query,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
        SqliteSynchronous,
    },
};

use super::check;

/// How long a writer waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// A database file, or one in memory.
#[derive(Clone, Debug)]
pub struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    pub(super) async fn connect(config: &Config) -> Result<Self, sqlx::Error> {
        let url = config.database_url.expose();
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged survives the loss of power, too.
            .synchronous(SqliteSynchronous::Full);
        let pool = || {
            // A connection that has nothing to do costs nothing, and one to memory is the memory.
            SqlitePoolOptions::new()
                .acquire_timeout(config.database_wait)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let in_memory = url.contains(":memory:") || url.contains("mode=memory");
        if !in_memory {
            create(options.get_filename()).map_err(sqlx::Error::Io)?;
        }
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        let readers = if in_memory {
            writer.clone()
        } else {
            let options = options.pragma("query_only", "ON");
            pool().max_connections(config.database_connections).connect_with(options).await?
        };
        Ok(Self { writer, readers })
    }

    pub(super) fn writer(&self) -> &SqlitePool {
        &self.writer
    }
}

/// Creates the directory and the file so that only this user can read them.
fn create(file: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

    if let Some(directory) =
        file.parent().filter(|directory| !directory.as_os_str().is_empty() && !directory.exists())
    {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        builder.mode(0o700);
        builder.recursive(true).create(directory)?;
    }
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    options.mode(0o600);
    options.append(true).create(true).open(file).map(drop)
}

impl Database for Sqlite {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        let reads = statements.iter().all(|statement| statement.sql.reads);
        let pool = if reads { &self.readers } else { &self.writer };
        let mut connection = pool.acquire().await.map_err(failure)?;
        if let ([statement], true) = (statements, reads) {
            return Ok(vec![run(&mut connection, 0, statement).await?]);
        }
        let begin = if reads { "BEGIN" } else { "BEGIN IMMEDIATE" };
        match transact(&mut connection, begin, statements).await {
            Ok(all) => Ok(all),
            Err(Failed { error, sound }) => {
                if !sound {
                    let _ = connection.close().await;
                }
                Err(error)
            }
        }
    }
}

/// What a transaction failed with, and whether its connection can be used again.
struct Failed {
    error: DatabaseError,
    sound: bool,
}

/// When the disk is full, and after some other failures, SQLite has rolled back by itself, which sqlx does not see: it
/// would take the transaction for open for ever. That shows when rolling back fails.
async fn transact(
    connection: &mut SqliteConnection,
    begin: &'static str,
    statements: &[Statement],
) -> Result<Vec<Rows>, Failed> {
    let mut transaction = connection.begin_with(begin).await.map_err(|error| {
        let error = failure(error);
        // That another one writes is no fault of the connection.
        Failed { sound: matches!(error, DatabaseError::Unavailable(_)), error }
    })?;
    let mut all = Vec::with_capacity(statements.len());
    for (index, statement) in statements.iter().enumerate() {
        match run(&mut transaction, index, statement).await {
            Ok(rows) => all.push(rows),
            Err(error) => return Err(Failed { error, sound: transaction.rollback().await.is_ok() }),
        }
    }
    transaction.commit().await.map_err(|error| Failed { error: failure(error), sound: false })?;
    Ok(all)
}

async fn run(
    connection: &mut SqliteConnection,
    index: usize,
    statement: &Statement,
) -> Result<Rows, DatabaseError> {
    let query = bind(sqlx::query(statement.sql.sqlite), &statement.arguments);
    if statement.sql.returns {
        let rows = query.fetch_all(connection).await.map_err(failure)?;
        check(index, statement, rows.len() as u64)?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(failure)
    } else {
        let done = connection.execute(query).await.map_err(failure)?;
        check(index, statement, done.rows_affected())?;
        Ok(Rows::new())
    }
}

fn failure(error: sqlx::Error) -> DatabaseError {
    let text = error.to_string();
    match error {
        sqlx::Error::Database(error) => {
            // The primary result code is the lowest byte: 5 busy, 6 locked, 10 I/O, 13 full, 14 cannot open.
            let code = error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or_default() & 0xff;
            DatabaseError::from_sqlite_constraint(error.message()).unwrap_or(match code {
                13 => DatabaseError::Full(text),
                5 | 6 | 10 | 14 => DatabaseError::Unavailable(text),
                _ => DatabaseError::Internal(text),
            })
        }
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::WorkerCrashed => DatabaseError::Unavailable(text),
        _ => DatabaseError::Internal(text),
    }
}

fn bind<'q>(
    mut query: Query<'q, Engine, SqliteArguments>,
    arguments: &'q [Value],
) -> Query<'q, Engine, SqliteArguments> {
    for argument in arguments {
        query = match argument {
            Value::Uuid(value) => query.bind(value.map(|id| id.to_string())),
            Value::Text(value) => query.bind(value.as_deref()),
            Value::Int(value) => query.bind(value),
            Value::Time(value) => query.bind(value.map(|time| time.to_string())),
            Value::Date(value) => query.bind(value.map(|date| date.to_string())),
            Value::Json(value) => query.bind(value.as_ref().map(ToString::to_string)),
        };
    }
    query
}

fn read(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    row.columns()
        .iter()
        .map(Column::ordinal)
        .map(|index| {
            let value = row.try_get_raw(index)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            Ok(match value.type_info().name() {
                "INTEGER" => Cell::Int(row.try_get(index)?),
                _ => Cell::Text(row.try_get(index)?),
            })
        })
        .collect()
}
