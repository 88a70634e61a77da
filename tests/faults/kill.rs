//! The server is killed at any moment under a load of writes: what was acknowledged is there, nothing is half there, and what
//! was repeated under its key is there once.

use std::time::Duration;

use bailiwick_tests::{
    backdoor::Backdoor,
    instance::{Instance, postgres, sqlite},
    random::Random,
};

use crate::{
    load::{Load, chain_is_whole},
    setting, times,
};

async fn killed(database: &str, backdoor: &Backdoor, name: &str) {
    let mut random = Random::seeded(name);
    let (settings, rounds) = ([setting("RATE_LIMIT", "0")], times(6, 50));
    let mut instance = Instance::start(database, &settings).await;
    let load = Load::begin(&instance, 4).await;
    for _ in 0..rounds {
        load.goes_on().await;
        tokio::time::sleep(Duration::from_millis(random.below(150))).await;
        instance.kill().await;
        instance = Instance::start(database, &settings).await;
        load.point_to(&instance.url);
    }
    load.goes_on().await;
    let owner = load.owner().to_owned();
    let tally = load.end().await;
    let there = tally.check(backdoor).await;
    chain_is_whole(&instance, &owner).await;
    eprintln!(
        "figures: {name}: {rounds} kills, {} writes acknowledged ({} under a key), {there} there, {} requests cut off",
        tally.acknowledged.len(),
        tally.keyed.len(),
        tally.unanswered
    );
    assert!(tally.unanswered > 0, "no request was under way");
    instance.kill().await;
}

pub(crate) async fn on_sqlite_nothing_acknowledged_is_lost() {
    let (_directory, database, backdoor) = sqlite().await;
    killed(&database, &backdoor, "kills on SQLite").await;
    let found = backdoor.sql("PRAGMA integrity_check").await;
    assert_eq!(found, [[Some("ok".to_owned())]]);
}

pub(crate) async fn on_postgres_nothing_acknowledged_is_lost() {
    let (_postgres, database, backdoor) = postgres().await;
    killed(&database, &backdoor, "kills on Postgres").await;
}
