//! Reading the command line and doing what it says.

mod audit;
mod tenant;
mod verify;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use bailiwick::{
    admin::Admin,
    assets::Embedded,
    background::{self, Bell},
    client_address::TrustedProxies,
    database::{self, AnyDatabase},
    hasher::HashPool,
    http_client::WebClient,
    limiter::Limiter,
    mailer::AnyMailer,
    metrics::{Measured, Metrics},
    ports::{SystemClock, SystemEntropy},
    server,
    telemetry::Telemetry,
    verifier::Ring,
};
use bailiwick_core::{
    App, Config, Ports,
    config::{JwtSecret, LogFormat, Setting},
    ports::Entropy,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Arg, ArgMatches, Command};
use tokio::{net::TcpListener, signal::unix::SignalKind, sync::watch};
use tracing_subscriber::EnvFilter;

/// One sentence for each thing that is wrong.
type Sentences = Vec<String>;

fn command() -> Command {
    Command::new("bailiwick")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Multi-tenant project management with an approval workflow")
        .long_about(
            "Multi-tenant project management with an approval workflow.\n\n\
             Without a command it serves. Every option is an environment variable, too; the option wins.",
        )
        .args(Config::SETTINGS.iter().map(argument))
        .subcommand(Command::new("serve").about("Answer requests (the default)"))
        .subcommand(Command::new("migrate").about("Bring the database up to date"))
        .subcommand(
            Command::new("seed")
                .about("Fill the tenant `default` with people and projects to try things with"),
        )
        .subcommand(tenant::command())
        .subcommand(audit::command())
        .subcommand(verify::command())
}

fn flag(setting: &Setting) -> String {
    setting.name.to_lowercase().replace('_', "-")
}

fn argument(setting: &'static Setting) -> Arg {
    let default = setting.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let help = setting.help.concat().trim().trim_end_matches('.').to_owned() + &default;
    Arg::new(setting.name)
        .long(flag(setting))
        .env(setting.name)
        // The value may be a secret.
        .hide_env_values(true)
        .value_name("VALUE")
        .global(true)
        .help(help)
}

/// Does what the command line says.
///
/// # Errors
/// One sentence for each thing that is wrong.
pub(crate) async fn run() -> Result<ExitCode, Sentences> {
    let matches = command().get_matches();
    // It asks a deployment that is configured elsewhere.
    if let Some((verify::NAME, matches)) = matches.subcommand() {
        return verify::run(matches).await;
    }
    let config = read_config(&matches)?;
    start_log(&config)?;
    match matches.subcommand() {
        Some(("migrate", _)) => migrate(&config).await,
        Some(("seed", _)) => seed(config).await,
        Some(("tenant", matches)) => tenant::run(matches, config).await,
        Some(("audit", matches)) => audit::run(matches, config).await,
        _ => serve(config).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

fn read_config(matches: &ArgMatches) -> Result<Config, Sentences> {
    // Options may stand before or after the commands.
    let mut innermost = matches;
    while let Some((_, inner)) = innermost.subcommand() {
        innermost = inner;
    }
    Config::read(|name| innermost.get_one::<String>(name).cloned())
}

fn start_log(config: &Config) -> Result<(), Sentences> {
    let filter = EnvFilter::try_new(&config.log_level)
        .map_err(|_| vec!["LOG_LEVEL: expected a level such as info, or directives.".to_owned()])?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Pretty => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

async fn migrate(config: &Config) -> Result<(), Sentences> {
    let database = AnyDatabase::connect_as_owner(config).await.map_err(|sentence| vec![sentence])?;
    let applied = database.migrate().await.map_err(|sentence| vec![sentence])?;
    if applied.is_empty() {
        say("The database is up to date.");
    }
    for migration in applied {
        say(&format!("Applied {migration}."));
    }
    Ok(())
}

async fn seed(config: Config) -> Result<(), Sentences> {
    let app = start(config).await?;
    let lines = bailiwick_core::seed::run(&app).await.map_err(|sentence| vec![sentence])?;
    for line in lines {
        say(&line);
    }
    Ok(())
}

async fn serve(config: Config) -> Result<(), Sentences> {
    if config.fault_injection {
        tracing::warn!("FAULT_INJECTION is on: any client can make a request panic");
    }
    let proxies = TrustedProxies::parse(&config.trusted_proxies).map_err(|sentence| vec![sentence])?;
    let metrics = new_metrics()?;
    let (app, database) = start_measured(config.clone(), &metrics).await?;
    let telemetry = Telemetry::start(&config, &metrics).map_err(|sentence| vec![sentence])?;
    if let Some(address) = config.admin_bind {
        let admin = Admin { metrics, app: app.clone(), database };
        admin.start(address).await.map_err(|sentence| vec![sentence])?;
    }
    let listener = TcpListener::bind(config.bind)
        .await
        .map_err(|error| vec![format!("BIND: {} cannot be listened on: {error}.", config.bind)])?;
    let address = listener.local_addr().map_err(|error| vec![error.to_string()])?;
    let stopped = stop_signal()?;
    tracing::info!("listening on http://{address}");
    if config.log_format == LogFormat::Pretty {
        say(&format!("\n  Bailiwick answers on http://{address}"));
        say(&format!("  Read and try it at   http://{address}/docs"));
        say(&format!("  Its description is   http://{address}/openapi.json"));
        say(&format!("  Its health is        http://{address}/readyz\n"));
    }
    let bell = Bell::default();
    let router = server::router(&app, &config, &bell, &telemetry);
    tokio::join!(
        server::serve(listener, router, proxies, config.shutdown_grace, stopped.clone()),
        background::run(app, bell, &telemetry, &config, stopped),
    );
    telemetry.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// Holds true from SIGTERM or SIGINT on.
fn stop_signal() -> Result<watch::Receiver<bool>, Sentences> {
    let listen = |kind| tokio::signal::unix::signal(kind).map_err(|error| vec![error.to_string()]);
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.send_replace(true);
    });
    Ok(stopped)
}

/// Makes the product on this machine's ports. Embedded SQLite needs no preparation; Postgres is not touched beyond
/// what was asked.
async fn start(config: Config) -> Result<Arc<App>, Sentences> {
    start_measured(config, &new_metrics()?).await.map(|(app, _)| app)
}

fn new_metrics() -> Result<Arc<Metrics>, Sentences> {
    Metrics::new().map(Arc::new).map_err(|sentence| vec![sentence])
}

/// The same, with its database, and with where it is to be measured.
async fn start_measured(
    mut config: Config,
    metrics: &Arc<Metrics>,
) -> Result<(Arc<App>, AnyDatabase), Sentences> {
    let database = AnyDatabase::connect(&config).await.map_err(|sentence| vec![sentence])?;
    match &database {
        AnyDatabase::Sqlite(_) => {
            database.migrate().await.map_err(|sentence| vec![sentence])?;
            if !config.has_key() {
                config.jwt_secret =
                    Some(own_secret(config.database_url.expose()).map_err(|sentence| vec![sentence])?);
            }
        }
        AnyDatabase::Postgres(_) => {
            let pending = database.pending().await.map_err(|sentence| vec![sentence])?;
            if !pending.is_empty() {
                return Err(vec![database::lacks(&pending)]);
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
    App::new(config, ports).map(|app| (app, database))
}

/// The secret that is kept beside the database file, made when it is first needed.
fn own_secret(database_url: &str) -> Result<JwtSecret, String> {
    let path = database_url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = path.split('?').next().unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") || database_url.contains("mode=memory") {
        return JwtSecret::new(new_secret()?);
    }
    let file = PathBuf::from(format!("{path}.jwt-secret"));
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

fn new_secret() -> Result<String, String> {
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

/// Prints a line for a person; that nobody reads it is no failure.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
