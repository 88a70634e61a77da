//! The access check: the statements that a scope puts in front of its batch, and the rows that they find.

use std::time::Duration;

use crate::kernel::{
    sql::{rows::record, statements},
    time::Timestamp,
    values::{
        Name, Slug,
        enumerations::{Role, rank},
    },
};

/// The precision with which a key's last use is noted: each note costs a write.
pub(crate) const USE_IS_NOTED_EVERY: Duration = Duration::from_mins(1);

/// The account that a credential `c` stands for, and the active membership that it has in the tenant.
const STANDING: &str = "JOIN users u ON u.id = c.user_id AND u.disabled_at IS NULL \
     LEFT JOIN memberships m ON m.tenant_id = ?1 AND m.user_id = c.user_id AND m.status = 'active' \
     LEFT JOIN tenants t ON t.id = m.tenant_id AND t.deleted_at IS NULL ";

/// Where a rank is given, only if the role has at least this rank, and the tenant has this slug (if one is given) and
/// is not suspended.
const ENOUGH: &str = concat!(
    "(?3 = 0 OR (t.suspended_at IS NULL AND t.slug = COALESCE(?4, t.slug) AND ",
    rank!(of_membership "m.role"),
    " >= ?3"
);

statements! { "checks";
    /// Whether a user's session is valid, and the user's role in the tenant. This or one of its siblings stands in
    /// front of every batch about a tenant.
    tenant MEMBER_BY_SESSION = "SELECT u.name, m.role, NULL AS key_role, t.slug, t.suspended_at, NULL AS last_used_at FROM sessions c ",
        STANDING, "WHERE c.id = ?5 AND c.user_id = ?2 AND c.revoked_at IS NULL AND ", ENOUGH, "))";

    /// The same for an identity, which must still be linked to the user.
    tenant MEMBER_BY_IDENTITY = "SELECT u.name, m.role, NULL AS key_role, t.slug, t.suspended_at, NULL AS last_used_at FROM identities c ",
        STANDING, "WHERE c.id = ?5 AND c.user_id = ?2 AND ", ENOUGH, "))";

    /// The same for an API key, whose role must be high enough as well. (The user is compared in a form that no index
    /// has: Postgres would take the index of a user's keys for as good as the one of ids.)
    tenant MEMBER_BY_API_KEY = "SELECT u.name, m.role, c.role AS key_role, t.slug, t.suspended_at, c.last_used_at FROM api_keys c ",
        STANDING, "WHERE c.tenant_id = ?1 AND c.id = ?5 AND c.user_id = COALESCE(?2, c.user_id) AND c.token_hash = ?6 AND c.expires_at > ?7 AND ",
        ENOUGH, " AND ", rank!(of_api_key "c.role"), " >= ?3))";

    /// A row if the session is valid and its account may be used. It stands in front of every batch about an account.
    global ACCOUNT_BY_SESSION = "SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id \
         WHERE s.id = ?1 AND s.user_id = ?2 AND s.revoked_at IS NULL AND u.disabled_at IS NULL";

    /// A row if the identity is linked to the account, and the account may be used. It stands in front of every batch
    /// about an account.
    global ACCOUNT_BY_IDENTITY = "SELECT i.id FROM identities i JOIN users u ON u.id = i.user_id \
         WHERE i.id = ?1 AND i.user_id = ?2 AND u.disabled_at IS NULL";

    /// The tenant, regardless of the caller.
    tenant TENANT = "SELECT slug, suspended_at FROM tenants WHERE id = ?1 AND deleted_at IS NULL";

    spanning TENANT_BY_SLUG = "SELECT id FROM tenants WHERE slug = ?1 AND deleted_at IS NULL";

    tenant TOUCH_API_KEY = "UPDATE api_keys SET last_used_at = ?3 WHERE tenant_id = ?1 AND id = ?2";
}

record! {
    /// The row that the check finds.
    pub(crate) struct Found {
        name: Name,
        role: Option<Role>,
        key_role: Option<Role>,
        slug: Option<Slug>,
        suspended_at: Option<Timestamp>,
        pub(crate) last_used_at: Option<Timestamp>,
    }
}

/// A caller's membership in a tenant.
pub(crate) struct Membership {
    pub(crate) name: Name,
    /// The member's role, or the role of the API key if that is lower.
    pub(crate) role: Role,
    pub(crate) slug: Slug,
    pub(crate) suspended_at: Option<Timestamp>,
    /// When their API key was last used, if it is noted.
    pub(crate) last_used_at: Option<Timestamp>,
}

impl Found {
    /// `None` if the user is not an active member.
    pub(crate) fn membership(self) -> Option<Membership> {
        let Self { name, role, key_role, slug, suspended_at, last_used_at } = self;
        let role = key_role.map_or(role, |most| role.map(|role| role.min(most)))?;
        Some(Membership { name, role, slug: slug?, suspended_at, last_used_at })
    }
}

record! {
    /// The facts about a tenant that anybody may know.
    pub(crate) struct Presence {
        pub(crate) slug: Slug,
        pub(crate) suspended_at: Option<Timestamp>,
    }
}
