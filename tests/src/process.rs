//! Processes that suites start.

use std::{
    ops::{Deref, DerefMut},
    thread::sleep,
    time::Duration,
};

use tokio::process::Child;

use crate::PATIENCE;

/// The time between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// A process that has ended when this has been dropped, also by a case that panics. Killing it is not enough: a folder that
/// it writes to cannot be removed until it is gone.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// This one.
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    /// Closes its input, at which it ends by itself, and waits until it has.
    pub fn end_by_input(&mut self) {
        drop(self.0.stdin.take());
        self.wait_blocking();
    }

    /// Waits where nothing can be awaited, and no longer than anything is waited for.
    fn wait_blocking(&mut self) {
        let looks = PATIENCE.as_millis() / PAUSE.as_millis();
        for _ in 0..looks {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            sleep(PAUSE);
        }
    }
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.start_kill();
        self.wait_blocking();
    }
}
