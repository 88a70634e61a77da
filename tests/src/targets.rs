//! The targets, each started for real: the native binary on SQLite and on Postgres, the Worker in workerd on D1.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool, raw_sql};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
};

use crate::{
    backdoor::Backdoor,
    log::Log,
    provider::Provider,
    receivers::{Mail, Mailbox, Receivers},
    until,
};

/// The secret that all targets sign with, so that tests can make tokens of their own.
pub const JWT_SECRET: &str = "a secret for tests that has more than 32 bytes";

/// Attempts in a minute to get in with one account.
pub const RATE_LIMIT_ACCOUNT: &str = "100";

/// Attempts in a minute to get in from one address.
pub const RATE_LIMIT_ADDRESS: &str = "300";

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
    process: Mutex<Option<Child>>,
    directory: TempDir,
}

impl Target {
    /// Sets off what the platform does every minute. A native server goes by a clock of its own.
    pub fn tick(&self) {
        let Backdoor::Edge(http, control) = &self.backdoor else { return };
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
    pub async fn until<T, F>(&self, what: &str, look: impl Fn() -> F) -> T
    where
        F: Future<Output = Option<T>>,
    {
        until(what, || {
            self.tick();
            look()
        })
        .await
    }

    /// The first mail that an address takes.
    pub async fn mail_to(&self, address: &str) -> Mail {
        let taken = || self.mailbox.mails(address).into_iter().find(|mail| mail.taken);
        self.until(&format!("a mail to {address}"), || async { taken() }).await
    }

    /// Ends it and removes what it left. To be called once, because targets live as long as the process.
    pub async fn stop(&self) {
        let process = self.process.lock().ok().and_then(|mut process| process.take());
        if let Some(mut process) = process {
            // At the end of its input the Worker's host ends, and takes workerd with it. The others are told.
            drop(process.stdin.take());
            let id = process.id().unwrap_or_default().to_string();
            let _ = Command::new("kill").args(["-TERM", &id]).status().await;
            if tokio::time::timeout(Duration::from_secs(10), process.wait()).await.is_err() {
                let _ = process.start_kill();
            }
        }
        if let Some(postgres) = &self.postgres {
            postgres.discard();
        }
        let _ = std::fs::remove_dir_all(self.directory.path());
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

/// A client that follows no redirect and waits long: a request may be held while its case does something else.
pub fn client() -> reqwest::Client {
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
        .timeout(Duration::from_mins(10))
        // workerd closes a connection that was idle for 5 seconds, perhaps just when something is sent on it.
        .pool_idle_timeout(Duration::from_secs(2))
        .build()
        .expect("a client")
}

/// Starts a server and waits for the line that tells where it listens.
pub async fn start(command: &mut Command, marker: &str) -> (Child, String) {
    start_logged(command, marker, &Log::default()).await
}

/// The same, of a server whose log is kept.
async fn start_logged(command: &mut Command, marker: &str, log: &Log) -> (Child, String) {
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
    match tokio::time::timeout(Duration::from_mins(1), receiver.recv()).await {
        Ok(Some(line)) => (child, line),
        _ => panic!("{command:?} did not start; its output is above"),
    }
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
        .envs([("HASH_QUEUE", "10000"), ("REQUEST_TIMEOUT", "10m")]);
    command
}

/// What all targets have. The times are short, for nobody wants to wait.
fn settings() -> [(&'static str, &'static str); 14] {
    [
        ("JWT_SECRET", JWT_SECRET),
        ("BCRYPT_COST", "4"),
        ("FAULT_INJECTION", "true"),
        ("DEBUG_TIMING", "1"),
        // The default would have the black box of verify-isolation wait, which logs in often and from one address.
        ("RATE_LIMIT_ACCOUNT", RATE_LIMIT_ACCOUNT),
        ("RATE_LIMIT_ADDRESS", RATE_LIMIT_ADDRESS),
        ("CORS_ORIGINS", "https://app.example.com"),
        // Every actor of the tests has an address of their own, as if there were a proxy.
        ("TRUSTED_PROXIES", "127.0.0.1"),
        ("OUTBOUND_TIMEOUT", "2s"),
        ("OUTBOX_INTERVAL", "200ms"),
        ("OUTBOX_BACKOFF", "100ms"),
        ("OUTBOX_BACKOFF_MAX", "400ms"),
        ("OUTBOX_ATTEMPTS", "3"),
        ("OUTBOX_LEASE", "5s"),
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
    let pool = SqlitePool::connect(&url).await.expect("the server's file");
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
    let pool = PgPool::connect(&postgres.login("bailiwick", "bailiwick")).await.expect("Postgres");
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
        backdoor: Backdoor::Edge(client(), text("control")),
        http: client(),
        postgres: None,
        mailbox: Mailbox::Api(receivers.http.clone()),
        log,
        ticking: Arc::default(),
        process: Mutex::new(Some(process)),
        directory,
    }
}

/// A Postgres of our own, from its binaries, in a directory of its own.
#[derive(Debug)]
pub struct Postgres {
    directory: TempDir,
    port: u16,
}

impl Postgres {
    /// Makes and starts one.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        // A free port: nobody else takes it in the moment between.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a port")
            .port();
        let this = Self { directory, port };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(this.directory.path())).await;
        }
        let data = this.data();
        run(Self::tool("initdb").args([
            "-D",
            &data,
            "-U",
            "bailiwick",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]))
        .await;
        this.resume().await;
        this
    }

    /// Where it can be reached, once it runs, by a superuser.
    pub fn url(&self) -> String {
        self.login("bailiwick", "postgres")
    }

    /// Where somebody reaches one of its databases.
    pub fn login(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a database as docs/POSTGRES.md says, with least privilege, and returns where the server reaches it.
    pub async fn install(&self) -> String {
        self.prepare().await;
        self.migrate().await;
        self.login("bailiwick_server", "bailiwick")
    }

    /// Makes that database, with nothing in it, and its logins.
    pub async fn prepare(&self) {
        let page = std::fs::read_to_string(root().join("docs/POSTGRES.md")).expect("the page");
        let script = page.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next());
        let pool = PgPool::connect(&self.url()).await.expect("Postgres");
        for statement in script.expect("its statements").lines() {
            let done = raw_sql(AssertSqlSafe(statement)).execute(&pool).await;
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    /// Brings that database up to date, as its owner.
    pub async fn migrate(&self) {
        let owner = self.login("bailiwick_owner", "bailiwick");
        let migrated = native(&owner).arg("migrate").output().await.expect("bailiwick migrate");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    }

    /// Lets nobody in without their password any more but the superuser.
    pub async fn ask_for_passwords(&self) {
        let rules = "host all bailiwick 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(Path::new(&self.data()).join("pg_hba.conf"), rules).expect("a file");
        run(Self::tool("pg_ctl").args(["-D", &self.data(), "reload"])).await;
    }

    /// Starts it (again).
    pub async fn resume(&self) {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c fsync=off -c max_connections=200",
            self.port,
            self.directory.path().display()
        );
        let log = self.directory.path().join("log").display().to_string();
        run(Self::tool("pg_ctl").args(["-D", &self.data(), "-w", "-l", &log, "-o", &options, "start"])).await;
    }

    /// Stops it at once, as a crash would.
    pub async fn halt(&self) {
        run(Self::tool("pg_ctl").args(["-D", &self.data(), "-w", "-m", "immediate", "stop"])).await;
    }

    fn data(&self) -> String {
        self.directory.path().join("data").display().to_string()
    }

    /// One of its binaries, as the user that it accepts: it refuses to run as root.
    fn tool(name: &str) -> Command {
        let path = bin_directory().join(name);
        if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path).current_dir("/");
            command
        } else {
            Command::new(path)
        }
    }
}

impl Postgres {
    /// Stops it and removes its files.
    fn discard(&self) {
        let command = Self::tool("pg_ctl");
        let mut stop = std::process::Command::new(command.as_std().get_program());
        stop.args(command.as_std().get_args()).args(["-D", &self.data(), "-m", "immediate", "stop"]);
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = std::fs::remove_dir_all(self.directory.path());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.discard();
    }
}

async fn run(command: &mut Command) {
    // Postgres inherits and keeps the outputs, so they must not be pipes that are read to their end.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().await;
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {status:?}");
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}

/// Where the binaries of Postgres are.
pub fn bin_directory() -> PathBuf {
    if let Some(path) = std::env::var_os("PG_BIN") {
        return path.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> =
        versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").exists()).collect();
    found.sort();
    found
        .pop()
        .expect("Postgres: none under /usr/lib/postgresql; set PG_BIN to the directory of initdb and pg_ctl")
}
