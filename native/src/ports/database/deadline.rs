//! The deadlines of statements on SQLite. After a number of its own steps the engine asks whether to go on.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::sqlite::LockedSqliteHandle;
use tokio::time::Instant;

/// Steps of SQLite's virtual machine between two looks at the clock: a fraction of a millisecond.
pub(super) const STEPS: i32 = 10_000;

/// The deadline while no statement with a time limit runs.
const NEVER: u64 = u64::MAX;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds since the start.
fn now() -> u64 {
    START.elapsed().as_millis().try_into().unwrap_or(NEVER)
}

/// The deadline of the statement of one connection.
#[derive(Clone, Debug)]
pub(super) struct Deadline {
    until: Arc<AtomicU64>,
    /// How often the engine has asked.
    looks: Arc<AtomicU64>,
}

impl Default for Deadline {
    fn default() -> Self {
        Self { until: Arc::new(AtomicU64::new(NEVER)), looks: Arc::default() }
    }
}

impl Deadline {
    /// Makes the engine ask after every `steps` steps, and interrupts a statement after its deadline. Work without
    /// steps of the virtual machine, such as waiting for the disk, is not interrupted.
    pub(super) fn watch(&self, handle: &mut LockedSqliteHandle<'_>, steps: i32) {
        let Self { until, looks } = self.clone();
        handle.set_progress_handler(steps, move || {
            looks.fetch_add(1, Ordering::Relaxed);
            now() < until.load(Ordering::Relaxed)
        });
    }

    /// How often the engine has asked so far.
    pub(super) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Waits for a statement, for which the engine has this much time. If nobody waits for it any more, it is
    /// interrupted as well.
    pub(super) async fn within<T>(&self, time: Duration, statement: impl Future<Output = T>) -> T {
        let time = time.as_millis().try_into().unwrap_or(NEVER);
        self.until.store(now().saturating_add(time), Ordering::Relaxed);
        let mut running = Running { deadline: self, then: 0 };
        let done = statement.await;
        running.then = NEVER;
        done
    }

    /// Statements from now on have no deadline.
    pub(super) fn lift(&self) {
        self.until.store(NEVER, Ordering::Relaxed);
    }
}

/// While a statement runs.
struct Running<'a> {
    deadline: &'a Deadline,
    /// The deadline for the time afterwards: a statement that was given up must end at once.
    then: u64,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.deadline.until.store(self.then, Ordering::Relaxed);
    }
}
