//! Tenants that were deleted. The batch that deletes one closes it for everybody, from one moment to the next, and takes
//! as many of its rows as a batch may; where it has more, they go piece by piece in the background, and others write in
//! between. Whatever is interrupted goes on: the tenant's own row is the last, and says that it was deleted.

use crate::{
    access::{
        batch::{Batch, Outcome, Slot},
        scopes::{background::BackgroundScope, operator::OperatorScope},
        turns::{Step, Turned},
    },
    http::problem::{Code, Problem, Result},
    kernel::{
        sql::{TenantSql, statements},
        values::{TenantId, UserId},
    },
    repository::{placeholders, tenants},
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

/// That nothing is left of a deleted tenant but its own row.
macro_rules! empty {
    () => {
        concat!(
            "id = ?1 AND deleted_at IS NOT NULL",
            after!("projects", "deliveries", "invitations", "activity", "memberships"),
            " AND NOT EXISTS (SELECT 1 FROM users p WHERE p.imported_into = ?1)"
        )
    };
}

/// A tenant that an import is making looks like one that was deleted, and becomes one if the import ends without it.
const NOT_ARRIVING: &str =
    "NOT EXISTS (SELECT 1 FROM imports i WHERE i.tenant_id = tenants.id AND i.placed >= 0)";

/// Deletes the tenant's own row if it is the last.
const GONE: &str = concat!("DELETE FROM tenants WHERE slug <> 'default' AND ", empty!(), " RETURNING id");

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
    tenant SIZE = "DELETE FROM sizes WHERE tenant_id = ?1";
    tenant MEMBERSHIPS = piece!("memberships"), after!("tasks", "notifications", "api_keys", "idempotency_keys");

    /// Deletes the tenant's own row, if nothing else is left of it, in the batch that deletes it.
    tenant ONLY = GONE;

    /// The same, in the background.
    tenant LAST = GONE;

    /// The tenant `default` is there always: of one whose import was given up the next is that of a new database.
    tenant RENEW = "UPDATE tenants SET deleted_at = NULL, suspended_at = NULL, created_by = NULL, name = 'Default', config = '{}', version = version + 1 \
         WHERE slug = 'default' AND ", empty!();

    /// Locks it, so that nobody removes anything of a tenant that is none of these: that of a queue may be gone by now, and
    /// brought in again.
    tenant CLOSED = "UPDATE tenants SET deleted_at = deleted_at WHERE id = ?1 AND deleted_at IS NOT NULL AND ", NOT_ARRIVING;

    /// Whether something is left of it: others may have removed the last of it.
    tenant THERE = "SELECT 1 AS there FROM tenants WHERE id = ?1 AND deleted_at IS NOT NULL";

    /// Those of which something is left, behind a tenant. Asked every few seconds, so it goes by an index that has no others.
    spanning LEFT = "SELECT id FROM tenants WHERE deleted_at IS NOT NULL AND id > ?2 AND ", NOT_ARRIVING, " ORDER BY id LIMIT ?1";
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
    let now = batch.services().now();
    let _: Slot<TenantId> = batch.require(&tenants::NOT_DEFAULT, [], Problem::new(Code::DefaultTenant));
    let _: Slot<()> = batch.require(&MARK, [now.into()], Problem::new(Code::Conflict));
    let _: Slot<()> = batch.add(&tenants::RELEASE_SLUG, [user.into(), now.into()]);
    pieces(batch, tenant);
    batch.add(&ONLY, [])
}

/// Adds to a batch that a piece of a deleted tenant goes. A row comes if something is left; it fails if there was nothing.
fn piece(batch: &mut Batch<'_>, tenant: TenantId) -> Slot<i64> {
    let _: Slot<()> = batch.require(&CLOSED, [], Problem::new(Code::NotFound));
    pieces(batch, tenant);
    let _: Slot<()> = batch.add(&RENEW, []);
    let _: Slot<TenantId> = batch.add(&LAST, []);
    batch.add(&THERE, [])
}

/// Whether something is left after a piece.
fn is_left(done: Result<Outcome>, left: Slot<i64>) -> Result<bool> {
    match done {
        Err(problem) if problem.code == Code::NotFound => Ok(false),
        done => Ok(done?.optional(left)?.is_some()),
    }
}

fn pieces(batch: &mut Batch<'_>, tenant: TenantId) {
    for rows in &PIECES {
        let _: Slot<()> = batch.add(rows, [PIECE.into()]);
    }
    placeholders::forget(batch, tenant, PIECE);
    let _: Slot<()> = batch.add(&LIMITS, []);
    let _: Slot<()> = batch.add(&SIZE, []);
}

/// Takes pieces of deleted tenants, in so many batches at the most.
pub(crate) async fn run(scope: &BackgroundScope<'_>, batches: u32) -> Result<Turned> {
    let step = |tenant| async move {
        let mut batch = scope.batch(Some(tenant));
        let left = piece(&mut batch, tenant);
        let left = is_left(scope.run(batch).await, left)?;
        Ok(if left { Step::Some(1) } else { Step::Last(1) })
    };
    scope.services().turns.removal.round(scope, Some(&LEFT), batches, step).await
}

impl OperatorScope {
    /// Deletes a tenant, and waits until nothing is left of it.
    pub(super) async fn remove(&self, tenant: TenantId) -> Result<()> {
        let mut batch = self.batch_in(tenant);
        let last = begin(&mut batch, tenant, None);
        if self.run(batch).await?.optional(last)?.is_none() {
            self.sweep(tenant).await?;
        }
        Ok(())
    }

    /// Removes all that is left of a tenant that was deleted, if it is one.
    pub(super) async fn sweep(&self, tenant: TenantId) -> Result<()> {
        loop {
            let mut batch = self.batch_in(tenant);
            let left = piece(&mut batch, tenant);
            if !is_left(self.run(batch).await, left)? {
                return Ok(());
            }
        }
    }
}
