//! Too few connections to the database: nobody waits for one without end, and whoever needs none is served. What holds the
//! connections up does not end before the test ends it, so whatever is answered has not waited for it.

use bailiwick_tests::{
    backdoor::Backdoor,
    instance::{Instance, postgres, sqlite},
    provided,
    targets::client,
    until,
};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use reqwest::Method;
use serde_json::json;
use sqlx::raw_sql;

use crate::{load::office, setting};

/// An instance that soon says that there are too few connections, and the token of an owner in its database. (Another one
/// made them: setting up takes as long as it takes.)
async fn narrow(database: &str, more: &[(&'static str, String)]) -> (Instance, String) {
    let wide = Instance::start(database, &[]).await;
    let (owner, _) = office(&wide).await;
    wide.terminate().await;
    let mut settings = vec![setting("DATABASE_WAIT", "500ms"), setting("OUTBOX_INTERVAL", "1h")];
    settings.extend_from_slice(more);
    (Instance::start(database, &settings).await, owner)
}

pub(crate) async fn on_postgres_who_finds_no_connection_is_refused() {
    let (_postgres, database, backdoor) = postgres().await;
    let two = [setting("DATABASE_CONNECTIONS", "2"), setting("DATABASE_STATEMENT_TIMEOUT", "1h")];
    let (instance, owner) = narrow(&database, &two).await;
    let http = client();
    let read = || instance.ask(&http, &owner, Method::GET, "/v1/projects").send();
    let Backdoor::Postgres(pool) = &backdoor else { panic!("it is Postgres") };
    let mut lock = pool.begin().await.expect("a transaction");
    raw_sql("LOCK TABLE projects IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.expect("the lock");
    // Two have a connection each and wait for the table, without end; all others are refused meanwhile.
    let mut readers: FuturesUnordered<_> = (0..20).map(|_| read()).collect();
    for _ in 0..18 {
        readers.next().await.expect("an answer").problem(503, "unavailable");
    }
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    until("two wait for the table", async || provided(backdoor.count(waiting).await, |count| *count == 2))
        .await;
    instance.get("", "/healthz").await.expect(200);
    eprintln!("figures: 2 connections, both busy, 20 readers: 18 refused, and /healthz answered, meanwhile");
    lock.rollback().await.expect("the end of it");
    while let Some(answer) = readers.next().await {
        // What the server itself does may have had one of the two.
        assert!([200, 503].contains(&answer.status), "{answer:?}");
    }
    until("reading goes on", async || provided(read().await, |answer| answer.status == 200)).await;
    instance.terminate().await;

    // Nor does a statement wait without end.
    let instance = Instance::start(&database, &[setting("DATABASE_STATEMENT_TIMEOUT", "1s")]).await;
    let mut lock = pool.begin().await.expect("a transaction");
    raw_sql("LOCK TABLE projects IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.expect("the lock");
    instance.get(&owner, "/v1/projects").await.problem(503, "unavailable");
    lock.rollback().await.expect("the end of it");
}

pub(crate) async fn on_sqlite_who_finds_no_writer_is_refused() {
    let (_directory, database, backdoor) = sqlite().await;
    let (instance, owner) = narrow(&database, &[]).await;
    let http = client();
    let (path, body) = ("/v1/projects", json!({ "name": "P" }));
    let write = || instance.ask(&http, &owner, Method::POST, path).json(&body).send();
    let Backdoor::Sqlite(pool) = &backdoor else { panic!("it is SQLite") };
    let mut other = pool.acquire().await.expect("a connection");
    raw_sql("BEGIN IMMEDIATE").execute(&mut *other).await.expect("the write lock");
    // Who has the connection waits for the other process for 5 seconds, all others for the connection.
    let writers = async {
        for answer in join_all((0..20).map(|_| write())).await {
            answer.problem(503, "unavailable");
        }
    };
    let others = async {
        instance.get(&owner, path).await.expect(200);
        instance.get("", "/healthz").await.expect(200);
    };
    tokio::join!(writers, others);
    eprintln!(
        "figures: SQLite's writer held by another process, 20 writers: all refused, and reads answered, meanwhile"
    );
    raw_sql("ROLLBACK").execute(&mut *other).await.expect("the end of it");
    until("writing goes on", async || provided(write().await, |answer| answer.status == 201)).await;
}
