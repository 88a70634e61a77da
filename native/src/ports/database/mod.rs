//! The `Database` port on sqlx: Postgres, or embedded SQLite.

mod deadline;
mod examine;
mod postgres;
mod rls_context;
mod roles;
mod sqlite;
mod visited;

use std::path::Path;

use bailiwick_core::{
    Config,
    ports::{Database, DatabaseError},
    sql::{Rows, Statement},
};
use sqlx::{
    Connection,
    migrate::{MigrateError, Migrator},
};

pub use self::{examine::Condition, postgres::Postgres, sqlite::Sqlite, visited::counted};

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
    /// Connects, to serve. On Postgres, row-level security applies to the connections, whatever the login.
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
        let connection = lease.connection().map_err(unusable)?;
        // In a transaction, as everything of more than one message: a proxy may pool by transaction.
        let mut transaction = connection.begin().await.map_err(unusable)?;
        roles::check(&mut transaction).await?;
        transaction.commit().await.map_err(unusable)?;
        lease.give_back();
        Ok(Self::Postgres(database))
    }

    /// Connects with the login's own role, to migrate.
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

    /// Applies the migrations that the database lacks, and returns their names. Several instances may try at once: all
    /// but one wait, and find nothing to do. After a newer version nothing is done: this one can serve that schema
    /// (docs/UPGRADING.md), and does not know what its roles need. On Postgres it also makes the roles of row-level
    /// security.
    ///
    /// # Errors
    /// A sentence about the migration that failed, or about what an administrator must do first.
    pub async fn migrate(&self) -> Result<Vec<String>, String> {
        match self {
            Self::Postgres(database) => {
                let mut lease = database.lease().await.map_err(|error| error.to_string())?;
                let connection = lease.connection().map_err(unusable)?;
                // From here to the end of the connection others wait.
                roles::make(connection).await?;
                let found = State::of(&POSTGRES, &postgres::applied(connection).await);
                if found.is_newer() {
                    return Ok(Vec::new());
                }
                POSTGRES.run_direct(None, &mut *connection, false).await.map_err(failed)?;
                let granted = roles::grant(connection).await;
                granted.map_err(|error| format!("The roles cannot be given what they need: {error}."))?;
                Ok(found.pending())
            }
            Self::Sqlite(database) => database.migrate(&SQLITE).await,
        }
    }

    /// Copies an embedded database to a new file, and returns its size in bytes.
    ///
    /// # Errors
    /// A sentence about why there is no copy.
    pub async fn copy_to(&self, file: &Path) -> Result<u64, String> {
        match self {
            Self::Postgres(_) => Err("Only an embedded database can be copied.".to_owned()),
            Self::Sqlite(database) => database.copy_to(file).await,
        }
    }

    /// The names of the migrations that the database lacks.
    ///
    /// # Errors
    /// A sentence about why they could not be read.
    pub async fn pending(&self) -> Result<Vec<String>, String> {
        Ok(self.state().await?.pending())
    }

    /// The names of all migrations, and whether the database has them.
    ///
    /// # Errors
    /// A sentence about why they could not be read.
    pub async fn migrations(&self) -> Result<Vec<(String, bool)>, String> {
        Ok(self.state().await?.migrations)
    }

    async fn state(&self) -> Result<State, String> {
        match self {
            Self::Postgres(database) => {
                let mut lease = database.lease().await.map_err(|error| error.to_string())?;
                let applied = postgres::applied(lease.connection().map_err(unusable)?).await;
                lease.give_back();
                Ok(State::of(&POSTGRES, &applied))
            }
            Self::Sqlite(database) => {
                let mut link = database.writer().await.map_err(unusable)?;
                Ok(State::of(&SQLITE, &sqlite::applied(link.connection()).await))
            }
        }
    }
}

/// Whether `DATABASE_URL` names a server.
///
/// # Errors
/// A sentence, if it names no usable database.
pub fn is_postgres(config: &Config) -> Result<bool, String> {
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

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn failed(error: MigrateError) -> String {
    format!("The migrations failed: {error}.")
}

/// What to do about a database that is not up to date.
#[must_use]
pub fn lacks(pending: &[String]) -> String {
    match pending {
        [] => "The database lacks its roles: run `bailiwick migrate`.".to_owned(),
        _ => format!("The database lacks migrations ({}): run `bailiwick migrate`.", pending.join(", ")),
    }
}

/// The state of a database's migrations.
struct State {
    /// Their names, and whether the database has them.
    migrations: Vec<(String, bool)>,
    /// Whether it has some that this version does not know.
    ahead: bool,
}

impl State {
    fn of(migrator: &Migrator, applied: &[i64]) -> Self {
        let migrations = migrator.iter().map(|migration| {
            let name = format!("{:04} {}", migration.version, migration.description);
            (name, applied.contains(&migration.version))
        });
        let ahead = applied.iter().any(|version| !migrator.version_exists(*version));
        Self { migrations: migrations.collect(), ahead }
    }

    /// The names of those that the database lacks.
    fn pending(self) -> Vec<String> {
        self.migrations.into_iter().filter(|(_, applied)| !applied).map(|(name, _)| name).collect()
    }

    /// Whether a newer version has migrated it.
    fn is_newer(&self) -> bool {
        self.ahead && self.migrations.iter().all(|(_, applied)| *applied)
    }
}

/// The connections of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// Their purpose.
    pub name: &'static str,
    /// The maximum number.
    pub limit: usize,
    /// The present number.
    pub connections: usize,
    /// The number of idle ones.
    pub idle: usize,
    /// The number of batches that wait for one.
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

    /// The engine.
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

/// Compares the number of rows that a statement touched with the expected one.
fn check(index: usize, statement: &Statement, touched: u64) -> Result<(), DatabaseError> {
    match statement.expect {
        Some(expected) if u64::from(expected) != touched => Err(DatabaseError::Unmet(index)),
        _ => Ok(()),
    }
}
