//! Running instances of the binary whose end is up to the test, and whose logs can be read; databases for them; and the
//! product in the process of the test.

use std::{fs::File, path::PathBuf, process::Stdio, sync::Arc};

use bailiwick::{
    ports::{
        assets::Embedded,
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
    ports::{Clock, Database, HttpClient, Mailer},
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    actors::PASSWORD,
    backdoor::{self, Backdoor},
    client::{Answer, Ask},
    ended,
    process::Process,
    targets::{Postgres, address, client, native},
    until,
};

/// An instance.
#[derive(Debug)]
pub struct Instance {
    /// Where it answers.
    pub url: String,
    process: Process,
    log: PathBuf,
    _directory: TempDir,
}

impl Instance {
    /// Starts one on a database, and waits until it answers.
    pub async fn start(database: &str, settings: &[(&'static str, String)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let log = directory.path().join("log");
        let mut command: Command = native(database);
        let process = command
            .envs(settings.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a file"))
            .kill_on_drop(true)
            .spawn()
            .expect("the binary");
        let process = Process::new(process);
        let mut this = Self { url: String::new(), process, log, _directory: directory };
        this.url = until("it listens", || async {
            let log = this.log();
            log.lines().find(|line| line.contains("listening on http")).map(address).ok_or(log)
        })
        .await;
        this
    }

    /// Ends it as a power failure would.
    pub async fn kill(mut self) {
        self.process.kill().await.expect("it ran");
    }

    /// Sends it a signal: `TERM`, `STOP`, ...
    pub async fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().await;
        assert!(sent.as_ref().is_ok_and(std::process::ExitStatus::success), "{sent:?}");
    }

    /// Tells it to end, and waits until it has; it must have ended well.
    pub async fn terminate(mut self) {
        self.signal("TERM").await;
        let log = self.log.clone();
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        let ended = ended("a server that was told to", self.process.wait(), said).await;
        let status = ended.expect("an end");
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The entries of its log with this message.
    pub fn entries(&self, message: &str) -> Vec<Value> {
        let log = self.log();
        let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries.filter(|entry| entry["message"] == message).collect()
    }

    /// A request to it, by whoever has the token.
    pub fn ask(&self, http: &reqwest::Client, token: &str, method: Method, path: &str) -> Ask {
        Ask::new(http, method, &self.url, path).header("authorization", &format!("Bearer {token}"))
    }

    /// Registers somebody, who accepts an invitation if there is one, and logs them in: their id and their token.
    pub async fn register(&self, email: &str, invitation: Option<&str>) -> (String, String) {
        let http = client();
        let post =
            |path: &str, body: Value| Ask::new(&http, Method::POST, &self.url, path).json(&body).send();
        let mut account = json!({ "email": email, "name": "Ada", "password": PASSWORD });
        if let Some(invitation) = invitation {
            account["invitation_token"] = json!(invitation);
        }
        let user = post("/v1/auth/register", account).await.expect(201);
        let session =
            post("/v1/auth/login", json!({ "email": email, "password": PASSWORD })).await.expect(200);
        (user.text_at("/id"), session.text_at("/access_token"))
    }

    /// Posts in the default tenant, or in the one that is named.
    pub async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.ask(&client(), token, Method::POST, path).json(body).send().await
    }

    /// Reads in the default tenant.
    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(&client(), token, Method::GET, path).send().await
    }
}

/// Brings a database up to date.
pub async fn migrate(database: &str) {
    let output = native(database).arg("migrate").output().await.expect("it runs");
    assert!(output.status.success(), "{output:?}");
}

/// An embedded database that is up to date: the folder that it is in, its URL, and the way in from behind.
pub async fn sqlite() -> (TempDir, String, Backdoor) {
    let directory = tempfile::tempdir().expect("a directory");
    let database = format!("sqlite://{}", directory.path().join("b.db").display());
    // The file must be there to be connected to.
    migrate(&database).await;
    let pool = backdoor::sqlite(&database).await;
    (directory, database, Backdoor::Sqlite(pool))
}

/// The same of a Postgres of its own.
pub async fn postgres() -> (Postgres, String, Backdoor) {
    let postgres = Postgres::start().await;
    let database = postgres.url();
    migrate(&database).await;
    let pool = backdoor::postgres(&database).await;
    (postgres, database, Backdoor::Postgres(pool))
}

/// What the product in the process of a test has around it, beside its database.
#[derive(Debug)]
pub struct Surroundings<C, H, M> {
    /// The clock that it goes by.
    pub clock: C,
    /// What it sends requests with.
    pub http: H,
    /// What it sends mails with.
    pub mailer: M,
}

impl Surroundings<SystemClock, WebClient, AnyMailer> {
    /// Those of the server.
    pub fn real(config: &Config) -> Self {
        Self {
            clock: SystemClock,
            http: WebClient::new().expect("a client"),
            mailer: AnyMailer::new(config).expect("a mailer"),
        }
    }
}

/// The product in this process, put together as `bailiwick serve` does it, on a database that is up to date.
pub fn product(
    config: Config,
    metrics: &Arc<Metrics>,
    database: impl Database,
    around: Surroundings<impl Clock, impl HttpClient, impl Mailer>,
) -> Arc<App> {
    let hasher = HashPool::start(&config, metrics).expect("threads");
    let ports = Ports::new(
        Measured::new(database, metrics),
        around.clock,
        SystemEntropy,
        hasher,
        Ring,
        Measured::new(around.http, metrics),
        around.mailer,
        Measured::new(Limiter::new(&config), metrics),
        Embedded,
    );
    App::new(config, ports).unwrap_or_else(|faults| panic!("{faults:?}"))
}
