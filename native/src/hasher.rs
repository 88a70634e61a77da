//! Password hashing on threads of its own: few, of the lowest priority, each on one processor, with a bounded queue, so
//! that a storm of logins takes only what other requests leave.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use bailiwick_core::{
    Config,
    password::{HashJob, HashOutcome},
    ports::{Hasher, Overloaded},
};
use core_affinity::CoreId;
use tokio::{sync::oneshot, time::Instant};

use crate::metrics::Metrics;

struct Task {
    job: HashJob,
    answer: oneshot::Sender<HashOutcome>,
}

/// The threads, and the way to them.
#[derive(Debug)]
pub struct HashPool {
    queue: SyncSender<Task>,
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
        let (queue, tasks) = sync_channel(config.hash_queue);
        let tasks = Arc::new(Mutex::new(tasks));
        let mut processors = processors().into_iter().cycle();
        for index in 0..threads {
            let (tasks, metrics, processor) = (tasks.clone(), metrics.clone(), processors.next());
            thread::Builder::new()
                .name(format!("hash-{index}"))
                .spawn(move || work(&tasks, &metrics, processor))?;
        }
        Ok(Self { queue, metrics: metrics.clone() })
    }
}

/// The processors that this process may use, from any of them on: several instances on one machine choose others.
fn processors() -> Vec<CoreId> {
    let mut all = core_affinity::get_core_ids().unwrap_or_default();
    let first = getrandom::u32().unwrap_or_default() as usize % all.len().max(1);
    all.rotate_left(first);
    all
}

fn work(tasks: &Mutex<Receiver<Task>>, metrics: &Metrics, processor: Option<CoreId>) {
    // Where the system does not allow it, hashing is slower on the others, not wrong.
    let _ = thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Min);
    // A thread that moves about is in the way of others wherever it comes, until the system has noticed: the slowest reads
    // beside it wait for that.
    let _ = processor.map(core_affinity::set_for_current);
    loop {
        let next = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        if next.is_ok() {
            metrics.hashing_begins();
        }
        match next {
            // Whoever asked may have gone away while this waited.
            Ok(task) if task.answer.is_closed() => {}
            Ok(task) => drop(task.answer.send(task.job.execute())),
            Err(_) => return,
        }
    }
}

impl Hasher for HashPool {
    async fn run(&self, job: HashJob) -> Result<HashOutcome, Overloaded> {
        let (answer, outcome) = oneshot::channel();
        let begun = Instant::now();
        self.metrics.hashing_waits();
        match self.queue.try_send(Task { job, answer }) {
            Ok(()) => {
                let outcome = outcome.await.map_err(|_| Overloaded);
                self.metrics.hashed(begun.elapsed());
                outcome
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.metrics.hashing_rejected();
                Err(Overloaded)
            }
        }
    }
}
