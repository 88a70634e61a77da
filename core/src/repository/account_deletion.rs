//! Deletion of the caller's account: its memberships end as if it had left each tenant, and nothing leads to it any
//! more. The row of the account stays, because other rows name it, like that of a placeholder without a tenant: with a
//! name, and without address and password.

use std::future::Future;

use crate::{
    access::{batch::Slot, scopes::account::AccountScope},
    http::problem::{Code, Problem, Result},
    kernel::{sql::statements, values::Slug},
    repository::{activity, memberships, users},
};

/// The number of tenants that a refusal names.
const NAMED: usize = 20;

/// The tenants of which the user `?1` is the only owner who can act. A deleted tenant needs none.
const ONLY_OWNED: &str = "FROM memberships o JOIN tenants t ON t.id = o.tenant_id AND t.deleted_at IS NULL \
     WHERE o.user_id = ?1 AND o.role = 'owner' AND o.status = 'active' \
     AND NOT EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id \
     WHERE m.tenant_id = o.tenant_id AND m.role = 'owner' AND m.user_id <> ?1 AND";

/// The tenants of the user `?1`. The rows of a deleted tenant go with it; one that is being imported looks like it.
const THEIRS: &str = "(SELECT m.tenant_id FROM memberships m JOIN tenants t ON t.id = m.tenant_id AND t.deleted_at IS NULL \
     WHERE m.user_id = ?1)";

statements! { "account_deletion";
    /// A row if each tenant that the user owns keeps an owner who can act.
    spanning OWNERS_STAY = "SELECT 1 AS ok WHERE NOT EXISTS (SELECT 1 ", ONLY_OWNED, memberships::CAN_ACT, "))";

    /// The slugs of the others.
    spanning LAST_OWNED = "SELECT t.slug ", ONLY_OWNED, memberships::CAN_ACT, ") ORDER BY t.slug LIMIT ?2";

    spanning UNASSIGN = "UPDATE tasks SET assignee_id = NULL, updated_at = ?2, version = version + 1 \
         WHERE assignee_id = ?1 AND tenant_id IN ", THEIRS;

    spanning REVOKE_OF_INVITER = "UPDATE invitations SET revoked_at = ?2 \
         WHERE invited_by = ?1 AND accepted_at IS NULL AND revoked_at IS NULL AND tenant_id IN ", THEIRS;

    spanning REVOKE_OF_ADDRESS = "UPDATE invitations SET revoked_at = ?2 \
         WHERE email = (SELECT u.email FROM users u WHERE u.id = ?1) AND accepted_at IS NULL AND revoked_at IS NULL \
         AND tenant_id IN ", THEIRS;

    /// API keys, notifications and stored answers go with them.
    spanning MEMBERSHIPS = "DELETE FROM memberships WHERE user_id = ?1 \
         AND EXISTS (SELECT 1 FROM tenants t WHERE t.id = memberships.tenant_id AND t.deleted_at IS NULL)";

    global SESSIONS = "DELETE FROM sessions WHERE user_id = ?1";

    global IDENTITIES = "DELETE FROM identities WHERE user_id = ?1";

    /// The row stays until it expires: no other mail goes to the address so soon after this one.
    global RESETS = "UPDATE password_resets SET next_attempt_at = NULL, claim = NULL WHERE user_id = ?1";

    global ANSWERS = "DELETE FROM account_idempotency_keys WHERE user_id = ?1";

    /// Keeps the name.
    global ACCOUNT = "UPDATE users SET email = ?2, password_hash = '', disabled_at = ?3, updated_at = ?3, \
         imported_into = '00000000-0000-0000-0000-000000000000', version = version + 1 WHERE id = ?1";
}

/// Deletion of the caller's account.
pub(crate) trait Deletion {
    /// Deletes it, unless a tenant would be left without an owner.
    fn delete(&self) -> impl Future<Output = Result<()>> + Send;
}

impl Deletion for AccountScope {
    async fn delete(&self) -> Result<()> {
        let (user, now) = (self.user(), self.services().now());
        let mut batch = self.batch();
        self.require_match(&mut batch, &users::UNCHANGED, user.0);
        let _: Slot<i64> = batch.require_global(&OWNERS_STAY, [user.into()], Problem::new(Code::LastOwner));
        activity::record_departure(&mut batch, user)?;
        for sql in [&UNASSIGN, &REVOKE_OF_INVITER, &REVOKE_OF_ADDRESS] {
            let _: Slot<()> = batch.add_global(sql, [user.into(), now.into()]);
        }
        for sql in [&MEMBERSHIPS, &SESSIONS, &IDENTITIES, &RESETS, &ANSWERS] {
            let _: Slot<()> = batch.add_global(sql, [user.into()]);
        }
        let nobodys = users::unclaimed(&user.to_string());
        let _: Slot<()> = batch.add_global(&ACCOUNT, [user.into(), nobodys.into(), now.into()]);
        match self.commit(batch).await {
            Err(problem) if problem.code == Code::LastOwner => Err(last_owner(self).await?),
            done => done.map(drop),
        }
    }
}

/// The refusal, with the tenants' slugs.
async fn last_owner(account: &AccountScope) -> Result<Box<Problem>> {
    let mut batch = account.batch();
    let most = i64::try_from(NAMED + 1).unwrap_or_default();
    let owned = batch.add_global::<Slug, _>(&LAST_OWNED, [account.user().into(), most.into()]);
    let owned = account.run(batch).await?.all(owned)?;
    let slugs: Vec<_> = owned.iter().take(NAMED).map(Slug::as_str).collect();
    // Another owner may have been added meanwhile.
    if slugs.is_empty() {
        return Ok(Problem::new(Code::LastOwner));
    }
    let others = if owned.len() > NAMED { " and others" } else { "" };
    let detail = format!(
        "You are the last owner of {}{others}. Make another member an owner there first, or delete the tenant. (The tenant \
         `default` cannot be deleted; the operator can help with one that is suspended.)",
        slugs.join(", ")
    );
    Ok(Problem::with(Code::LastOwner, detail))
}
