//! The commands of the operator, beside a running server, on both engines.

use std::{os::unix::fs::PermissionsExt, process::Stdio};

use bailiwick_tests::{
    client::{Answer, Ask},
    ports::Port,
    targets::{Postgres, client, native, root},
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::instance::{Instance, postgres, sqlite};

const PASSWORD: &str = "correct horse battery";

/// What a command said, and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

async fn told(mut command: Command, input: &str) -> Said {
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary");
    process.stdin.take().expect("an input").write_all(input.as_bytes()).await.expect("it reads");
    let output = process.wait_with_output().await.expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Said { code: output.status.code().expect("a code"), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs a command on a database, for a program.
pub(crate) async fn run(database: &str, arguments: &[&str], input: &str) -> Said {
    let mut command = native(database);
    command.args(arguments).args(["--output", "json"]).env("LOG_LEVEL", "error");
    told(command, input).await
}

pub(crate) async fn login(instance: &Instance, email: &str, password: &str) -> Answer {
    let credentials = json!({ "email": email, "password": password });
    Ask::new(&client(), Method::POST, &instance.url, "/v1/auth/login").json(&credentials).send().await
}

async fn me(instance: &Instance, token: &str) -> Answer {
    instance.ask(&client(), token, Method::GET, "/v1/me").send().await
}

/// The actions in a tenant's activity, newest first, that nobody in particular did.
async fn by_operator(instance: &Instance, token: &str, slug: &str) -> Vec<Value> {
    let log =
        instance.ask(&client(), token, Method::GET, "/v1/admin/activity").slug(slug).send().await.expect(200);
    let entries = log.body["data"].as_array().expect("a list").iter();
    entries.filter(|entry| entry["actor_id"].is_null()).map(|entry| entry["action"].clone()).collect()
}

async fn accounts(database: &str) {
    let instance = Instance::start(database, &[]).await;
    let (_, owner) = instance.register("owner@example.com", None).await;
    let create = ["user", "create", "Ada@Example.com", "--name", "Ada"];
    for (input, word) in [("short\n", "password"), ("password1\n", "password"), ("", "password")] {
        let refused = run(database, &create, input).await;
        assert!(refused.code == 2 && refused.err.contains(word), "{}", refused.err);
    }
    run(database, &create, &format!("{PASSWORD}\n")).await.done();
    let again = run(database, &create, &format!("{PASSWORD}\n")).await;
    assert_eq!((again.code, &again.json()["error"]), (3, &json!("refused")));
    let first = login(&instance, "ada@example.com", PASSWORD).await.expect(200).text_at("/access_token");
    run(database, &["tenant", "admit", "default", "ada@example.com", "--role", "viewer"], "").await.done();
    run(database, &["tenant", "admit", "default", "ada@example.com", "--role", "manager"], "").await.done();
    let shown = run(database, &["user", "show", "ada@example.com"], "").await.done().json();
    assert_eq!(shown["tenants"], json!([{ "tenant": "default", "role": "manager", "status": "active" }]));
    assert_eq!((&shown["user"]["sessions"], &shown["user"]["has_password"]), (&json!(1), &json!(true)));
    instance.post(&first, "/v1/projects", &json!({ "name": "P" })).await.expect(201);

    // Another password ends what was begun with the old one.
    run(database, &["user", "password", "ada@example.com"], "battery horse correct\n").await.done();
    me(&instance, &first).await.problem(401, "invalid_token");
    login(&instance, "ada@example.com", PASSWORD).await.problem(401, "invalid_credentials");
    let second = login(&instance, "ada@example.com", "battery horse correct").await.expect(200);
    let second = second.text_at("/access_token");
    run(database, &["user", "logout", "ada@example.com"], "").await.done();
    me(&instance, &second).await.problem(401, "invalid_token");

    // Disabled, nobody gets in, by no session that was there and by none that is new.
    let issued = run(database, &["token", "issue", "ada@example.com"], "").await.done().json();
    let third = issued["access_token"].as_str().expect("a token").to_owned();
    me(&instance, &third).await.expect(200);
    let unmeant = run(database, &["user", "disable", "ada@example.com"], "").await;
    assert!(unmeant.code == 2 && unmeant.err.contains("--yes"), "{}", unmeant.err);
    me(&instance, &third).await.expect(200);
    run(database, &["user", "disable", "ada@example.com", "--yes"], "").await.done();
    me(&instance, &third).await.problem(401, "invalid_token");
    login(&instance, "ada@example.com", "battery horse correct").await.problem(401, "invalid_credentials");
    assert_eq!(run(database, &["user", "disable", "ada@example.com", "--yes"], "").await.code, 3);
    assert_eq!(run(database, &["token", "issue", "ada@example.com"], "").await.code, 3);
    run(database, &["user", "enable", "ada@example.com"], "").await.done();
    me(&instance, &third).await.problem(401, "invalid_token");
    login(&instance, "ada@example.com", "battery horse correct").await.expect(200);
    run(database, &["user", "password", "ada@example.com", "--remove"], "").await.done();
    login(&instance, "ada@example.com", "battery horse correct").await.problem(401, "invalid_credentials");
    login(&instance, "ada@example.com", "").await.problem(422, "validation_failed");

    let listed = run(database, &["user", "list", "--containing", "A@EX"], "").await.done().json();
    assert_eq!(listed["users"].as_array().expect("a list").len(), 1, "{listed}");
    // What a pattern would mean is taken as it stands.
    for text in ["%", "_", "!"] {
        let listed = run(database, &["user", "list", "--containing", text], "").await.done().json();
        assert_eq!(listed["users"], json!([]), "{text}");
    }
    assert_eq!(run(database, &["user", "show", "nobody@example.com"], "").await.code, 3);
    assert_eq!(
        by_operator(&instance, &owner, "default").await,
        [
            "user.password_changed",
            "user.enabled",
            "user.disabled",
            "user.token_issued",
            "user.logged_out",
            "user.password_changed",
            "member.admitted",
            "member.admitted",
        ]
    );
    run(database, &["audit", "verify"], "").await.done();
}

#[tokio::test]
async fn accounts_on_sqlite() {
    accounts(&sqlite().await.1).await;
}

#[tokio::test]
async fn accounts_on_postgres() {
    let (_server, database, _) = postgres().await;
    accounts(&database).await;
}

async fn tokens_and_keys(database: &str) {
    let instance = Instance::start(database, &[]).await;
    let (_, owner) = instance.register("owner@example.com", None).await;
    let inspected = run(database, &["token", "inspect"], &format!("{owner}\n")).await.done().json();
    assert_eq!((&inspected["good"], &inspected["email"]), (&json!(true), &json!("owner@example.com")));
    for bad in ["", "nonsense", &format!("{owner}x")] {
        let inspected = run(database, &["token", "inspect", bad], "").await;
        assert_eq!((inspected.code, &inspected.json()["good"]), (1, &json!(false)), "{bad}");
    }
    let secrets =
        [run(database, &["token", "secret"], "").await, run(database, &["token", "secret"], "").await];
    assert!(secrets[0].out != secrets[1].out && secrets[0].out.trim().len() >= 32);

    let of_owner = ["--tenant", "default", "--as", "owner@example.com"];
    let create = [&["api-key", "create", "--name", "Nightly", "--role", "manager"][..], &of_owner].concat();
    let made = run(database, &create, "").await.done().json();
    let key = made["key"].as_str().expect("a key").to_owned();
    instance
        .ask(&client(), &key, Method::POST, "/v1/projects")
        .json(&json!({ "name": "P" }))
        .send()
        .await
        .expect(201);
    let list = [&["api-key", "list"][..], &of_owner].concat();
    let listed = run(database, &list, "").await.done().json();
    assert_eq!((&listed["api_keys"][0]["id"], &listed["api_keys"][1]), (&made["id"], &Value::Null));
    assert!(!listed.to_string().contains(&key));
    // It is that member's own request: what they may not, the command may not.
    run(database, &["user", "create", "viewer@example.com", "--name", "V", "--no-password"], "").await.done();
    run(database, &["tenant", "admit", "default", "viewer@example.com", "--role", "viewer"], "").await.done();
    let too_much = [
        "api-key",
        "create",
        "--tenant",
        "default",
        "--as",
        "viewer@example.com",
        "--name",
        "X",
        "--role",
        "owner",
    ];
    assert_eq!(run(database, &too_much, "").await.code, 3);
    let id = made["id"].as_str().expect("an id");
    let revoke = [&["api-key", "revoke", id, "--yes"][..], &of_owner].concat();
    run(database, &revoke, "").await.done();
    me(&instance, &key).await.problem(403, "session_required");
    instance.get(&key, "/v1/projects").await.problem(401, "invalid_token");
    assert_eq!(run(database, &revoke, "").await.code, 3);
    // The sessions that this took have ended.
    let shown = run(database, &["user", "show", "owner@example.com"], "").await.done().json();
    assert_eq!(shown["user"]["sessions"], json!(1));
}

#[tokio::test]
async fn tokens_and_keys_on_sqlite() {
    tokens_and_keys(&sqlite().await.1).await;
}

#[tokio::test]
async fn tokens_and_keys_on_postgres() {
    let (_server, database, _) = postgres().await;
    tokens_and_keys(&database).await;
}

#[tokio::test]
async fn a_backup_is_whole_although_the_server_writes() {
    let (directory, database, _) = sqlite().await;
    let instance = Instance::start(&database, &[]).await;
    let (_, owner) = instance.register("owner@example.com", None).await;
    let write = async |name: String| {
        instance.post(&owner, "/v1/projects", &json!({ "name": name })).await.expect(201);
    };
    for number in 0..20 {
        write(format!("before {number}")).await;
    }
    let copy = directory.path().join("copies/copy.db");
    let copy = copy.to_str().expect("text");
    // The tests give a secret by the settings: there is none beside the file.
    let refused = run(&database, &["backup", copy, "--with-secret"], "").await;
    assert!(refused.code == 3 && !std::path::Path::new(copy).exists(), "{}", refused.err);
    let backup = async { run(&database, &["backup", copy], "").await };
    let writing = async {
        for number in 0..60 {
            write(format!("meanwhile {number}")).await;
        }
    };
    let (said, ()) = tokio::join!(backup, writing);
    said.done();
    let mode = std::fs::metadata(copy).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = run(&database, &["backup", copy], "").await;
    assert!(again.code == 3 && again.err.contains("there already"), "{}", again.err);

    let restored = Instance::start(&format!("sqlite://{copy}"), &[]).await;
    let found = restored.get(&owner, "/v1/projects?limit=100&q=before").await.expect(200);
    assert_eq!(found.body["data"].as_array().expect("a list").len(), 20);
    let found = restored.get(&owner, "/v1/projects?limit=100").await.expect(200);
    assert!(found.body["data"].as_array().expect("a list").len() >= 20, "what was there before it began");
    restored.post(&owner, "/v1/projects", &json!({ "name": "after" })).await.expect(201);
    let verified = run(&format!("sqlite://{copy}"), &["audit", "verify"], "").await;
    verified.done();
}

#[tokio::test]
async fn migrations_can_be_looked_at_before() {
    let server = Postgres::start().await;
    let database = server.url();
    let status = run(&database, &["migrate", "status"], "").await;
    let of = status.json()["migrations"].as_array().expect("a list").len();
    assert!(status.code == 1 && status.json()["migrations"][0]["applied"] == json!(false), "{}", status.out);
    let planned = run(&database, &["migrate", "--dry-run"], "").await.done().json();
    assert_eq!((planned["pending"].as_array().map(Vec::len), &planned["applied"]), (Some(of), &json!([])));
    assert_eq!(run(&database, &["migrate", "status"], "").await.code, 1);
    let sick = run(&database, &["doctor"], "").await;
    assert!(sick.code == 1 && sick.out.contains("bailiwick migrate"), "{}", sick.out);
    let applied = run(&database, &["migrate", "up"], "").await.done().json();
    assert_eq!(applied["applied"].as_array().map(Vec::len), Some(of));
    run(&database, &["migrate", "status"], "").await.done();
}

/// What the doctor says of each thing: its state and the finding.
async fn diagnosis(database: &str, settings: &[(&str, &str)]) -> (i32, Vec<(String, String, String)>) {
    let mut command = native(database);
    command.args(["doctor", "--output", "json"]).env("BCRYPT_COST", "12").env("OUTBOUND_TIMEOUT", "1s");
    command.env_remove("FAULT_INJECTION").env("BIND", "127.0.0.1:0").envs(settings.iter().copied());
    let said = told(command, "").await;
    let findings = said.json()["findings"].as_array().expect("a list").clone();
    let text = |finding: &Value, name: &str| finding[name].as_str().expect("text").to_owned();
    let all = findings.iter().map(|f| (text(f, "about"), text(f, "state"), text(f, "finding")));
    (said.code, all.collect())
}

#[tokio::test]
async fn the_doctor_says_what_is_to_be_done() {
    let (directory, database, _) = sqlite().await;
    let (_server, served, of_server) = postgres().await;
    for database in [&database, &served] {
        let (code, findings) = diagnosis(database, &[]).await;
        assert_eq!(code, 0, "{findings:?}");
        assert!(findings.iter().all(|(_, state, _)| state != "bad"), "{findings:?}");
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = listener.local_addr().expect("an address").to_string();
    let closed = Port::reserve();
    let smtp = format!("smtp://{}", closed.address());
    let open = format!("smtp://{taken}");
    let collector = smtp.replace("smtp:", "http:");
    let gone = "postgres://nobody:x@127.0.0.1:1/none";
    for (database, settings, about, state, word) in [
        (database.as_str(), &[("FAULT_INJECTION", "1")][..], "settings", "bad", "FAULT_INJECTION"),
        (&database, &[("BCRYPT_COST", "4")], "settings", "bad", "BCRYPT_COST"),
        (&database, &[("TOKEN_TTL", "soon")], "settings", "bad", "TOKEN_TTL"),
        (&database, &[("TRUSTED_PROXIES", "nowhere")], "settings", "bad", "TRUSTED_PROXIES"),
        (&database, &[("BIND", &taken)], "address", "note", &taken),
        (&database, &[("ADMIN_BIND", &taken)], "metrics", "note", &taken),
        (&database, &[("OTLP_ENDPOINT", &collector)], "collector", "bad", "cannot be connected to"),
        (&database, &[("BIND", "192.0.2.1:80")], "address", "bad", "192.0.2.1:80"),
        (
            &database,
            &[("EMAIL_PROVIDER", "smtp"), ("SMTP_URL", &smtp)],
            "email",
            "bad",
            "cannot be connected to",
        ),
        (
            &database,
            &[("EMAIL_PROVIDER", "smtp"), ("SMTP_URL", &open)],
            "email",
            "good",
            "can be connected to",
        ),
        (gone, &[], "database", "bad", "DATABASE_URL"),
        (&served, &[("JWT_SECRET", "")], "secret", "bad", "bailiwick token secret"),
        (&served, &[], "tenants", "good", "Row-level security holds"),
        (&served, &[], "clock", "good", "same time"),
    ] {
        let (code, findings) = diagnosis(database, settings).await;
        let found =
            findings.iter().find(|(of, is, finding)| of == about && is == state && finding.contains(word));
        assert!(found.is_some(), "{settings:?}: {findings:?}");
        assert_eq!(code, i32::from(state == "bad"), "{findings:?}");
    }
    // What row-level security hangs on is taken away.
    of_server.sql("ALTER ROLE bailiwick_app BYPASSRLS").await;
    let (code, findings) = diagnosis(&served, &[]).await;
    assert!(
        code == 1 && findings.iter().any(|(about, state, _)| about == "tenants" && state == "bad"),
        "{findings:?}"
    );
    // A secret that others can read.
    let secret = directory.path().join("b.db.jwt-secret");
    std::fs::write(&secret, "x".repeat(40)).expect("a file");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).expect("its mode");
    let (_, findings) = diagnosis(&database, &[("JWT_SECRET", "")]).await;
    assert!(
        findings.iter().any(|(about, state, finding)| about == "secret"
            && state == "bad"
            && finding.contains("chmod 600")),
        "{findings:?}"
    );
}

#[tokio::test]
async fn each_report_is_one_document_whatever_comes_of_it() {
    let (_directory, database, _) = sqlite().await;
    for (arguments, code) in [
        (&["tenant", "list"][..], 0),
        (&["user", "list"], 0),
        (&["migrate"], 0),
        (&["migrate", "status"], 0),
        (&["audit", "verify"], 0),
        (&["seed"], 0),
        (&["tenant", "suspend", "nosuch"], 3),
        (&["tenant", "suspend", "No Slug"], 2),
        (&["tenant", "delete", "nosuch"], 2),
        (&["audit", "verify", "--tenant", "nosuch"], 3),
        (&["backup", "/dev/null/copy.db"], 4),
        (&["verify-isolation", "--url", "http://127.0.0.1:1"], 4),
        (&["user", "show", "nobody@example.com"], 3),
    ] {
        let said = run(&database, arguments, "").await;
        assert_eq!(said.code, code, "{arguments:?}: {}{}", said.out, said.err);
        let document = said.json();
        assert_eq!(code > 1, document["error"].is_string(), "{arguments:?}: {document}");
    }
    let mut unreachable = native("postgres://nobody:x@127.0.0.1:1/none");
    unreachable.args(["tenant", "list", "--output", "json"]);
    let said = told(unreachable, "").await;
    assert_eq!((said.code, &said.json()["error"]), (4, &json!("unavailable")));
}

#[tokio::test]
async fn what_looks_at_a_database_makes_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = format!("sqlite://{}", directory.path().join("none.db").display());
    for arguments in [
        &["tenant", "list"][..],
        &["tenant", "suspend", "acme"],
        &["user", "list"],
        &["user", "show", "ada@example.com"],
        &["token", "issue", "ada@example.com"],
        &["audit", "verify"],
        &["export", "--tenant", "acme"],
        &["backup", "copy.db"],
    ] {
        let said = run(&database, arguments, "").await;
        assert!(
            said.code == 3 && said.err.contains("There is no database at /"),
            "{arguments:?}: {}",
            said.err
        );
        assert!(said.err.contains("(DATABASE_URL)"), "{}", said.err);
        assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 0, "{arguments:?}");
    }
    // What comes first on a new machine may well be an account.
    let made = run(&database, &["user", "create", "ada@example.com", "--name", "Ada"], PASSWORD).await;
    made.done();
    run(&database, &["user", "show", "ada@example.com"], "").await.done();
}

#[tokio::test]
async fn workflows_are_checked_without_a_database() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = format!("sqlite://{}", directory.path().join("none.db").display());
    let standard = run(&database, &["workflow", "standard"], "").await.done();
    assert_eq!(standard.json()["key"], "standard");
    let sound = run(&database, &["workflow", "validate", "-"], &standard.out).await.done().json();
    assert_eq!(sound, json!({ "valid": true, "findings": [] }));
    for name in ["standard", "construction", "legal_review"] {
        let path = root().join(format!("docs/workflows/{name}.json"));
        run(&database, &["workflow", "validate", path.to_str().expect("text")], "").await.done();
    }
    for (document, pointer, code) in [
        (
            standard.out.replace("\"to\": \"submitted\"", "\"to\": \"sent\""),
            "/transitions/0/to",
            "unknown_status",
        ),
        (standard.out.replace("four_eyes", "tasks_open"), "/examples/2/then", "example_fails"),
        ("{}".to_owned(), "/key", "required"),
        ("not JSON".to_owned(), "", "format"),
    ] {
        let said = run(&database, &["workflow", "validate", "-"], &document).await;
        let report = said.json();
        assert_eq!((said.code, &report["valid"]), (1, &json!(false)), "{report}");
        let first = &report["findings"][0];
        assert_eq!((&first["pointer"], &first["code"]), (&json!(pointer), &json!(code)), "{report}");
        assert_eq!(first["severity"], "error");
    }
    assert_eq!(run(&database, &["workflow", "validate", "nosuch.json"], "").await.code, 3);
    let mut people = native(&database);
    people.args(["workflow", "validate", "-"]);
    let said = told(people, &standard.out.replace("[\"revision\"]", "[\"revision\", \"sunshine\"]")).await;
    assert_eq!(said.code, 1);
    assert!(
        said.out.starts_with("error: /transitions/2/guards/1: Expected one of: comment,"),
        "{}",
        said.out
    );
    // A document neither writes on the terminal what it likes, nor is read without an end.
    let mut people = native(&database);
    people.args(["workflow", "validate", "-"]);
    let said = told(people, "{\"x\\nsound\\u001b[31m\\u202e\": 1}").await;
    assert!(said.out.contains("/x\\nsound\\u{1b}[31m\\u{202e}: "), "{}", said.out);
    let endless = run(&database, &["workflow", "validate", "/dev/zero"], "").await;
    assert_eq!((endless.code, &endless.json()["findings"][0]["code"]), (1, &json!("too_long")));
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 0);
}

#[tokio::test]
async fn scripts_for_shells_are_sound_and_the_description_is_the_one_that_is_served() {
    let (_directory, database, _) = sqlite().await;
    let script = run(&database, &["completions", "bash"], "").await.done().out;
    assert!(script.contains("verify-isolation"));
    let mut bash = Command::new("bash");
    bash.arg("-n");
    told(bash, &script).await.done();
    let description = run(&database, &["openapi"], "").await.done().json();
    assert_eq!(description["openapi"], json!("3.1.0"));
    let instance = Instance::start(&database, &[]).await;
    assert_eq!(description, instance.get("none", "/openapi.json").await.expect(200).body);
}
