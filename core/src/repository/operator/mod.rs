//! The operator's view of tenants, at the command line.

pub mod users;

use serde::Serialize;
use serde_json::json;

use crate::{
    access::{batch::Slot, scopes::operator::OperatorScope},
    http::problem::{Code, Problem, Result},
    kernel::{
        sql::{rows::record, statements},
        time::Timestamp,
        values::{MembershipId, Name, Slug, TenantId, email::AccountEmail, enumerations::Role},
    },
    repository::{
        activity::{self, Event},
        memberships, placeholders, tenants,
    },
};

statements! { "operator";
    /// All tenants: the operator's view, which no request reaches.
    spanning LIST = "SELECT t.id, t.slug, t.name, \
         (SELECT count(*) FROM memberships m WHERE m.tenant_id = t.id AND m.status = 'active') AS members, \
         t.suspended_at, t.created_at FROM tenants t WHERE t.deleted_at IS NULL ORDER BY t.slug";

    /// Makes a registered user the owner of a tenant.
    tenant INSERT_OWNER = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         SELECT t.id, ?2, u.id, 'owner', 'active', ?4, ?4, 1 FROM tenants t JOIN users u ON u.id = ?3 WHERE t.id = ?1";

    tenant SUSPEND = "UPDATE tenants SET suspended_at = ?2, updated_at = ?2, version = version + 1 \
         WHERE id = ?1 AND suspended_at IS NULL";

    tenant RESUME = "UPDATE tenants SET suspended_at = NULL, updated_at = ?2, version = version + 1 \
         WHERE id = ?1 AND suspended_at IS NOT NULL";
}

record! {
    /// A tenant, as the operator sees it.
    #[derive(Debug, Serialize)]
    pub struct TenantSummary {
        /// Its id.
        pub id: TenantId,
        /// Its name in URLs and headers.
        pub slug: Slug,
        /// Its name for people.
        pub name: Name,
        /// Its active members.
        pub members: i64,
        /// The time of its suspension, if it is suspended.
        pub suspended_at: Option<Timestamp>,
        /// When it was created.
        pub created_at: Timestamp,
    }
}

impl OperatorScope {
    /// All tenants, by slug.
    pub async fn tenants(&self) -> Result<Vec<TenantSummary>> {
        let mut batch = self.batch();
        let rows = batch.add_global(&LIST, []);
        self.run(batch).await?.all(rows)
    }

    /// Creates a tenant that a registered user owns.
    pub async fn create_tenant(&self, slug: Slug, name: Name, owner: &AccountEmail) -> Result<TenantId> {
        let services = self.services();
        let user = self.user(owner).await?;
        let (id, now) = (TenantId(services.new_id()?), services.now());
        let mut batch = self.batch_in(id);
        tenants::insert(&mut batch, id, &slug, &name, None, now);
        let nobody = format!("Nobody has registered {}.", owner.as_str());
        let membership = MembershipId(services.new_id()?);
        let _: Slot<()> = batch.require(
            &INSERT_OWNER,
            [membership.into(), user.id.into(), now.into()],
            Problem::with(Code::NotFound, nobody),
        );
        let detail = json!({ "slug": slug, "owner": user.email });
        activity::record(&mut batch, services, None, Event::new("tenant.created", "tenant", id.0, detail))?;
        self.run(batch).await?;
        Ok(id)
    }

    /// Makes a registered user an active member of a tenant, with this role, whatever their membership was before.
    pub async fn admit(&self, slug: &Slug, email: &AccountEmail, role: Role) -> Result<()> {
        let services = self.services();
        let (id, user) = (self.tenant(slug.as_str()).await?, self.user(email).await?.id);
        let (membership, now) = (MembershipId(services.new_id()?), services.now());
        let mut batch = self.batch_in(id);
        memberships::put(&mut batch, membership, user, role, now);
        placeholders::adopt(&mut batch, id, user);
        let detail = json!({ "role": role });
        activity::record(
            &mut batch,
            services,
            None,
            Event::new("member.admitted", "member", user.0, detail),
        )?;
        self.run(batch).await.map(drop)
    }

    /// Deletes a tenant with all its rows. Accounts stay.
    pub async fn delete_tenant(&self, slug: &Slug) -> Result<()> {
        let id = self.tenant(slug.as_str()).await?;
        self.remove(id).await
    }

    /// Suspends a tenant: every request that names it is answered 403 `tenant_suspended` until it is resumed.
    pub async fn suspend_tenant(&self, slug: &Slug) -> Result<()> {
        let services = self.services();
        let id = self.tenant(slug.as_str()).await?;
        let mut batch = self.batch_in(id);
        let already = Problem::with(Code::Conflict, "The tenant is suspended already.");
        let _: Slot<()> = batch.require(&SUSPEND, [services.now().into()], already);
        activity::record(
            &mut batch,
            services,
            None,
            Event::new("tenant.suspended", "tenant", id.0, json!({})),
        )?;
        self.run(batch).await.map(drop)
    }

    /// Resumes a suspended tenant.
    pub async fn resume_tenant(&self, slug: &Slug) -> Result<()> {
        let services = self.services();
        let id = self.tenant(slug.as_str()).await?;
        let mut batch = self.batch_in(id);
        let not = Problem::with(Code::Conflict, "The tenant is not suspended.");
        let _: Slot<()> = batch.require(&RESUME, [services.now().into()], not);
        activity::record(
            &mut batch,
            services,
            None,
            Event::new("tenant.resumed", "tenant", id.0, json!({})),
        )?;
        self.run(batch).await.map(drop)
    }
}
