//! Memberships as the basis of access. Members' view of each other is in [`crate::repository::members`].

use crate::{
    access::{
        batch::{Batch, Slot},
        scopes::operator::OperatorScope,
    },
    http::problem::Result,
    kernel::{
        sql::statements,
        time::Timestamp,
        values::{MembershipId, TenantId, UserId, enumerations::Role},
    },
};

/// The member `m` can act: the account `u` can be logged in to, and the member has agreed to join.
pub(super) const CAN_ACT: &str = " m.status = 'active' AND m.imported_at IS NULL AND u.disabled_at IS NULL \
     AND (u.password_hash <> '' OR EXISTS (SELECT 1 FROM identities k WHERE k.user_id = u.id))";

/// The acting user `?2` is one of them, whatever their credential.
const MANAGERS: &str = "FROM memberships m JOIN users u ON u.id = m.user_id \
     WHERE m.tenant_id = ?1 AND m.role IN ('manager', 'owner') AND (m.user_id = ?2 OR (";

statements! { "memberships";
    tenant INSERT = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         VALUES (?1, ?2, ?3, ?4, 'active', ?5, ?5, 1)";

    /// Makes the user an owner of the tenant `default` if they have just claimed it.
    spanning INSERT_FOR_CLAIM = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         SELECT t.id, ?2, ?1, 'owner', 'active', ?3, ?3, 1 FROM tenants t \
         WHERE t.slug = 'default' AND t.created_by = ?1";

    /// Makes a newly registered user a member of the tenant of this id or slug, if it is open to everybody and has room
    /// for one more. (If both are given they name the same tenant.)
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

    /// The same, but an existing member gets the role and is active.
    tenant PUT = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         VALUES (?1, ?2, ?3, ?4, 'active', ?5, ?5, 1) ON CONFLICT (tenant_id, user_id) DO UPDATE \
         SET role = excluded.role, status = 'active', imported_at = NULL, updated_at = excluded.updated_at, \
         version = memberships.version + 1";

    /// Members who could approve a project that another one submitted: none, one, or more.
    tenant COUNT_MANAGERS = "SELECT count(*) AS managers FROM (SELECT 1 ", MANAGERS, CAN_ACT, ")) LIMIT 2) x";

    /// A row if at most one member could.
    tenant SINGLE_MANAGER = "SELECT 1 AS ok WHERE (SELECT count(*) FROM (SELECT 1 ", MANAGERS, CAN_ACT, ")) LIMIT 2) x) <= 1";
}

/// Adds to a batch that a user is an active member with this role, whatever their membership was before.
pub(super) fn put(batch: &mut Batch<'_>, id: MembershipId, user: UserId, role: Role, now: Timestamp) {
    let _: Slot<()> = batch.add(&PUT, [id.into(), user.into(), role.into(), now.into()]);
}

/// Makes a user a member, unless they are one already.
pub(crate) async fn admit(
    operator: &OperatorScope,
    tenant: TenantId,
    user: UserId,
    role: Role,
) -> Result<()> {
    let services = operator.services();
    let mut batch = operator.batch_in(tenant);
    let id = MembershipId(services.new_id()?);
    let _: Slot<()> =
        batch.add(&INSERT_MISSING, [id.into(), user.into(), role.into(), services.now().into()]);
    operator.run(batch).await.map(drop)
}
