//! The interleaving matrix: what a request has decided by must still hold in the batch that writes.
//!
//! A request is held between what it has read and what it writes (`X-Fault: hold`), one fact that it relied on is changed,
//! and it is let go. It must be refused for the reason that holds now, and leave nothing behind. Cases that run one after
//! the other see none of this: there the batch that reads refuses already.
//!
//! [`standing`] is generated from the route table: a new route is in it by itself. [`resources`] is a table of what else
//! can change; what needs more than a line is in the other modules.

mod accounts;
mod once;
mod people;
mod resources;
mod standing;
mod told;
mod workflow;

use bailiwick_tests::{
    actors::{Actor, Tenant},
    client::{Answer, Ask},
    targets::Target,
};

pub(crate) fn cases() -> Vec<crate::Case> {
    [
        standing::cases(),
        resources::cases(),
        workflow::cases(),
        told::cases(),
        people::cases(),
        accounts::cases(),
        once::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Each row of a tenant and of an account. Of a delivery only that it is there: sending it goes on in the background.
async fn rows(tenant: &Tenant<'_>, user: &Actor<'_>) -> Vec<String> {
    let backdoor = &tenant.owner.target.backdoor;
    let (mut rows, account) =
        tokio::join!(backdoor.snapshot(&tenant.id), backdoor.snapshot_of_account(&user.id));
    rows.extend(account);
    let ids = "deliveries [Some(\"\"), Some(\"\")".len() + 2 * 36;
    for row in rows.iter_mut().filter(|row| row.starts_with("deliveries ")) {
        row.truncate(ids);
    }
    rows
}

/// Runs a statement by the back door.
async fn sql(target: &Target, statement: String) {
    target.backdoor.sql(&statement).await;
}

/// Has something happen between a request's reading and its writing. The request must then be refused so, and leave nothing
/// behind.
async fn refused(
    tenant: &Tenant<'_>,
    user: &Actor<'_>,
    ask: Ask,
    change: impl Future<Output = ()>,
    (status, code): (u16, &str),
) -> Answer {
    let held = ask.held().await;
    change.await;
    let before = rows(tenant, user).await;
    let answer = held.release().await.problem(status, code);
    assert_eq!(before, rows(tenant, user).await, "it was refused, but left traces");
    answer
}
