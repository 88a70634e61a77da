//! The background work of the product, for the adapter to run: regularly, and soon after a request that needs it.

use crate::{
    access::{scopes::background::BackgroundScope, turns::Turned},
    delivery::outbox,
    dispatch::App,
    http::problem::Result,
    repository::{chain, deliveries, removal, retention, search, sizes},
};

impl App {
    /// Whether a request wrote deliveries since this was last asked: time for [`Self::deliver`].
    pub fn deliveries_wait(&self) -> bool {
        self.services.pending.deliveries()
    }

    /// Sends the due deliveries of all tenants, up to `at_once` of them, all at the same time. To be called in the
    /// background: after a request that wrote deliveries ([`Self::deliveries_wait`]), and regularly, for retries.
    ///
    /// # Errors
    /// The database cannot be asked. What was claimed is due again when the claim ends.
    pub async fn deliver(&self, at_once: u32) -> Result<outbox::Round> {
        outbox::round(&BackgroundScope::new(&self.services), at_once).await
    }

    /// The number of deliveries in all tenants' outboxes.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn outbox(&self) -> Result<deliveries::Depth> {
        deliveries::depth(&BackgroundScope::new(&self.services)).await
    }

    /// Whether a request wrote activity since this was last asked: time for [`Self::seal_activity`].
    pub fn entries_wait(&self) -> bool {
        self.services.pending.entries()
    }

    /// Seals unsealed activity, in at most `batches` batches. To be called in the background: after a request that
    /// wrote some ([`Self::entries_wait`]), and regularly, for what was left behind.
    ///
    /// # Errors
    /// The database cannot be asked. What was not sealed is found the next time.
    pub async fn seal_activity(&self, batches: u32) -> Result<Turned> {
        let look = self
            .services
            .pending
            .is_time_to_look(self.services.ports.clock.elapsed(), self.services.turns.sealing.is_empty());
        chain::append(&BackgroundScope::new(&self.services), look, batches).await
    }

    /// Measures the storage of those tenants of which enough has changed, as sealing their activity shows, in at most
    /// `steps` steps. To be called in the background: after sealing, and regularly, with `look`, which asks the
    /// database for tenants that were left behind.
    ///
    /// # Errors
    /// The database cannot be asked. A tenant that was not measured is measured when more has changed.
    pub async fn measure(&self, look: bool, steps: u32) -> Result<Turned> {
        sizes::measure(&BackgroundScope::new(&self.services), look, steps).await
    }

    /// Whether a request deleted a tenant since this was last asked: time for [`Self::remove`].
    pub fn removals_wait(&self) -> bool {
        self.services.pending.removals()
    }

    /// Removes the rest of deleted tenants, in at most `batches` batches. To be called in the background: after a
    /// request that deleted one ([`Self::removals_wait`]), and regularly, for what was left behind.
    ///
    /// # Errors
    /// The database cannot be asked. What is left is found the next time.
    pub async fn remove(&self, batches: u32) -> Result<Turned> {
        removal::run(&BackgroundScope::new(&self.services), batches).await
    }

    /// Drops rows that have been kept long enough: answers to requests with an `Idempotency-Key`, abandoned imports,
    /// expired password resets, settled deliveries, and read notifications. To be called in the background, now and
    /// then. Rows that cannot be dropped are dropped the next time, and do not keep others from it.
    pub async fn prune(&self) -> Turned {
        retention::prune(&BackgroundScope::new(&self.services)).await
    }

    /// Makes the search words of projects and tasks that have none yet, in at most `batches` batches. To be called in
    /// the background, regularly: what requests write has its words at once.
    ///
    /// # Errors
    /// The database cannot be asked. A text that has no words yet is found the next time.
    pub async fn index(&self, batches: u32) -> Result<Turned> {
        search::run(&BackgroundScope::new(&self.services), batches).await
    }
}
