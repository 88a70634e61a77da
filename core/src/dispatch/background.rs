//! What is to be done behind the requests, by whoever runs the product: regularly, and soon after a request that asks
//! for it.

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

    /// Sends what is due of every tenant's outbox, up to so many deliveries, all at the same time. To be called in the
    /// background: after a request that wrote deliveries ([`Self::deliveries_wait`]), and regularly, for what is to be
    /// tried again.
    ///
    /// # Errors
    /// The database cannot be asked. What was claimed is due again when the claim ends.
    pub async fn deliver(&self, at_once: u32) -> Result<outbox::Round> {
        outbox::round(&BackgroundScope::new(&self.services), at_once).await
    }

    /// How much is in all tenants' outboxes.
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

    /// Seals activity that waits to be sealed, in so many batches at the most. To be called in the background: after a
    /// request that wrote some ([`Self::entries_wait`]), and regularly, for what was left behind.
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

    /// Measures how much those tenants have stored of which enough has changed, as sealing their activity shows, in so many
    /// steps at the most. To be called in the background: after sealing, and regularly, with a look into the database for what
    /// was left behind.
    ///
    /// # Errors
    /// The database cannot be asked. Who was not measured is when more has changed.
    pub async fn measure(&self, look: bool, steps: u32) -> Result<Turned> {
        sizes::measure(&BackgroundScope::new(&self.services), look, steps).await
    }

    /// Whether a request deleted a tenant since this was last asked: time for [`Self::remove`].
    pub fn removals_wait(&self) -> bool {
        self.services.pending.removals()
    }

    /// Removes what is left of tenants that were deleted, in so many batches at the most. To be called in the background:
    /// after a request that deleted one ([`Self::removals_wait`]), and regularly, for what was left behind.
    ///
    /// # Errors
    /// The database cannot be asked. What is left is found the next time.
    pub async fn remove(&self, batches: u32) -> Result<Turned> {
        removal::run(&BackgroundScope::new(&self.services), batches).await
    }

    /// Drops what is kept for a time that has passed: answers to requests with an `Idempotency-Key`, imports that nobody
    /// goes on with, resets of passwords that are good no longer, deliveries that were settled, and notifications that were
    /// read. To be called in the background, now and then. What cannot be dropped is the next time, and keeps nothing else.
    pub async fn prune(&self) -> Turned {
        retention::prune(&BackgroundScope::new(&self.services)).await
    }

    /// Makes the words by which searches go, of projects and tasks that have none yet, in so many batches at the most. To
    /// be called in the background, regularly: what requests write has them at once.
    ///
    /// # Errors
    /// The database cannot be asked. What has no words yet is found the next time.
    pub async fn index(&self, batches: u32) -> Result<Turned> {
        search::run(&BackgroundScope::new(&self.services), batches).await
    }
}
