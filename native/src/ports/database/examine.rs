//! The questions of `bailiwick doctor` to a database.

use super::AnyDatabase;

/// The state of a database.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Its kind and version.
    pub engine: String,
    /// Its time, in milliseconds since 1970. An embedded one has ours.
    pub unix_millis: Option<i64>,
    /// The damage, if there is any. A server is not checked for it.
    pub damage: Option<String>,
}

impl AnyDatabase {
    /// Examines a database.
    ///
    /// # Errors
    /// A sentence about why it could not be examined.
    pub async fn examine(&self) -> Result<Condition, String> {
        let failed = |error: sqlx::Error| format!("The database cannot be asked: {error}.");
        match self {
            Self::Postgres(database) => {
                let mut lease = database.lease().await.map_err(|error| error.to_string())?;
                let asked = sqlx::query_as(
                    "SELECT current_setting('server_version'), (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
                );
                let connection = lease.connection().map_err(failed)?;
                let (version, millis): (String, i64) =
                    asked.persistent(false).fetch_one(connection).await.map_err(failed)?;
                lease.give_back();
                Ok(Condition {
                    engine: format!("PostgreSQL {version}"),
                    unix_millis: Some(millis),
                    damage: None,
                })
            }
            Self::Sqlite(database) => {
                let mut link = database.writer().await.map_err(failed)?;
                let connection = link.connection();
                let version: String = sqlx::query_scalar("SELECT sqlite_version()")
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(failed)?;
                let checked: String = sqlx::query_scalar("PRAGMA quick_check(1)")
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(failed)?;
                Ok(Condition {
                    engine: format!("SQLite {version}"),
                    unix_millis: None,
                    damage: (checked != "ok").then_some(checked),
                })
            }
        }
    }
}
