//! Embedded SQLite: one connection that writes, some that read beside it.

use std::{path::Path, str::FromStr, time::Duration};

use bailiwick_core::{
    Config,
    ports::{Database, DatabaseError},
    sql::{Cell, Intake, Row, Rows, Statement, Value},
};
use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult};
use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row as _, Sqlite as Engine,
    SqliteConnection, TypeInfo, ValueRef,
    migrate::Migrator,
    query::Query,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous},
};

use super::{
    State, check,
    deadline::{Deadline, STEPS},
    failed, unusable, visited,
};

/// How long a writer waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// How long a migration waits for another process that migrates, which may have a large file to go through.
const MIGRATING: Duration = Duration::from_mins(10);

/// A database file, or one in memory.
#[derive(Clone)]
pub struct Sqlite {
    writer: Pool<Connector>,
    readers: Pool<Connector>,
    /// How long one statement may run.
    time: Duration,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sqlite")
    }
}

/// Makes the pools' connections.
pub(super) struct Connector {
    options: SqliteConnectOptions,
}

/// A connection, with the deadline of its statement.
pub(super) struct Link {
    connection: SqliteConnection,
    deadline: Deadline,
    /// Whether a batch on it has not ended regularly.
    under_way: bool,
}

impl Link {
    /// The connection, for work without a deadline.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        self.deadline.lift();
        &mut self.connection
    }

    /// From now on each step of the engine is counted, or only those at which it looks at the clock.
    async fn count(&mut self, each: bool) -> Result<(), sqlx::Error> {
        self.deadline.watch(&mut self.connection.lock_handle().await?, if each { 1 } else { STEPS });
        Ok(())
    }
}

impl Manager for Connector {
    type Type = Link;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Link, sqlx::Error> {
        let mut connection = patiently(|| self.options.connect()).await?;
        let deadline = Deadline::default();
        deadline.watch(&mut connection.lock_handle().await?, STEPS);
        Ok(Link { connection, deadline, under_way: false })
    }

    /// After a batch was given up, its transaction is rolled back first. If SQLite has done that by itself, sqlx takes
    /// it for open for ever, and another connection replaces this one.
    async fn recycle(&self, link: &mut Link, _: &Metrics) -> RecycleResult<sqlx::Error> {
        if link.under_way {
            link.connection.ping().await?;
            if link.connection.is_in_transaction() {
                return Err(RecycleError::message("the transaction of what was given up"));
            }
            link.under_way = false;
        }
        Ok(())
    }
}

impl Sqlite {
    pub(super) async fn connect(config: &Config) -> Result<Self, sqlx::Error> {
        let url = config.database_url.expose();
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .journal_mode(SqliteJournalMode::Wal)
            // Acknowledged writes survive the loss of power, too.
            .synchronous(SqliteSynchronous::Full);
        let pool = |options: &SqliteConnectOptions, most| {
            Pool::builder(Connector { options: options.clone() })
                .max_size(most)
                .runtime(deadpool::Runtime::Tokio1)
                .wait_timeout(Some(config.database_wait))
                .build()
                .map_err(|error| sqlx::Error::Configuration(error.into()))
        };
        let in_memory = url.contains(":memory:") || url.contains("mode=memory");
        if !in_memory {
            create(options.get_filename()).map_err(sqlx::Error::Io)?;
        }
        let writer = pool(&options, 1)?;
        let readers = if in_memory {
            writer.clone()
        } else {
            pool(&options.pragma("query_only", "ON"), config.database_connections as usize)?
        };
        let this = Self { writer, readers, time: config.database_statement_timeout };
        // To fail at the start rather than with the first request.
        drop(this.acquire(false).await?);
        drop(this.acquire(true).await?);
        Ok(this)
    }

    pub(super) fn connections(&self) -> Vec<super::Pool> {
        let pools = [("writer", &self.writer), ("readers", &self.readers)];
        let told = pools.into_iter().map(|(name, pool)| {
            let status = pool.status();
            super::Pool {
                name,
                limit: status.max_size,
                connections: status.size,
                idle: status.available,
                waiting: status.waiting,
            }
        });
        told.collect()
    }

    /// Waits for a connection.
    async fn acquire(&self, reads: bool) -> Result<Object<Connector>, sqlx::Error> {
        let pool = if reads { &self.readers } else { &self.writer };
        pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            _ => sqlx::Error::PoolTimedOut,
        })
    }

    /// The connection that writes.
    pub(super) async fn writer(&self) -> Result<Object<Connector>, sqlx::Error> {
        self.acquire(false).await
    }

    /// Copies the database as it is at this moment to a new file, and checks the copy.
    pub(super) async fn copy_to(&self, file: &Path) -> Result<u64, String> {
        create(file).map_err(|error| format!("{} cannot be made: {error}.", file.display()))?;
        let failed = |error: sqlx::Error| format!("The copy failed: {error}.");
        // It only reads, but a read-only connection refuses it.
        let mut source = self.writer().await.map_err(failed)?;
        let path = file.to_str().ok_or("The name of the file is no text.")?;
        let copied = sqlx::query("VACUUM INTO ?1").bind(path).execute(source.connection()).await;
        if let Err(error) = copied {
            // An incomplete file is no copy.
            let _ = std::fs::remove_file(file);
            return Err(failed(error));
        }
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut copy = SqliteConnection::connect_with(&options).await.map_err(failed)?;
        let checked: String =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut copy).await.map_err(failed)?;
        copy.close().await.map_err(failed)?;
        if checked != "ok" {
            return Err(format!("The copy is not whole: {checked}."));
        }
        let copied =
            std::fs::File::open(file).and_then(|file| file.sync_all().and_then(|()| file.metadata()));
        copied.map(|data| data.len()).map_err(|error| format!("The copy cannot be read: {error}."))
    }

    /// Applies the missing migrations, all or none, and returns their names. sqlx has no lock for SQLite, so a
    /// transaction around its own keeps others out until all is done.
    pub(super) async fn migrate(&self, migrator: &Migrator) -> Result<Vec<String>, String> {
        let mut writer = self.writer().await.map_err(unusable)?;
        let connection = writer.connection();
        wait_for_others(connection, MIGRATING).await.map_err(unusable)?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(unusable)?;
        let found = State::of(migrator, &applied(&mut transaction).await);
        if !found.is_newer() {
            migrator.run_direct(None, &mut *transaction, false).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(unusable)?;
        wait_for_others(connection, BUSY).await.map_err(unusable)?;
        Ok(found.pending())
    }
}

/// The applied migrations. Before the first one sqlx's own table does not exist, which is no failure.
pub(super) async fn applied(connection: &mut SqliteConnection) -> Vec<i64> {
    let applied = sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version");
    applied.fetch_all(connection).await.unwrap_or_default()
}

async fn wait_for_others(connection: &mut SqliteConnection, time: Duration) -> Result<(), sqlx::Error> {
    let pragma = format!("PRAGMA busy_timeout = {}", time.as_millis());
    connection.execute(AssertSqlSafe(pragma)).await.map(drop)
}

/// Connects, again as long as another process is in the way. Two that set a new file's journal mode at once would wait
/// for each other, so SQLite refuses one of them without the configured wait.
async fn patiently<F: Future<Output = Result<SqliteConnection, sqlx::Error>>>(
    connect: impl Fn() -> F,
) -> Result<SqliteConnection, sqlx::Error> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match connect().await {
            Err(sqlx::Error::Database(error)) if is_busy(&*error) && waited < BUSY => {
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            }
            connected => return connected,
        }
    }
}

/// Whether another connection holds a needed lock.
fn is_busy(error: &dyn sqlx::error::DatabaseError) -> bool {
    matches!(primary(error), 5 | 6)
}

/// The primary result code, which is the lowest byte.
fn primary(error: &dyn sqlx::error::DatabaseError) -> u32 {
    error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or_default() & 0xff
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
        let mut link = self.acquire(reads).await.map_err(failure)?;
        let counting = visited::is_wanted();
        if counting {
            link.count(true).await.map_err(failure)?;
        }
        let before = link.deadline.looks();
        link.under_way = true;
        let done = if let ([statement], true) = (statements, reads) {
            let done = run(&mut link, 0, statement, self.time).await;
            done.map(|rows| vec![rows]).map_err(|error| Failed { error, sound: true })
        } else {
            let begin = if reads { "BEGIN" } else { "BEGIN IMMEDIATE" };
            transact(&mut link, begin, statements, self.time).await
        };
        link.under_way = false;
        if counting {
            visited::add(link.deadline.looks() - before);
            link.count(false).await.map_err(failure)?;
        }
        match done {
            Ok(all) => Ok(all),
            Err(Failed { error, sound }) => {
                if !sound {
                    let _ = Object::take(link).connection.close().await;
                }
                Err(error)
            }
        }
    }
}

/// The failure of a transaction, and whether its connection can be used again.
struct Failed {
    error: DatabaseError,
    sound: bool,
}

/// When the disk is full, when a write is interrupted, and after some other failures, SQLite has rolled back by itself,
/// which sqlx does not see: it would take the transaction for open for ever. A failing rollback reveals that.
async fn transact(
    link: &mut Link,
    begin: &'static str,
    statements: &[Statement],
    time: Duration,
) -> Result<Vec<Rows>, Failed> {
    let Link { connection, deadline, .. } = link;
    let mut transaction = connection.begin_with(begin).await.map_err(|error| {
        let error = failure(error);
        // Another writer is no fault of the connection.
        Failed { sound: matches!(error, DatabaseError::Unavailable(_)), error }
    })?;
    let mut all = Vec::with_capacity(statements.len());
    for (index, statement) in statements.iter().enumerate() {
        match deadline.within(time, ask(&mut transaction, index, statement)).await {
            Ok(rows) => all.push(rows),
            Err(error) => return Err(Failed { error, sound: transaction.rollback().await.is_ok() }),
        }
    }
    transaction.commit().await.map_err(|error| Failed { error: failure(error), sound: false })?;
    Ok(all)
}

async fn run(
    link: &mut Link,
    index: usize,
    statement: &Statement,
    time: Duration,
) -> Result<Rows, DatabaseError> {
    let Link { connection, deadline, .. } = link;
    deadline.within(time, ask(connection, index, statement)).await
}

async fn ask(
    connection: &mut SqliteConnection,
    index: usize,
    statement: &Statement,
) -> Result<Rows, DatabaseError> {
    let query = bind(sqlx::query(statement.sql.sqlite), &statement.arguments);
    if statement.sql.returns {
        let (mut rows, mut intake) = (query.fetch(connection), Intake::of(statement));
        while let Some(row) = rows.try_next().await.map_err(failure)? {
            if !intake.take(read(&row).map_err(failure)?) {
                break;
            }
        }
        let rows = intake.rows();
        check(index, statement, rows.len() as u64)?;
        Ok(rows)
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
            // 5 busy, 6 locked, 9 interrupted: it had its time, 10 I/O, 13 full, 14 cannot open.
            DatabaseError::from_sqlite_constraint(error.message()).unwrap_or(match primary(&*error) {
                13 => DatabaseError::Full(text),
                5 | 6 | 9 | 10 | 14 => DatabaseError::Unavailable(text),
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
