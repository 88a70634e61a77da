//! Password hashing on threads of its own: few, of the lowest priority, each on one processor, with a bounded queue in
//! which addresses take turns, so that a storm of logins takes only what other requests leave, and delays nobody else.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use bailiwick_core::{
    Config,
    password::{HashJob, HashOutcome},
    ports::{Hasher, Overloaded},
    throttle::ClientAddress,
};
use core_affinity::CoreId;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    ports::turns::{Pushed, Turns},
    telemetry::metrics::Metrics,
};

struct Task {
    job: HashJob,
    answer: oneshot::Sender<HashOutcome>,
}

/// Its contents are secret.
impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Task")
    }
}

/// The queue of the threads.
#[derive(Debug)]
struct Queue {
    /// `None` when no more are accepted.
    tasks: Mutex<Option<Turns<Option<ClientAddress>, Task>>>,
    changed: Condvar,
}

impl Queue {
    fn tasks(&self) -> MutexGuard<'_, Option<Turns<Option<ClientAddress>, Task>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next task, as soon as there is one; `None` when no more will come.
    fn next(&self) -> Option<Task> {
        let mut tasks = self.tasks();
        loop {
            if let Some(task) = tasks.as_mut()?.pop() {
                return Some(task);
            }
            tasks = self.changed.wait(tasks).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Adds a task. Returns the one that has no place then, if there is one.
    fn push(&self, client: Option<ClientAddress>, task: Task) -> Option<Task> {
        let pushed = match self.tasks().as_mut() {
            Some(tasks) => tasks.push(client, task),
            None => Pushed::Refused(task),
        };
        self.changed.notify_one();
        match pushed {
            Pushed::Taken => None,
            Pushed::InPlaceOf(task) | Pushed::Refused(task) => Some(task),
        }
    }
}

/// The threads, and their queue.
#[derive(Debug)]
pub struct HashPool {
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
}

impl HashPool {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(config: &Config, metrics: &Arc<Metrics>) -> std::io::Result<Self> {
        let threads = match config.hash_concurrency {
            0 => thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2)),
            given => given,
        };
        let tasks = Mutex::new(Some(Turns::new(config.hash_queue)));
        let pool =
            Self { queue: Arc::new(Queue { tasks, changed: Condvar::new() }), metrics: metrics.clone() };
        let mut processors = processors().into_iter().cycle();
        for index in 0..threads {
            let (queue, metrics, processor) = (pool.queue.clone(), metrics.clone(), processors.next());
            thread::Builder::new()
                .name(format!("hash-{index}"))
                .spawn(move || work(&queue, &metrics, processor))?;
        }
        Ok(pool)
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        *self.queue.tasks() = None;
        self.queue.changed.notify_all();
    }
}

/// The processors that this process may use, from a random one on: instances on one machine choose others.
fn processors() -> Vec<CoreId> {
    let mut all = core_affinity::get_core_ids().unwrap_or_default();
    let first = getrandom::u32().unwrap_or_default() as usize % all.len().max(1);
    all.rotate_left(first);
    all
}

fn work(queue: &Queue, metrics: &Metrics, processor: Option<CoreId>) {
    // If the system does not allow it, hashing slows other work down, but works.
    let _ = thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Min);
    // A thread that moves between processors slows others down wherever it arrives, until the system has noticed: the
    // slowest reads beside it wait for that.
    let _ = processor.map(core_affinity::set_for_current);
    while let Some(task) = queue.next() {
        metrics.hashing_begins();
        // The client may have gone away in the meantime.
        if !task.answer.is_closed() {
            drop(task.answer.send(task.job.execute()));
        }
    }
}

impl Hasher for HashPool {
    async fn run(&self, client: Option<ClientAddress>, job: HashJob) -> Result<HashOutcome, Overloaded> {
        let (answer, outcome) = oneshot::channel();
        let begun = Instant::now();
        self.metrics.hashing_waits();
        if let Some(task) = self.queue.push(client, Task { job, answer }) {
            self.metrics.hashing_rejected();
            // Dropping it notifies the waiting request that it will not be done.
            drop(task);
        }
        let outcome = outcome.await.map_err(|_| Overloaded)?;
        self.metrics.hashed(begun.elapsed());
        Ok(outcome)
    }
}
