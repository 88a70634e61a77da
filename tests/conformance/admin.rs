//! What owners see of a tenant as a whole, and what the operator of the service closes.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id, unique},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("admin":
    a_tenant_in_numbers,
    activity_is_filtered_and_paged,
    activity_is_bounded_by_times,
    the_tenants_that_one_owns,
    a_suspended_tenant_answers_nobody,
);

async fn a_tenant_in_numbers(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let read = || tenant.owner.get("/v1/admin/stats").tenant(&tenant.id).send();
    let empty = read().await.expect(200).body;
    assert_eq!(
        empty["projects"],
        json!({ "draft": 0, "submitted": 0, "approved": 0, "rejected": 0, "in_progress": 0, "completed": 0, "archived": 0 })
    );
    assert_eq!(empty["members"], json!({ "viewer": 1, "member": 1, "manager": 1, "owner": 1 }));
    assert_eq!(empty["deliveries"], json!({ "pending": 0, "sent": 0, "dead": 0 }));

    let project = tenant.project("in_progress", None).await;
    tenant.project("draft", None).await;
    tenant.task(&project, "todo").await;
    tenant.task(&project, "todo").await;
    tenant.task(&project, "done").await;
    tenant.dead_delivery().await;
    tenant.set(&tenant.viewer, "status", "suspended").await;
    let theirs = other.project("completed", None).await;
    other.task(&theirs, "blocked").await;
    tenant
        .owner
        .post("/v1/projects")
        .tenant(&tenant.id)
        .json(&json!({ "name": "P" }))
        .send()
        .await
        .expect(201);
    let body = read().await.expect(200).body;
    assert_eq!((&body["projects"]["draft"], &body["projects"]["in_progress"]), (&json!(2), &json!(1)));
    assert_eq!(body["projects"]["completed"], 0);
    assert_eq!(body["tasks"], json!({ "todo": 2, "in_progress": 0, "blocked": 0, "done": 1 }));
    assert_eq!(body["members"], json!({ "viewer": 0, "member": 1, "manager": 1, "owner": 1 }));
    assert_eq!(body["deliveries"]["dead"], 1);

    // Thirty days, one after the other, today last.
    let days = body["activity"].as_array().expect("a list");
    assert_eq!(days.len(), 30);
    assert!(days.windows(2).all(|pair| pair[0]["day"].as_str() < pair[1]["day"].as_str()));
    let count = |body: &Value| -> i64 {
        let days = body["activity"].as_array().expect("a list");
        days.iter().map(|day| day["count"].as_i64().expect("a number")).sum()
    };
    // The tenant's creation and the project's; whatever was arranged by hand has no entry.
    assert_eq!((count(&empty), count(&body)), (1, 2));
    // What is older than that does not count.
    target.backdoor.sql(&format!("UPDATE activity SET created_at = '2020-01-01T00:00:00.000Z' WHERE tenant_id = '{}' AND action = 'tenant.created'", tenant.id)).await;
    assert_eq!(count(&read().await.expect(200).body), 1);
}

fn actions(page: &Answer) -> Vec<String> {
    let data = page.body["data"].as_array().expect("a list");
    data.iter().map(|entry| entry["action"].as_str().expect("an action").to_owned()).collect()
}

async fn activity_is_filtered_and_paged(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let new = |name: &str| json!({ "name": name });
    let made =
        tenant.member.post("/v1/projects").tenant(&tenant.id).json(&new("one")).send().await.expect(201);
    let id = made.text_at("/id");
    tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&new("two")).send().await.expect(201);
    let path = format!("/v1/projects/{id}");
    tenant.owner.patch(&path).tenant(&tenant.id).json(&new("three")).send().await.expect(200);
    let list =
        |query: &str| tenant.owner.get(&format!("/v1/admin/activity?{query}")).tenant(&tenant.id).send();
    let all = list("").await.expect(200);
    assert_eq!(actions(&all), ["project.updated", "project.created", "project.created", "tenant.created"]);
    let newest = &all.body["data"][0];
    assert_eq!(
        (&newest["actor_id"], &newest["entity_type"], &newest["entity_id"], &newest["detail"]),
        (&json!(tenant.owner.id), &json!("project"), &json!(id), &json!({ "name": "three" }))
    );
    for (query, expected) in [
        (format!("actor_id={}", tenant.member.id), &["project.created"][..]),
        (format!("entity_id={id}"), &["project.updated", "project.created"]),
        ("action=project.created".to_owned(), &["project.created", "project.created"]),
        ("entity_type=tenant".to_owned(), &["tenant.created"]),
        (format!("action=project.updated&actor_id={}", tenant.member.id), &[]),
        (format!("actor_id={}", new_id()), &[]),
    ] {
        assert_eq!(actions(&list(&query).await.expect(200)), expected, "{query}");
    }
    let first = list("limit=3").await.expect(200);
    let rest = list(&format!("limit=3&cursor={}", first.text_at("/next_cursor"))).await.expect(200);
    assert_eq!((actions(&first).len(), actions(&rest)), (3, vec!["tenant.created".to_owned()]));
    let elsewhere = format!("entity_type=tenant&cursor={}", first.text_at("/next_cursor"));
    list(&elsewhere).await.problem(400, "invalid_cursor");
    for query in ["action=UPPER", "entity_type=", "actor_id=me", "since=yesterday", "q=x"] {
        list(query).await.problem(400, "invalid_parameter");
    }
}

async fn activity_is_bounded_by_times(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    for year in 2021..=2024 {
        let sql = format!(
            "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
             VALUES ('{}', '{}', NULL, 'year.passed', 'year', '{}', '{{\"year\": {year}}}', '{year}-01-01T00:00:00.000Z')",
            tenant.id,
            new_id(),
            new_id()
        );
        target.backdoor.sql(&sql).await;
    }
    let years = |query: &str| {
        let ask =
            tenant.owner.get(&format!("/v1/admin/activity?action=year.passed&{query}")).tenant(&tenant.id);
        async move {
            let page = ask.send().await.expect(200);
            let data = page.body["data"].as_array().expect("a list");
            data.iter().map(|entry| entry["detail"]["year"].as_i64().expect("a year")).collect::<Vec<_>>()
        }
    };
    assert_eq!(years("since=2022-01-01T00:00:00Z").await, [2024, 2023, 2022]);
    assert_eq!(years("until=2022-01-01T00:00:00Z").await, [2021]);
    assert_eq!(years("since=2022-01-01T00:00:00Z&until=2024-01-01T00:00:00Z").await, [2023, 2022]);
    // Of another time zone; the plus sign is sent as what it means in a query.
    assert_eq!(years("since=2024-01-01T01:00:00%2B01:00").await, [2024]);
    assert_eq!(years("since=2024-01-01T00:00:00.001Z").await, [0; 0]);
}

async fn the_tenants_that_one_owns(target: &'static Target) {
    let (one, two) = tokio::join!(Tenant::create(target), Tenant::create(target));
    two.admit(&one.owner, "manager").await;
    one.project("draft", None).await;
    one.set(&one.viewer, "status", "suspended").await;
    let second = unique("second");
    let new = json!({ "slug": second, "name": "Second" });
    one.owner.post("/v1/tenants").json(&new).send().await.expect(201);
    let listed = one.owner.get("/v1/admin/tenants").send().await.expect(200);
    let found: Vec<_> = listed.body["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tenant| (tenant["slug"].as_str(), tenant["members"].as_i64(), tenant["projects"].as_i64()))
        .collect();
    assert_eq!(found, [(Some(&*second), Some(1), Some(0)), (Some(&*one.slug), Some(3), Some(1))]);
    let first = one.owner.get("/v1/admin/tenants?limit=1").send().await.expect(200);
    let path = format!("/v1/admin/tenants?limit=1&cursor={}", first.text_at("/next_cursor"));
    assert_eq!(one.owner.get(&path).send().await.expect(200).text_at("/data/0/slug"), one.slug);
    two.owner.get(&path).send().await.problem(400, "invalid_cursor");
    let none = one.viewer.get("/v1/admin/tenants").send().await.expect(200);
    assert_eq!(none.body["data"], json!([]));
}

async fn a_suspended_tenant_answers_nobody(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let stranger = Actor::register(target, "stranger").await;
    let project = tenant.project("draft", None).await;
    let close = |when: &str| format!("UPDATE tenants SET suspended_at = {when} WHERE id = '{}'", tenant.id);
    target.backdoor.sql(&close("created_at")).await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    let new = json!({ "name": "P" });
    for ask in [
        tenant.owner.get("/v1/tenant"),
        tenant.owner.get("/v1/admin/stats"),
        tenant.viewer.get("/v1/projects"),
        tenant.viewer.get("/v1/notifications"),
        tenant.member.post("/v1/projects").json(&new),
        tenant.owner.delete(&format!("/v1/projects/{project}")),
        tenant.owner.delete(&format!("/v1/tenant?confirm={}", tenant.slug)),
        // That the role would not suffice is not said.
        tenant.viewer.post("/v1/projects").json(&new),
    ] {
        ask.tenant(&tenant.id).send().await.problem(403, "tenant_suspended");
    }
    tenant.owner.get("/v1/tenant").slug(&tenant.slug).send().await.problem(403, "tenant_suspended");
    // Who is not in it learns nothing.
    stranger.get("/v1/tenant").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
    // Its members see why, and their other tenants are as open as before.
    let mine = tenant.viewer.get("/v1/tenants").send().await.expect(200);
    assert!(mine.body["data"][0]["suspended_at"].is_string());
    target.backdoor.sql(&close("NULL")).await;
    tenant.owner.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
}
