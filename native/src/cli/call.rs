//! A command as it was called: its arguments, the settings, and the product made from them.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bailiwick::{
    ports::{
        assets::Embedded,
        database::{self, AnyDatabase},
        hasher::HashPool,
        http_client::WebClient,
        limiter::Limiter,
        mailer::AnyMailer,
        system::{SystemClock, SystemEntropy},
        verifier::Ring,
    },
    telemetry::metrics::{Measured, Metrics},
};
use bailiwick_core::{
    App, Config, Ports,
    config::{JwtSecret, LogFormat},
    input::Fault,
    ports::Entropy,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::ArgMatches;
use tracing_subscriber::EnvFilter;

use super::{
    env_file,
    report::{Failed, Sentences},
};

/// A command, called.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    /// Its arguments.
    pub(super) matches: &'a ArgMatches,
}

impl<'a> Call<'a> {
    /// The command within this one, and its call.
    pub(super) fn inner(self) -> (&'a str, Self) {
        match self.matches.subcommand() {
            Some((name, matches)) => (name, Self { matches }),
            None => ("", self),
        }
    }

    /// An argument as it was given.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.matches.get_one::<String>(name).map(String::as_str)
    }

    /// All values of an argument that can be given several times.
    pub(super) fn texts(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.matches.get_many::<String>(name).into_iter().flatten().map(String::as_str)
    }

    /// Whether a flag was given.
    pub(super) fn flag(self, name: &str) -> bool {
        self.matches.get_flag(name)
    }

    /// The value of an argument, or `None`, with a sentence about its fault added.
    pub(super) fn value<T>(
        self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
        faults: &mut Sentences,
    ) -> Option<T> {
        let text = self.text(name)?;
        parse(text).map_err(|fault| faults.push(format!("{}: {}", name.to_uppercase(), fault.detail))).ok()
    }

    /// The value of the only argument that can be invalid.
    pub(super) fn only<T>(
        self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Result<T, Failed> {
        let mut faults = Sentences::new();
        self.value(name, parse, &mut faults).ok_or_else(|| faults.into())
    }

    /// The settings, without a look at anything that they name.
    pub(super) fn settings(self) -> Result<Config, Sentences> {
        env_file::settings().map_err(|sentence| vec![sentence.to_owned()])?;
        Config::read(|name| self.text(name).map(str::to_owned))
    }

    /// The settings; this starts the log as well.
    pub(super) fn config(self) -> Result<Config, Failed> {
        let config = self.settings()?;
        database::is_postgres(&config).map_err(|sentence| vec![sentence])?;
        let filter = EnvFilter::try_new(&config.log_level)
            .map_err(|_| vec!["LOG_LEVEL: expected a level such as info, or directives.".to_owned()])?;
        // Colours are for people (https://no-color.org): a file or a collector would keep the codes.
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colours = std::io::stderr().is_terminal() && !no_color;
        let log =
            tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
        match config.log_format {
            LogFormat::Pretty => log.with_target(false).init(),
            LogFormat::Json => log.json().flatten_event(true).init(),
        }
        if let Some(sentence) = env_file::said() {
            tracing::info!("{sentence}");
        }
        Ok(config)
    }

    /// The product, made by the settings, on an existing database.
    pub(super) async fn app(self) -> Result<Arc<App>, Failed> {
        let config = self.config()?;
        must_exist(&config)?;
        start(config).await
    }

    /// The same, for commands that may be the first one on a database: embedded SQLite creates its file.
    pub(super) async fn new_app(self) -> Result<Arc<App>, Failed> {
        start(self.config()?).await
    }
}

/// Makes the product on this machine's ports. Embedded SQLite needs no preparation; Postgres is not changed beyond the
/// command's own work.
pub(super) async fn start(config: Config) -> Result<Arc<App>, Failed> {
    start_measured(config, &new_metrics()?).await.map(|(app, _)| app)
}

pub(super) fn new_metrics() -> Result<Arc<Metrics>, Failed> {
    Ok(Metrics::new().map(Arc::new).map_err(|sentence| vec![sentence])?)
}

/// The same, with its database, and with the metrics that measure it.
pub(super) async fn start_measured(
    mut config: Config,
    metrics: &Arc<Metrics>,
) -> Result<(Arc<App>, AnyDatabase), Failed> {
    let database = AnyDatabase::connect(&config).await.map_err(Failed::unavailable)?;
    match &database {
        AnyDatabase::Sqlite(_) => {
            database.migrate().await.map_err(Failed::unavailable)?;
            if !config.has_key() {
                config.jwt_secret =
                    Some(own_secret(config.database_url.expose()).map_err(|sentence| vec![sentence])?);
            }
        }
        AnyDatabase::Postgres(_) => {
            let pending = database.pending().await.map_err(Failed::unavailable)?;
            if !pending.is_empty() {
                return Err(Failed::unavailable(database::lacks(&pending)));
            }
        }
    }
    let hasher = HashPool::start(&config, metrics).map_err(|error| vec![error.to_string()])?;
    let http = WebClient::new().map_err(|sentence| vec![sentence])?;
    let mailer = AnyMailer::new(&config)?;
    let limiter = Measured::new(Limiter::new(&config), metrics);
    let (clock, entropy) = (SystemClock, SystemEntropy);
    let (measured, http) = (Measured::new(database.clone(), metrics), Measured::new(http, metrics));
    let ports = Ports::new(measured, clock, entropy, hasher, Ring, http, mailer, limiter, Embedded);
    Ok((App::new(config, ports)?, database))
}

/// The file that a `sqlite:` URL names, if it is not in memory.
pub(super) fn sqlite_file(database_url: &str) -> Option<PathBuf> {
    let path = database_url.strip_prefix("sqlite:")?.trim_start_matches("//");
    let path = path.split('?').next().unwrap_or(path);
    let in_memory = path.is_empty() || path.contains(":memory:") || database_url.contains("mode=memory");
    (!in_memory).then(|| PathBuf::from(path))
}

/// Fails if the settings name a file that does not exist. A user who asks for its contents has named another file than
/// they think (they are in another directory, or outside of the service's environment), and an empty new one would
/// suggest that all data is lost.
pub(super) fn must_exist(config: &Config) -> Result<(), Failed> {
    match sqlite_file(config.database_url.expose()).filter(|file| !file.exists()) {
        Some(file) => {
            let file = std::path::absolute(&file).unwrap_or(file);
            let said = format!("There is no database at {} (DATABASE_URL).", file.display());
            Err(Failed::refused(said))
        }
        None => Ok(()),
    }
}

/// The file with the secret of a database file.
pub(super) fn secret_file(database: &Path) -> PathBuf {
    PathBuf::from(format!("{}.jwt-secret", database.display()))
}

/// The secret beside the database file, made when it is first needed.
fn own_secret(database_url: &str) -> Result<JwtSecret, String> {
    let Some(file) = sqlite_file(database_url) else {
        return JwtSecret::new(new_secret()?);
    };
    let file = secret_file(&file);
    let failed = |error: std::io::Error| format!("JWT_SECRET: {} cannot be used: {error}.", file.display());
    match std::fs::read_to_string(&file) {
        Ok(secret) => JwtSecret::new(secret.trim()).map_err(|fault| format!("{}: {fault}", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = new_secret()?;
            write_new(&file, &secret).map_err(failed)?;
            JwtSecret::new(secret)
        }
        Err(error) => Err(failed(error)),
    }
}

/// A new random secret.
pub(super) fn new_secret() -> Result<String, String> {
    let mut random = [0; 48];
    SystemEntropy.fill(&mut random).map_err(|_| "The system has no randomness.".to_owned())?;
    Ok(STANDARD.encode(random))
}

/// Writes a file that must not exist yet and that nobody else may read.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
