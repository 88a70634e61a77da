//! Access to the public data of a tenant.

use std::sync::Arc;

use crate::{
    access::{
        batch::{Batch, Outcome, Slot},
        checks,
        context::Context,
        named::NamedSlug,
        services::Services,
    },
    http::problem::{Code, Problem, Result},
    kernel::values::TenantId,
};

/// Access to the public data of a tenant. The tenant must exist and not be suspended.
#[derive(Clone)]
pub struct PublicTenantScope {
    context: Arc<Context>,
    tenant: TenantId,
    slug: Option<NamedSlug>,
}

impl PublicTenantScope {
    pub(super) fn open(context: Arc<Context>, tenant: TenantId, slug: Option<NamedSlug>) -> Self {
        Self { context, tenant, slug }
    }

    pub(crate) fn services(&self) -> &Services {
        &self.context.services
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// A batch about this tenant.
    pub(crate) fn batch(&self) -> Batch<'_> {
        let mut batch = self.context.batch(Some(self.tenant.0));
        let _: Slot<checks::Presence> = batch.push(checks::TENANT.bind(self.tenant.0, []));
        batch
    }

    /// Runs a batch that only reads.
    pub(crate) async fn read(&self, batch: Batch<'_>) -> Result<Outcome> {
        let nobody = || Problem::new(Code::TenantNotFound);
        let mut outcome = batch.run().await.map_err(|problem| problem.unwrap_or_else(nobody))?;
        let presence = outcome.optional(Slot::<checks::Presence>::first())?.ok_or_else(nobody)?;
        if let Some(named) = self.slug.as_ref().filter(|named| named.slug != presence.slug) {
            return Err(if named.beside_id { Problem::new(Code::TenantConflict) } else { nobody() });
        }
        match presence.suspended_at {
            Some(_) => Err(Problem::new(Code::TenantSuspended)),
            None => Ok(outcome),
        }
    }
}
