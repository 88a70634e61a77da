//! The doors to the database. A handler gets the one that its route's access rule opens, and repositories
//! exist only behind them: [`TenantScope`] to a tenant's data, [`Account`] to one's own, [`Lobby`] to signing in.
//!
//! Each door puts its check in front of the batch that goes through it, so that access is decided in the same
//! transaction that reads or writes the data.

use std::sync::Arc;

use crate::{
    dispatch::{
        App,
        batch::{Batch, Outcome, Slot},
    },
    problem::{Code, Problem, Result},
    repository::{memberships, tenants, users},
    sql::Statement,
    values::{Role, Slug, TenantId, UserId},
    workflow,
};

/// What only the dispatcher can make, and every door asks for.
pub(crate) struct Pass(pub(super) ());

/// Access to the data of one tenant, in the name of one user who must be a member of it.
///
/// It can be had from the dispatcher only, and everything that it leads to is bound to its tenant.
#[derive(Clone)]
pub struct TenantScope {
    app: Arc<App>,
    tenant: TenantId,
    /// The slug that the request named. It must be this tenant's.
    slug: Option<NamedSlug>,
    user: UserId,
    least: Role,
}

/// A slug, and what it means if it turns out to be another tenant's.
#[derive(Clone)]
pub(crate) struct NamedSlug {
    pub(crate) slug: Slug,
    /// Whether the request named the tenant by its id as well.
    pub(crate) beside_id: bool,
}

impl TenantScope {
    pub(crate) fn open(
        _: Pass,
        app: Arc<App>,
        tenant: TenantId,
        slug: Option<NamedSlug>,
        user: UserId,
        least: Role,
    ) -> Self {
        Self { app, tenant, slug, user, least }
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Who acts.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// A batch about this tenant.
    pub(crate) fn batch(&self) -> Batch<'_> {
        let mut batch = Batch::new(&self.app, Some(self.tenant.0));
        let _: Slot<memberships::Standing> = batch.push(self.check(None, None));
        batch
    }

    /// Runs a batch that only reads. The caller's role comes with the rows.
    pub(crate) async fn read(&self, batch: Batch<'_>) -> Result<(Role, Outcome)> {
        let mut outcome = batch.run().await.map_err(|problem| problem.unwrap_or_else(not_a_member))?;
        let role = self.admit(&mut outcome)?;
        Ok((role, outcome))
    }

    /// Runs a batch that writes, provided that the user still has the route's role, or the higher one named here,
    /// at that moment.
    pub(crate) async fn commit(&self, mut batch: Batch<'_>, least: Option<Role>) -> Result<Outcome> {
        let least = least.map_or(self.least, |role| role.max(self.least));
        batch.statements[0] = self.check(Some(least), self.slug.as_ref()).expecting(1);
        match batch.run().await {
            Ok(outcome) => Ok(outcome),
            Err(Some(problem)) => Err(problem),
            Err(None) => {
                // Nothing was written. Ask again without the conditions, to say which one was not met.
                let (role, _) = self.read(self.batch()).await?;
                Err(if role < least {
                    workflow::insufficient_role(least)
                } else {
                    Problem::new(Code::Conflict)
                })
            }
        }
    }

    /// The membership check, with its conditions left to [`Self::admit`] where they are `None`.
    fn check(&self, least: Option<Role>, slug: Option<&NamedSlug>) -> Statement {
        let slug = slug.map(|named| named.slug.clone());
        memberships::CHECK
            .bind(self.tenant.0, [self.user.into(), least.map_or(0, Role::rank).into(), slug.into()])
    }

    fn admit(&self, outcome: &mut Outcome) -> Result<Role> {
        let standing = outcome.optional(Slot::<memberships::Standing>::first())?.ok_or_else(not_a_member)?;
        if let Some(named) = self.slug.as_ref().filter(|named| named.slug != standing.slug) {
            return Err(if named.beside_id { Problem::new(Code::TenantConflict) } else { not_a_member() });
        }
        if standing.role < self.least {
            Err(workflow::insufficient_role(self.least))
        } else {
            Ok(standing.role)
        }
    }
}

fn not_a_member() -> Box<Problem> {
    Problem::new(Code::NotAMember)
}

/// Access to a user's own data, whatever tenants they are in. The account must be active.
#[derive(Clone)]
pub struct Account {
    app: Arc<App>,
    user: UserId,
}

impl Account {
    pub(crate) fn open(_: Pass, app: Arc<App>, user: UserId) -> Self {
        Self { app, user }
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Whose account it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// A batch about this user.
    pub(crate) fn batch(&self) -> Batch<'_> {
        self.batch_in(None)
    }

    /// A batch about this user that creates a tenant.
    pub(crate) fn batch_in(&self, new_tenant: Option<TenantId>) -> Batch<'_> {
        let mut batch = Batch::new(&self.app, new_tenant.map(|tenant| tenant.0));
        let _: Slot<UserId> = batch.push(users::ACTIVE.bind([self.user.into()]).expecting(1));
        batch
    }

    /// Runs a batch, provided that the account is active at that moment.
    pub(crate) async fn run(&self, batch: Batch<'_>) -> Result<Outcome> {
        batch.run().await.map_err(|problem| problem.unwrap_or_else(|| Problem::new(Code::InvalidToken)))
    }
}

/// What is open to anybody: registration, login, the state of the service.
#[derive(Clone)]
pub struct Lobby {
    app: Arc<App>,
}

impl Lobby {
    pub(crate) fn open(_: Pass, app: Arc<App>) -> Self {
        Self { app }
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// A batch about nobody in particular.
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch::new(&self.app, None)
    }

    /// Runs a batch.
    pub(crate) async fn run(&self, batch: Batch<'_>) -> Result<Outcome> {
        batch.run().await.map_err(|problem| {
            problem.unwrap_or_else(|| Problem::internal("the first statement of a lobby's batch was not met"))
        })
    }
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
        let found = tenants::find(&Lobby { app: self.app.clone() }, slug).await?;
        found.ok_or_else(|| Problem::new(Code::NotFound))
    }

    /// A batch about a tenant.
    pub(crate) fn batch_in(&self, tenant: TenantId) -> Batch<'_> {
        Batch::new(&self.app, Some(tenant.0))
    }

    /// Runs a batch.
    pub(crate) async fn run(&self, batch: Batch<'_>) -> Result<Outcome> {
        batch.run().await.map_err(|problem| problem.unwrap_or_else(|| Problem::new(Code::Conflict)))
    }
}
