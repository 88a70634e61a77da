//! Tenants that were deleted. The batch that deletes one closes it for everybody, from one moment to the next, and takes
//! as many of its rows as a batch may; where it has more, they go piece by piece in the background, and others write in
//! between. Whatever is interrupted goes on: the tenant's own row is the last, and says that it was deleted.

use super::{placeholders, tenants};
use crate::{
    dispatch::{Batch, Courier, Operator, Slot, Step, Turned},
    problem::{Code, Problem, Result},
    sql::{TenantSql, statements},
    values::{TenantId, UserId},
};

/// Rows of each table that one batch takes. With ten tables and its placeholders that are 3,300 rows at the most, a fraction of a second's work.
const PIECE: i64 = 300;

/// Deletes some of a tenant's rows.
macro_rules! piece {
    ($table:literal) => {
        piece!($table by "id")
    };
    ($table:literal by $key:literal) => {
        concat!(
            "DELETE FROM ", $table, " WHERE tenant_id = ?1 AND ", $key, " IN (SELECT x.", $key, " FROM ", $table,
            " x WHERE x.tenant_id = ?1 LIMIT ?2)"
        )
    };
}

/// That a table has none of the tenant's rows left. Children go before their parents, with which they would go all at once.
macro_rules! after {
    ($($table:literal),+) => {
        concat!($(" AND NOT EXISTS (SELECT 1 FROM ", $table, " y WHERE y.tenant_id = ?1)"),+)
    };
}

/// Deletes the tenant's own row if it is the last.
const GONE: &str = concat!(
    "DELETE FROM tenants WHERE id = ?1 AND deleted_at IS NOT NULL",
    after!("projects", "deliveries", "invitations", "activity", "memberships"),
    " AND NOT EXISTS (SELECT 1 FROM users p WHERE p.imported_into = ?1) RETURNING id"
);

statements! { "removal";
    /// Closes it: whoever looks finds no tenant of this id or slug. The tenant `default` stays, which requests mean that
    /// name none.
    tenant MARK = "UPDATE tenants SET deleted_at = ?2, suspended_at = COALESCE(suspended_at, ?2), version = version + 1 \
         WHERE id = ?1 AND slug <> 'default' AND deleted_at IS NULL";

    tenant COMMENTS = piece!("comments");
    tenant TASKS = piece!("tasks"), after!("comments");
    tenant PROJECTS = piece!("projects"), after!("comments", "tasks");
    tenant NOTIFICATIONS = piece!("notifications");
    tenant DELIVERIES = piece!("deliveries");
    tenant INVITATIONS = piece!("invitations");
    tenant ACTIVITY = piece!("activity");
    tenant API_KEYS = piece!("api_keys");
    tenant ANSWERS = piece!("idempotency_keys" by "key_hash");
    /// A few.
    tenant LIMITS = "DELETE FROM limits WHERE tenant_id = ?1";
    tenant MEMBERSHIPS = piece!("memberships"), after!("tasks", "notifications", "api_keys", "idempotency_keys");

    /// Deletes the tenant's own row, if nothing else is left of it, in the batch that deletes it.
    tenant ONLY = GONE;

    /// The same, in the background.
    tenant LAST = GONE;

    /// Whether something is left of it: others may have removed the last of it.
    tenant THERE = "SELECT 1 AS there FROM tenants WHERE id = ?1 AND deleted_at IS NOT NULL";

    /// Those of which something is left, behind a tenant. Asked every few seconds, so it goes by an index that has no others.
    spanning LEFT = "SELECT id FROM tenants WHERE deleted_at IS NOT NULL AND id > ?2 ORDER BY id LIMIT ?1";
}

/// A tenant's tables, children before their parents. Imports of the same id are the business of those who bring them.
const PIECES: [TenantSql; 10] = [
    COMMENTS,
    TASKS,
    PROJECTS,
    NOTIFICATIONS,
    DELIVERIES,
    INVITATIONS,
    ACTIVITY,
    API_KEYS,
    ANSWERS,
    MEMBERSHIPS,
];

/// Adds to a batch that the tenant is deleted, by a user or the operator. Its slug stands in links, in bookmarks and in what
/// clients are configured with, so it is nobody else's for a time. A row comes if nothing is left of the tenant.
pub(super) fn begin(batch: &mut Batch<'_>, tenant: TenantId, user: Option<UserId>) -> Slot<TenantId> {
    let now = batch.app().now();
    let _: Slot<TenantId> = batch.require(&tenants::NOT_DEFAULT, [], Problem::new(Code::DefaultTenant));
    let _: Slot<()> = batch.require(&MARK, [now.into()], Problem::new(Code::Conflict));
    let _: Slot<()> = batch.add(&tenants::RELEASE_SLUG, [user.into(), now.into()]);
    pieces(batch, tenant);
    batch.add(&ONLY, [])
}

/// Adds to a batch that a piece of a deleted tenant goes. A row comes if something is left.
fn piece(batch: &mut Batch<'_>, tenant: TenantId) -> Slot<i64> {
    pieces(batch, tenant);
    let _: Slot<TenantId> = batch.add(&LAST, []);
    batch.add(&THERE, [])
}

fn pieces(batch: &mut Batch<'_>, tenant: TenantId) {
    for rows in &PIECES {
        let _: Slot<()> = batch.add(rows, [PIECE.into()]);
    }
    placeholders::forget(batch, tenant, PIECE);
    let _: Slot<()> = batch.add(&LIMITS, []);
}

/// Takes pieces of deleted tenants, in so many batches at the most.
pub(crate) async fn run(courier: &Courier<'_>, batches: u32) -> Result<Turned> {
    let step = |tenant| async move {
        let mut batch = courier.batch(Some(tenant));
        let left = piece(&mut batch, tenant);
        let left = courier.run(batch).await?.optional(left)?.is_some();
        Ok(if left { Step::Some(1) } else { Step::Last(1) })
    };
    courier.app().turns.removal.round(courier, Some(&LEFT), batches, step).await
}

impl Operator {
    /// Deletes a tenant, and waits until nothing is left of it.
    pub(super) async fn remove(&self, tenant: TenantId) -> Result<()> {
        let mut batch = self.batch_in(tenant);
        let last = begin(&mut batch, tenant, None);
        let mut gone = self.run(batch).await?.optional(last)?.is_some();
        while !gone {
            let mut batch = self.batch_in(tenant);
            let left = piece(&mut batch, tenant);
            gone = self.run(batch).await?.optional(left)?.is_none();
        }
        Ok(())
    }
}
