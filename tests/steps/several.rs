//! Several of something: rows of a page, what one request brings, what an entry says.

use std::collections::HashSet;

use bailiwick::verify::matrix::{description, operation};
use bailiwick_core::routes::ROUTES;
use bailiwick_tests::{
    actors::{Tenant, new_id},
    client::Ask,
};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    attack,
    growth::{Faults, Kind, doubled},
    heap, host,
    rows::{NOW, insert},
    samples::{ask, route, sample},
};

#[tokio::test(flavor = "multi_thread")]
async fn however_many_a_page_has() {
    let lasting = host::serve().await;
    let target = lasting.get();
    let tenant = heap::make(target).await;
    let faults = Faults::default();
    for route in ROUTES.iter().filter(|route| route.method == Method::GET) {
        let parameters =
            operation(description(), route)["parameters"].as_array().cloned().unwrap_or_default();
        let has = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
        if !has("limit") {
            continue;
        }
        let sample = sample(route, &tenant, &tenant.owner).await;
        let searched = if has("q") { &["", "&q=a"][..] } else { &[""] };
        for more in searched {
            let asked = async |size: usize| {
                let path = format!("{}?limit={size}{more}", sample.path());
                tenant.owner.get(&path).tenant(&tenant.id)
            };
            faults.grows(&format!("{} {more}", route.name), doubled(25), asked).await;
        }
    }
    faults.none(30);
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_come_at_once() {
    let lasting = host::serve().await;
    let target = lasting.get();
    let tenant = heap::make(target).await;
    let faults = Faults::default();
    let operations = attack::operations(&tenant.member);
    let asked = async |size: usize| {
        let mut sample = sample(route("tasks::apply"), &tenant, &tenant.owner).await;
        sample.body = Some(json!({ "operations": operations[..size] }));
        ask(&sample, &tenant.owner, &tenant)
    };
    faults.grows("operations", doubled(operations.len() / 4), asked).await;

    seal(&tenant).await;
    let rows = attack::exported(&tenant, usize::MAX).await;
    let mut tables: Vec<_> = rows.iter().filter_map(|row| row["table"].as_str()).collect();
    tables.dedup();
    for table in tables {
        let asked = async |size: usize| part(&tenant, &rows, table, size, |_| {}).await;
        faults.grows(&format!("rows of {table}"), doubled(45), asked).await;
    }
    let details: [Kind<Value>; 4] = [
        ("members", members),
        ("items", |size| json!({ "a": vec![0; size - 1] })),
        ("lists", |size| json!({ "a": vec![json!([]); size - 1] })),
        ("objects", |size| json!({ "a": vec![json!({}); size - 1] })),
    ];
    for (kind, detail) in details {
        let asked = async |size: usize| {
            part(&tenant, &rows, "activity", 10, |row| row["detail"] = detail(size)).await
        };
        faults.grows(&format!("{kind} of a detail"), doubled(50), asked).await;
    }
    faults.none(20);
}

/// A part of an import: so many rows of a table, and before them those that any may name.
async fn part(
    tenant: &Tenant<'static>,
    rows: &[Value],
    table: &str,
    size: usize,
    change: impl Fn(&mut Value),
) -> Ask {
    let of_table = rows.iter().filter(|row| row["table"] == table).take(size);
    let mut named: HashSet<&Value> = of_table.map(|row| &row["row"]["id"]).collect();
    let mut all: Vec<Value> = Vec::new();
    // What a row names comes before it. Everybody, and the tenant, any row may name.
    for row in rows.iter().rev() {
        let everybodys = ["users", "tenants", "memberships"].iter().any(|name| row["table"] == *name);
        if everybodys || named.contains(&row["row"]["id"]) {
            named.extend([&row["row"]["project_id"], &row["row"]["task_id"]]);
            all.push(row.clone());
        }
    }
    all.reverse();
    all.iter_mut().filter(|row| row["table"] == table).for_each(|row| change(&mut row["row"]));
    let mut sample = sample(route("transfer::add"), tenant, &tenant.owner).await;
    attack::add_rows(&mut sample, &tenant.owner, &all).await;
    ask(&sample, &tenant.owner, tenant)
}

/// So many members.
pub(super) fn members(size: usize) -> Value {
    // Backwards, so that they have to be sorted.
    (0..size).rev().map(|number| (format!("m{number:06}"), json!(number))).collect::<Map<_, _>>().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn however_much_an_entry_says() {
    let lasting = host::serve().await;
    let target = lasting.get();
    let faults = Faults::default();
    let paths = ["/v1/admin/activity", "/v1/admin/activity/verify", "/v1/admin/export"];
    for path in paths {
        let asked = async |size: usize| {
            let tenant = Tenant::create(target).await;
            entry(&tenant, &members(size)).await;
            seal(&tenant).await;
            tenant.owner.get(path).tenant(&tenant.id)
        };
        faults.grows(&format!("members of an entry at {path}"), doubled(1_000), asked).await;
    }
    faults.none(9);
}

/// Puts an entry in.
pub(super) async fn entry(tenant: &Tenant<'_>, detail: &Value) {
    let (owner, id) = (&tenant.owner.id, new_id());
    let into = "activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at)";
    let row = format!("('{}', '{id}', '{owner}', 'a.b', 'c', '{id}', '{detail}', {NOW})", tenant.id);
    insert(&tenant.owner.target.backdoor, into, &[row]).await;
}

async fn seal(tenant: &Tenant<'_>) {
    super::background::work(tenant.owner.target, "/seal").send().await.expect(200);
}
