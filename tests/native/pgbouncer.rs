//! The server behind a real PgBouncer that pools by transaction: what it is told, what it must be told instead of the
//! options of a connection, and that tenants stay apart when connections change hands all the time.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use bailiwick_tests::{
    backdoor,
    ports::Port,
    process::Process,
    provided,
    targets::{Postgres, native, root},
    until,
};
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, raw_sql};
use tempfile::TempDir;
use tokio::process::Command;

use crate::instance::Instance;

/// Where Debian has it, which is not on everybody's path.
const DEBIAN: &str = "/usr/sbin/pgbouncer";

/// A PgBouncer with fewer connections to Postgres than its clients have to it.
struct PgBouncer {
    url: String,
    _port: Port,
    _process: Process,
    _directory: TempDir,
}

impl PgBouncer {
    /// Starts one, with the settings of docs/SCALING.md.
    async fn start(postgres: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let port = Port::reserve();
        let (host, database) =
            postgres.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("a URL");
        let (host, backend) = host.split_once(':').expect("a port");
        let file = directory.path().join("pgbouncer.ini");
        let users = directory.path().join("users.txt");
        let settings =
            page("ini").replace("host=postgres.example.com", &format!("host={host} port={backend}"));
        let settings = format!(
            "{settings}listen_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\nauth_type = trust\n\
             auth_file = {}\n",
            port.number(),
            users.display()
        );
        // Two servers' connections for everybody: hardly any two transactions of a client meet the same one.
        let settings = settings.replace("default_pool_size = 40", "default_pool_size = 2");
        assert!(settings.contains("default_pool_size = 2"), "{settings}");
        fs::write(&file, settings).expect("a file");
        fs::write(&users, "\"bailiwick_server\" \"\"\n").expect("a file");
        for path in [directory.path(), &file, &users] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permissions");
        }
        // It refuses to run as root.
        let mut command = Command::new(if Path::new(DEBIAN).exists() { DEBIAN } else { "pgbouncer" });
        if fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0) {
            command.args(["-u", "postgres"]);
        }
        let process = command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("pgbouncer; scripts/setup installs it");
        until("PgBouncer listens", || async { tokio::net::TcpStream::connect(port.address()).await }).await;
        let url = format!("postgres://bailiwick_server@{}/{database}", port.address());
        Self { url, _port: port, _process: Process::new(process), _directory: directory }
    }
}

/// What docs/SCALING.md says in its one block of this language.
fn page(language: &str) -> String {
    let page = fs::read_to_string(root().join("docs/SCALING.md")).expect("the page");
    let block = page.split(&format!("```{language}\n")).nth(1).and_then(|rest| rest.split("```").next());
    block.expect("a block").to_owned()
}

/// The login gets from Postgres what PgBouncer does not pass on.
async fn prepare(postgres: &Postgres) {
    let pool = backdoor::postgres(&postgres.login("bailiwick", "bailiwick")).await;
    raw_sql(AssertSqlSafe(page("sql"))).execute(&pool).await.expect("the statements of the page");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_stay_apart_when_connections_change_hands() {
    let postgres = Postgres::start().await;
    let pgbouncer = PgBouncer::start(&postgres.install().await).await;
    prepare(&postgres).await;
    let settings = [("DATABASE_PREPARED", "false".to_owned())];
    let instances =
        [Instance::start(&pgbouncer.url, &settings).await, Instance::start(&pgbouncer.url, &settings).await];

    let mut owners = Vec::new();
    for number in 0..4 {
        let slug = format!("tenant-{number}");
        let (_, token) = instances[0].register(&format!("owner-{number}@example.com"), None).await;
        let tenant = json!({ "slug": slug, "name": slug });
        instances[0].post(&token, "/v1/tenants", &tenant).await.expect(201);
        owners.push((slug, token));
    }
    // All of them write and read at the same time, on both instances.
    let http = bailiwick_tests::targets::client();
    let asks = owners.iter().flat_map(|owner| [(owner, &instances[0]), (owner, &instances[1])]);
    let working = asks.map(|((slug, token), instance)| {
        let http = &http;
        async move {
            for number in 0..25 {
                let project = json!({ "name": format!("{slug} {number}"), "description": "" });
                let path = "/v1/projects";
                let ask = instance.ask(http, token, Method::POST, path).slug(slug).json(&project);
                ask.send().await.expect(201);
                let list = instance.ask(http, token, Method::GET, path).slug(slug).send().await.expect(200);
                for project in list.body["data"].as_array().expect("a list") {
                    let name = project["name"].as_str().expect("a name");
                    assert!(name.starts_with(slug), "{slug} is shown {name}");
                }
            }
        }
    });
    futures::future::join_all(working).await;

    for (slug, token) in &owners {
        let ask = |path: &str| instances[1].ask(&http, token, Method::GET, path).slug(slug).send();
        let found = ask("/v1/projects?limit=100&q=tenant").await.expect(200);
        assert_eq!(found.body["data"].as_array().map(Vec::len), Some(50), "{slug}");
        let sealed = until("the activity is sealed", || async {
            let answer = ask("/v1/admin/activity/verify").await.expect(200);
            provided(answer.body, |found| found["pending"] == 0)
        })
        .await;
        assert_eq!(sealed["valid"], true, "{sealed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_what_replaces_the_options_of_a_connection_nothing_is_served() {
    let postgres = Postgres::start().await;
    let pgbouncer = PgBouncer::start(&postgres.install().await).await;
    let output = native(&pgbouncer.url).env("DATABASE_PREPARED", "false").output().await.expect("it runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("may not drop its options"), "{said}");
}
