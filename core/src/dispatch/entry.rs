//! How a request reaches its handler: through the scope that the route's access rule opens, perhaps more than once.

use std::sync::Arc;

use crate::{
    access::{
        context::Context,
        scopes::{self, Scope},
    },
    api::endpoint::{Answering, Incoming},
    auth::token::Bearer,
    http::{
        answer::Answer,
        problem::{Code, Result},
    },
    kernel::values::TenantId,
    routes::Route,
};

/// A request for a route, and its verified credential.
pub(super) struct Entry<'a> {
    pub(super) route: &'a Route,
    pub(super) context: &'a Arc<Context>,
    pub(super) incoming: &'a Incoming,
    pub(super) bearer: Option<&'a Bearer>,
}

impl Entry<'_> {
    fn open(&self, tenant: Option<TenantId>) -> Result<Scope> {
        let tenant = tenant.map(|tenant| (tenant, self.incoming.named.slug.clone()));
        scopes::open(self.route.access, self.bearer, tenant, self.context)
    }

    /// Calls the handler. Fails if the request is not what it takes; then nothing was asked yet.
    pub(super) fn call(&self, tenant: Option<TenantId>) -> Result<Answering> {
        let mut incoming = Incoming { scope: Some(self.open(tenant)?), ..self.incoming.clone() };
        self.route.endpoint.call(&mut incoming)
    }

    /// Calls the handler, and has it answer.
    pub(super) async fn ask(&self, tenant: Option<TenantId>) -> Result<Answer> {
        self.call(tenant)?.await
    }

    /// The answer that is stored under the same `Idempotency-Key`, if there is one.
    async fn stored_answer(&self, tenant: Option<TenantId>) -> Result<Option<Answer>> {
        match self.open(tenant)? {
            Scope::Tenant(scope) => scope.stored_answer().await,
            Scope::Account(account) => account.stored_answer().await,
            Scope::Anonymous(_) | Scope::PublicTenant(_) => Ok(None),
        }
    }

    /// A request that has failed may have succeeded before, under the same `Idempotency-Key`: then the stored answer is
    /// returned. If there is none, and it was the database that failed and answers again, the request is tried once
    /// more: should it have taken effect after all, the key's row keeps that from happening twice.
    pub(super) async fn replay_or(
        &self,
        mut answer: Result<Answer>,
        tenant: Option<TenantId>,
    ) -> Result<Answer> {
        let mut tried_again = false;
        loop {
            let problem = match answer {
                Err(problem) if self.context.idempotency.is_some() => problem,
                answer => return answer,
            };
            match self.stored_answer(tenant).await {
                Ok(Some(answer)) => return Ok(answer),
                Err(reused) if reused.code == Code::IdempotencyKeyReused => return Err(reused),
                Ok(None) if problem.code == Code::Unavailable && !tried_again => {
                    tried_again = true;
                    answer = self.ask(tenant).await;
                }
                // A lookup that fails was refused for the same reason, which the first problem states.
                Ok(None) | Err(_) => return Err(problem),
            }
        }
    }
}
