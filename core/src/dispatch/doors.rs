//! The doors to the database. A handler gets the one that its route's access rule opens, and repositories
//! exist only behind them: [`TenantScope`] to a tenant's data, [`Visitor`] to what a tenant shows in public,
//! [`Account`] to one's own, [`Lobby`] to signing in. No request comes through [`Operator`] and [`Courier`].
//!
//! Each door puts its check in front of the batch that goes through it, so that access is decided in the same
//! transaction that reads or writes the data.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    conditional::{self, Condition, Resource, Version},
    dispatch::{
        App,
        batch::{Batch, Outcome, Slot},
        context::{Context, Meter},
        named::NamedSlug,
    },
    idempotency::{IdempotencyKey, Owned},
    problem::{Code, Problem, Result},
    reply::Answer,
    repository::{api_keys, idempotency, identities, memberships, sessions, tenants},
    sql::{GlobalSql, Statement, TenantSql},
    throttle::ClientAddress,
    time::Timestamp,
    token::{Bearer, Credential},
    values::{ApiKeyId, IdentityId, Role, SessionId, TenantId, UserId},
    workflow,
};

/// What only the dispatcher can make, and every door asks for.
pub(crate) struct Pass(pub(super) ());

/// Access to the data of one tenant, in the name of one user who must be a member of it.
///
/// It can be had from the dispatcher only, and everything that it leads to is bound to its tenant.
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
    pub(crate) fn open(
        _: Pass,
        context: Arc<Context>,
        tenant: TenantId,
        slug: Option<NamedSlug>,
        bearer: Bearer,
        least: Role,
    ) -> Self {
        Self { context, tenant, slug, bearer, least }
    }

    pub(crate) fn app(&self) -> &App {
        &self.context.app
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Who acts.
    pub fn user(&self) -> UserId {
        self.bearer.user
    }

    /// The API key that they act by, if it is one.
    pub(crate) fn key(&self) -> Option<ApiKeyId> {
        self.bearer.key()
    }

    /// A batch about this tenant.
    pub(crate) fn batch(&self) -> Batch<'_> {
        let mut batch = self.context.batch(Some(self.tenant.0));
        let _: Slot<memberships::Found> = batch.push(self.check(None, None));
        batch
    }

    /// Runs a batch that only reads. The caller's standing comes with the rows.
    pub(crate) async fn read(&self, batch: Batch<'_>) -> Result<(memberships::Standing, Outcome)> {
        let mut outcome = batch.run().await.map_err(|problem| problem.unwrap_or_else(not_a_member))?;
        let standing = self.admit(&mut outcome)?;
        self.note_use(standing.last_used_at).await;
        Ok((standing, outcome))
    }

    /// Adds to a batch that it fails unless what it changes is in a state that the client wants. The statement returns
    /// a row unless `?2` is there in another state than `?3` to `?6` ask for ([`crate::conditional::Condition::asks`]).
    pub(crate) fn require_match(&self, batch: &mut Batch<'_>, sql: &TenantSql, id: Uuid) {
        if let Some(arguments) = self.context.admitted(batch, id) {
            let _: Slot<i64> = batch.require(sql, arguments, conditional::failed());
        }
    }

    /// Whether the client names the state that it has seen.
    pub(crate) fn names_a_state(&self) -> bool {
        self.context.condition.as_ref().is_some_and(Condition::names_a_state)
    }

    /// What was read, and may be left as it is, if it is in a state that `If-Match` names.
    pub(crate) fn matched<R: Resource>(&self, resource: R) -> Result<R> {
        self.context.matched(resource.version()).map(|()| resource)
    }

    /// The same before a batch that fails by itself unless what it changes is still in that state.
    pub(crate) fn match_state(&self, batch: &mut Batch<'_>, version: Option<Version>) -> Result<()> {
        batch.matched = true;
        self.context.matched(version)
    }

    /// Says what is answered to a batch, for when it is to be kept.
    pub(crate) fn keep(&self, batch: &mut Batch<'_>, answer: impl FnOnce() -> Result<Answer>) -> Result<()> {
        self.context.keep(batch, answer)
    }

    /// The answer that was kept for the same user under the same key, if there is one.
    pub(crate) async fn recall(&self) -> Result<Option<Answer>> {
        match &self.context.key {
            Some(key) => {
                let answer = idempotency::recall(self, &self.own(key)).await?;
                // An invitation's token may have been shown when the operator allowed that, or before one could say.
                let shown = self.app().config.shows_invitation_tokens();
                Ok(if shown { answer } else { answer.map(|answer| answer.without("token")) })
            }
            None => Ok(None),
        }
    }

    /// A person and each of their API keys have keys of their own: they may not all do the same.
    fn own<'a>(&'a self, key: &'a IdempotencyKey) -> Owned<'a> {
        let by = match &self.bearer.credential {
            Credential::Session(_) | Credential::Identity(_) => &[],
            Credential::Key(key) => key.id.0.as_bytes().as_slice(),
        };
        key.of(vec![self.tenant.0.as_bytes(), self.bearer.user.0.as_bytes(), by])
    }

    /// Runs a batch that writes, provided that the user still has the route's role, or the higher one named here,
    /// at that moment.
    pub(crate) async fn commit(&self, mut batch: Batch<'_>, least: Option<Role>) -> Result<Outcome> {
        let least = least.map_or(self.least, |role| role.max(self.least));
        if let Some((key, answer)) = self.context.settle(&mut batch)? {
            idempotency::keep(&mut batch, self, &self.own(key), &answer)?;
        }
        batch.statements[0] = self.check(Some(least), self.slug.as_ref()).expecting(1);
        match batch.run().await {
            Ok(mut outcome) => {
                let found = outcome.one(Slot::<memberships::Found>::first())?;
                self.note_use(found.last_used_at).await;
                Ok(outcome)
            }
            Err(Some(problem)) => Err(problem),
            Err(None) => {
                // Nothing was written. Ask again without the conditions, to say which one was not met.
                let (standing, _) = self.read(self.batch()).await?;
                Err(if standing.role < least {
                    workflow::insufficient_role(least)
                } else {
                    Problem::new(Code::Conflict)
                })
            }
        }
    }

    /// The membership check, with its conditions left to [`Self::admit`] where they are `None`.
    fn check(&self, least: Option<Role>, slug: Option<&NamedSlug>) -> Statement {
        let (user, rank) = (self.bearer.user.into(), least.map_or(0, Role::rank).into());
        let slug = slug.map(|named| named.slug.clone()).into();
        match &self.bearer.credential {
            Credential::Session(id) => {
                memberships::CHECK.bind(self.tenant.0, [user, rank, slug, (*id).into()])
            }
            Credential::Identity(id) => {
                memberships::CHECK_IDENTITY.bind(self.tenant.0, [user, rank, slug, (*id).into()])
            }
            Credential::Key(key) => {
                let arguments =
                    [user, rank, slug, key.id.into(), key.digest().into(), self.app().now().into()];
                memberships::CHECK_KEY.bind(self.tenant.0, arguments)
            }
        }
    }

    /// Notes that an API key is in use, unless that was noted a moment ago.
    async fn note_use(&self, noted: Option<Timestamp>) {
        let Some(id) = self.key() else { return };
        let now = self.app().now();
        if noted.is_none_or(|noted| noted.plus(api_keys::USE_IS_NOTED_EVERY) <= now) {
            let mut batch = self.context.batch(Some(self.tenant.0));
            batch.aside = true;
            let _: Slot<()> = batch.add(&api_keys::NOTE_USE, [id.into(), now.into()]);
            // What was asked for is done; it does not fail for the sake of a note, which the next use writes.
            let _ = batch.run().await;
        }
    }

    fn admit(&self, outcome: &mut Outcome) -> Result<memberships::Standing> {
        let found = outcome.optional(Slot::<memberships::Found>::first())?.ok_or_else(session_ended)?;
        let standing = found.standing().ok_or_else(not_a_member)?;
        if let Some(named) = self.slug.as_ref().filter(|named| named.slug != standing.slug) {
            return Err(if named.beside_id { Problem::new(Code::TenantConflict) } else { not_a_member() });
        }
        if standing.suspended_at.is_some() {
            Err(Problem::new(Code::TenantSuspended))
        } else if standing.role < self.least {
            Err(workflow::insufficient_role(self.least))
        } else {
            Ok(standing)
        }
    }
}

/// Access to what a tenant shows to anybody. It must exist and not be suspended.
#[derive(Clone)]
pub struct Visitor {
    context: Arc<Context>,
    tenant: TenantId,
    slug: Option<NamedSlug>,
}

impl Visitor {
    pub(crate) fn open(_: Pass, context: Arc<Context>, tenant: TenantId, slug: Option<NamedSlug>) -> Self {
        Self { context, tenant, slug }
    }

    pub(crate) fn app(&self) -> &App {
        &self.context.app
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// A batch about this tenant.
    pub(crate) fn batch(&self) -> Batch<'_> {
        let mut batch = self.context.batch(Some(self.tenant.0));
        let _: Slot<tenants::Presence> = batch.push(tenants::PRESENCE.bind(self.tenant.0, []));
        batch
    }

    /// Runs a batch that only reads.
    pub(crate) async fn read(&self, batch: Batch<'_>) -> Result<Outcome> {
        let nobody = || Problem::new(Code::TenantNotFound);
        let mut outcome = batch.run().await.map_err(|problem| problem.unwrap_or_else(nobody))?;
        let presence = outcome.optional(Slot::<tenants::Presence>::first())?.ok_or_else(nobody)?;
        if let Some(named) = self.slug.as_ref().filter(|named| named.slug != presence.slug) {
            return Err(if named.beside_id { Problem::new(Code::TenantConflict) } else { nobody() });
        }
        match presence.suspended_at {
            Some(_) => Err(Problem::new(Code::TenantSuspended)),
            None => Ok(outcome),
        }
    }
}

fn not_a_member() -> Box<Problem> {
    Problem::new(Code::NotAMember)
}

fn session_ended() -> Box<Problem> {
    Problem::new(Code::InvalidToken)
}

/// What a person has logged in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// Our own session.
    Session(SessionId),
    /// The identity provider.
    Identity(IdentityId),
}

/// Access to a user's own data, whatever tenants they are in. The session must be good, or the identity linked to them,
/// and the account active.
#[derive(Clone)]
pub struct Account {
    context: Arc<Context>,
    user: UserId,
    login: Login,
}

impl Account {
    pub(crate) fn open(_: Pass, context: Arc<Context>, user: UserId, login: Login) -> Self {
        Self { context, user, login }
    }

    pub(crate) fn app(&self) -> &App {
        &self.context.app
    }

    /// Whose account it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Where the request comes from.
    pub(crate) fn client(&self) -> Option<ClientAddress> {
        self.context.client
    }

    /// What it is a part of.
    pub(crate) fn meter(&self) -> &Meter {
        &self.context.meter
    }

    /// The session that asks, if it is one.
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
            Login::Session(id) => sessions::CHECK.bind([id.into(), user]),
            Login::Identity(id) => identities::CHECK.bind([id.into(), user]),
        };
        let _: Slot<()> = batch.push(check.expecting(1));
        batch
    }

    /// Adds to a batch that it fails unless what it changes is in a state that `If-Match` names: as
    /// [`TenantScope::require_match`] does.
    pub(crate) fn require_match(&self, batch: &mut Batch<'_>, sql: &GlobalSql, id: Uuid) {
        if let Some(arguments) = self.context.admitted(batch, id) {
            let _: Slot<i64> = batch.require_global(sql, arguments, conditional::failed());
        }
    }

    /// What was read and is left as it is, if it is in a state that `If-Match` names.
    pub(crate) fn matched<R: Resource>(&self, resource: R) -> Result<R> {
        self.context.matched(resource.version()).map(|()| resource)
    }

    /// Says what is answered to a batch, for when it is to be kept.
    pub(crate) fn keep(&self, batch: &mut Batch<'_>, answer: impl FnOnce() -> Result<Answer>) -> Result<()> {
        self.context.keep(batch, answer)
    }

    /// The answer that was kept for the same user under the same key, if there is one.
    pub(crate) async fn recall(&self) -> Result<Option<Answer>> {
        match &self.context.key {
            Some(key) => idempotency::recall_of_account(self, &self.own(key)).await,
            None => Ok(None),
        }
    }

    fn own<'a>(&'a self, key: &'a IdempotencyKey) -> Owned<'a> {
        key.of(vec![self.user.0.as_bytes()])
    }

    /// Runs a batch that writes, provided that the session or the identity is good at that moment.
    pub(crate) async fn commit(&self, mut batch: Batch<'_>) -> Result<Outcome> {
        if let Some((key, answer)) = self.context.settle(&mut batch)? {
            idempotency::keep_of_account(&mut batch, self, &self.own(key), &answer)?;
        }
        self.run(batch).await
    }

    /// Runs a batch that only reads, provided that the session or the identity is good at that moment.
    pub(crate) async fn run(&self, batch: Batch<'_>) -> Result<Outcome> {
        batch.run().await.map_err(|problem| problem.unwrap_or_else(session_ended))
    }
}

/// What is open to anybody: registration, login, the state of the service.
#[derive(Clone)]
pub struct Lobby {
    context: Arc<Context>,
}

impl Lobby {
    pub(crate) fn open(_: Pass, context: Arc<Context>) -> Self {
        Self { context }
    }

    pub(crate) fn app(&self) -> &App {
        &self.context.app
    }

    /// Where the request comes from.
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
}

/// A batch without a check in front has said itself what each miss means.
fn unguarded(done: Result<Outcome, Option<Box<Problem>>>) -> Result<Outcome> {
    done.map_err(|problem| {
        problem.unwrap_or_else(|| Problem::internal("nobody said what a miss of the first statement means"))
    })
}

/// Access to every tenant, for whoever runs the process: the command line, not requests. Nothing is checked.
#[derive(Clone, Debug)]
pub struct Operator {
    app: Arc<App>,
}

impl Operator {
    /// Opens it. No request can come this way: the dispatcher hands out the other doors only.
    pub fn new(app: &Arc<App>) -> Self {
        Self { app: app.clone() }
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// The tenant of a slug.
    pub(crate) async fn tenant(&self, slug: &str) -> Result<TenantId> {
        let found = tenants::find(&Lobby { context: Context::of_nobody(&self.app) }, slug).await?;
        found.ok_or_else(|| Problem::with(Code::NotFound, format!("No tenant has the slug {slug}.")))
    }

    /// A batch about a tenant.
    pub(crate) fn batch_in(&self, tenant: TenantId) -> Batch<'_> {
        Batch::new(&self.app, None, Some(tenant.0))
    }

    /// A batch about no tenant in particular.
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch::new(&self.app, None, None)
    }

    /// Runs a batch.
    pub(crate) async fn run(&self, batch: Batch<'_>) -> Result<Outcome> {
        unguarded(batch.run().await)
    }
}

/// Access to the outbox, to the activity and to the words of every tenant, for what empties the first, seals the second and
/// makes the last in the background.
pub(crate) struct Courier<'a> {
    app: &'a App,
    /// Of what it carries, if it is one thing.
    meter: Option<&'a Meter>,
}

impl<'a> Courier<'a> {
    pub(super) fn new(app: &'a App) -> Self {
        Self { app, meter: None }
    }

    /// The same, for one delivery.
    pub(crate) fn with(&self, meter: &'a Meter) -> Self {
        Self { meter: Some(meter), ..*self }
    }

    pub(crate) fn app(&self) -> &'a App {
        self.app
    }

    /// A batch about outbox, activity or words, of one tenant where it says so.
    pub(crate) fn batch(&self, tenant: Option<TenantId>) -> Batch<'a> {
        Batch::new(self.app, self.meter, tenant.map(|tenant| tenant.0))
    }

    /// Runs a batch.
    pub(crate) async fn run(&self, batch: Batch<'_>) -> Result<Outcome> {
        unguarded(batch.run().await)
    }
}
