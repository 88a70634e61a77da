//! The native server with another text for one statement, and with a list of the statements that it ran: what
//! `bailiwick serve` is, but for the database between the product and its driver. The product knows nothing of it.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::Arc,
};

use bailiwick::{
    ports::database::AnyDatabase,
    server::{
        self,
        background::{self, WorkSignal},
        client_address::TrustedProxies,
        shutdown::{self, Signals},
    },
    telemetry::{Telemetry, metrics::Metrics},
};
use bailiwick_core::{
    Config,
    ports::{Database, DatabaseError},
    repository::CATALOGUE,
    sql::{Rows, Sql, Statement},
};
use bailiwick_tests::instance::{Surroundings, product};
use serde_json::Value;
use tokio::net::TcpListener;

/// The driver, asked otherwise.
struct Substituting {
    database: AnyDatabase,
    /// For as long as the process lives, as the statements of the catalogue are there.
    other: Option<&'static Sql>,
    log: Option<File>,
}

impl Substituting {
    /// By the file that says what: `{"name": "projects::UPDATE", "text": "..", "log": "PATH"}`, of which each may lack.
    fn new(database: AnyDatabase, told: &Value) -> Self {
        let named = |name: &str| CATALOGUE.iter().copied().flatten().find(|sql| sql.name == name);
        let other = told["name"].as_str().map(|name| {
            let sql = named(name).unwrap_or_else(|| panic!("there is no {name}"));
            let text = told["text"].as_str().expect("its text").to_owned();
            &*Box::leak(Box::new(Sql { sqlite: text.leak(), ..**sql }))
        });
        let log = told["log"].as_str().map(|path| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.expect("a file for the list of statements")
        });
        Self { database, other, log }
    }
}

impl Database for Substituting {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        if let Some(mut log) = self.log.as_ref() {
            let names: String =
                statements.iter().map(|statement| format!("ran {}\n", statement.sql.name)).collect();
            log.write_all(names.as_bytes()).expect("room for the list of statements");
        }
        let Some(other) = self.other else { return self.database.batch(statements).await };
        let mut replaced = statements.to_vec();
        for statement in replaced.iter_mut().filter(|statement| statement.sql.name == other.name) {
            statement.sql = other;
        }
        self.database.batch(&replaced).await
    }
}

/// Serves on SQLite, by the settings of the environment.
pub(crate) async fn serve(told: &Path) {
    let told = std::fs::read_to_string(told).expect("what to serve");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let config = Config::read(|name| std::env::var(name).ok()).expect("settings");
    let log = tracing_subscriber::fmt().with_env_filter(&config.log_level).with_writer(std::io::stderr);
    log.json().flatten_event(true).init();
    let proxies = TrustedProxies::of(&config).expect("proxies");
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let database = AnyDatabase::connect(&config).await.expect("a database");
    database.migrate().await.expect("migrations");
    let app =
        product(config.clone(), &metrics, Substituting::new(database, &told), Surroundings::real(&config));
    let telemetry = Telemetry::start(&config, &metrics).expect("telemetry");
    let listener = TcpListener::bind(config.bind).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let signals = Signals::listen().expect("signals");
    let stopped = shutdown::on_signal(signals, app.clone(), config.shutdown_delay);
    tracing::info!("listening on http://{address}");
    let signal = WorkSignal::default();
    let router = server::router(&app, &config, &signal, &telemetry);
    tokio::join!(
        server::serve(listener, router, proxies, &config, stopped.clone()),
        background::run(app, signal, &telemetry, &config, stopped),
    );
}
