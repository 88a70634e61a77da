//! The `Database` port on sqlx: Postgres, or embedded SQLite.

mod postgres;
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
    /// Connects.
    ///
    /// # Errors
    /// A sentence about what is wrong with the URL or the database.
    pub async fn connect(config: &Config) -> Result<Self, String> {
        let url = config.database_url.expose();
        let scheme = url.split(':').next().unwrap_or_default();
        let connected = match scheme {
            "postgres" | "postgresql" => Postgres::connect(config).await.map(Self::Postgres),
            "sqlite" => Sqlite::connect(config).await.map(Self::Sqlite),
            _ => {
                return Err(
                    "DATABASE_URL: expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE."
                        .to_owned(),
                );
            }
        };
        connected.map_err(|error| format!("DATABASE_URL: the database cannot be used: {error}."))
    }

    /// Applies the migrations that the database lacks, and returns their names. Several instances may try at once.
    ///
    /// # Errors
    /// A sentence about the migration that failed.
    pub async fn migrate(&self) -> Result<Vec<String>, String> {
        let pending = self.pending().await?;
        let applied = match self {
            Self::Postgres(database) => {
                let mut lease = database.lease().await.map_err(|error| error.to_string())?;
                POSTGRES.run(lease.connection().map_err(|error| error.to_string())?).await
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
