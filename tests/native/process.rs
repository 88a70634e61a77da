//! The binary as a process: how it starts, refuses to start, and ends.

use std::{fs, os::unix::fs::PermissionsExt};

use bailiwick_tests::{
    concluded, ended,
    targets::{Postgres, address, binary, client, native, native_sqlite, root, start},
    until,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

fn url(directory: &tempfile::TempDir) -> String {
    format!("sqlite://{}", directory.path().join("b.db").display())
}

async fn fails(command: &mut Command) -> String {
    let output =
        ended("a start that has to fail", command.kill_on_drop(true).output(), || "it runs".to_owned());
    let output = output.await.expect("it runs");
    assert!(matches!(output.status.code(), Some(2 | 4)), "{output:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[tokio::test]
async fn wrong_settings_stop_the_start_with_a_sentence_each() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = native(&url(&directory));
    let said =
        fails(command.args(["--token-ttl", "soon", "--bind", "here"]).env("JWT_SECRET", "hunter2-hunter2"))
            .await;
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines.iter().all(|line| line.starts_with("bailiwick: ")), "{said}");
    for (setting, line) in ["BIND", "JWT_SECRET", "TOKEN_TTL"].iter().zip(&lines) {
        assert!(line.contains(setting), "{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");

    let provider = [("JWKS_URL", "http://id.example.com/jwks"), ("JWT_ISSUER", "https://id.example.com")];
    let said = fails(native(&url(&directory)).envs(provider)).await;
    assert!(
        said.contains("JWKS_URL: expected an https URL") && said.contains("JWT_AUDIENCE: it is not set"),
        "{said}"
    );

    let said = fails(&mut native("mysql://h/d")).await;
    assert!(said.contains("DATABASE_URL: expected sqlite://"), "{said}");
    let said = fails(native(&url(&directory)).env("LOG_LEVEL", "a=b=c")).await;
    assert!(said.contains("LOG_LEVEL"), "{said}");
}

#[tokio::test]
async fn postgres_is_migrated_only_when_asked_and_needs_a_secret() {
    let server = Postgres::start().await;
    let said = fails(&mut native(&server.url())).await;
    assert!(said.contains("0001 foundation") && said.contains("bailiwick migrate"), "{said}");
    let mut applied: Vec<_> = fs::read_dir(root().join("migrations/postgres"))
        .expect("migrations")
        .map(|entry| {
            entry.expect("a file").file_name().to_string_lossy().replace(".sql", "").replace('_', " ")
        })
        .map(|name| format!("Applied {name}.\n"))
        .collect();
    applied.sort();
    for expected in [applied.concat(), "The database is up to date.\n".to_owned()] {
        let output = native(&server.url()).arg("migrate").output().await.expect("it runs");
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
    let said = fails(native(&server.url()).env_remove("JWT_SECRET")).await;
    assert!(said.contains("JWT_SECRET: it is not set"), "{said}");
}

#[tokio::test]
async fn without_a_secret_sqlite_keeps_one_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("b.db.jwt-secret");
    let mut first = String::new();
    for round in 0..2 {
        let (mut process, _) =
            start(native(&url(&directory)).env_remove("JWT_SECRET"), "listening on http").await;
        process.start_kill().expect("it runs");
        process.wait().await.expect("it ends");
        let secret = std::fs::read_to_string(&file).expect("a secret");
        if round == 0 {
            assert_eq!(secret.len(), 64);
            first = secret;
        } else {
            assert_eq!(secret, first);
        }
    }
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn keys_are_changed_without_logging_anybody_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let (old, new) = ("o".repeat(32), "n".repeat(32));
    let mut bearer = String::new();
    for (keys, secret, status) in [
        (String::new(), old.clone(), 200),
        (format!("2026-12:{new}"), old.clone(), 200),
        (format!("2026-12:{new}"), String::new(), 401),
    ] {
        let mut server = native(&url(&directory));
        let (mut process, line) =
            start(server.env("JWT_KEYS", keys).env("JWT_SECRET", secret), "listening on http").await;
        let (url, http) = (address(&line), client());
        if bearer.is_empty() {
            let account = json!({ "email": "a@example.com", "name": "A", "password": "a password" });
            http.post(format!("{url}/v1/auth/register")).json(&account).send().await.expect("an answer");
            let login = json!({ "email": "a@example.com", "password": "a password" });
            let session =
                http.post(format!("{url}/v1/auth/login")).json(&login).send().await.expect("an answer");
            let session: serde_json::Value = session.json().await.expect("tokens");
            session["access_token"].as_str().expect("a token").clone_into(&mut bearer);
        }
        let me = http.get(format!("{url}/v1/me")).bearer_auth(&bearer).send().await.expect("an answer");
        assert_eq!(me.status(), status);
        process.start_kill().expect("it runs");
        process.wait().await.expect("it ends");
    }
}

#[tokio::test]
async fn sigterm_lets_requests_in_flight_finish() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = native(&url(&directory));
    let (mut process, line) = start(command.env("SHUTDOWN_GRACE", "1h"), "listening on http").await;
    let (url, http) = (address(&line), client());
    let address = url.trim_start_matches("http://");
    let account = json!({ "email": "a@example.com", "name": "A", "password": "a password" }).to_string();
    // By its interim answer it is seen that the request is in flight: the server asks for the body.
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = format!(
        "POST /v1/auth/register HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         expect: 100-continue\r\nconnection: close\r\n\r\n",
        account.len()
    );
    stream.write_all(head.as_bytes()).await.expect("the head");
    let mut interim = [0; 25];
    let instead = || "nothing".to_owned();
    ended("the interim answer", stream.read_exact(&mut interim), instead)
        .await
        .expect("it asks for the body");
    assert_eq!(interim, *b"HTTP/1.1 100 Continue\r\n\r\n");
    let pid = process.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.is_ok_and(|status| status.success()));
    // It takes nobody else any more.
    until("it does not listen", || async { TcpStream::connect(address).await.map_or(Ok(()), Err) }).await;
    stream.write_all(account.as_bytes()).await.expect("the body");
    let mut said = String::new();
    let instead = || "nothing".to_owned();
    ended("the answer", stream.read_to_string(&mut said), instead).await.expect("an answer");
    assert!(said.starts_with("HTTP/1.1 201"), "{said}");
    let status = ended("the server", process.wait(), || "it runs".to_owned()).await.expect("an end");
    assert_eq!(status.code(), Some(0));
    assert!(http.get(format!("{url}/healthz")).send().await.is_err());
}

#[tokio::test]
async fn what_a_request_cost_is_told_only_where_that_is_asked_for() {
    let directory = tempfile::tempdir().expect("a directory");
    for (wanted, told) in [(None, false), (Some("0"), false), (Some("1"), true)] {
        let mut command = native(&url(&directory));
        command.env_remove("DEBUG_TIMING").envs(wanted.map(|wanted| ("DEBUG_TIMING", wanted)));
        let (_process, line) = start(&mut command, "listening on http").await;
        let answer = client().get(format!("{}/readyz", address(&line))).send().await.expect("an answer");
        assert_eq!(answer.headers().contains_key("server-timing"), told, "{wanted:?}");
    }
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_can_read_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_process, line) = start(&mut native(&url(&directory)), "listening on http").await;
    let (url, http) = (address(&line), client());
    let ask = |path: &str, encoding: &'static str| {
        http.get(format!("{url}{path}")).header("accept-encoding", encoding).send()
    };
    let whole = ask("/openapi.json", "identity").await.expect("an answer").bytes().await.expect("a body");
    for encoding in ["gzip", "br"] {
        let answer = ask("/openapi.json", encoding).await.expect("an answer");
        assert_eq!(answer.headers()["content-encoding"], encoding);
        let length = answer.bytes().await.expect("a body").len();
        assert!(length < whole.len() / 4, "{length} of {}", whole.len());
    }
    let small = ask("/healthz", "gzip").await.expect("an answer");
    assert!(!small.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn seed_fills_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let seed = async || {
        let output = native(&url(&directory)).arg("seed").output().await.expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let said = seed().await;
    assert!(said.contains("Added 3 projects") && said.contains("olive@example.com (owner)"), "{said}");
    assert!(seed().await.contains("are there already"));
    let (_process, line) = start(&mut native(&url(&directory)), "listening on http").await;
    let (url, http) = (address(&line), client());
    let credentials = json!({ "email": "viktor@example.com", "password": "bailiwick-demo" });
    let session: serde_json::Value = http
        .post(format!("{url}/v1/auth/login"))
        .json(&credentials)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let token = session["access_token"].as_str().expect("a token");
    let list = http.get(format!("{url}/v1/projects")).bearer_auth(token).send().await.expect("an answer");
    let list: serde_json::Value = list.json().await.expect("JSON");
    let mut statuses: Vec<_> =
        list["data"].as_array().expect("a list").iter().map(|project| project["status"].as_str()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [Some("draft"), Some("in_progress"), Some("submitted")]);
}

#[tokio::test]
async fn help_names_every_setting() {
    let help = async |arguments: &[&str]| {
        let output = Command::new(binary()).args(arguments).output().await.expect("it runs");
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    // What a command has of its own stands by itself.
    let own = help(&["tenant", "--help"]).await;
    assert!(own.contains("limits") && own.contains("--help-all") && !own.contains("--database-url"), "{own}");
    assert!(help(&["tenant", "--help-all"]).await.contains("--database-url"));
    let help = help(&["--help-all"]).await;
    for setting in bailiwick_core::Config::SETTINGS {
        assert!(
            help.contains(&format!("--{}", setting.name.to_lowercase().replace('_', "-"))),
            "{}",
            setting.name
        );
        assert!(help.contains(setting.name), "{}", setting.name);
    }
}

/// A storm of logins takes what others leave: few threads hash, each stays on one processor, and all others go before it.
#[tokio::test]
async fn hashing_has_few_threads_of_the_lowest_priority_each_on_one_processor() {
    let directory = tempfile::tempdir().expect("a directory");
    let (process, _) = start(&mut native(&url(&directory)), "listening on http").await;
    let id = process.id().expect("it runs");
    let mut found = 0;
    for thread in std::fs::read_dir(format!("/proc/{id}/task")).expect("the threads") {
        let thread = thread.expect("a thread").path();
        // Others may end meanwhile.
        let told = |of: &str| std::fs::read_to_string(thread.join(of)).unwrap_or_default();
        if !told("comm").starts_with("hash-") {
            continue;
        }
        found += 1;
        let status = told("status");
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).map(str::trim);
        assert!(allowed.is_some_and(|one| one.parse::<usize>().is_ok()), "{allowed:?}");
        // Behind the name, which may hold anything, the 17th is how nice it is (proc_pid_stat(5)).
        let stat = told("stat");
        let nice = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(16));
        assert_eq!(nice, Some("19"));
    }
    let all = std::thread::available_parallelism().expect("a number").get();
    assert_eq!(found, all.div_ceil(2));
}

/// What holds for all suites: a case that fails takes with it what it has started.
#[tokio::test]
async fn a_case_that_fails_leaves_no_server_and_no_folder() {
    let lasting = native_sqlite(&[]).await.lasting();
    let target = lasting.get();
    let files = target.backdoor.sql("SELECT file FROM pragma_database_list").await;
    let file = std::path::PathBuf::from(files[0][0].clone().expect("a path"));
    let folder = file.parent().expect("a folder");
    assert!(folder.exists());
    let case = async move {
        let _lasting = lasting;
        panic!("this is to be seen: a case that fails on purpose");
    };
    concluded(case).await.expect_err("it fails");
    assert!(!folder.exists(), "{}", folder.display());
    target.http.get(&target.url).send().await.expect_err("nobody listens");
}
