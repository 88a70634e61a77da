//! How much a tenant has stored, and what is refused to one that stores as much as it may.

use bailiwick_tests::{
    actors::{Tenant, new_id},
    client::Ask,
    provided,
    targets::Target,
};
use reqwest::Method;
use serde_json::{Value, json};

crate::cases!("sizes":
    what_is_stored_is_measured,
    what_would_add_texts_is_refused_to_who_is_full,
);

/// Bytes of a text that is long.
const LONG: usize = 10_000;

/// Puts as many entries in as it takes for a tenant to be measured.
async fn change_much(tenant: &Tenant<'_>) {
    let rows: Vec<_> = (0..200)
        .map(|_| {
            let id = new_id();
            format!("('{}', '{id}', 'a.b', 'c', '{id}', '{{}}', '2026-01-01T00:00:00.000Z')", tenant.id)
        })
        .collect();
    let into = "activity (tenant_id, id, action, entity_type, entity_id, detail, created_at)";
    tenant.owner.target.backdoor.sql(&format!("INSERT INTO {into} VALUES {}", rows.join(", "))).await;
}

/// Has the tenant measured at a time, as far as anybody knows.
async fn measured_at(tenant: &Tenant<'_>, time: &str) {
    let sql = format!("UPDATE sizes SET measured_at = '{time}' WHERE tenant_id = '{}'", tenant.id);
    tenant.owner.target.backdoor.sql(&sql).await;
}

/// Has the operator say how much the tenant may store.
async fn limit(tenant: &Tenant<'_>, most: i64) {
    let sql = format!(
        "INSERT INTO limits (tenant_id, name, most) VALUES ('{}', 'stored_bytes', {most}) \
         ON CONFLICT (tenant_id, name) DO UPDATE SET most = excluded.most",
        tenant.id
    );
    tenant.owner.target.backdoor.sql(&sql).await;
}

async fn stored(tenant: &Tenant<'_>) -> (i64, i64) {
    let answer = tenant.owner.get("/v1/admin/usage").tenant(&tenant.id).send().await.expect(200);
    let number = |of: &str| answer.body["stored_bytes"][of].as_i64().expect("a number");
    (number("used"), number("most"))
}

fn post(tenant: &Tenant<'_>, path: &str, body: &Value) -> Ask {
    tenant.owner.post(path).tenant(&tenant.id).json(body)
}

fn patch(tenant: &Tenant<'_>, path: &str, body: &Value) -> Ask {
    tenant.owner.patch(path).tenant(&tenant.id).json(body)
}

/// Waits until as much is known to be stored as is expected.
async fn until_stored(tenant: &Tenant<'_>, expected: impl Fn(i64) -> bool) -> i64 {
    let look = async || provided(stored(tenant).await.0, |used| expected(*used));
    tenant.owner.target.until("the tenant to be measured", look).await
}

async fn what_is_stored_is_measured(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    assert_eq!(stored(&tenant).await, (0, 1_000_000_000));
    // Two bytes a character.
    let long = "\u{e9}".repeat(LONG / 2);
    let project = post(&tenant, "/v1/projects", &json!({ "name": "P", "description": long })).send().await;
    let project = project.expect(201).text_at("/id");
    let tasks = format!("/v1/projects/{project}/tasks");
    let task = post(&tenant, &tasks, &json!({ "title": "T", "description": long })).send().await.expect(201);
    let comments = format!("/v1/tasks/{}/comments", task.text_at("/id"));
    post(&tenant, &comments, &json!({ "body": long })).send().await.expect(201);
    change_much(&tenant).await;
    post(&tenant, &comments, &json!({ "body": "more" })).send().await.expect(201);
    let rows = 2 * 200 + 200 * 200;
    let used = until_stored(&tenant, |used| used > 0).await;
    let texts = i64::try_from(3 * LONG).expect("a number");
    assert!((texts + rows..texts + rows + 5_000).contains(&used), "{used}");
    assert_eq!(stored(&other).await.0, 0, "it is another one's");
    // What goes is found to be gone after as many changes again.
    tenant.owner.delete(&format!("/v1/projects/{project}")).tenant(&tenant.id).send().await.expect(204);
    change_much(&tenant).await;
    post(&tenant, "/v1/projects", &json!({ "name": "P" })).send().await.expect(201);
    let used = until_stored(&tenant, |less| less != used).await;
    assert!((2 * rows..2 * rows + 10_000).contains(&used), "{used}");
}

async fn what_would_add_texts_is_refused_to_who_is_full(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let draft = tenant.project("draft", None).await;
    let project = tenant.project("approved", None).await;
    let task = tenant.task(&project, "todo").await;
    let comment = tenant.comment(&task, &tenant.owner.id).await;
    change_much(&tenant).await;
    post(&tenant, "/v1/projects", &json!({ "name": "P" })).send().await.expect(201);
    let used = until_stored(&tenant, |used| used > 0).await;
    // However long the rest takes, it is a moment ago.
    measured_at(&tenant, "2100-01-01T00:00:00.000Z").await;
    limit(&tenant, used).await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    let tasks = format!("/v1/projects/{project}/tasks");
    let comments = format!("/v1/tasks/{task}/comments");
    let transitions = format!("/v1/projects/{draft}/transitions");
    let refused = [
        (Method::POST, "/v1/projects".to_owned(), json!({ "name": "P" })),
        (Method::PATCH, format!("/v1/projects/{draft}"), json!({ "name": "P" })),
        (Method::PATCH, format!("/v1/projects/{draft}"), json!({ "description": "" })),
        (Method::POST, transitions.clone(), json!({ "to": "submitted", "comment": "At last." })),
        (Method::POST, tasks.clone(), json!({ "title": "T" })),
        (Method::POST, format!("{tasks}/bulk"), json!({ "operations": [{ "op": "create", "title": "T" }] })),
        (
            Method::POST,
            format!("{tasks}/bulk"),
            json!({ "operations": [{ "op": "update", "id": task, "title": "T" }] }),
        ),
        (Method::PATCH, format!("/v1/tasks/{task}"), json!({ "title": "T" })),
        (Method::POST, comments.clone(), json!({ "body": "C" })),
        (Method::PATCH, format!("{comments}/{comment}"), json!({ "body": "C" })),
    ];
    for (method, path, body) in refused {
        let asked = tenant.owner.ask(method, &path).tenant(&tenant.id).json(&body);
        let answer = asked.send().await.problem(403, "limit_reached");
        assert_eq!(
            answer.body["detail"],
            "The tenant has reached its storage limit. Deleting something frees space, within minutes.",
            "{path}"
        );
    }
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before, "what was refused left traces");
    // Another tenant has room, and work goes on.
    post(&other, "/v1/projects", &json!({ "name": "P" })).send().await.expect(201);
    post(&tenant, &transitions, &json!({ "to": "submitted" })).send().await.expect(200);
    patch(&tenant, &format!("/v1/tasks/{task}"), &json!({ "status": "done" })).send().await.expect(200);
    let operations = json!({ "operations": [{ "op": "update", "id": task, "status": "todo" }] });
    post(&tenant, &format!("{tasks}/bulk"), &operations).send().await.expect(200);
    // The operator makes room at once; what is deleted does when it was measured, which is not every minute.
    limit(&tenant, used + 1).await;
    post(&tenant, &comments, &json!({ "body": "C" })).send().await.expect(201);
    limit(&tenant, used).await;
    post(&tenant, &comments, &json!({ "body": "C" })).send().await.problem(403, "limit_reached");
    let entries = format!("DELETE FROM notifications WHERE tenant_id = '{}'", tenant.id);
    target.backdoor.sql(&entries).await;
    limit(&tenant, used / 2).await;
    tenant.owner.delete(&format!("/v1/projects/{project}")).tenant(&tenant.id).send().await.expect(204);
    // That it was measured a moment before keeps it from being measured now, but not from being looked at later, when nobody
    // writes any more. Until that is put down a step may be under way, which would put down the moment that it has read.
    let waiting =
        format!("SELECT count(*) FROM sizes WHERE tenant_id = '{}' AND part IS NOT NULL", tenant.id);
    let waits = || async { provided(target.backdoor.count(&waiting).await, |waits| *waits == 1) };
    target.until("the next measurement to wait", waits).await;
    measured_at(&tenant, "2026-01-01T00:00:00.000Z").await;
    let again = until_stored(&tenant, |again| again != used).await;
    limit(&tenant, again + 1).await;
    post(&tenant, "/v1/projects", &json!({ "name": "P" })).send().await.expect(201);
}
