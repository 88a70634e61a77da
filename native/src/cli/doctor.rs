//! `bailiwick doctor`: checks everything that the server needs, and says what to do about faults.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt, time::Duration};

use bailiwick::{
    ports::{
        database::{AnyDatabase, is_postgres, lacks},
        system::SystemClock,
    },
    server::client_address::TrustedProxies,
};
use bailiwick_core::{Config, config::EmailProvider, ports::Clock};
use clap::{Arg, ArgAction, Command};
use serde::Serialize;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::{
    call::{Call, secret_file, sqlite_file},
    env_file,
    report::{Outcome, Report},
};

/// A larger difference of clocks makes tokens and leases expire too early or too late.
const SKEW: Duration = Duration::from_secs(5);

pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Check the settings, the database and the outside services, and say what to fix; exits with 1 if there is something")
        .arg(
            Arg::new("offline")
                .long("offline")
                .action(ArgAction::SetTrue)
                .help("Do not connect to outside services, such as the mail server"),
        )
        .after_help(
            "It changes nothing and sends nothing. Run it with the settings of the server.\n\n\
             Example:\n  bailiwick doctor\n  bailiwick doctor --output json --offline",
        )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    /// It works, but should be looked at.
    Note,
    Bad,
}

/// The finding about one thing.
#[derive(Debug, Serialize)]
struct Finding {
    about: &'static str,
    state: State,
    finding: String,
}

/// The findings so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, about: &'static str, state: State, finding: impl Into<String>) {
        self.0.push(Finding { about, state, finding: finding.into() });
    }

    fn good(&mut self, about: &'static str, finding: impl Into<String>) {
        self.add(about, State::Good, finding);
    }

    fn note(&mut self, about: &'static str, finding: impl Into<String>) {
        self.add(about, State::Note, finding);
    }

    fn bad(&mut self, about: &'static str, finding: impl Into<String>) {
        self.add(about, State::Bad, finding);
    }
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let mut findings = Findings::default();
    match call.settings() {
        Ok(config) => {
            if let Some(sentence) = env_file::said() {
                findings.note("settings", format!("Some {sentence}."));
            }
            settings(&config, &mut findings);
            secret(&config, &mut findings);
            database(&config, &mut findings).await;
            listens("address", config.bind, &mut findings).await;
            if let Some(address) = config.admin_bind {
                listens("metrics", address, &mut findings).await;
            }
            if !call.flag("offline") {
                outbound(&config, &mut findings).await;
            }
        }
        Err(sentences) => {
            for sentence in sentences {
                findings.bad("settings", sentence);
            }
        }
    }
    let Findings(findings) = findings;
    let bad = findings.iter().filter(|finding| finding.state == State::Bad).count();
    let lines = findings.iter().map(|Finding { about, state, finding }| {
        let state = match state {
            State::Good => "ok  ",
            State::Note => "note",
            State::Bad => "BAD ",
        };
        format!("{state}  {about:<10}  {finding}")
    });
    let end = match bad {
        0 => "Nothing is wrong.".to_owned(),
        1 => "One thing is to be done.".to_owned(),
        bad => format!("{bad} things are to be done."),
    };
    let lines: Vec<_> = lines.chain([end]).collect();
    Ok(Report::found(bad == 0, json!({ "healthy": bad == 0, "findings": findings }), lines).into())
}

/// Checks the settings by themselves.
fn settings(config: &Config, findings: &mut Findings) {
    let about = "settings";
    let before = findings.0.len();
    if let Err(sentences) = config.check() {
        for sentence in sentences {
            findings.bad(about, sentence);
        }
    }
    if let Err(sentence) = TrustedProxies::of(config) {
        findings.bad(about, sentence);
    }
    if config.fault_injection {
        findings.bad(about, "FAULT_INJECTION is on: any client can make requests panic. Turn it off.");
    }
    if config.bcrypt_cost.is_low() {
        findings.bad(about, "BCRYPT_COST is below 10: passwords can be guessed from their hashes.");
    }
    if !config.bind.ip().is_loopback() && config.trusted_proxies.is_empty() {
        findings.note(
            about,
            "BIND is open to the network and TRUSTED_PROXIES is empty: behind a proxy, all requests would count as the proxy's.",
        );
    }
    if config.email_provider == EmailProvider::Console {
        findings.note(
            about,
            "EMAIL_PROVIDER is console: emails, with the tokens of invitations and forgotten passwords, go into the log only.",
        );
    }
    if let Some(sentence) = config.invitation_tokens_shown() {
        findings.note(about, format!("{sentence}."));
    }
    if findings.0.len() == before {
        findings.good(about, "The settings are complete.");
    }
}

/// Checks that tokens can be signed, with a secret that nobody else can read.
fn secret(config: &Config, findings: &mut Findings) {
    let about = "secret";
    if config.has_key() {
        return findings.good(about, "JWT_SECRET or JWT_KEYS is set.");
    }
    let Some(file) = sqlite_file(config.database_url.expose()).map(|file| secret_file(&file)) else {
        return findings.bad(
            about,
            "JWT_SECRET is not set: run `bailiwick token secret`, and give it to all instances.",
        );
    };
    match std::fs::metadata(&file) {
        Ok(data) if data.permissions().mode() & 0o077 != 0 => {
            findings.bad(about, format!("Others can read {0}: run `chmod 600 {0}`.", file.display()));
        }
        Ok(_) => findings.good(about, format!("The secret is kept in {}.", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            findings.good(about, format!("The secret will be created in {}.", file.display()));
        }
        Err(error) => findings.bad(about, format!("{} cannot be read: {error}.", file.display())),
    }
}

/// Checks that the database can be used, is up to date, keeps tenants apart, and has our time.
async fn database(config: &Config, findings: &mut Findings) {
    let about = "database";
    if let Some(file) = sqlite_file(config.database_url.expose()).filter(|file| !file.exists()) {
        return findings.good(about, format!("The database will be created: {}.", file.display()));
    }
    let database = match AnyDatabase::connect_as_owner(config).await {
        Ok(database) => database,
        Err(sentence) => return findings.bad(about, sentence),
    };
    match database.examine().await {
        Err(sentence) => findings.bad(about, sentence),
        Ok(found) => {
            match found.damage {
                Some(damage) => {
                    findings.bad(about, format!("{} is damaged: {damage}. Restore a backup.", found.engine));
                }
                None => findings.good(about, format!("{} answers.", found.engine)),
            }
            if let Some(theirs) = found.unix_millis {
                let apart = Duration::from_millis(theirs.abs_diff(SystemClock.now().unix_millis()));
                if apart > SKEW {
                    let finding = format!(
                        "The clock of the database differs from this one by {} s: synchronise both with NTP.",
                        apart.as_secs()
                    );
                    findings.bad("clock", finding);
                } else {
                    findings.good("clock", "The clock of the database has the same time.");
                }
            }
        }
    }
    match database.pending().await {
        Err(sentence) => findings.bad("schema", sentence),
        Ok(pending) if pending.is_empty() => findings.good("schema", "The schema is up to date."),
        // The server does it by itself.
        Ok(pending) if is_postgres(config) == Ok(false) => {
            findings.note("schema", format!("The next start applies {}.", pending.join(", ")));
        }
        Ok(pending) => return findings.bad("schema", lacks(&pending)),
    }
    if is_postgres(config) == Ok(true) {
        match AnyDatabase::connect(config).await {
            Ok(_) => findings
                .good("tenants", "Row-level security holds, and the login has the roles that it needs."),
            Err(sentence) => findings.bad("tenants", sentence),
        }
    }
}

/// Checks that an address can be listened on.
async fn listens(about: &'static str, address: SocketAddr, findings: &mut Findings) {
    match TcpListener::bind(address).await {
        Ok(_) => findings.good(about, format!("{address} is free.")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            findings
                .note(about, format!("Something listens on {address}: the server itself, if it is running."));
        }
        Err(error) => findings.bad(about, format!("{address} cannot be listened on: {error}.")),
    }
}

/// Checks that the configured services can be connected to.
async fn outbound(config: &Config, findings: &mut Findings) {
    let email = match config.email_provider {
        EmailProvider::Console => None,
        EmailProvider::Smtp => config.smtp_url.as_ref(),
        EmailProvider::Http => config.email_api_url.as_ref(),
    };
    if let Some(url) = &config.otlp_endpoint {
        reach("collector", url.expose(), config.outbound_timeout, findings).await;
    }
    if let Some(url) = email {
        reach("email", url.expose(), config.outbound_timeout, findings).await;
    }
    if let Some(url) = &config.jwks_url {
        reach("provider", url, config.outbound_timeout, findings).await;
    }
}

async fn reach(about: &'static str, url: &str, timeout: Duration, findings: &mut Findings) {
    let parsed = Url::parse(url).ok();
    let port = |url: &Url| {
        url.port_or_known_default().or_else(|| match url.scheme() {
            "smtp" => Some(25),
            "smtps" => Some(465),
            _ => None,
        })
    };
    let place = parsed.as_ref().and_then(|url| Some((url.host_str()?.to_owned(), port(url)?)));
    let Some((host, port)) = place else {
        return findings.bad(about, "The URL has no host and port.");
    };
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    match tokio::time::timeout(timeout, TcpStream::connect((literal, port))).await {
        Ok(Ok(_)) => findings.good(about, format!("{host}:{port} can be connected to.")),
        Ok(Err(error)) => findings.bad(about, format!("{host}:{port} cannot be connected to: {error}.")),
        Err(_) => {
            findings.bad(about, format!("{host}:{port} does not answer within {} s.", timeout.as_secs()));
        }
    }
}
