//! The `Database` port on sqlx: Postgres, or embedded SQLite.

mod held;
mod postgres;
mod roles;
mod sqlite;

use bailiwick_core::{
    Config,
    ports::{Database, DatabaseError},
    sql::{Rows, Statement},
};
use sqlx::migrate::{Migrate, Migrator};

pub use self::{postgres::Postgres, sqlite::Sqlite};

static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");

/// The database that `DATABASE_URL` names.
#[derive(Clone, Debug)]
pub enum AnyDatabase {
    /// A server.
    Postgres(Postgres),
    /// A file, or memory.
    Sqlite(Sqlite),
}

impl AnyDatabase {
    /// Connects, to serve. On Postgres, whoever logs in, the connections are such as row-level security holds for.
    ///
    /// # Errors
    /// A sentence about what is wrong with the URL or the database.
    pub async fn connect(config: &Config) -> Result<Self, String> {
        if !is_postgres(config)? {
            return Sqlite::connect(config).await.map(Self::Sqlite).map_err(unusable);
        }
        let database = match Postgres::connect(config, Some(roles::APP)).await {
            Ok(database) => database,
            Err(error) if roles::is_missing(&error) => {
                let pending = Self::connect_as_owner(config).await?.pending().await?;
                return Err(lacks(&pending));
            }
            Err(error) if roles::is_forbidden(&error) => return Err(roles::lacks(roles::APP)),
            Err(error) => return Err(unusable(error)),
        };
        let mut lease = database.lease().await.map_err(|error| error.to_string())?;
        roles::check(lease.connection().map_err(unusable)?).await?;
        lease.give_back();
        Ok(Self::Postgres(database))
    }

    /// Connects as whoever logs in, to migrate.
    ///
    /// # Errors
    /// A sentence about what is wrong with the URL or the database.
    pub async fn connect_as_owner(config: &Config) -> Result<Self, String> {
        if is_postgres(config)? {
            Postgres::connect(config, None).await.map(Self::Postgres).map_err(unusable)
        } else {
            Sqlite::connect(config).await.map(Self::Sqlite).map_err(unusable)
        }
    }

    /// Applies the migrations that the database lacks, and returns their names. Several instances may try at once.
    /// On Postgres it also makes the roles that row-level security is about.
    ///
    /// # Errors
    /// A sentence about the migration that failed, or about what an administrator must do first.
    pub async fn migrate(&self) -> Result<Vec<String>, String> {
        let pending = self.pending().await?;
        let applied = match self {
            Self::Postgres(database) => {
                let mut lease = database.lease().await.map_err(|error| error.to_string())?;
                let connection = lease.connection().map_err(unusable)?;
                roles::make(connection).await?;
                let applied = POSTGRES.run(&mut *connection).await;
                if applied.is_ok() {
                    let granted = roles::grant(connection).await;
                    granted.map_err(|error| format!("The roles cannot be given what they need: {error}."))?;
                }
                applied
            }
            Self::Sqlite(database) => SQLITE.run(database.writer()).await,
        };
        applied.map(|()| pending).map_err(|error| format!("The migrations failed: {error}."))
    }

    /// The names of the migrations that the database lacks.
    ///
    /// # Errors
    /// A sentence about why they could not be read.
    pub async fn pending(&self) -> Result<Vec<String>, String> {
        let pending = match self {
            Self::Postgres(database) => {
                let mut lease = database.lease().await.map_err(|error| error.to_string())?;
                let missing =
                    missing(&POSTGRES, lease.connection().map_err(|error| error.to_string())?).await;
                lease.give_back();
                missing
            }
            Self::Sqlite(database) => {
                let mut connection = database.writer().acquire().await.map_err(|error| error.to_string())?;
                missing(&SQLITE, &mut *connection).await
            }
        };
        pending.map_err(|error| format!("The state of the migrations cannot be read: {error}."))
    }
}

/// Whether `DATABASE_URL` names a server.
pub(crate) fn is_postgres(config: &Config) -> Result<bool, String> {
    match config.database_url.expose().split(':').next().unwrap_or_default() {
        "postgres" | "postgresql" => Ok(true),
        "sqlite" => Ok(false),
        _ => {
            Err("DATABASE_URL: expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE.".to_owned())
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn unusable(error: sqlx::Error) -> String {
    format!("DATABASE_URL: the database cannot be used: {error}.")
}

/// What is to be done about a database that is not up to date.
#[must_use]
pub fn lacks(pending: &[String]) -> String {
    match pending {
        [] => "The database lacks its roles: run `bailiwick migrate`.".to_owned(),
        _ => format!("The database lacks migrations ({}): run `bailiwick migrate`.", pending.join(", ")),
    }
}

async fn missing(
    migrator: &Migrator,
    connection: &mut impl Migrate,
) -> Result<Vec<String>, sqlx::migrate::MigrateError> {
    // Before the first migration sqlx's own table is not there, which is no failure.
    let applied = connection.list_applied_migrations(&migrator.table_name).await.unwrap_or_default();
    let lacks = |version| applied.iter().all(|done| done.version != version);
    let missing = migrator.iter().filter(|migration| lacks(migration.version));
    Ok(missing.map(|migration| format!("{:04} {}", migration.version, migration.description)).collect())
}

/// The connections that there are of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// What they are for.
    pub name: &'static str,
    /// How many there may be.
    pub limit: usize,
    /// How many there are.
    pub connections: usize,
    /// Those of them that nobody uses.
    pub idle: usize,
    /// Batches that wait for one.
    pub waiting: usize,
}

impl AnyDatabase {
    /// The connections, as they are now.
    pub fn pools(&self) -> Vec<Pool> {
        match self {
            Self::Postgres(database) => vec![database.connections()],
            Self::Sqlite(database) => database.connections(),
        }
    }

    /// Which engine it is.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::Sqlite(_) => "sqlite",
        }
    }
}

impl Database for AnyDatabase {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        match self {
            Self::Postgres(database) => database.batch(statements).await,
            Self::Sqlite(database) => database.batch(statements).await,
        }
    }
}

/// Compares what a statement touched with what it was expected to.
fn check(index: usize, statement: &Statement, touched: u64) -> Result<(), DatabaseError> {
    match statement.expect {
        Some(expected) if u64::from(expected) != touched => Err(DatabaseError::Unmet(index)),
        _ => Ok(()),
    }
}
