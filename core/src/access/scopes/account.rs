//! Access to a user's own data.

use std::{any::Any, sync::Arc};

use uuid::Uuid;

use crate::{
    access::{
        batch::{Batch, Outcome, Slot},
        checks,
        context::{Context, Idempotency},
        scopes::session_ended,
        services::Services,
        stored_answers::{Owned, Owner},
    },
    http::{
        answer::Answer,
        conditional::{self, Resource},
        idempotency::IdempotencyKey,
        problem::Result,
    },
    kernel::{
        sql::GlobalSql,
        values::{IdentityId, SessionId, TenantId, UserId},
    },
    ports::{limit::ClientAddress, meter::Meter},
};

/// The credential by which a person has logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// Our own session.
    Session(SessionId),
    /// The identity provider.
    Identity(IdentityId),
}

/// Access to a user's own data, in whatever tenants the user is. The session must be valid, or the identity linked to
/// the user, and the account active.
#[derive(Clone)]
pub struct AccountScope {
    context: Arc<Context>,
    user: UserId,
    login: Login,
}

impl AccountScope {
    pub(super) fn open(context: Arc<Context>, user: UserId, login: Login) -> Self {
        Self { context, user, login }
    }

    pub(crate) fn services(&self) -> &Services {
        &self.context.services
    }

    /// The account's user.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The client's address.
    pub(crate) fn client(&self) -> Option<ClientAddress> {
        self.context.client
    }

    /// The meter of the request.
    pub(crate) fn meter(&self) -> &Meter {
        &self.context.meter
    }

    /// The caller's session, if the login is one.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self.login {
            Login::Session(id) => Some(id),
            Login::Identity(_) => None,
        }
    }

    /// A batch about this user.
    pub(crate) fn batch(&self) -> Batch<'_> {
        self.batch_in(None)
    }

    /// A batch about this user that creates a tenant, or joins one by an invitation.
    pub(crate) fn batch_in(&self, tenant: Option<TenantId>) -> Batch<'_> {
        let mut batch = self.context.batch(tenant.map(|tenant| tenant.0));
        let user = self.user.into();
        let check = match self.login {
            Login::Session(id) => checks::ACCOUNT_BY_SESSION.bind([id.into(), user]),
            Login::Identity(id) => checks::ACCOUNT_BY_IDENTITY.bind([id.into(), user]),
        };
        let _: Slot<()> = batch.push(check.expecting(1));
        batch
    }

    /// Makes the batch fail unless the resource that it changes is in a state that `If-Match` names, as
    /// [`TenantScope::require_match`](crate::access::scopes::tenant::TenantScope::require_match) does.
    pub(crate) fn require_match(&self, batch: &mut Batch<'_>, sql: &GlobalSql, id: Uuid) {
        if let Some(arguments) = self.context.admitted(batch, id) {
            let _: Slot<i64> = batch.require_global(sql, arguments, conditional::failed());
        }
    }

    /// The resource that was read and is left unchanged, if it is in a state that `If-Match` names.
    pub(crate) fn matched<R: Resource>(&self, resource: R) -> Result<R> {
        self.context.matched(resource.version()).map(|()| resource)
    }

    /// Gives the batch the value that the handler is going to return, in case its answer is to be stored.
    pub(crate) fn store_answer(&self, batch: &mut Batch<'_>, value: &dyn Any) -> Result<()> {
        self.context.store_answer(batch, value)
    }

    /// The answer that is stored for the same user under the same key, if there is one.
    pub(crate) async fn stored_answer(&self) -> Result<Option<Answer>> {
        let Some(Idempotency { key, .. }) = &self.context.idempotency else { return Ok(None) };
        let (key, mut batch) = (self.own(key), self.batch());
        let found = key.ask(&mut batch);
        let mut outcome = self.run(batch).await?;
        key.take(&mut outcome, found)
    }

    fn own<'a>(&'a self, key: &'a IdempotencyKey) -> Owned<'a> {
        Owned::new(self.services(), key, Owner::Account(self.user))
    }

    /// Runs a batch that writes, provided that the session or the identity is valid at that moment.
    pub(crate) async fn commit(&self, mut batch: Batch<'_>) -> Result<Outcome> {
        if let Some((key, answer)) = self.context.settle(&mut batch)? {
            self.own(key).store(&mut batch, &answer)?;
        }
        self.run(batch).await
    }

    /// Runs a batch that only reads, provided that the session or the identity is valid at that moment.
    pub(crate) async fn run(&self, batch: Batch<'_>) -> Result<Outcome> {
        batch.run().await.map_err(|problem| problem.unwrap_or_else(session_ended))
    }
}
