//! Background work that requests have left, as far as this process knows. The database knows all of it: losing this
//! memory costs time, and nothing else.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The interval at which the database is asked in any case, because other instances may have left work.
const LOOK: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(crate) struct Pending {
    deliveries: AtomicBool,
    entries: AtomicBool,
    removals: AtomicBool,
    /// Whether some of them were written into tenants that only the database knows.
    unknown: AtomicBool,
    /// The elapsed time at which the database was last asked for tenants with unsealed entries.
    looked: Mutex<Option<Duration>>,
}

impl Pending {
    /// A delivery was written.
    pub(crate) fn delivery(&self) {
        self.deliveries.store(true, Ordering::Relaxed);
    }

    /// A tenant was deleted.
    pub(crate) fn removal(&self) {
        self.removals.store(true, Ordering::Relaxed);
    }

    /// Whether tenants were deleted since this was last asked.
    pub(crate) fn removals(&self) -> bool {
        self.removals.swap(false, Ordering::Relaxed)
    }

    /// An entry of the activity log was written, into a tenant that is known or not.
    pub(crate) fn entry(&self, known: bool) {
        self.unknown.fetch_or(!known, Ordering::Relaxed);
        self.entries.store(true, Ordering::Relaxed);
    }

    /// Whether deliveries were written since this was last asked.
    pub(crate) fn deliveries(&self) -> bool {
        self.deliveries.swap(false, Ordering::Relaxed)
    }

    /// Whether entries were written since this was last asked.
    pub(crate) fn entries(&self) -> bool {
        self.entries.swap(false, Ordering::Relaxed)
    }

    /// Whether it is time to ask the database, which knows all tenants with unsealed entries.
    pub(crate) fn is_time_to_look(&self, now: Duration, nobody_waits: bool) -> bool {
        let unknown = self.unknown.swap(false, Ordering::Relaxed);
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        // After the platform's clock went back, nobody knows how long ago that was.
        let since = looked.and_then(|looked| now.checked_sub(looked));
        let due = since.is_none_or(|since| since >= LOOK) || unknown || nobody_waits;
        if due {
            *looked = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_asked_at_first_and_every_minute_and_after_a_clock_that_went_back() {
        let waiting = Pending::default();
        let asked = |seconds| {
            waiting.entry(true);
            waiting.is_time_to_look(Duration::from_secs(seconds), false)
        };
        for (seconds, expected) in [
            (1000, true),
            (1001, false),
            (1059, false),
            (1060, true),
            (1061, false),
            (500, true),
            (501, false),
        ] {
            assert_eq!(asked(seconds), expected, "{seconds}");
        }
        assert!(waiting.is_time_to_look(Duration::from_secs(502), true));
        waiting.entry(false);
        assert!(asked(503) && !asked(504));
    }
}
