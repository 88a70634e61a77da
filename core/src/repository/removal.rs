//! Deleted tenants. The batch that deletes a tenant closes it for everybody at once, and removes as many of its rows as
//! a batch may; further rows are removed in pieces in the background, and others write in between. An interrupted
//! removal continues: the tenant's own row is the last, and says that it was deleted.

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

/// Rows of each table that one batch removes: with all tables and placeholders at most 3,300, a fraction of a second's
/// work.
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

/// A table has none of the tenant's rows left. Children go before their parents, with which they would go all at once.
macro_rules! after {
    ($($table:literal),+) => {
        concat!($(" AND NOT EXISTS (SELECT 1 FROM ", $table, " y WHERE y.tenant_id = ?1)"),+)
    };
}

/// Nothing is left of a deleted tenant but its own row.
macro_rules! empty {
    () => {
        concat!(
            "id = ?1 AND deleted_at IS NOT NULL",
            after!("projects", "deliveries", "invitations", "activity", "memberships"),
            " AND NOT EXISTS (SELECT 1 FROM users p WHERE p.imported_into = ?1)"
        )
    };
}

/// A tenant that an import is making looks like a deleted one, and becomes one if the import ends without it.
const NOT_ARRIVING: &str =
    "NOT EXISTS (SELECT 1 FROM imports i WHERE i.tenant_id = tenants.id AND i.placed >= 0)";

/// Deletes the tenant's own row if it is the last.
const GONE: &str = concat!("DELETE FROM tenants WHERE slug <> 'default' AND ", empty!(), " RETURNING id");

statements! { "removal";
    /// Closes it: no tenant of this id or slug is found any more. The tenant `default` stays, because requests without
    /// a tenant header use it.
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
    /// There are only a few.
    tenant LIMITS = "DELETE FROM limits WHERE tenant_id = ?1";
    tenant SIZE = "DELETE FROM sizes WHERE tenant_id = ?1";
    tenant MEMBERSHIPS = piece!("memberships"), after!("tasks", "notifications", "api_keys", "idempotency_keys");

    /// Deletes the tenant's own row, if nothing else is left, in the batch that deletes the tenant.
    tenant ONLY = GONE;

    /// The same, in the background.
    tenant LAST = GONE;

    /// The tenant `default` always exists: after an import of it was aborted, it becomes that of a new database.
    tenant RENEW = "UPDATE tenants SET deleted_at = NULL, suspended_at = NULL, created_by = NULL, name = 'Default', config = '{}', version = version + 1 \
         WHERE slug = 'default' AND ", empty!();

    /// Locks it, so that nothing is removed of a tenant that is not deleted: a queued tenant may be gone by now, and
    /// imported again.
    tenant CLOSED = "UPDATE tenants SET deleted_at = deleted_at WHERE id = ?1 AND deleted_at IS NOT NULL AND ", NOT_ARRIVING;

    /// A row if something is left: other processes may have removed the last of it.
    tenant THERE = "SELECT 1 AS there FROM tenants WHERE id = ?1 AND deleted_at IS NOT NULL";

    /// The tenants with rows left, behind a tenant. It runs every few seconds, so it uses an index of only these.
    spanning LEFT = "SELECT id FROM tenants WHERE deleted_at IS NOT NULL AND id > ?2 AND ", NOT_ARRIVING, " ORDER BY id LIMIT ?1";
}

/// A tenant's tables, children before their parents. Imports of the same id are left to their owners.
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

/// Adds to a batch that the tenant is deleted, by a user or the operator. Its slug is in links, bookmarks and the
/// configuration of clients, so nobody else may have it for a time. Returns a row if nothing is left of the tenant.
pub(super) fn begin(batch: &mut Batch<'_>, tenant: TenantId, user: Option<UserId>) -> Slot<TenantId> {
    let now = batch.services().now();
    let _: Slot<TenantId> = batch.require(&tenants::NOT_DEFAULT, [], Problem::new(Code::DefaultTenant));
    let _: Slot<()> = batch.require(&MARK, [now.into()], Problem::new(Code::Conflict));
    let _: Slot<()> = batch.add(&tenants::RELEASE_SLUG, [user.into(), now.into()]);
    pieces(batch, tenant);
    batch.add(&ONLY, [])
}

/// Adds to a batch that a piece of a deleted tenant goes. Returns a row if something is left; fails if there was
/// nothing.
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

/// Removes pieces of deleted tenants, in at most `batches` batches.
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

    /// Removes the rest of a tenant, if it was deleted.
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
