//! What a request has written is bounded by what it brings: people are told how a text begins, and not each of them, by each
//! way, all of it.

use bailiwick_tests::{actors::Tenant, targets::Target};
use serde_json::{Value, json};

crate::cases!("written":
    a_comment_that_mentions_people,
    many_tasks_that_are_assigned,
    a_transition_with_a_comment,
);

/// A text is in its row, and once more as the words that searches go by.
const TIMES: usize = 3;
/// Bytes that telling one person by one way takes, and an entry of the activity.
const EACH: usize = 1_500;

/// Bytes of all that a tenant has.
async fn size(tenant: &Tenant<'_>) -> usize {
    let rows = tenant.owner.target.backdoor.snapshot(&tenant.id).await;
    rows.iter().map(String::len).sum()
}

/// Sends a body, which tells so many times or has so many entries; and holds what it wrote to the bound.
async fn bounded(tenant: &Tenant<'_>, path: &str, body: &Value, told: usize) {
    let (before, sent) = (size(tenant).await, body.to_string().len());
    let done = tenant.manager.post(path).tenant(&tenant.id).json(body).send().await;
    assert!(done.status < 300, "{done:?}");
    let written = size(tenant).await.saturating_sub(before);
    let most = TIMES * sent + (told + 1) * EACH;
    assert!(written > sent, "nothing was written: {written} of {sent}");
    assert!(written <= most, "{path}: {sent} bytes had {written} written, which is more than {most}");
}

/// A tenant that tells of everything by two ways.
async fn telling(target: &'static Target) -> Tenant<'static> {
    let tenant = Tenant::create(target).await;
    tenant.send_by(&["mentioned", "task_assigned", "rejected"], &["in_app", "email"]).await;
    tenant
}

async fn a_comment_that_mentions_people(target: &'static Target) {
    let tenant = telling(target).await;
    let task = tenant.task(&tenant.project("in_progress", None).await, "todo").await;
    let (one, two, three) = (&tenant.owner.id, &tenant.member.id, &tenant.viewer.id);
    let named = format!("@{one} @{two} @{three} ");
    let text = format!("{named}{}", "word ".repeat((10_000 - named.len()) / 5));
    let path = format!("/v1/tasks/{task}/comments");
    bounded(&tenant, &path, &json!({ "body": text }), 6).await;
    // What they are shown begins like it, and says that it goes on.
    let told = tenant.viewer.get("/v1/notifications").tenant(&tenant.id).send().await.expect(200);
    let shown = told.text_at("/data/0/body");
    let begins = shown.strip_suffix(" word\u{2026}").expect("whole words and an ellipsis");
    assert!(text.starts_with(begins) && shown.chars().count() <= 280, "{shown}");
}

async fn many_tasks_that_are_assigned(target: &'static Target) {
    let tenant = telling(target).await;
    let project = tenant.project("in_progress", None).await;
    let operation = |number: usize| {
        json!({
            "op": "create", "title": format!("T{number}"), "description": "word ".repeat(1_600),
            "assignee_id": tenant.viewer.id,
        })
    };
    let all: Vec<_> = (0..25).map(operation).collect();
    let path = format!("/v1/projects/{project}/tasks/bulk");
    bounded(&tenant, &path, &json!({ "operations": all }), 75).await;
}

async fn a_transition_with_a_comment(target: &'static Target) {
    let tenant = telling(target).await;
    let project = tenant.project("submitted", Some(&tenant.member.id)).await;
    let path = format!("/v1/projects/{project}/transitions");
    let body = json!({ "to": "rejected", "comment": "word ".repeat(400) });
    bounded(&tenant, &path, &body, 4).await;
}
