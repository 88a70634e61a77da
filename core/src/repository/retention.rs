//! What of tenants is kept for a time after it was done with: deliveries that were settled, notifications that were read,
//! slugs that were given up.

use std::time::Duration;

use crate::{
    dispatch::Courier,
    limits,
    problem::Result,
    repository::{idempotency, resets},
    sql::{GlobalSql, statements},
};

/// Rows that are dropped in one transaction: a few years of them at once would keep others waiting.
const AT_ONCE: usize = 1_000;

statements! { "retention";
    /// Drops deliveries that were sent or given up before the time that is given, oldest first and so many at the most.
    spanning DELIVERIES = "DELETE FROM deliveries WHERE (tenant_id, id) IN (SELECT d.tenant_id, d.id FROM deliveries d \
         WHERE d.state <> 'pending' AND d.next_attempt_at <= ?1 ORDER BY d.next_attempt_at LIMIT ?2) RETURNING 1 AS dropped";

    /// Drops notifications that were read before the time that is given, oldest first and so many at the most. Deliveries
    /// that tell of the same stand for themselves.
    spanning NOTIFICATIONS = "DELETE FROM notifications WHERE (tenant_id, id) IN (SELECT n.tenant_id, n.id \
         FROM notifications n WHERE n.read_at <= ?1 ORDER BY n.read_at LIMIT ?2) RETURNING 1 AS dropped";

    /// Drops slugs that anybody may have again, oldest first and so many at the most.
    global SLUGS = "DELETE FROM released_slugs WHERE slug IN (SELECT r.slug FROM released_slugs r \
         WHERE r.released_at <= ?1 ORDER BY r.released_at LIMIT ?2) RETURNING 1 AS dropped";
}

/// Drops what was done with long enough ago: some of it. Returns whether there may be more.
pub(crate) async fn prune(courier: &Courier<'_>) -> Result<bool> {
    let config = &courier.app().config;
    let answers = Duration::from_hours(limits::IDEMPOTENCY_HOURS);
    let of_tenants = drop_some(courier, &idempotency::PRUNE, answers).await?;
    let of_accounts = drop_some(courier, &idempotency::PRUNE_OF_ACCOUNTS, answers).await?;
    let resets = drop_some(courier, &resets::PRUNE, Duration::ZERO).await?;
    let deliveries = drop_some(courier, &DELIVERIES, config.outbox_retention).await?;
    let notifications = drop_some(courier, &NOTIFICATIONS, config.notification_retention).await?;
    let slugs = drop_some(courier, &SLUGS, Duration::from_hours(24 * limits::SLUG_DAYS)).await?;
    Ok([of_tenants, of_accounts, resets, deliveries, notifications, slugs].contains(&true))
}

async fn drop_some(courier: &Courier<'_>, sql: &GlobalSql, kept: Duration) -> Result<bool> {
    let before = courier.app().now().minus(kept);
    let mut batch = courier.batch(None);
    let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    let dropped = batch.add_global::<i64, _>(sql, [before.into(), most.into()]);
    Ok(courier.run(batch).await?.all(dropped)?.len() >= AT_ONCE)
}
