//! Work in the background, done when a case says so, a round at a time: natively by the product itself, in this process and on
//! a database of its own, at which no server works; at the edge by its cron trigger.

use std::sync::Arc;

use bailiwick::{ports::database::AnyDatabase, telemetry::metrics::Metrics};
use bailiwick_core::{App, Config, Turned};
use bailiwick_tests::{
    PATIENCE,
    backdoor::Backdoor,
    instance::{self, Surroundings, product},
    targets::{JWT_SECRET, Postgres, Target},
};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tempfile::TempDir;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Seal,
    Index,
    Remove,
    Measure,
    Prune,
}

/// Who works.
pub(crate) struct Worker {
    pub(crate) backdoor: Backdoor,
    /// Natively.
    app: Option<Arc<App>>,
    /// Where its database is, if that is its own.
    kept: (Option<TempDir>, Option<Postgres>),
}

impl Worker {
    /// Ends its database and removes the files. To be called once, at the end.
    pub(crate) fn stop(&self) {
        let (directory, postgres) = &self.kept;
        if let Some(directory) = directory {
            let _ = std::fs::remove_dir_all(directory.path());
        }
        if let Some(postgres) = postgres {
            postgres.discard();
        }
    }

    /// One for a target of this kind.
    pub(crate) async fn like(target: &Target) -> Self {
        let (database, backdoor, kept) = match target.backdoor {
            Backdoor::Edge(..) => {
                return Self { backdoor: target.backdoor.clone(), app: None, kept: (None, None) };
            }
            Backdoor::Sqlite(_) => {
                let (directory, database, _) = instance::sqlite().await;
                // One connection, because cases change the schema: others would see that later.
                let one = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
                let options: SqliteConnectOptions = database.parse().expect("a URL");
                let pool = one.connect_with(options.busy_timeout(PATIENCE)).await.expect("the file");
                (database, Backdoor::Sqlite(pool), (Some(directory), None))
            }
            Backdoor::Postgres(_) => {
                let (postgres, database, backdoor) = instance::postgres().await;
                (database, backdoor, (None, Some(postgres)))
            }
        };
        let config = Config::read(|name| match name {
            "DATABASE_URL" => Some(database.clone()),
            "JWT_SECRET" => Some(JWT_SECRET.to_owned()),
            "DATABASE_WAIT" | "DATABASE_STATEMENT_TIMEOUT" => Some("10m".to_owned()),
            _ => None,
        })
        .expect("settings");
        let database = AnyDatabase::connect(&config).await.expect("a database");
        let (metrics, around) = (Arc::new(Metrics::new().expect("metrics")), Surroundings::real(&config));
        Self { backdoor, app: Some(product(config, &metrics, database, around)), kept }
    }

    /// Whether rounds are those of the edge, which have the sizes that it gives them.
    pub(crate) fn is_edge(&self) -> bool {
        self.app.is_none()
    }

    /// A round of a kind of work, natively of so many steps. What came of it, as far as that is told.
    pub(crate) async fn round(&self, work: Work, steps: u32) -> Option<Turned> {
        let Some(app) = &self.app else {
            let Backdoor::Edge(http, control, _) = &self.backdoor else { return None };
            let done = http.post(format!("{control}/scheduled")).body("{}").send().await.expect("an answer");
            assert!(done.status().is_success(), "{done:?}");
            return None;
        };
        let turned = match work {
            Work::Seal => app.seal_activity(steps).await,
            Work::Index => app.index(steps).await,
            Work::Remove => app.remove(steps).await,
            Work::Measure => app.measure(true, steps).await,
            Work::Prune => Ok(app.prune().await),
        };
        Some(turned.expect("the database is there"))
    }
}
