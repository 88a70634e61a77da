//! Memberships as access is decided by them. What members see of each other is in [`super::members`].

use crate::{
    dispatch::{Operator, Slot},
    problem::Result,
    sql::{record, statements},
    time::Timestamp,
    values::{MembershipId, Name, Role, Slug, TenantId, UserId},
};

const MANAGERS: &str = "FROM memberships m JOIN users u ON u.id = m.user_id \
     WHERE m.tenant_id = ?1 AND m.status = 'active' AND m.role IN ('manager', 'owner') AND u.disabled_at IS NULL";

statements! { "memberships";
    /// Whether a user has an active membership, of a role of at least this rank, in the tenant of this slug (if
    /// one is given) that is not suspended (if a rank is given). It stands in front of every batch about a tenant.
    tenant CHECK = "SELECT m.role, t.slug, t.suspended_at, u.name FROM memberships m \
         JOIN tenants t ON t.id = m.tenant_id \
         JOIN users u ON u.id = m.user_id \
         WHERE m.tenant_id = ?1 AND m.user_id = ?2 AND m.status = 'active' AND u.disabled_at IS NULL \
         AND CASE m.role WHEN 'owner' THEN 4 WHEN 'manager' THEN 3 WHEN 'member' THEN 2 ELSE 1 END >= ?3 \
         AND t.slug = COALESCE(?4, t.slug) AND (t.suspended_at IS NULL OR ?3 = 0)";

    tenant INSERT = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         VALUES (?1, ?2, ?3, ?4, 'active', ?5, ?5, 1)";

    /// Makes the user an owner of the tenant `default` if they have just claimed it.
    global INSERT_FOR_CLAIM = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         SELECT t.id, ?2, ?1, 'owner', 'active', ?3, ?3, 1 FROM tenants t \
         WHERE t.slug = 'default' AND t.created_by = ?1";

    /// Makes a user who has just registered a member of the tenant of this id or slug, if it is open to all. (Where both
    /// are given they are the same tenant's.)
    global INSERT_WHERE_OPEN = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         SELECT t.id, ?2, ?1, t.config ->> 'open_registration', 'active', ?3, ?3, 1 FROM tenants t \
         WHERE (t.id = ?4 OR t.slug = ?5) AND t.suspended_at IS NULL \
         AND t.config ->> 'open_registration' IN ('viewer', 'member') \
         AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = t.id AND m.user_id = ?1)";

    /// The same for a user who may be a member already.
    tenant INSERT_MISSING = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         VALUES (?1, ?2, ?3, ?4, 'active', ?5, ?5, 1) ON CONFLICT (tenant_id, user_id) DO NOTHING";

    /// Members who could approve what another one submitted.
    tenant COUNT_MANAGERS = "SELECT count(*) AS managers ", MANAGERS;

    /// A row if nobody but one could.
    tenant SINGLE_MANAGER = "SELECT 1 AS ok WHERE (SELECT count(*) ", MANAGERS, ") <= 1";
}

record! {
    /// What the check finds.
    pub(crate) struct Standing {
        pub(crate) role: Role,
        pub(crate) slug: Slug,
        pub(crate) suspended_at: Option<Timestamp>,
        /// The user's own name.
        pub(crate) name: Name,
    }
}

/// Makes a user a member, unless they are one already.
pub(crate) async fn admit(operator: &Operator, tenant: TenantId, user: UserId, role: Role) -> Result<()> {
    let app = operator.app();
    let mut batch = operator.batch_in(tenant);
    let id = MembershipId(app.new_id()?);
    let _: Slot<()> = batch.add(&INSERT_MISSING, [id.into(), user.into(), role.into(), app.now().into()]);
    operator.run(batch).await.map(drop)
}
