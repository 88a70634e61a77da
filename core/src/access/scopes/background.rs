//! Access for background work, for all tenants.

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

/// Access to the outbox, the activity and the search words of every tenant, for the background work that empties the
/// first, seals the second and writes the third.
pub(crate) struct BackgroundScope<'a> {
    services: &'a Services,
    /// The meter of the delivery, if the work is one.
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

    /// A batch about outbox, activity or words, of one tenant if it is given.
    pub(crate) fn batch(&self, tenant: Option<TenantId>) -> Batch<'a> {
        Batch::new(self.services, self.meter, tenant.map(|tenant| tenant.0))
    }

    /// Runs a batch.
    pub(crate) async fn run(&self, batch: Batch<'_>) -> Result<Outcome> {
        unguarded(batch.run().await)
    }
}
