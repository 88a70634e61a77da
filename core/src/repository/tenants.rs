//! Tenants: finding, creating and listing them, and the tenant of a scope.

use std::{future::Future, time::Duration};

use serde::Serialize;

use crate::{
    access::{
        batch::{Batch, Slot},
        paging::Paging,
        scopes::account::AccountScope,
    },
    http::{
        conditional::{Resource, Version},
        page::{Cursor, Page, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Fault, FaultCode, Patch, input},
        json, limits,
        sql::{rows::record, statements},
        time::Timestamp,
        values::{MembershipId, Name, Slug, TenantId, UserId, enumerations::Role},
    },
    repository::{
        Repository,
        activity::{self, Event},
        memberships, quotas, removal,
    },
};

const COLUMNS: &str = "id, slug, name, suspended_at, created_at, updated_at, version";

/// The tenant, if it is the unclaimed `default` of a new database.
const NEW_DEFAULT: &str = "FROM tenants WHERE id = ?1 AND slug = 'default' AND created_by IS NULL AND deleted_at IS NULL \
     AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = ?1) \
     AND NOT EXISTS (SELECT 1 FROM activity a WHERE a.tenant_id = ?1)";

statements! { "tenants";
    spanning INSERT = "INSERT INTO tenants (id, slug, name, created_by, created_at, updated_at, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1)";

    /// Gives the tenant `default` to a user, once, while it has no members.
    spanning CLAIM_DEFAULT = "UPDATE tenants SET created_by = ?1, updated_at = ?2, version = version + 1 \
         WHERE slug = 'default' AND created_by IS NULL AND deleted_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = tenants.id)";

    /// The tenants that a user is in: spans tenants, by the user's own id.
    spanning OF_USER = "SELECT t.id, t.slug, t.name, m.role, t.suspended_at, t.created_at, t.updated_at, t.version \
         FROM memberships m JOIN tenants t ON t.id = m.tenant_id AND t.deleted_at IS NULL \
         WHERE m.user_id = ?1 AND m.status = 'active' AND t.id < ?2 ORDER BY t.id DESC LIMIT ?3";

    /// A row if the tenant exists, for callers who may be anybody.
    tenant NAME = "SELECT name FROM tenants WHERE id = ?1";

    tenant CONFIG = "SELECT config FROM tenants WHERE id = ?1";

    tenant CURRENT = "SELECT ", COLUMNS, " FROM tenants WHERE id = ?1";

    /// Unless that is the name already: a change of nothing writes nothing.
    tenant UPDATE = "UPDATE tenants SET name = ?2, updated_at = ?3, version = version + 1 \
         WHERE id = ?1 AND name <> ?2 RETURNING ", COLUMNS;

    /// A row unless it has another version.
    tenant UNCHANGED = "SELECT 1 AS ok WHERE NOT EXISTS \
         (SELECT 1 FROM tenants WHERE id = ?1 AND id = ?2 AND CASE WHEN version IN (?3, ?4, ?5) THEN 1 ELSE 0 END <> ?6)";

    /// A row if this is the tenant's slug.
    tenant CONFIRM = "SELECT id FROM tenants WHERE id = ?1 AND slug = ?2";

    /// Notes the user who releases the slug, and the time. The operator is no user.
    tenant RELEASE_SLUG = "INSERT INTO released_slugs (slug, user_id, released_at) \
         SELECT t.slug, ?2, ?3 FROM tenants t WHERE t.id = ?1 \
         ON CONFLICT (slug) DO UPDATE SET user_id = excluded.user_id, released_at = excluded.released_at";

    /// A row unless another user has released this slug since a time.
    global SLUG_IS_FREE = "SELECT 1 AS ok WHERE NOT EXISTS (SELECT 1 FROM released_slugs \
         WHERE slug = ?1 AND released_at > ?3 AND (user_id <> ?2 OR user_id IS NULL))";

    /// Makes room for another tenant `default`, if this one is the unclaimed one of a new database.
    tenant GIVE_WAY = "DELETE ", NEW_DEFAULT;

    /// A row if it is that one.
    tenant UNCLAIMED = "SELECT id ", NEW_DEFAULT;

    /// A row unless a tenant's id ends like this one, or is it. An id that is made here ends at random, but an import
    /// may choose its ids; and the index of words has a tenant's words under the last digits of its id, so that
    /// searches of one tenant would go through the words of another with the same digits, too.
    spanning ENDS_LIKE_NONE = "SELECT 1 AS ok WHERE NOT EXISTS (SELECT 1 FROM tenants \
         WHERE substr(CAST(id AS text), 29) = substr(CAST(?1 AS text), 29))";

    /// A row if this is not the tenant of requests without a tenant header.
    tenant NOT_DEFAULT = "SELECT id FROM tenants WHERE id = ?1 AND slug <> 'default'";
}

record! {
    /// A tenant, with your role in it.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct Tenant {
        /// The id of the tenant, for `X-Tenant-ID`.
        pub id: TenantId,
        /// The tenant's name in URLs and headers, for `X-Tenant-Slug`. It never changes.
        pub slug: Slug,
        /// The tenant's name for people.
        pub name: Name,
        /// Your role in the tenant.
        pub role: Role,
        /// The time since which the operator has suspended the tenant; `null` if it is not suspended.
        pub suspended_at: Option<Timestamp>,
        /// The time of creation.
        pub created_at: Timestamp,
        /// The time of the last change.
        pub updated_at: Timestamp,
        /// The version number; each change increases it.
        pub version: i64,
    }
}

impl Resource for Tenant {
    fn version(&self) -> Option<Version> {
        Some(Version { id: self.id.0, number: self.version })
    }
}

record! {
    pub(super) struct Bare {
        id: TenantId,
        slug: Slug,
        name: Name,
        suspended_at: Option<Timestamp>,
        created_at: Timestamp,
        updated_at: Timestamp,
        version: i64,
    }
}

impl Bare {
    pub(super) fn seen_as(self, role: Role) -> Tenant {
        let Self { id, slug, name, suspended_at, created_at, updated_at, version } = self;
        Tenant { id, slug, name, role, suspended_at, created_at, updated_at, version }
    }
}

input! {
    /// A new tenant.
    pub struct NewTenant {
        /// The tenant's name in URLs and headers. It never changes.
        pub slug: Slug,
        /// The tenant's name for people.
        pub name: Name,
    }

    /// The confirmation that this tenant is meant.
    pub struct Confirmation {
        /// The slug of the tenant.
        pub confirm: Slug,
    }

    /// The changes of a tenant. Absent fields stay as they are.
    pub struct TenantPatch {
        /// The tenant's name for people.
        pub name: Patch<Name>,
    }
}

/// Adds a new tenant to a batch. It has no members yet.
pub(super) fn insert(
    batch: &mut Batch<'_>,
    id: TenantId,
    slug: &Slug,
    name: &Name,
    creator: Option<UserId>,
    now: Timestamp,
) {
    let arguments = [id.into(), slug.clone().into(), name.clone().into(), creator.into(), now.into()];
    let _: Slot<()> = batch.add_global(&INSERT, arguments);
    batch.on_duplicate("tenants_slug_key", Problem::new(Code::SlugTaken));
}

/// Adds to a batch that a user may have a slug: for a time, only the user who released it may.
pub(super) fn require_free(batch: &mut Batch<'_>, slug: &Slug, user: UserId) {
    let since = batch.services().now().minus(Duration::from_hours(24 * limits::SLUG_DAYS));
    let arguments = [slug.clone().into(), user.into(), since.into()];
    let _: Slot<i64> = batch.require_global(&SLUG_IS_FREE, arguments, Problem::new(Code::SlugTaken));
}

/// The tenants of an account.
pub trait Tenancies {
    /// Creates a tenant that the account owns.
    fn create(&self, new: NewTenant) -> impl Future<Output = Result<Tenant>> + Send;

    /// The tenants that the account is an active member of, newest first.
    fn list(
        &self,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<Page<Tenant>>> + Send;
}

impl Tenancies for AccountScope {
    async fn create(&self, new: NewTenant) -> Result<Tenant> {
        let services = self.services();
        let (id, now) = (TenantId(services.new_id()?), services.now());
        let membership = MembershipId(services.new_id()?);
        let mut batch = self.batch_in(Some(id));
        require_free(&mut batch, &new.slug, self.user());
        insert(&mut batch, id, &new.slug, &new.name, Some(self.user()), now);
        let _: Slot<()> = batch.add(
            &memberships::INSERT,
            [membership.into(), self.user().into(), Role::Owner.into(), now.into()],
        );
        quotas::require_tenants(&mut batch, self.user());
        let detail = json::object(vec![("slug", new.slug.clone().into()), ("name", new.name.clone().into())]);
        let event = Event::new("tenant.created", "tenant", id.0, detail);
        activity::record(&mut batch, services, self.user(), event)?;
        let tenant = Tenant {
            id,
            slug: new.slug,
            name: new.name,
            role: Role::Owner,
            suspended_at: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        self.store_answer(&mut batch, &tenant)?;
        self.commit(batch).await?;
        Ok(tenant)
    }

    async fn list(&self, size: Option<PageSize>, cursor: Option<Cursor>) -> Result<Page<Tenant>> {
        let paging = Paging::new(self.services(), "tenants", self.user().0, &[], size, cursor)?;
        let mut batch = self.batch();
        let rows =
            batch.add_global::<Tenant, _>(&OF_USER, [self.user().into(), paging.before(), paging.fetch()]);
        let mut outcome = self.run(batch).await?;
        Ok(paging.page(outcome.all(rows)?, |tenant| tenant.id.0))
    }
}

/// The tenant of a scope.
pub trait Settings {
    /// The tenant.
    fn get(&self) -> impl Future<Output = Result<Tenant>> + Send;

    /// Changes it.
    fn update(&self, patch: TenantPatch) -> impl Future<Output = Result<Tenant>> + Send;

    /// Deletes it, with everything in it.
    fn delete(&self, confirmation: Confirmation) -> impl Future<Output = Result<()>> + Send;
}

impl Settings for Repository<'_> {
    async fn get(&self) -> Result<Tenant> {
        let mut batch = self.scope.batch();
        let tenant = batch.add::<Bare, _>(&CURRENT, []);
        let (membership, mut outcome) = self.scope.read(batch).await?;
        Ok(outcome.one(tenant)?.seen_as(membership.role))
    }

    async fn update(&self, patch: TenantPatch) -> Result<Tenant> {
        let Some(name) = patch.name.0 else {
            return self.scope.matched(self.get().await?);
        };
        let services = self.scope.services();
        let mut batch = self.scope.batch();
        self.scope.require_match(&mut batch, &UNCHANGED, self.scope.tenant().0);
        let event = Event::new(
            "tenant.updated",
            "tenant",
            self.scope.tenant().0,
            json::object(vec![("name", name.clone().into())]),
        );
        let tenant = batch.require::<Bare, _>(
            &UPDATE,
            [name.clone().into(), services.now().into()],
            Problem::new(Code::Conflict),
        );
        self.record(&mut batch, event)?;
        match self.scope.commit(batch, None).await {
            // Only an owner gets this far.
            Ok(mut outcome) => Ok(outcome.one(tenant)?.seen_as(Role::Owner)),
            // It has this name, or had it a moment before.
            Err(problem) if problem.code == Code::Conflict => {
                let tenant = self.scope.matched(self.get().await?)?;
                if tenant.name == name { Ok(tenant) } else { Err(problem) }
            }
            Err(problem) => Err(problem),
        }
    }

    async fn delete(&self, Confirmation { confirm }: Confirmation) -> Result<()> {
        let mut batch = self.scope.batch();
        self.scope.require_match(&mut batch, &UNCHANGED, self.scope.tenant().0);
        let fault = Fault::new(FaultCode::NotAllowed, "Expected the slug of this tenant.").within("confirm");
        let unconfirmed = Problem::faults(Code::InvalidParameter, vec![fault]);
        let _: Slot<TenantId> = batch.require(&CONFIRM, [confirm.into()], unconfirmed);
        removal::begin(&mut batch, self.scope.tenant(), Some(self.scope.user()));
        self.scope.commit(batch, None).await.map(drop)
    }
}
