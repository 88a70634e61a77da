//! Each field of a task on its own: what is changed is changed, and nothing else, by one request for one task and by one for
//! many.

use bailiwick_tests::{actors::Tenant, targets::Target};
use serde_json::json;

use super::{bulk, read, tasks};

crate::cases!("bulk":
    a_single_request_changes_the_field_that_it_names,
    a_bulk_request_changes_the_field_that_it_names,
);

async fn a_single_request_changes_the_field_that_it_names(target: &'static Target) {
    each_field(target, false).await;
}

async fn a_bulk_request_changes_the_field_that_it_names(target: &'static Target) {
    each_field(target, true).await;
}

async fn each_field(target: &'static Target, at_once: bool) {
    const LONG_AGO: &str = "2026-01-01T00:00:00.000Z";
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let [task] = <[String; 1]>::try_from(tasks(&tenant, &project, 1).await).expect("one");
    let changes = [
        ("title", json!("Quixotic")),
        ("description", json!("Zephyrs")),
        ("status", json!("blocked")),
        ("priority", json!("urgent")),
        ("priority", json!("low")),
        ("assignee_id", json!(tenant.viewer.id)),
        ("due_on", json!("2027-01-31")),
        ("priority", json!("high")),
        ("due_on", json!(null)),
        ("assignee_id", json!(null)),
    ];
    for (field, value) in changes {
        let age = format!(
            "UPDATE tasks SET created_at = '{LONG_AGO}', updated_at = '{LONG_AGO}' WHERE tenant_id = '{}' AND id = '{task}'",
            tenant.id
        );
        target.backdoor.sql(&age).await;
        let mut expected = read(&tenant, &task).await.expect(200).body;
        assert_ne!(expected[field], value, "{field}");
        let answered = if at_once {
            let operation = json!([{ "op": "update", "id": task, field: value }]);
            bulk(&tenant, &project, operation).await.expect(200).body["results"][0]["task"].clone()
        } else {
            let ask = tenant.member.patch(&format!("/v1/tasks/{task}")).tenant(&tenant.id);
            ask.json(&json!({ field: value })).send().await.expect(200).body
        };
        let after = read(&tenant, &task).await.expect(200).body;
        assert_eq!(answered, after, "{field}");
        assert_ne!(after["updated_at"], LONG_AGO, "{field}");
        expected[field] = value;
        expected["version"] = json!(expected["version"].as_i64().expect("a number") + 1);
        expected["updated_at"] = after["updated_at"].clone();
        assert_eq!(after, expected, "{field}");
    }
    // It is found by its new words, and by the old ones no more.
    for (word, count) in [("quixotic", 1), ("zephyrs", 1), ("task", 0)] {
        let path = format!("/v1/projects/{project}/tasks?q={word}");
        let found = tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
        assert_eq!(found.body["data"].as_array().map(Vec::len), Some(count), "{word}: {:?}", found.body);
    }
}
