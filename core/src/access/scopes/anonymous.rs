//! Access without a credential.

use std::sync::Arc;

use crate::{
    access::{
        batch::{Batch, Outcome},
        checks,
        context::Context,
        scopes::unguarded,
        services::Services,
    },
    http::problem::Result,
    kernel::values::TenantId,
    ports::limit::ClientAddress,
};

/// Access without a credential: registration, login, the state of the service.
#[derive(Clone)]
pub struct AnonymousScope {
    context: Arc<Context>,
}

impl AnonymousScope {
    pub(crate) fn open(context: Arc<Context>) -> Self {
        Self { context }
    }

    pub(crate) fn services(&self) -> &Services {
        &self.context.services
    }

    /// The client's address.
    pub(crate) fn client(&self) -> Option<ClientAddress> {
        self.context.client
    }

    /// A batch about nobody in particular.
    pub(crate) fn batch(&self) -> Batch<'_> {
        self.batch_in(None)
    }

    /// A batch that joins a tenant by an invitation.
    pub(crate) fn batch_in(&self, tenant: Option<TenantId>) -> Batch<'_> {
        self.context.batch(tenant.map(|tenant| tenant.0))
    }

    /// Runs a batch.
    pub(crate) async fn run(&self, batch: Batch<'_>) -> Result<Outcome> {
        unguarded(batch.run().await)
    }

    /// The tenant of a slug. It says nothing about whether the caller may see it.
    pub(crate) async fn tenant_of(&self, slug: &str) -> Result<Option<TenantId>> {
        let mut batch = self.batch();
        let id = batch.add_global::<TenantId, _>(&checks::TENANT_BY_SLUG, [slug.into()]);
        self.run(batch).await?.optional(id)
    }
}
