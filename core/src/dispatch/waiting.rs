//! What requests have left to be done in the background, as far as this process knows. The database knows all of it: a
//! memory that is lost costs time, and nothing else.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use uuid::Uuid;

use crate::time::Timestamp;

/// After so many milliseconds the database is asked, however much this process knows: others may have left something.
const LOOK: i64 = 60_000;

#[derive(Debug, Default)]
pub(super) struct Waiting {
    deliveries: AtomicBool,
    entries: AtomicBool,
    /// Whose entries, each once; of those written into tenants that only the database knows, nobody's.
    tenants: Mutex<Vec<Uuid>>,
    /// When the database was last to be asked whose entries wait: milliseconds since the Unix epoch.
    looked: AtomicI64,
}

impl Waiting {
    /// A delivery was written.
    pub(super) fn delivery(&self) {
        self.deliveries.store(true, Ordering::Relaxed);
    }

    /// An entry of the activity log was written, into a tenant if it is known which.
    pub(super) fn entry(&self, tenant: Option<Uuid>) {
        let (tenant, mut tenants) =
            (tenant.unwrap_or_default(), self.tenants.lock().unwrap_or_else(PoisonError::into_inner));
        if !tenants.contains(&tenant) {
            tenants.push(tenant);
        }
        drop(tenants);
        self.entries.store(true, Ordering::Relaxed);
    }

    /// Whether deliveries were written since this was last asked.
    pub(super) fn deliveries(&self) -> bool {
        self.deliveries.swap(false, Ordering::Relaxed)
    }

    /// Whether entries were written since this was last asked.
    pub(super) fn entries(&self) -> bool {
        self.entries.swap(false, Ordering::Relaxed)
    }

    /// Takes the tenants that entries were written into. None, if it is time to ask the database, which knows them all.
    pub(super) fn tenants(&self, now: Timestamp) -> Vec<Uuid> {
        let tenants = std::mem::take(&mut *self.tenants.lock().unwrap_or_else(PoisonError::into_inner));
        let now = now.unix_millis();
        let due = now.saturating_sub(self.looked.load(Ordering::Relaxed)) >= LOOK;
        if due || tenants.is_empty() || tenants.contains(&Uuid::nil()) {
            self.looked.store(now, Ordering::Relaxed);
            return Vec::new();
        }
        tenants
    }
}
