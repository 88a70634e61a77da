//! `bailiwick verify-isolation` where it cannot be run to its end. What it finds, the conformance suite shows.

use std::{path::Path, process::Stdio};

use bailiwick_tests::{
    backdoor, provided,
    receivers::http::Receiver,
    targets::{binary, client},
    until,
};
use reqwest::Method;
use sqlx::SqlitePool;
use tokio::process::Command;

use crate::instance::Instance;

fn command(url: &str) -> Command {
    let mut command = Command::new(binary());
    command.env_clear().args(["verify-isolation", "--url", url]);
    command
}

/// What it complains of.
async fn refused(url: &str) -> String {
    let output = command(url).output().await.expect("it runs");
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((output.status.code(), &*said), (Some(4), ""), "{complained}");
    assert!(complained.lines().all(|line| line.starts_with("bailiwick: ")), "{complained}");
    complained.into_owned()
}

async fn instance(directory: &Path) -> (Instance, SqlitePool) {
    let database = format!("sqlite://{}", directory.join("b.db").display());
    let instance = Instance::start(&database, &[]).await;
    (instance, backdoor::sqlite(&database).await)
}

async fn count(pool: &SqlitePool, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(pool).await.expect("a number")
}

const ACCOUNTS: &str = "SELECT count(*) FROM users WHERE email LIKE '%@isolation.example'";
const TENANTS: &str = "SELECT count(*) FROM tenants WHERE slug LIKE 'verify-%'";

#[tokio::test]
async fn it_says_what_keeps_it_from_running() {
    let elsewhere = Receiver::start().await;
    for (url, word) in [
        ("ftp://127.0.0.1", "--url: expected http or https"),
        ("nonsense", "--url: expected http or https"),
        ("http://127.0.0.1:1", "did not answer GET /openapi.json"),
        (elsewhere.origin(), "does not look like Bailiwick"),
    ] {
        let said = refused(url).await;
        assert!(said.contains(word) && said.lines().count() == 1, "{url}: {said}");
    }
}

#[tokio::test]
async fn it_does_not_keep_the_default_tenant_to_itself() {
    let directory = tempfile::tempdir().expect("a directory");
    let (instance, pool) = instance(directory.path()).await;
    let said = refused(&instance.url).await;
    assert!(
        said.contains("owns the tenant `default` now")
            && said.contains("These accounts could not be deleted: owner-"),
        "{said}"
    );
    assert_eq!((count(&pool, TENANTS).await, count(&pool, ACCOUNTS).await), (0, 1));
    // Who reads that can take it over.
    let word = |before: &str| {
        said.split_once(before).expect("it says so").1.split([' ', ',']).next().expect("a word")
    };
    let credentials = serde_json::json!({ "email": word("Log in as "), "password": word("the password ") });
    let tokens = instance.post("none", "/v1/auth/login", &credentials).await.expect(200);
    let mine = instance.get(&tokens.text_at("/access_token"), "/v1/tenant").await.expect(200);
    assert_eq!((&mine.body["slug"], &mine.body["role"]), (&"default".into(), &"owner".into()));
}

#[tokio::test]
async fn broken_off_it_removes_what_it_made() {
    let directory = tempfile::tempdir().expect("a directory");
    let (instance, pool) = instance(directory.path()).await;
    let (_, token) = instance.register("first@example.com", None).await;
    let running = command(&instance.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it runs");
    let made =
        "SELECT count(*) FROM projects p JOIN tenants t ON t.id = p.tenant_id WHERE t.slug LIKE 'verify-%'";
    until("it has made something", || async { provided(count(&pool, made).await, |made| *made > 0) }).await;
    let id = running.id().expect("it runs").to_string();
    Command::new("kill").args(["-INT", &id]).status().await.expect("it is told");
    let output = running.wait_with_output().await.expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("broken off") && said.lines().count() == 1, "{said}");
    assert_eq!((count(&pool, TENANTS).await, count(&pool, ACCOUNTS).await), (0, 0));
    // The others are still there.
    instance.ask(&client(), &token, Method::GET, "/v1/tenant").send().await.expect(200);
}

#[tokio::test]
async fn the_report_is_for_people() {
    let directory = tempfile::tempdir().expect("a directory");
    let (instance, pool) = instance(directory.path()).await;
    instance.register("first@example.com", None).await;
    let output = command(&format!("{}/", instance.url)).output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    for expected in [
        &format!("Isolation of {}\n", instance.url),
        "checks of ",
        "  neighbours   200 checks of 5 routes, 0 violations",
        "Beside a tenant that asked ",
        "That is for information; it took ",
        "No violation was found.\n",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains("VIOLATION") && !said.contains("could not be"), "{said}");
    assert_eq!((count(&pool, TENANTS).await, count(&pool, ACCOUNTS).await), (0, 0));
    // It can be left out.
    let output = command(&instance.url).arg("--without-neighbours").output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("No violation was found.\n"), "{output:?}");
    assert!(!said.contains("neighbours") && !said.contains("Beside"), "{said}");
}
