//! Comments: who may write, change and delete them.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("comments":
    write_read_change_delete,
    the_author_edits_and_a_manager_deletes,
    those_of_an_archived_project_are_read_only,
    lists_are_paged,
    bad_input,
);

/// A task of a project that is being worked on.
async fn task(tenant: &Tenant<'_>) -> String {
    tenant.task(&tenant.project("in_progress", None).await, "todo").await
}

async fn write(tenant: &Tenant<'_>, by: &Actor<'_>, task: &str, body: Value) -> Answer {
    by.post(&format!("/v1/tasks/{task}/comments")).tenant(&tenant.id).json(&body).send().await
}

async fn write_read_change_delete(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let task = task(&tenant).await;
    let text = "Zwei Zeilen,\n\u{1F9ED} und <b>kein</b> HTML";
    let written = write(&tenant, &tenant.member, &task, json!({ "body": text })).await.expect(201);
    let path = format!("/v1/tasks/{task}/comments/{}", written.text_at("/id"));
    assert_eq!(written.header("location"), Some(path.as_str()));
    assert_eq!(
        (written.text_at("/body"), written.text_at("/author_id")),
        (text.to_owned(), tenant.member.id.clone())
    );
    assert_eq!(written.body["edited_at"], Value::Null);
    let read = tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!(read.body, written.body);
    let patch = |body: Value| tenant.member.patch(&path).tenant(&tenant.id).json(&body).send();
    assert_eq!(patch(json!({})).await.expect(200).body, written.body);
    let changed = patch(json!({ "body": "Changed" })).await.expect(200);
    assert_eq!((&changed.body["body"], &changed.body["version"]), (&json!("Changed"), &json!(2)));
    assert!(changed.body["edited_at"].is_string());
    tenant.member.delete(&path).tenant(&tenant.id).send().await.expect(204);
    tenant.member.delete(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
    patch(json!({ "body": "B" })).await.problem(404, "not_found");
    // What was said is not in the log of what happened.
    let entries = tenant.owner.get("/v1/admin/activity?entity_type=comment").tenant(&tenant.id).send().await;
    let actions: Vec<_> = entries.body["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["action"].clone())
        .collect();
    assert_eq!(actions, ["comment.deleted", "comment.updated", "comment.created"]);
    assert!(!entries.text.contains("Zeilen"));
}

async fn the_author_edits_and_a_manager_deletes(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let task = task(&tenant).await;
    let comment = write(&tenant, &tenant.manager, &task, json!({ "body": "Mine" })).await.expect(201);
    let path = format!("/v1/tasks/{task}/comments/{}", comment.text_at("/id"));
    let change = json!({ "body": "Yours" });
    for other in [&tenant.member, &tenant.owner] {
        other.patch(&path).tenant(&tenant.id).json(&change).send().await.problem(403, "not_the_author");
    }
    tenant.member.delete(&path).tenant(&tenant.id).send().await.problem(403, "not_the_author");
    tenant.viewer.delete(&path).tenant(&tenant.id).send().await.problem(403, "insufficient_role");
    write(&tenant, &tenant.viewer, &task, json!({ "body": "B" })).await.problem(403, "insufficient_role");
    let of_member = tenant.comment(&task, &tenant.member.id).await;
    let of_member = format!("/v1/tasks/{task}/comments/{of_member}");
    tenant.manager.delete(&of_member).tenant(&tenant.id).send().await.expect(204);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    // An author who became a viewer reads, and no more.
    let own = tenant.comment(&task, &tenant.viewer.id).await;
    let own = format!("/v1/tasks/{task}/comments/{own}");
    tenant.viewer.patch(&own).tenant(&tenant.id).json(&change).send().await.problem(403, "insufficient_role");
}

async fn those_of_an_archived_project_are_read_only(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("archived", None).await;
    let task = tenant.task(&project, "todo").await;
    let comment = tenant.comment(&task, &tenant.owner.id).await;
    let path = format!("/v1/tasks/{task}/comments/{comment}");
    let before = target.backdoor.snapshot(&tenant.id).await;
    for body in ["Plain", "@nobody"] {
        write(&tenant, &tenant.owner, &task, json!({ "body": body })).await.problem(409, "project_archived");
    }
    let change = json!({ "body": "Changed" });
    tenant.owner.patch(&path).tenant(&tenant.id).json(&change).send().await.problem(409, "project_archived");
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.problem(409, "project_archived");
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
    tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
}

async fn lists_are_paged(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (here, there) = (task(&tenant).await, task(&tenant).await);
    for body in ["1", "2", "3"] {
        write(&tenant, &tenant.member, &here, json!({ "body": body })).await.expect(201);
    }
    write(&tenant, &tenant.member, &there, json!({ "body": "4" })).await.expect(201);
    let list = |task: &str, query: &str| {
        tenant.viewer.get(&format!("/v1/tasks/{task}/comments?limit=2{query}")).tenant(&tenant.id).send()
    };
    let bodies = |page: &Answer| -> Vec<_> {
        page.body["data"].as_array().expect("a list").iter().map(|comment| comment["body"].clone()).collect()
    };
    let first = list(&here, "").await.expect(200);
    assert_eq!(bodies(&first), ["3", "2"]);
    let cursor = format!("&cursor={}", first.text_at("/next_cursor"));
    assert_eq!(bodies(&list(&here, &cursor).await.expect(200)), ["1"]);
    list(&there, &cursor).await.problem(400, "invalid_cursor");
    list(&new_id(), "").await.problem(404, "not_found");
}

async fn bad_input(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let task = task(&tenant).await;
    for body in [json!({}), json!({ "body": "" }), json!({ "body": " \n " }), json!({ "body": 1 })] {
        let refused = write(&tenant, &tenant.member, &task, body).await.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), ["/body"]);
    }
    let long = json!({ "body": "ü".repeat(10_001) });
    write(&tenant, &tenant.member, &task, long).await.problem(422, "validation_failed");
    let exact = json!({ "body": "ü".repeat(10_000) });
    write(&tenant, &tenant.member, &task, exact).await.expect(201);
    write(&tenant, &tenant.member, &new_id(), json!({ "body": "B" })).await.problem(404, "not_found");
    let forged = json!({ "body": "B", "author_id": tenant.owner.id });
    let refused = write(&tenant, &tenant.member, &task, forged).await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/author_id"]);
}
