//! When something was last changed: what a request changes says so, and nothing beside it.

use bailiwick_core::routes::ROUTES;
use bailiwick_tests::{actors::Tenant, targets::Target};
use reqwest::Method;

use super::matrix::samples::{ask, route, sample};
use crate::Case;

/// Routes, and the table that has what they change.
const CHANGES: [(&str, &str); 14] = [
    ("comments::update", "comments"),
    ("me::change_password", "users"),
    ("me::delete", "users"),
    ("me::update", "users"),
    ("members::update", "memberships"),
    ("notifications::set_preferences", "memberships"),
    ("projects::transition", "projects"),
    ("projects::update", "projects"),
    ("tasks::update", "tasks"),
    ("tenants::configure", "tenants"),
    ("tenants::update", "tenants"),
    // Who is gone has no tasks any more.
    ("me::delete", "tasks"),
    ("members::leave", "tasks"),
    ("members::remove", "tasks"),
];

const LONG_AGO: &str = "'2026-01-01T00:00:00.000Z'";

pub(crate) fn cases() -> Vec<Case> {
    let patches = ROUTES.iter().filter(|route| route.method == Method::PATCH);
    for patch in patches {
        assert!(CHANGES.iter().any(|(name, _)| *name == patch.name), "{} changes what?", patch.name);
    }
    CHANGES
        .into_iter()
        .map(|(name, table)| {
            Case::new(format!("freshness::{name}::{table}"), move |target| is_dated_anew(target, name, table))
        })
        .collect()
}

async fn is_dated_anew(target: &'static Target, name: &'static str, table: &'static str) {
    let tenant = Tenant::create(target).await;
    let user = &tenant.owner;
    let wanted = sample(route(name), &tenant, user).await;
    if table == "tasks" && name.starts_with("me") {
        let project = tenant.project("in_progress", None).await;
        tenant.task(&project, "todo").await;
        let theirs = tenant.task(&project, "todo").await;
        let whose = wanted.ids.first().unwrap_or(&user.id);
        let sql = format!(
            "UPDATE tasks SET assignee_id = '{whose}' WHERE tenant_id = '{}' AND id = '{theirs}'",
            tenant.id
        );
        target.backdoor.sql(&sql).await;
    }
    let rows = match table {
        "users" => format!("id = '{}'", user.id),
        "tenants" => format!("id = '{}'", tenant.id),
        _ => format!("tenant_id = '{}'", tenant.id),
    };
    target.backdoor.sql(&format!("UPDATE {table} SET updated_at = {LONG_AGO} WHERE {rows}")).await;
    let done = ask(&wanted, user, &tenant).send().await;
    assert_eq!(done.status, wanted.success, "{done:?}");
    let fresh = format!("SELECT count(*) FROM {table} WHERE {rows} AND updated_at <> {LONG_AGO}");
    assert_eq!(target.backdoor.count(&fresh).await, 1, "{name}");
}
