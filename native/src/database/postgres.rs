//! Postgres: one transaction a batch, serialisable if it writes.

use std::time::Duration;

use bailiwick_core::{
    Config,
    ports::{Database, DatabaseError},
    sql::{Cell, Row, Rows, Statement, Value},
    time::Timestamp,
};
use sqlx::{
    Column, Connection, Executor, PgConnection, PgPool, Postgres as Engine, Row as _, TypeInfo, ValueRef,
    error::ErrorKind,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
    query::Query,
    types::Json,
};
use time::OffsetDateTime;

use super::check;

/// How often a batch is tried that only serialisation keeps from being committed.
const ATTEMPTS: u32 = 12;

/// A pool of connections to a Postgres server.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: PgPool,
    connections: u32,
}

/// What became of an attempt.
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
    pub(super) async fn connect(config: &Config) -> Result<Self, sqlx::Error> {
        let timeout = format!("{}ms", config.database_statement_timeout.as_millis());
        let options: PgConnectOptions = config.database_url.expose().parse()?;
        let options = options.application_name("bailiwick").options([
            ("statement_timeout", timeout.as_str()),
            ("lock_timeout", timeout.as_str()),
            ("idle_in_transaction_session_timeout", "60s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(config.database_connections)
            .acquire_timeout(config.database_wait)
            // A ping before every use would cost as much as a read; `batch` notices a dead connection.
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        Ok(Self { pool, connections: config.database_connections })
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    async fn attempt(&self, statements: &[Statement]) -> Result<Vec<Rows>, Failure> {
        let mut connection = self.pool.acquire().await.map_err(|error| match Failure::from(error) {
            // That was no pooled connection but the attempt to make a new one.
            Failure::Dead(error) => Failure::Final(error),
            failure => failure,
        })?;
        if let ([statement], true) = (statements, statements.iter().all(|statement| statement.sql.reads)) {
            return Ok(vec![run(&mut connection, 0, statement).await?]);
        }
        let reads = statements.iter().all(|statement| statement.sql.reads);
        let mut transaction = connection
            .begin_with(if reads {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            } else {
                "BEGIN ISOLATION LEVEL SERIALIZABLE"
            })
            .await?;
        let mut all = Vec::with_capacity(statements.len());
        for (index, statement) in statements.iter().enumerate() {
            all.push(run(&mut transaction, index, statement).await?);
        }
        transaction.commit().await.map_err(|error| match Failure::from(error) {
            // Whether it was committed is unknown.
            Failure::Dead(error) if !reads => Failure::Final(error),
            failure => failure,
        })?;
        Ok(all)
    }
}

impl Database for Postgres {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        let (mut serialisations, mut dead) = (0, 0);
        loop {
            match self.attempt(statements).await {
                Ok(rows) => return Ok(rows),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Serialisation) if serialisations == ATTEMPTS => {
                    return Err(DatabaseError::Contention);
                }
                Err(Failure::Serialisation) => {
                    serialisations += 1;
                    tokio::time::sleep(backoff(serialisations)).await;
                }
                // After a restart of the server every pooled connection may be dead.
                Err(Failure::Dead(error)) if dead > self.connections => return Err(error),
                Err(Failure::Dead(_)) => dead += 1,
            }
        }
    }
}

/// A random time below 2 ms, 4 ms, 8 ms, ... 64 ms.
fn backoff(attempt: u32) -> Duration {
    let most = 1000 << attempt.min(6);
    Duration::from_micros(u64::from(getrandom::u32().unwrap_or_default()) % most)
}

async fn run(connection: &mut PgConnection, index: usize, statement: &Statement) -> Result<Rows, Failure> {
    let query = bind(sqlx::query(statement.sql.postgres), &statement.arguments);
    let rows = if statement.sql.returns {
        let rows: Result<Rows, _> = query.fetch_all(&mut *connection).await?.iter().map(read).collect();
        let rows = rows?;
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
                "JSONB" | "JSON" => Cell::Json(row.try_get::<Json<_>, _>(index)?.0),
                _ => Cell::Text(row.try_get(index)?),
            })
        })
        .collect()
}
