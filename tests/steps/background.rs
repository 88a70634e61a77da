//! Work in the background.

use bailiwick_tests::{actors::Tenant, client::Ask, targets::Target};
use reqwest::Method;

use super::{
    growth::{Faults, doubled},
    host,
    rows::Owned,
    several::{entry, members},
};

/// All that there is to do of a kind.
pub(super) fn work(target: &Target, kind: &str) -> Ask {
    Ask::new(&target.http, Method::from_bytes(b"WORK").expect("a method"), &target.url, kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn however_much_there_is_to_do() {
    let lasting = host::serve().await;
    let target = lasting.get();
    let faults = Faults::default();
    let asked = async |size: usize| {
        Owned::make(&target.backdoor).await.entries(&target.backdoor, size).await;
        work(target, "/seal")
    };
    faults.grows("entries to seal", doubled(250), asked).await;
    let asked = async |size: usize| {
        entry(&Tenant::create(target).await, &members(size)).await;
        work(target, "/seal")
    };
    faults.grows("members of an entry to seal", doubled(1_000), asked).await;
    let asked = async |size: usize| {
        Owned::make(&target.backdoor).await.projects_without_words(&target.backdoor, size).await;
        work(target, "/index")
    };
    faults.grows("projects without words", doubled(250), asked).await;
    let asked = async |size: usize| {
        Owned::make(&target.backdoor).await.tasks(&target.backdoor, size, 0).await;
        work(target, "/index")
    };
    faults.grows("tasks without words", doubled(250), asked).await;
    let asked = async |size: usize| {
        let owned = Owned::make(&target.backdoor).await;
        owned.tasks(&target.backdoor, size, 1).await;
        target
            .backdoor
            .sql(&format!(
                "UPDATE tenants SET deleted_at = '2026-01-01T00:00:00.000Z' WHERE id = '{}'",
                owned.tenant
            ))
            .await;
        work(target, "/remove")
    };
    faults.grows("rows of a deleted tenant", doubled(500), asked).await;
    faults.none(15);
}
