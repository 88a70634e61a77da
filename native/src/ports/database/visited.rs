//! For tests of the service itself: how much of the database a request visits, as the engine counts it.

use std::sync::atomic::{AtomicU64, Ordering};

tokio::task_local! {
    static VISITED: AtomicU64;
}

/// The result of a task, and how much of the database its committed batches have visited: on SQLite steps of its
/// virtual machine, on Postgres rows of tables and entries of indexes.
pub async fn counted<F: Future>(task: F) -> (F::Output, u64) {
    let counted = async {
        let output = task.await;
        (output, VISITED.with(|visited| visited.load(Ordering::Relaxed)))
    };
    VISITED.scope(AtomicU64::new(0), counted).await
}

/// Whether this is counted for the running task.
pub(super) fn is_wanted() -> bool {
    VISITED.try_with(|_| ()).is_ok()
}

/// Adds what a batch of the task has visited.
pub(super) fn add(more: u64) {
    let _ = VISITED.try_with(|visited| visited.fetch_add(more, Ordering::Relaxed));
}
