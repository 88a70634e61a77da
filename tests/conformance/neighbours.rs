//! What is changed or deleted has neighbours that are like it in all but their id, and they stay as they are.

use bailiwick_core::routes::ROUTES;
use bailiwick_tests::{
    actors::{Tenant, new_id},
    backdoor::Backdoor,
    targets::Target,
};
use reqwest::Method;

use super::matrix::samples::{ask, route, sample};
use crate::Case;

/// Routes, and the table of what they are about.
const CHANGES: [(&str, &str); 13] = [
    ("admin::retry_delivery", "deliveries"),
    ("api_keys::revoke", "api_keys"),
    ("comments::delete", "comments"),
    ("comments::update", "comments"),
    ("invitations::revoke", "invitations"),
    ("members::remove", "memberships"),
    ("members::update", "memberships"),
    ("notifications::mark_read", "notifications"),
    ("projects::delete", "projects"),
    ("projects::transition", "projects"),
    ("projects::update", "projects"),
    ("tasks::delete", "tasks"),
    ("tasks::update", "tasks"),
];

/// What is not about one thing of a tenant among others.
const ELSEWHERE: [&str; 4] =
    ["me::revoke_session", "me::unlink_identity", "transfer::abort", "members::leave"];

pub(crate) fn cases() -> Vec<Case> {
    let of_one = ROUTES.iter().filter(|route| matches!(route.method, Method::PATCH | Method::DELETE));
    for route in of_one.filter(|route| route.path.contains('{')) {
        let known = CHANGES.iter().any(|(name, _)| *name == route.name) || ELSEWHERE.contains(&route.name);
        assert!(known, "{} leaves which neighbours alone?", route.name);
    }
    CHANGES
        .into_iter()
        .map(|(name, table)| {
            Case::new(format!("neighbours::{name}"), move |target| are_left_alone(target, name, table))
        })
        .collect()
}

async fn columns(target: &Target, table: &str) -> Vec<String> {
    let sql = match target.backdoor {
        Backdoor::Postgres(_) => {
            format!(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"
            )
        }
        Backdoor::Sqlite(_) | Backdoor::Edge(..) => format!("SELECT name FROM pragma_table_info('{table}')"),
    };
    target.backdoor.sql(&sql).await.into_iter().flatten().flatten().collect()
}

/// Puts a row beside the one with this id that has all of it but what must differ.
async fn put_beside(target: &Target, table: &str, tenant: &Tenant<'_>, id: &str) {
    let twin = new_id();
    let columns = columns(target, table).await;
    assert!(columns.len() > 5, "{columns:?}");
    let values: Vec<_> = columns
        .iter()
        .map(|column| match &**column {
            "id" | "token_hash" => format!("'{twin}'"),
            "email" => format!("'{twin}@example.com'"),
            column => column.to_owned(),
        })
        .collect();
    let sql = format!(
        "INSERT INTO {table} ({}) SELECT {} FROM {table} WHERE tenant_id = '{}' AND id = '{id}'",
        columns.join(", "),
        values.join(", "),
        tenant.id
    );
    target.backdoor.sql(&sql).await;
}

async fn are_left_alone(target: &'static Target, name: &'static str, table: &'static str) {
    let tenant = Tenant::create(target).await;
    let wanted = sample(route(name), &tenant, &tenant.owner).await;
    // Of members there are some already.
    if table != "memberships" {
        put_beside(target, table, &tenant, wanted.ids.last().expect("an id")).await;
    }
    let rows = async || {
        let mut all = target.backdoor.snapshot(&tenant.id).await;
        all.retain(|row| row.starts_with(&format!("{table} ")));
        all
    };
    let before = rows().await;
    let done = ask(&wanted, &tenant.owner, &tenant).send().await;
    assert_eq!(done.status, wanted.success, "{done:?}");
    let after = rows().await;
    let changed: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
    assert_eq!((before.len() > 1, changed.len()), (true, 1), "{name}: {changed:?}");
}
