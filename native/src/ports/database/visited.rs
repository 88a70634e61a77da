//! For tests of the service itself: how much of the database a request visits, as the engine counts it.

use std::sync::atomic::{AtomicU64, Ordering};

tokio::task_local! {
    static VISITED: AtomicU64;
}

/// What a task comes to, and how much of the database it has visited: on SQLite steps of its virtual machine, on Postgres rows
/// of tables and entries of indexes, of batches that were committed.
pub async fn counted<F: Future>(task: F) -> (F::Output, u64) {
    let counted = async {
        let output = task.await;
        (output, VISITED.with(|visited| visited.load(Ordering::Relaxed)))
    };
    VISITED.scope(AtomicU64::new(0), counted).await
}

/// Whether somebody wants to know it of the task that is running.
pub(super) fn is_wanted() -> bool {
    VISITED.try_with(|_| ()).is_ok()
}

/// Adds what a batch of the task has visited.
pub(super) fn add(more: u64) {
    let _ = VISITED.try_with(|visited| visited.fetch_add(more, Ordering::Relaxed));
}
