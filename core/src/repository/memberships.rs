//! Memberships as access is decided by them. What members see of each other is in [`super::members`].

use crate::{
    dispatch::{Batch, Operator, Slot},
    problem::Result,
    sql::{record, statements},
    time::Timestamp,
    values::{MembershipId, Name, Role, Slug, TenantId, UserId},
};

/// That the member `m` can act at all: their account `u` can be logged in to, and they have agreed to be in the tenant.
pub(super) const CAN_ACT: &str = " m.status = 'active' AND m.imported_at IS NULL AND u.disabled_at IS NULL \
     AND (u.password_hash <> '' OR EXISTS (SELECT 1 FROM identities k WHERE k.user_id = u.id))";

/// The user `?2`, who acts, is one of them, however they have logged in.
const MANAGERS: &str = "FROM memberships m JOIN users u ON u.id = m.user_id \
     WHERE m.tenant_id = ?1 AND m.role IN ('manager', 'owner') AND (m.user_id = ?2 OR (";

/// The account that a credential `c` stands for, and the active membership that it has in the tenant.
const STANDING: &str = "JOIN users u ON u.id = c.user_id AND u.disabled_at IS NULL \
     LEFT JOIN memberships m ON m.tenant_id = ?1 AND m.user_id = c.user_id AND m.status = 'active' \
     LEFT JOIN tenants t ON t.id = m.tenant_id AND t.deleted_at IS NULL ";

/// Where a rank is given, only if the role has at least this rank, and the tenant has this slug (if one is given) and
/// is not suspended.
const ENOUGH: &str = "(?3 = 0 OR (t.suspended_at IS NULL AND t.slug = COALESCE(?4, t.slug) \
     AND CASE m.role WHEN 'owner' THEN 4 WHEN 'manager' THEN 3 WHEN 'member' THEN 2 WHEN 'viewer' THEN 1 ELSE 0 END >= ?3";

statements! { "memberships";
    /// Whether a user's session is good, and what they are in the tenant. This or one of its siblings stands in front of
    /// every batch about a tenant.
    tenant CHECK = "SELECT u.name, m.role, NULL AS key_role, t.slug, t.suspended_at, NULL AS last_used_at FROM sessions c ",
        STANDING, "WHERE c.id = ?5 AND c.user_id = ?2 AND c.revoked_at IS NULL AND ", ENOUGH, "))";

    /// The same of an identity, which must still be linked to the user.
    tenant CHECK_IDENTITY = "SELECT u.name, m.role, NULL AS key_role, t.slug, t.suspended_at, NULL AS last_used_at FROM identities c ",
        STANDING, "WHERE c.id = ?5 AND c.user_id = ?2 AND ", ENOUGH, "))";

    /// The same of an API key, whose role must be high enough as well. (Of its user in a form that no index has: Postgres would
    /// take the one of their keys for as good as the one of ids.)
    tenant CHECK_KEY = "SELECT u.name, m.role, c.role AS key_role, t.slug, t.suspended_at, c.last_used_at FROM api_keys c ",
        STANDING, "WHERE c.tenant_id = ?1 AND c.id = ?5 AND c.user_id = COALESCE(?2, c.user_id) AND c.token_hash = ?6 AND c.expires_at > ?7 AND ",
        ENOUGH, " AND CASE c.role WHEN 'owner' THEN 4 WHEN 'manager' THEN 3 WHEN 'member' THEN 2 ELSE 1 END >= ?3))";

    tenant INSERT = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         VALUES (?1, ?2, ?3, ?4, 'active', ?5, ?5, 1)";

    /// Makes the user an owner of the tenant `default` if they have just claimed it.
    spanning INSERT_FOR_CLAIM = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         SELECT t.id, ?2, ?1, 'owner', 'active', ?3, ?3, 1 FROM tenants t \
         WHERE t.slug = 'default' AND t.created_by = ?1";

    /// Makes a user who has just registered a member of the tenant of this id or slug, if it is open to all and has room for one more. (Where both
    /// are given they are the same tenant's.)
    spanning INSERT_WHERE_OPEN = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         SELECT t.id, ?2, ?1, t.config ->> 'open_registration', 'active', ?3, ?3, 1 FROM tenants t \
         WHERE (t.id = ?4 OR t.slug = ?5) AND t.suspended_at IS NULL \
         AND t.config ->> 'open_registration' IN ('viewer', 'member') \
         AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = t.id AND m.user_id = ?1) \
         AND (SELECT count(*) FROM memberships n WHERE n.tenant_id = t.id) \
         < COALESCE((SELECT l.most FROM limits l WHERE l.tenant_id = t.id AND l.name = 'members'), ?6)";

    /// The same for a user who may be a member already.
    tenant INSERT_MISSING = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         VALUES (?1, ?2, ?3, ?4, 'active', ?5, ?5, 1) ON CONFLICT (tenant_id, user_id) DO NOTHING";

    /// The same, and whoever is a member already gets the role and is active.
    tenant PUT = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         VALUES (?1, ?2, ?3, ?4, 'active', ?5, ?5, 1) ON CONFLICT (tenant_id, user_id) DO UPDATE \
         SET role = excluded.role, status = 'active', imported_at = NULL, updated_at = excluded.updated_at, \
         version = memberships.version + 1";

    /// Members who could approve what another one submitted: none, one, or more.
    tenant COUNT_MANAGERS = "SELECT count(*) AS managers FROM (SELECT 1 ", MANAGERS, CAN_ACT, ")) LIMIT 2) x";

    /// A row if nobody but one could.
    tenant SINGLE_MANAGER = "SELECT 1 AS ok WHERE (SELECT count(*) FROM (SELECT 1 ", MANAGERS, CAN_ACT, ")) LIMIT 2) x) <= 1";
}

record! {
    /// What the check finds.
    pub(crate) struct Found {
        name: Name,
        role: Option<Role>,
        key_role: Option<Role>,
        slug: Option<Slug>,
        suspended_at: Option<Timestamp>,
        pub(crate) last_used_at: Option<Timestamp>,
    }
}

/// What a member is, and where.
pub(crate) struct Standing {
    pub(crate) name: Name,
    /// Theirs, or that of the API key if it is lower.
    pub(crate) role: Role,
    pub(crate) slug: Slug,
    pub(crate) suspended_at: Option<Timestamp>,
    /// When their API key was last used, if it is noted.
    pub(crate) last_used_at: Option<Timestamp>,
}

impl Found {
    /// `None` if the user is no active member.
    pub(crate) fn standing(self) -> Option<Standing> {
        let Self { name, role, key_role, slug, suspended_at, last_used_at } = self;
        let role = key_role.map_or(role, |most| role.map(|role| role.min(most)))?;
        Some(Standing { name, role, slug: slug?, suspended_at, last_used_at })
    }
}

/// Adds to a batch that a user is an active member with this role, whatever they were before.
pub(super) fn put(batch: &mut Batch<'_>, id: MembershipId, user: UserId, role: Role, now: Timestamp) {
    let _: Slot<()> = batch.add(&PUT, [id.into(), user.into(), role.into(), now.into()]);
}

/// Makes a user a member, unless they are one already.
pub(crate) async fn admit(operator: &Operator, tenant: TenantId, user: UserId, role: Role) -> Result<()> {
    let app = operator.app();
    let mut batch = operator.batch_in(tenant);
    let id = MembershipId(app.new_id()?);
    let _: Slot<()> = batch.add(&INSERT_MISSING, [id.into(), user.into(), role.into(), app.now().into()]);
    operator.run(batch).await.map(drop)
}
