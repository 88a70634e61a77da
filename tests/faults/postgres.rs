//! Postgres goes away and comes back, or only its connections do.

use std::time::Duration;

use bailiwick_tests::{
    backdoor::{self, Backdoor},
    instance::{Instance, postgres},
    provided,
    targets::client,
    until,
};
use reqwest::Method;
use tokio::time::Instant;

use crate::{
    load::{Load, chain_is_whole, office},
    setting, times,
};

pub(crate) async fn it_is_stopped_and_started_under_load() {
    let (postgres, database, backdoor) = postgres().await;
    let instance = Instance::start(&database, &[setting("RATE_LIMIT", "0")]).await;
    let load = Load::begin(&instance, 4).await;
    load.goes_on().await;
    let a_while = Duration::from_millis(times(300, 5_000));
    tokio::time::sleep(a_while).await;
    // As a crash would.
    postgres.halt().await;
    let (stopped, refused) =
        (Instant::now(), |load: &Load| load.tally().statuses.get(&503).copied().unwrap_or_default());
    let (asked, mut longest) = (times(20, 200), Duration::ZERO);
    for _ in 0..asked {
        let begun = Instant::now();
        instance.get(load.owner(), "/v1/projects").await.problem(503, "unavailable");
        instance.get("", "/readyz").await.problem(503, "unavailable");
        instance.get("", "/healthz").await.expect(200);
        longest = longest.max(begun.elapsed() / 3);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let meanwhile = until("writes are refused", async || provided(refused(&load), |count| *count > 0)).await;
    let away = stopped.elapsed();
    postgres.resume().await;
    let resumed = Instant::now();
    load.goes_on().await;
    let recovered = resumed.elapsed();
    instance.get(load.owner(), "/v1/projects").await.expect(200);
    tokio::time::sleep(a_while).await;
    let owner = load.owner().to_owned();
    let tally = load.end().await;
    // The connections of the back door died, too.
    drop(backdoor);
    let backdoor = Backdoor::Postgres(backdoor::postgres(&database).await);
    let there = tally.check(&backdoor).await;
    chain_is_whole(&instance, &owner).await;
    eprintln!(
        "figures: Postgres away for {away:?}: {meanwhile} writes and {asked} reads answered 503 within {longest:?} \
         on average, {} not answered, writes again after {recovered:?}; {} acknowledged, {there} there",
        tally.unanswered,
        tally.acknowledged.len()
    );
    assert_eq!(tally.unanswered, 0, "each request has its answer");
}

pub(crate) async fn its_connections_die_between_requests() {
    let (_postgres, database, backdoor) = postgres().await;
    let instance = Instance::start(&database, &[setting("RATE_LIMIT", "0")]).await;
    let (owner, _) = office(&instance).await;
    let http = client();
    let read = || instance.ask(&http, &owner, Method::GET, "/v1/projects").send();
    let rounds = times(10, 100);
    for _ in 0..rounds {
        // As many connections as there are readers, and then none of them lives.
        for answer in futures::future::join_all((0..8).map(|_| read())).await {
            answer.expect(200);
        }
        let ended = backdoor
            .sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
            )
            .await;
        assert!(!ended.is_empty(), "there were none");
    }
    eprintln!("figures: connections of Postgres ended {rounds} times: {} reads, none failed", rounds * 8);
}
