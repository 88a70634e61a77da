//! Access to the data of one tenant, in the name of one user who must be a member of it.

use std::{any::Any, sync::Arc};

use uuid::Uuid;

use crate::{
    access::{
        batch::{Batch, Outcome, Slot},
        checks,
        context::{Context, Idempotency},
        named::NamedSlug,
        scopes::{not_a_member, session_ended},
        services::Services,
        stored_answers::{Owned, Owner},
    },
    auth::token::{Bearer, Credential},
    domain::workflow,
    http::{
        answer::Answer,
        conditional::{self, Condition, Resource, Version},
        idempotency::IdempotencyKey,
        problem::{Code, Problem, Result},
    },
    kernel::{
        sql::{Statement, TenantSql},
        time::Timestamp,
        values::{ApiKeyId, TenantId, UserId, enumerations::Role},
    },
};

/// Access to the data of one tenant, in the name of one user who must be a member of it.
///
/// Only the dispatcher opens it, and everything that it leads to is bound to its tenant.
#[derive(Clone)]
pub struct TenantScope {
    context: Arc<Context>,
    tenant: TenantId,
    /// The slug that the request named. It must be this tenant's.
    slug: Option<NamedSlug>,
    bearer: Bearer,
    least: Role,
}

impl TenantScope {
    pub(super) fn open(
        context: Arc<Context>,
        tenant: TenantId,
        slug: Option<NamedSlug>,
        bearer: Bearer,
        least: Role,
    ) -> Self {
        Self { context, tenant, slug, bearer, least }
    }

    pub(crate) fn services(&self) -> &Services {
        &self.context.services
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The acting user.
    pub fn user(&self) -> UserId {
        self.bearer.user()
    }

    /// The caller's API key, if the credential is one.
    pub(crate) fn key(&self) -> Option<ApiKeyId> {
        self.bearer.key()
    }

    /// A batch about this tenant.
    pub(crate) fn batch(&self) -> Batch<'_> {
        let mut batch = self.context.batch(Some(self.tenant.0));
        let _: Slot<checks::Found> = batch.push(self.check(None, None));
        batch
    }

    /// Runs a batch that only reads. The caller's membership comes with the rows.
    pub(crate) async fn read(&self, batch: Batch<'_>) -> Result<(checks::Membership, Outcome)> {
        let mut outcome = batch.run().await.map_err(|problem| problem.unwrap_or_else(not_a_member))?;
        let membership = self.admit(&mut outcome)?;
        self.touch_api_key(membership.last_used_at).await;
        Ok((membership, outcome))
    }

    /// Makes the batch fail unless the resource is in a state that the client wants. The statement returns a row unless
    /// `?2` is in another state than `?3` to `?6` ask for ([`crate::http::conditional::Condition::asks`]).
    pub(crate) fn require_match(&self, batch: &mut Batch<'_>, sql: &TenantSql, id: Uuid) {
        if let Some(arguments) = self.context.admitted(batch, id) {
            let _: Slot<i64> = batch.require(sql, arguments, conditional::failed());
        }
    }

    /// Whether the client names the state that it has seen.
    pub(crate) fn names_a_state(&self) -> bool {
        self.context.condition.as_ref().is_some_and(Condition::names_a_state)
    }

    /// The resource that was read and may be left unchanged, if it is in a state that `If-Match` names.
    pub(crate) fn matched<R: Resource>(&self, resource: R) -> Result<R> {
        self.context.matched(resource.version()).map(|()| resource)
    }

    /// The same before a batch that itself fails unless the resource that it changes is still in that state.
    pub(crate) fn match_state(&self, batch: &mut Batch<'_>, version: Option<Version>) -> Result<()> {
        batch.matched = true;
        self.context.matched(version)
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
        let (_, mut outcome) = self.read(batch).await?;
        let answer = key.take(&mut outcome, found)?;
        // An invitation's token may have been shown when the operator allowed that, or before that setting existed.
        let shown = self.services().config.shows_invitation_tokens();
        Ok(if shown { answer } else { answer.map(|answer| answer.without("token")) })
    }

    fn own<'a>(&'a self, key: &'a IdempotencyKey) -> Owned<'a> {
        let owner = Owner::Member { tenant: self.tenant, user: self.user(), key: self.key() };
        Owned::new(self.services(), key, owner)
    }

    /// Runs a batch that writes, provided that the user still has the route's role, or the higher one named here,
    /// at that moment.
    pub(crate) async fn commit(&self, mut batch: Batch<'_>, least: Option<Role>) -> Result<Outcome> {
        let least = least.map_or(self.least, |role| role.max(self.least));
        if let Some((key, answer)) = self.context.settle(&mut batch)? {
            self.own(key).store(&mut batch, &answer)?;
        }
        batch.statements[0] = self.check(Some(least), self.slug.as_ref()).expecting(1);
        match batch.run().await {
            Ok(mut outcome) => {
                let found = outcome.one(Slot::<checks::Found>::first())?;
                self.touch_api_key(found.last_used_at).await;
                Ok(outcome)
            }
            Err(Some(problem)) => Err(problem),
            Err(None) => {
                // Nothing was written. Ask again without the conditions, to say which one was not met.
                let (membership, _) = self.read(self.batch()).await?;
                Err(if membership.role < least {
                    workflow::insufficient_role(least)
                } else {
                    Problem::new(Code::Conflict)
                })
            }
        }
    }

    /// The membership check, with its conditions left to [`Self::admit`] where they are `None`.
    fn check(&self, least: Option<Role>, slug: Option<&NamedSlug>) -> Statement {
        let (user, rank) = (self.user().into(), least.map_or(0, Role::rank).into());
        let slug = slug.map(|named| named.slug.clone()).into();
        match self.bearer.credential() {
            Credential::Session(id) => {
                checks::MEMBER_BY_SESSION.bind(self.tenant.0, [user, rank, slug, (*id).into()])
            }
            Credential::Identity(id) => {
                checks::MEMBER_BY_IDENTITY.bind(self.tenant.0, [user, rank, slug, (*id).into()])
            }
            Credential::Key(key) => {
                let arguments =
                    [user, rank, slug, key.id.into(), key.digest().into(), self.services().now().into()];
                checks::MEMBER_BY_API_KEY.bind(self.tenant.0, arguments)
            }
        }
    }

    /// Notes that an API key is in use, unless that was noted a moment ago.
    async fn touch_api_key(&self, noted: Option<Timestamp>) {
        let Some(id) = self.key() else { return };
        let now = self.services().now();
        if noted.is_none_or(|noted| noted.plus(checks::USE_IS_NOTED_EVERY) <= now) {
            let mut batch = self.context.batch(Some(self.tenant.0));
            batch.aside = true;
            let _: Slot<()> = batch.add(&checks::TOUCH_API_KEY, [id.into(), now.into()]);
            // The request has succeeded; it does not fail because of a note, which the next use writes.
            let _ = batch.run().await;
        }
    }

    fn admit(&self, outcome: &mut Outcome) -> Result<checks::Membership> {
        let found = outcome.optional(Slot::<checks::Found>::first())?.ok_or_else(session_ended)?;
        let membership = found.membership().ok_or_else(not_a_member)?;
        if let Some(named) = self.slug.as_ref().filter(|named| named.slug != membership.slug) {
            return Err(if named.beside_id { Problem::new(Code::TenantConflict) } else { not_a_member() });
        }
        if membership.suspended_at.is_some() {
            Err(Problem::new(Code::TenantSuspended))
        } else if membership.role < self.least {
            Err(workflow::insufficient_role(self.least))
        } else {
            Ok(membership)
        }
    }
}
