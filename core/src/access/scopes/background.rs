//! Access to what is done in the background, for all tenants.

use std::sync::Arc;

use crate::{
    access::{
        batch::{Batch, Outcome},
        scopes::unguarded,
        services::Services,
    },
    http::problem::Result,
    kernel::values::TenantId,
    ports::meter::Meter,
};

/// Access to the outbox, to the activity and to the words of every tenant, for what empties the first, seals the second and
/// makes the last in the background.
pub(crate) struct BackgroundScope<'a> {
    services: &'a Services,
    /// Of what it carries, if it is one thing.
    meter: Option<&'a Meter>,
}

impl<'a> BackgroundScope<'a> {
    pub(crate) fn new(services: &'a Arc<Services>) -> Self {
        Self { services, meter: None }
    }

    /// The same, for one delivery.
    pub(crate) fn with(&self, meter: &'a Meter) -> Self {
        Self { meter: Some(meter), ..*self }
    }

    pub(crate) fn services(&self) -> &'a Services {
        self.services
    }

    /// A batch about outbox, activity or words, of one tenant where it says so.
    pub(crate) fn batch(&self, tenant: Option<TenantId>) -> Batch<'a> {
        Batch::new(self.services, self.meter, tenant.map(|tenant| tenant.0))
    }

    /// Runs a batch.
    pub(crate) async fn run(&self, batch: Batch<'_>) -> Result<Outcome> {
        unguarded(batch.run().await)
    }
}
