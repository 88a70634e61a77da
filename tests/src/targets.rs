//! The targets, each started for real: the native binary on SQLite and on Postgres, the Worker in workerd on D1.

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
};

pub use crate::postgres::{Postgres, bin_directory};
use crate::{
    PATIENCE,
    backdoor::{self, Backdoor},
    ended,
    log::Log,
    process::Process,
    provider::Provider,
    receivers::{Mail, Mailbox, Receivers},
    until,
};

/// The secret that all targets sign with, so that tests can make tokens of their own.
pub const JWT_SECRET: &str = "a secret for tests that has more than 32 bytes";

/// As many requests as no test makes: limits are met only where they are tested.
const NO_LIMIT: &str = "1000000";

/// A running target.
#[derive(Debug)]
pub struct Target {
    /// `native+sqlite`, `native+postgres` or `edge+d1`.
    pub name: &'static str,
    /// Where it answers.
    pub url: String,
    /// Its database, from behind.
    pub backdoor: Backdoor,
    /// For requests; keeps connections open.
    pub http: reqwest::Client,
    /// The Postgres behind it, to be stopped and started.
    pub postgres: Option<Postgres>,
    /// Where its emails arrive.
    pub mailbox: Mailbox,
    /// What it has logged so far.
    pub log: Log,
    ticking: Arc<AtomicBool>,
    process: Mutex<Option<Process>>,
    directory: TempDir,
}

impl Target {
    /// One that a suite serves itself, on the SQLite file in this directory.
    pub async fn served(name: &'static str, url: String, directory: TempDir) -> Self {
        Self {
            name,
            url,
            backdoor: Backdoor::Sqlite(backdoor::sqlite(&sqlite_url(&directory)).await),
            http: client(),
            postgres: None,
            mailbox: Mailbox::Smtp(Receivers::shared().smtp.clone()),
            log: Log::default(),
            ticking: Arc::default(),
            process: Mutex::default(),
            directory,
        }
    }

    /// Sets off what the platform does every minute. A native server goes by a clock of its own.
    pub fn tick(&self) {
        let Backdoor::Edge(http, control, _) = &self.backdoor else { return };
        // One at a time is enough.
        if self.ticking.swap(true, Ordering::Relaxed) {
            return;
        }
        let asking = http.post(format!("{control}/scheduled")).body("{}").send();
        let ticking = self.ticking.clone();
        tokio::spawn(async move {
            // A failure shows in what does not happen.
            let _ = asking.await;
            ticking.store(false, Ordering::Relaxed);
        });
    }

    /// Looks again and again, until there is something to see that happens in the background.
    pub async fn until<T, S, F>(&self, what: &str, look: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, S>>,
        S: Debug,
    {
        until(what, || {
            self.tick();
            look()
        })
        .await
    }

    /// The first mail that an address takes.
    pub async fn mail_to(&self, address: &str) -> Mail {
        let taken = || {
            let mails = self.mailbox.mails(address);
            mails.iter().find(|mail| mail.taken).cloned().ok_or(mails)
        };
        self.until(&format!("a mail to {address}"), || async { taken() }).await
    }

    /// Ends it as an operator would, and removes what it left.
    pub async fn stop(&self) {
        let process = self.process.lock().ok().and_then(|mut process| process.take());
        if let Some(mut process) = process {
            // At the end of its input the Worker's host ends, and takes workerd with it. The others are told.
            drop(process.stdin.take());
            let id = process.id().unwrap_or_default().to_string();
            let _ = Command::new("kill").args(["-TERM", &id]).status().await;
            let log = || format!("it runs; the end of its log: {}", self.log.tail());
            let _ = ended(&format!("{}, which was told to", self.name), process.wait(), log).await;
        }
        self.discard();
    }

    /// Keeps it for cases that want it for as long as the process lives.
    pub fn lasting(self) -> Lasting {
        Lasting(Box::leak(Box::new(self)))
    }

    /// Ends it at once, unless it has ended, and removes what it left.
    fn discard(&self) {
        let process = self.process.lock().ok().and_then(|mut process| process.take());
        if let Some(mut process) = process
            && matches!(self.backdoor, Backdoor::Edge(..))
        {
            // Killed, the host would leave workerd behind, which writes to the folder.
            process.end_by_input();
        }
        if let Some(postgres) = &self.postgres {
            postgres.discard();
        }
        let _ = std::fs::remove_dir_all(self.directory.path());
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.discard();
    }
}

/// A target that can be named for as long as the process lives, and ends when this is dropped, also by a case that panics.
#[derive(Debug)]
pub struct Lasting(&'static Target);

impl Lasting {
    /// The target.
    pub const fn get(&self) -> &'static Target {
        self.0
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.0.discard();
    }
}

/// The top of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_owned()
}

/// The native binary, beside which this test was built.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let binary = test.parent().and_then(Path::parent).expect("target/PROFILE/deps").join("bailiwick");
    assert!(binary.exists(), "{} is missing: cargo build -p bailiwick", binary.display());
    binary
}

/// A client that follows no redirect and waits long. Each request has a connection of its own: one that is kept may be
/// closed by the other side just when something is sent on it.
pub fn client() -> reqwest::Client {
    building().pool_max_idle_per_host(0).build().expect("a client")
}

/// The same, which keeps its connections: for those that are about that, and have no pauses.
pub fn keeping_client() -> reqwest::Client {
    building().build().expect("a client")
}

fn building() -> reqwest::ClientBuilder {
    // Nothing is asked by TLS, so nobody is trusted.
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        // A request may be held while its case waits for something else.
        .timeout(2 * PATIENCE)
}

/// Starts a server and waits for the line that tells where it listens.
pub async fn start(command: &mut Command, marker: &str) -> (Process, String) {
    start_logged(command, marker, &Log::default()).await
}

/// The same, of a server whose log is kept.
async fn start_logged(command: &mut Command, marker: &str, log: &Log) -> (Process, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (sender, mut receiver) = tokio::sync::mpsc::channel(16);
    forward(child.stdout.take().expect("piped"), marker, sender.clone(), log);
    forward(child.stderr.take().expect("piped"), marker, sender, log);
    let said = || format!("it says {}", log.tail());
    let child = Process::new(child);
    let line = ended(&format!("the start of {command:?}"), receiver.recv(), said).await;
    (child, line.unwrap_or_else(|| panic!("{command:?} did not start; it says {}", log.tail())))
}

/// Watches an output for the marker; shows everything if `SHOW_LOGS` is set, and else what was said until then.
fn forward(
    output: impl AsyncRead + Unpin + Send + 'static,
    marker: &str,
    sender: tokio::sync::mpsc::Sender<String>,
    log: &Log,
) {
    let (marker, log, show) = (marker.to_owned(), log.clone(), std::env::var_os("SHOW_LOGS").is_some());
    tokio::spawn(async move {
        let (mut lines, mut ready) = (BufReader::new(output).lines(), false);
        while let Ok(Some(line)) = lines.next_line().await {
            log.add(&line);
            if show || !ready || line.contains("panicked") {
                eprintln!("    | {line}");
            }
            if line.contains(&marker) {
                ready = true;
                let _ = sender.send(line).await;
            }
        }
    });
}

/// The native binary with the settings of tests, on a free port.
pub fn native(database_url: &str) -> Command {
    let mut command = Command::new(binary());
    command
        .env_clear()
        .envs(settings())
        .env("BIND", "127.0.0.1:0")
        .env("DATABASE_URL", database_url)
        .env("LOG_FORMAT", "json")
        .env("HASH_QUEUE", "10000");
    command
}

/// What all targets have. Where a time that has passed makes something happen, it is short, for nobody wants to wait;
/// where something has to happen before it has passed, it is long, for a machine may be slow.
fn settings() -> [(&'static str, &'static str); 21] {
    [
        ("JWT_SECRET", JWT_SECRET),
        ("BCRYPT_COST", "4"),
        ("FAULT_INJECTION", "true"),
        ("DEBUG_TIMING", "1"),
        ("RATE_LIMIT", NO_LIMIT),
        ("RATE_LIMIT_ACCOUNT", NO_LIMIT),
        ("RATE_LIMIT_ADDRESS", NO_LIMIT),
        ("CORS_ORIGINS", "https://app.example.com"),
        // Every actor of the tests has an address of their own, as if there were a proxy.
        ("TRUSTED_PROXIES", "127.0.0.1"),
        ("DATABASE_WAIT", "10m"),
        ("DATABASE_STATEMENT_TIMEOUT", "10m"),
        ("REQUEST_TIMEOUT", "10m"),
        ("CLIENT_TIMEOUT", "10m"),
        ("OUTBOUND_TIMEOUT", "10m"),
        // Requests ring for what they leave behind; to look for the rest all the time takes half of the machine, where a
        // dozen servers do it.
        ("OUTBOX_INTERVAL", "2s"),
        ("OUTBOX_BACKOFF", "100ms"),
        ("OUTBOX_BACKOFF_MAX", "400ms"),
        ("OUTBOX_ATTEMPTS", "3"),
        ("OUTBOX_LEASE", "20m"),
        ("REFRESH_GRACE", "1h"),
        // Most tests are not about mails.
        ("INVITATION_TOKEN_IN_RESPONSE", "true"),
    ]
}

/// The address in a line of a log.
pub fn address(line: &str) -> String {
    let start = line.find("http://").expect("an address");
    line[start..].chars().take_while(|c| !c.is_whitespace() && *c != '"').collect()
}

/// Settings that a suite wants for its targets, beside or in place of those of all.
pub type More = [(&'static str, &'static str)];

/// Where a target's SQLite file is, in the target's own directory.
pub fn sqlite_url(directory: &TempDir) -> String {
    format!("sqlite://{}", directory.path().join("bailiwick.db").display())
}

/// The native binary on a fresh SQLite file.
pub async fn native_sqlite(more: &More) -> Target {
    serve_sqlite(tempfile::tempdir().expect("a directory"), more).await
}

/// The native binary on the SQLite file in this directory, which it makes if it is not there.
pub async fn serve_sqlite(directory: TempDir, more: &More) -> Target {
    let url = sqlite_url(&directory);
    let (receivers, log) = (Receivers::shared(), Log::default());
    let (process, line) = start_logged(
        native(&url).envs(receivers.by_smtp()).envs(Provider::shared().settings()).envs(more.iter().copied()),
        "listening on http",
        &log,
    )
    .await;
    let pool = backdoor::sqlite(&url).await;
    Target {
        name: "native+sqlite",
        url: address(&line),
        backdoor: Backdoor::Sqlite(pool),
        http: client(),
        postgres: None,
        mailbox: Mailbox::Smtp(receivers.smtp.clone()),
        log,
        ticking: Arc::default(),
        process: Mutex::new(Some(process)),
        directory,
    }
}

/// The native binary on a fresh Postgres.
pub async fn native_postgres(more: &More) -> Target {
    let postgres = Postgres::start().await;
    postgres.install().await;
    serve_postgres(postgres, more).await
}

/// The native binary on a Postgres that is installed.
pub async fn serve_postgres(postgres: Postgres, more: &More) -> Target {
    let url = postgres.login("bailiwick_server", "bailiwick");
    let (receivers, log) = (Receivers::shared(), Log::default());
    let (process, line) = start_logged(
        native(&url).envs(receivers.by_api()).envs(Provider::shared().settings()).envs(more.iter().copied()),
        "listening on http",
        &log,
    )
    .await;
    let pool = backdoor::postgres(&postgres.login("bailiwick", "bailiwick")).await;
    Target {
        name: "native+postgres",
        url: address(&line),
        backdoor: Backdoor::Postgres(pool),
        http: client(),
        postgres: Some(postgres),
        mailbox: Mailbox::Api(receivers.http.clone()),
        log,
        ticking: Arc::default(),
        process: Mutex::new(Some(process)),
        directory: tempfile::tempdir().expect("a directory"),
    }
}

/// The Worker, as it was built last, in workerd with a fresh D1.
pub async fn edge_d1(more: &More) -> Target {
    edge_d1_after(&[], more).await
}

/// The same with a D1 in which these statements were run when it had its first migration and no other.
pub async fn edge_d1_after(first: &[String], more: &More) -> Target {
    let directory = tempfile::tempdir().expect("a directory");
    let receivers = Receivers::shared();
    let settings = settings().map(|(name, value)| (name, value.to_owned()));
    let vars: serde_json::Map<_, _> = settings
        .into_iter()
        .chain(receivers.by_api())
        .chain(Provider::shared().settings())
        .chain(more.iter().map(|(name, value)| (*name, (*value).to_owned())))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let mut command = Command::new(root().join("node_modules/.bin/node"));
    command
        .current_dir(root())
        .arg("tests/edge/serve.mjs")
        .args(["--persist", &directory.path().display().to_string()])
        .args(["--vars", &json!(vars).to_string()]);
    if !first.is_empty() {
        let file = directory.path().join("first.json");
        std::fs::write(&file, json!(first).to_string()).expect("a file");
        command.arg("--first").arg(file);
    }
    let log = Log::default();
    let (process, line) = start_logged(&mut command, "\"control\"", &log).await;
    let ready: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
    let text = |name: &str| ready[name].as_str().expect("an address").to_owned();
    Target {
        name: "edge+d1",
        url: text("url"),
        backdoor: Backdoor::Edge(client(), text("control"), backdoor::d1(directory.path()).await),
        http: client(),
        postgres: None,
        mailbox: Mailbox::Api(receivers.http.clone()),
        log,
        ticking: Arc::default(),
        process: Mutex::new(Some(process)),
        directory,
    }
}
