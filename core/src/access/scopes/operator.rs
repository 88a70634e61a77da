//! Access to every tenant, for the command line.

use std::sync::Arc;

use crate::{
    access::{
        batch::{Batch, Outcome},
        context::Context,
        scopes::{anonymous::AnonymousScope, unguarded},
        services::Services,
    },
    http::problem::{Code, Problem, Result},
    kernel::values::TenantId,
};

/// Access to every tenant, for the operator at the command line, not for requests. Nothing is checked.
#[derive(Clone, Debug)]
pub struct OperatorScope {
    services: Arc<Services>,
}

impl OperatorScope {
    /// Opens it. No request can get this scope: the dispatcher opens the other scopes only.
    pub(crate) fn new(services: Arc<Services>) -> Self {
        Self { services }
    }

    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    /// The tenant of a slug.
    pub(crate) async fn tenant(&self, slug: &str) -> Result<TenantId> {
        let found = AnonymousScope::open(Context::of_nobody(&self.services)).tenant_of(slug).await?;
        found.ok_or_else(|| Problem::with(Code::NotFound, format!("No tenant has the slug {slug}.")))
    }

    /// A batch about a tenant.
    pub(crate) fn batch_in(&self, tenant: TenantId) -> Batch<'_> {
        Batch::new(&self.services, None, Some(tenant.0))
    }

    /// A batch about no tenant in particular.
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch::new(&self.services, None, None)
    }

    /// Runs a batch.
    pub(crate) async fn run(&self, batch: Batch<'_>) -> Result<Outcome> {
        unguarded(batch.run().await)
    }
}
