//! Embedded SQLite: one connection that writes, some that read beside it.

use std::{
    path::Path,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bailiwick_core::{
    Config,
    ports::{Database, DatabaseError},
    sql::{Cell, Row, Rows, Statement, Value},
};
use sqlx::{
    Column, Connection, Executor, Row as _, Sqlite as Engine, SqliteConnection, SqlitePool, TypeInfo,
    ValueRef,
    pool::PoolConnection,
    query::Query,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
        SqliteSynchronous,
    },
};

use super::{Pool, check};

/// How long a writer waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// A database file, or one in memory.
#[derive(Clone, Debug)]
pub struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Batches that wait for a connection, to write and to read: the pool itself does not tell.
    waiting: Arc<[AtomicUsize; 2]>,
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
        Ok(Self { writer, readers, waiting: Arc::default() })
    }

    pub(super) fn connections(&self) -> Vec<Pool> {
        let pools = [("writer", &self.writer), ("readers", &self.readers)];
        let told = pools.into_iter().zip(self.waiting.iter()).map(|((name, pool), waiting)| Pool {
            name,
            limit: pool.options().get_max_connections() as usize,
            connections: pool.size() as usize,
            idle: pool.num_idle(),
            waiting: waiting.load(Ordering::Relaxed),
        });
        told.collect()
    }

    /// Waits for a connection.
    async fn acquire(&self, reads: bool) -> Result<PoolConnection<Engine>, sqlx::Error> {
        let (pool, waiting) =
            if reads { (&self.readers, &self.waiting[1]) } else { (&self.writer, &self.waiting[0]) };
        waiting.fetch_add(1, Ordering::Relaxed);
        // Also of one that is given up.
        let _waits_no_longer = Guard(waiting);
        pool.acquire().await
    }

    pub(super) fn writer(&self) -> &SqlitePool {
        &self.writer
    }
}

/// Counts down when it is dropped.
struct Guard<'a>(&'a AtomicUsize);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
        let mut connection = self.acquire(reads).await.map_err(failure)?;
        if let ([statement], true) = (statements, reads) {
            return Ok(vec![run(&mut connection, 0, statement).await?]);
        }
        let begin = if reads { "BEGIN" } else { "BEGIN IMMEDIATE" };
        let mut transaction = connection.begin_with(begin).await.map_err(failure)?;
        let mut all = Vec::with_capacity(statements.len());
        for (index, statement) in statements.iter().enumerate() {
            all.push(run(&mut transaction, index, statement).await?);
        }
        transaction.commit().await.map_err(failure)?;
        Ok(all)
    }
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
                5 | 6 | 10 | 13 | 14 => DatabaseError::Unavailable(text),
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
