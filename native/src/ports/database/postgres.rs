//! Postgres: one transaction a batch, serialisable if it writes (except those of
//! [`READ_COMMITTED`](bailiwick_core::sql::READ_COMMITTED)).
//!
//! Round trips are the cost of a batch, so none is spent on asking whether a pooled connection still lives: a dead one
//! is noticed in use, and replaced if nothing can have been committed. A connection goes back to the pool only when its
//! batch came to a regular end; after anything else, also when the client went away in the middle of it, it is closed,
//! which makes the server roll back.
//!
//! A transaction names its tenant to row-level security, in the message that begins it.
//!
//! Nothing relies on the state of a connection before or after a transaction: a proxy may have put another server
//! connection behind it (`DATABASE_PREPARED`).

use std::time::Duration;

use bailiwick_core::{
    Config,
    ports::{Database, DatabaseError},
    sql::{Cell, Intake, Row, Rows, Statement, Value, must_be_serialisable},
    time::{Date, Timestamp},
};
use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, RecycleResult};
use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Executor, PgConnection, Postgres as Engine, Row as _, TypeInfo,
    ValueRef,
    error::ErrorKind,
    postgres::{PgArguments, PgConnectOptions, PgRow},
    query::Query,
    raw_sql,
    types::Json,
};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{check, rls_context::RlsContext, visited};

/// The time for retries of a batch that only serialisation keeps from being committed. Postgres takes transactions for
/// dependent that only touch the same page of an index. In a young database all rows are on few pages, so that is most
/// of the concurrent ones, and the more so the slower the machine is. So the limit is a time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Rows of tables and entries of indexes that this session has visited and not reported yet.
const VISITED: &str = "SELECT COALESCE(sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)), 0)::bigint \
     AS visited FROM pg_class c WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace";

/// A pool of connections to a Postgres server.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool<Connector>,
    /// Whether a prepared statement still exists later.
    prepared: bool,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Postgres")
    }
}

/// Makes the pool's connections.
struct Connector {
    options: PgConnectOptions,
}

impl Manager for Connector {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        self.options.connect().await
    }

    async fn recycle(&self, _: &mut PgConnection, _: &Metrics) -> RecycleResult<sqlx::Error> {
        Ok(())
    }
}

/// A connection in use. Unless it is given back, it does not return to the pool.
pub(super) struct Lease(Option<Object<Connector>>);

impl Lease {
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.0.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// The connection may be used again.
    pub(super) fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Taken out of the pool, it is closed.
        drop(self.0.take().map(Object::take));
    }
}

/// The failure of an attempt.
enum Failure {
    /// It is final.
    Final(DatabaseError),
    /// Another transaction was in the way.
    Serialisation,
    /// The connection was dead, which the pool had not noticed. Nothing was committed.
    Dead(DatabaseError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default().into_owned();
                match (code.as_str(), error.kind()) {
                    ("40001" | "40P01", _) => Self::Serialisation,
                    (_, ErrorKind::UniqueViolation) => {
                        Self::Final(DatabaseError::Unique(error.constraint().unwrap_or_default().to_owned()))
                    }
                    // Shut down, or the connection was closed for being idle in a transaction.
                    ("57P01" | "57P02" | "57P03" | "25P03", _) => {
                        Self::Dead(DatabaseError::Unavailable(text))
                    }
                    ("53100", _) => Self::Final(DatabaseError::Full(text)),
                    // 08: connection, 53: resources, 57014: statement timeout, 55P03: lock timeout.
                    (code, _)
                        if code.starts_with("08")
                            || code.starts_with("53")
                            || matches!(code, "57014" | "55P03") =>
                    {
                        Self::Final(DatabaseError::Unavailable(text))
                    }
                    (code, _) if code.starts_with("23") => Self::Final(DatabaseError::Constraint(text)),
                    _ => Self::Final(DatabaseError::Internal(text)),
                }
            }
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => {
                Self::Dead(DatabaseError::Unavailable(text))
            }
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                Self::Final(DatabaseError::Unavailable(text))
            }
            _ => Self::Final(DatabaseError::Internal(text)),
        }
    }
}

impl Postgres {
    /// Connects with the login's own role, or gives all connections a role. They have it from their start, so that a
    /// `RESET` leads back to it.
    pub(super) async fn connect(config: &Config, role: Option<&str>) -> Result<Self, sqlx::Error> {
        let timeout = format!("{}ms", config.database_statement_timeout.as_millis());
        let options: PgConnectOptions = config.database_url.expose().parse()?;
        // Waiting for a lock is part of a statement, too, whose time began before.
        let options = options.application_name("bailiwick").options([
            ("statement_timeout", timeout.as_str()),
            ("idle_in_transaction_session_timeout", "60s"),
        ]);
        let options = options.options(role.map(|role| ("role", role)));
        let options = options.disable_statement_logging();
        let prepared = config.database_prepared;
        let pool = Pool::builder(Connector { options })
            .max_size(config.database_connections as usize)
            .runtime(deadpool::Runtime::Tokio1)
            .wait_timeout(Some(config.database_wait))
            .create_timeout(Some(config.database_wait))
            .build()
            .map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let this = Self { pool, prepared };
        // To fail at the start rather than with the first request.
        this.lease().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            _ => sqlx::Error::PoolTimedOut,
        })?;
        Ok(this)
    }

    pub(super) fn connections(&self) -> super::Pool {
        let status = self.pool.status();
        super::Pool {
            name: "all",
            limit: status.max_size,
            connections: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }

    pub(super) async fn lease(&self) -> Result<Lease, PoolError<sqlx::Error>> {
        self.pool.get().await.map(|object| Lease(Some(object)))
    }

    async fn attempt(&self, statements: &[Statement]) -> Result<Vec<Rows>, Failure> {
        let mut lease = self.lease().await.map_err(|error| {
            // This is no pooled connection which turned out dead: there was none.
            Failure::Final(DatabaseError::Unavailable(error.to_string()))
        })?;
        let done = transact(lease.connection()?, statements, self.prepared).await;
        match &done {
            Ok(_) => lease.give_back(),
            Err(Failure::Dead(_)) => {}
            Err(Failure::Final(_) | Failure::Serialisation) => {
                if lease.connection()?.execute("ROLLBACK").await.is_ok() {
                    lease.give_back();
                }
            }
        }
        done
    }
}

/// The applied migrations. Before the first one sqlx's own table does not exist, which is no failure. It is one
/// message, so that a proxy may change the connection after it.
pub(super) async fn applied(connection: &mut PgConnection) -> Vec<i64> {
    let rows = connection.fetch_all(raw_sql("SELECT version FROM _sqlx_migrations ORDER BY version")).await;
    rows.unwrap_or_default().iter().filter_map(|row| row.try_get(0).ok()).collect()
}

async fn transact(
    connection: &mut PgConnection,
    statements: &[Statement],
    prepared: bool,
) -> Result<Vec<Rows>, Failure> {
    let reads = statements.iter().all(|statement| statement.sql.reads);
    let first = statements.iter().find_map(RlsContext::needed);
    // Between preparing and running a statement, only a transaction keeps the same server connection.
    let counting = visited::is_wanted();
    if let ([statement], true, None, true, false) = (statements, reads, first, prepared, counting) {
        return Ok(vec![run(connection, 0, statement, prepared).await?]);
    }
    let begin = if reads {
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    } else if must_be_serialisable(statements) {
        "BEGIN ISOLATION LEVEL SERIALIZABLE"
    } else {
        "BEGIN ISOLATION LEVEL READ COMMITTED"
    };
    let mut held = first.unwrap_or(RlsContext::Nothing);
    let set = if held == RlsContext::Nothing { String::new() } else { RlsContext::Nothing.turned_into(held) };
    connection.execute(raw_sql(AssertSqlSafe(format!("{begin}; {set}")))).await?;
    let before = if counting { visited_by(connection).await? } else { 0 };
    let mut all = Vec::with_capacity(statements.len());
    for (index, statement) in statements.iter().enumerate() {
        if let Some(needed) = RlsContext::needed(statement).filter(|needed| *needed != held) {
            connection.execute(raw_sql(AssertSqlSafe(held.turned_into(needed)))).await?;
            held = needed;
        }
        all.push(run(connection, index, statement, prepared).await?);
    }
    let after = if counting { visited_by(connection).await? } else { 0 };
    connection.execute("COMMIT").await.map_err(|error| match Failure::from(error) {
        // Whether it was committed is unknown.
        Failure::Dead(error) if !reads => Failure::Final(error),
        failure => failure,
    })?;
    visited::add(after.saturating_sub(before));
    Ok(all)
}

async fn visited_by(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let visited: i64 = sqlx::query(VISITED).persistent(false).fetch_one(connection).await?.try_get(0)?;
    Ok(visited.unsigned_abs())
}

impl Database for Postgres {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        let (mut serialisations, mut dead) = (0, 0);
        let since = Instant::now();
        loop {
            match self.attempt(statements).await {
                Ok(rows) => return Ok(rows),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Serialisation) if since.elapsed() > PATIENCE => {
                    return Err(DatabaseError::Contention);
                }
                Err(Failure::Serialisation) => {
                    serialisations += 1;
                    tokio::time::sleep(backoff(serialisations)).await;
                }
                // After a restart of the server every pooled connection may be dead.
                Err(Failure::Dead(error)) if dead > self.pool.status().max_size => return Err(error),
                Err(Failure::Dead(_)) => dead += 1,
            }
        }
    }
}

/// A random time below 2 ms, 4 ms, 8 ms, ... 256 ms.
fn backoff(attempt: u32) -> Duration {
    let most = 1000 << attempt.min(8);
    Duration::from_micros(u64::from(getrandom::u32().unwrap_or_default()) % most)
}

async fn run(
    connection: &mut PgConnection,
    index: usize,
    statement: &Statement,
    prepared: bool,
) -> Result<Rows, Failure> {
    // A statement that does not persist has no name: behind a proxy a name may be taken, as each client counts its own.
    let query = bind(sqlx::query(statement.sql.postgres), &statement.arguments).persistent(prepared);
    let rows = if statement.sql.returns {
        let (mut rows, mut intake) = (query.fetch(&mut *connection), Intake::of(statement));
        while let Some(row) = rows.try_next().await? {
            if !intake.take(read(&row)?) {
                break;
            }
        }
        drop(rows);
        let rows = intake.rows();
        check(index, statement, rows.len() as u64).map_err(Failure::Final)?;
        rows
    } else {
        let done = connection.execute(query).await?;
        check(index, statement, done.rows_affected()).map_err(Failure::Final)?;
        Rows::new()
    };
    Ok(rows)
}

fn bind<'q>(
    mut query: Query<'q, Engine, PgArguments>,
    arguments: &'q [Value],
) -> Query<'q, Engine, PgArguments> {
    for argument in arguments {
        query = match argument {
            Value::Uuid(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Int(value) => query.bind(value),
            Value::Time(value) => query.bind(value.map(|time| {
                OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.unix_millis()) * 1_000_000)
                    .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            })),
            Value::Date(value) => query.bind(value.map(Date::calendar)),
            Value::Json(value) => query.bind(value.as_ref().map(Json)),
        };
    }
    query
}

fn read(row: &PgRow) -> Result<Row, sqlx::Error> {
    row.columns()
        .iter()
        .enumerate()
        .map(|(index, column)| {
            if row.try_get_raw(index)?.is_null() {
                return Ok(Cell::Null);
            }
            Ok(match column.type_info().name() {
                "UUID" => Cell::Uuid(row.try_get(index)?),
                "INT8" => Cell::Int(row.try_get(index)?),
                "INT4" => Cell::Int(row.try_get::<i32, _>(index)?.into()),
                "BOOL" => Cell::Int(row.try_get::<bool, _>(index)?.into()),
                "TIMESTAMPTZ" => {
                    let nanos = row.try_get::<OffsetDateTime, _>(index)?.unix_timestamp_nanos();
                    let millis = nanos.div_euclid(1_000_000);
                    Cell::Time(Timestamp::from_unix_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
                }
                "DATE" => Cell::Text(row.try_get::<time::Date, _>(index)?.to_string()),
                "JSONB" | "JSON" => Cell::Json(row.try_get::<Json<_>, _>(index)?.0),
                _ => Cell::Text(row.try_get(index)?),
            })
        })
        .collect()
}
