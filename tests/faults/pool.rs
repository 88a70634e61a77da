//! Too few connections to the database: nobody waits for one longer than `DATABASE_WAIT`, and whoever needs none is served.

use std::time::Duration;

use bailiwick_tests::{
    backdoor::Backdoor,
    client::Answer,
    instance::{Instance, postgres, sqlite},
    targets::client,
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::raw_sql;
use tokio::time::Instant;

use crate::{load::office, setting};

/// An answer and how long it took.
async fn timed(answer: impl Future<Output = Answer>) -> (Answer, Duration) {
    let begun = Instant::now();
    let answer = answer.await;
    (answer, begun.elapsed())
}

async fn health(instance: &Instance) -> Duration {
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (answer, took) = timed(instance.get("", "/healthz")).await;
    answer.expect(200);
    took
}

pub(crate) async fn on_postgres_nobody_waits_long_for_a_connection() {
    let (_postgres, database, backdoor) = postgres().await;
    let settings = [
        setting("RATE_LIMIT", "0"),
        setting("DATABASE_CONNECTIONS", "2"),
        setting("DATABASE_WAIT", "500ms"),
        setting("DATABASE_STATEMENT_TIMEOUT", "2s"),
    ];
    let instance = Instance::start(&database, &settings).await;
    let (owner, _) = office(&instance).await;
    let http = client();
    let read = || timed(instance.ask(&http, &owner, Method::GET, "/v1/projects").send());
    let Backdoor::Postgres(pool) = &backdoor else { panic!("it is Postgres") };
    let mut lock = pool.begin().await.expect("a transaction");
    raw_sql("LOCK TABLE projects IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.expect("the lock");
    // Two have a connection each and wait for the table; the others wait for a connection.
    let (answers, health) = tokio::join!(join_all((0..20).map(|_| read())), health(&instance));
    let mut longest = Duration::ZERO;
    let mut soon = 0;
    for (answer, took) in answers {
        answer.problem(503, "unavailable");
        longest = longest.max(took);
        soon += usize::from(took < Duration::from_secs(1));
    }
    eprintln!(
        "figures: 2 connections, 20 readers: {soon} refused within a second, the last after {longest:?}, /healthz \
         in {health:?}"
    );
    assert!(soon >= 17, "only {soon} were told soon");
    assert!(
        longest < Duration::from_secs(4) && health < Duration::from_millis(500),
        "{longest:?} {health:?}"
    );
    lock.rollback().await.expect("the end of it");
    for (answer, _) in join_all((0..20).map(|_| read())).await {
        answer.expect(200);
    }
}

pub(crate) async fn on_sqlite_nobody_waits_long_for_the_writer() {
    let (_directory, database, backdoor) = sqlite().await;
    let settings = [setting("RATE_LIMIT", "0"), setting("DATABASE_WAIT", "500ms")];
    let instance = Instance::start(&database, &settings).await;
    let (owner, _) = office(&instance).await;
    let http = client();
    let (path, body) = ("/v1/projects", json!({ "name": "P" }));
    let write = || timed(instance.ask(&http, &owner, Method::POST, path).json(&body).send());
    let read = || timed(instance.ask(&http, &owner, Method::GET, path).send());
    let Backdoor::Sqlite(pool) = &backdoor else { panic!("it is SQLite") };
    let mut other = pool.acquire().await.expect("a connection");
    raw_sql("BEGIN IMMEDIATE").execute(&mut *other).await.expect("the write lock");
    let (answers, (seen, reading), health) =
        tokio::join!(join_all((0..20).map(|_| write())), read(), health(&instance));
    seen.expect(200);
    let mut longest = Duration::ZERO;
    let mut soon = 0;
    for (answer, took) in answers {
        answer.problem(503, "unavailable");
        longest = longest.max(took);
        soon += usize::from(took < Duration::from_millis(1500));
    }
    eprintln!(
        "figures: SQLite's writer held by another process, 20 writers: {soon} refused within 1.5 s, the last after \
         {longest:?}; a read meanwhile took {reading:?}, /healthz {health:?}"
    );
    // Who has the connection waits for the other process for 5 seconds; all others do not wait for them.
    assert!(soon >= 18 && longest < Duration::from_secs(7), "{soon} {longest:?}");
    assert!(
        reading < Duration::from_millis(500) && health < Duration::from_millis(500),
        "{reading:?} {health:?}"
    );
    raw_sql("ROLLBACK").execute(&mut *other).await.expect("the end of it");
    for (answer, _) in join_all((0..5).map(|_| write())).await {
        answer.expect(201);
    }
}
