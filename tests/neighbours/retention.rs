//! What is dropped after a time goes oldest first, so many rows at once; and what cannot be dropped keeps nothing else.

use super::{
    Case, Place,
    imports::{forgotten, import},
    rows::{LONG_AGO, Owned},
    turns::fault,
    worker::{Work, Worker},
};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("retention::nobody_waits_for_more_than_what_is_older", oldest_first),
        Case::new("retention::what_cannot_be_dropped_keeps_nothing_else", beside_a_failure),
    ]
}

/// Rows that are dropped at once.
pub(crate) const AT_ONCE: usize = 1_000;

pub(crate) async fn worker(place: &'static Place) -> &'static Worker {
    place.worker.get_or_init(|| Worker::like(&place.target)).await
}

async fn read(worker: &Worker, of: &Owned) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM notifications WHERE tenant_id = '{}' AND read_at IS NOT NULL",
        of.tenant
    );
    worker.backdoor.count(&sql).await
}

async fn oldest_first(place: &'static Place) {
    let worker = worker(place).await;
    let (attacker, bystander) = (Owned::make(&worker.backdoor).await, Owned::make(&worker.backdoor).await);
    let older = 2 * AT_ONCE + AT_ONCE / 2;
    attacker.notifications(&worker.backdoor, older, LONG_AGO).await;
    bystander.notifications(&worker.backdoor, 1, "'2024-06-01T00:00:00.000Z'").await;
    for _ in 0..=older / AT_ONCE {
        assert_eq!(read(worker, &bystander).await, 1);
        worker.round(Work::Prune, 0).await;
    }
    assert_eq!((read(worker, &attacker).await, read(worker, &bystander).await), (0, 0));
}

async fn beside_a_failure(place: &'static Place) {
    let worker = worker(place).await;
    let bystander = Owned::make(&worker.backdoor).await;
    bystander.notifications(&worker.backdoor, 1, LONG_AGO).await;
    let id = import(&worker.backdoor, 1).await;
    let [breaking, mending] = fault(worker, ("imports", "DELETE"), &format!("OLD.tenant_id = '{id}'"));
    for sql in breaking {
        worker.backdoor.sql(&sql).await;
    }
    if let Some(turned) = worker.round(Work::Prune, 0).await {
        assert!(turned.failed.is_some(), "{turned:?}");
    }
    assert_eq!((read(worker, &bystander).await, forgotten(worker).await), (0, 1));
    for sql in mending {
        worker.backdoor.sql(&sql).await;
    }
    let turned = worker.round(Work::Prune, 0).await;
    assert!(turned.as_ref().is_none_or(|turned| turned.failed.is_none()), "{turned:?}");
    assert_eq!(forgotten(worker).await, 0);
}
