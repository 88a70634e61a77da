//! Rows that are kept for a time and then dropped: of tenants, settled deliveries, read notifications and released
//! slugs; and abandoned imports.

use std::time::Duration;

use crate::{
    access::{scopes::background::BackgroundScope, turns::Turned},
    http::problem::Result,
    kernel::{
        limits,
        sql::{GlobalSql, statements},
    },
    repository::{resets, stored_answers, transfer},
};

/// Rows that are dropped in one transaction: a few years of them at once would make others wait.
const AT_ONCE: u32 = 1_000;

statements! { "retention";
    /// Drops deliveries that were sent or given up before `?1`, oldest first and at most `?2`.
    spanning DELIVERIES = "DELETE FROM deliveries WHERE (tenant_id, id) IN (SELECT d.tenant_id, d.id FROM deliveries d \
         WHERE d.state <> 'pending' AND d.next_attempt_at <= ?1 ORDER BY d.next_attempt_at LIMIT ?2) RETURNING 1 AS dropped";

    /// Drops notifications that were read before `?1`, oldest first and at most `?2`. Deliveries of the same notice do
    /// not depend on them.
    spanning NOTIFICATIONS = "DELETE FROM notifications WHERE (tenant_id, id) IN (SELECT n.tenant_id, n.id \
         FROM notifications n WHERE n.read_at <= ?1 ORDER BY n.read_at LIMIT ?2) RETURNING 1 AS dropped";

    /// Drops slugs that anybody may use again, oldest first and at most `?2`.
    global SLUGS = "DELETE FROM released_slugs WHERE slug IN (SELECT r.slug FROM released_slugs r \
         WHERE r.released_at <= ?1 ORDER BY r.released_at LIMIT ?2) RETURNING 1 AS dropped";
}

/// Drops some rows that have been kept long enough. A failure does not keep others from being dropped.
pub(crate) async fn prune(scope: &BackgroundScope<'_>) -> Turned {
    let config = &scope.services().config;
    let answers = Duration::from_hours(limits::IDEMPOTENCY_HOURS);
    let imports = Duration::from_hours(limits::IMPORT_HOURS);
    let all = [
        (&transfer::giving_up::FORGET, imports, AT_ONCE),
        (&transfer::giving_up::ROWS, imports, AT_ONCE),
        // A few imports may be many rows: there may be more as long as there were any.
        (&transfer::giving_up::IMPORTS, imports, 1),
        (&stored_answers::PRUNE, answers, AT_ONCE),
        (&stored_answers::PRUNE_OF_ACCOUNTS, answers, AT_ONCE),
        (&resets::PRUNE, Duration::ZERO, AT_ONCE),
        (&DELIVERIES, config.outbox_retention, AT_ONCE),
        (&NOTIFICATIONS, config.notification_retention, AT_ONCE),
        (&SLUGS, Duration::from_hours(24 * limits::SLUG_DAYS), AT_ONCE),
    ];
    let mut turned = Turned::default();
    for (sql, kept, many) in all {
        match drop_some(scope, sql, kept).await {
            Ok(dropped) => {
                turned.rows += dropped;
                turned.more |= dropped >= many;
            }
            Err(problem) => turned.failed = turned.failed.or(Some(problem)),
        }
    }
    turned
}

async fn drop_some(scope: &BackgroundScope<'_>, sql: &GlobalSql, kept: Duration) -> Result<u32> {
    let before = scope.services().now().minus(kept);
    let mut batch = scope.batch(None);
    let dropped = batch.add_global::<i64, _>(sql, [before.into(), i64::from(AT_ONCE).into()]);
    let dropped = scope.run(batch).await?.all(dropped)?.len();
    Ok(u32::try_from(dropped).unwrap_or(u32::MAX))
}
