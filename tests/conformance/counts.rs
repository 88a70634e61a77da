//! How many items a list has: with filters, words and orders, on every page, and only as far as they are counted.

use bailiwick_tests::{actors::Tenant, targets::Target};
use serde_json::{Value, json};

crate::cases!("counts":
    totals_stand_beside_the_page,
    counting_ends_somewhere,
);

/// The total of a list, which is the same on its next page.
async fn total(tenant: &Tenant<'_>, path: &str) -> Value {
    let query = if path.contains('?') { "&" } else { "?" };
    let plain = tenant.viewer.get(path).tenant(&tenant.id).send().await.expect(200);
    assert!(plain.body.get("total").is_none(), "{plain:?}");
    let none = format!("{path}{query}count=false");
    let none = tenant.viewer.get(&none).tenant(&tenant.id).send().await.expect(200);
    assert_eq!(none.body, plain.body);
    let first = format!("{path}{query}count=true&limit=1");
    let first = tenant.viewer.get(&first).tenant(&tenant.id).send().await.expect(200);
    let total = first.body["total"].clone();
    if let Some(link) = first.header("link") {
        let next = link.trim_start_matches('<').split('>').next().expect("a reference");
        // Who follows the link has been told; who wants to know again may ask.
        assert!(!next.contains("count"), "{link}");
        let told = tenant.viewer.get(next).tenant(&tenant.id).send().await.expect(200);
        assert!(told.body.get("total").is_none(), "{told:?}");
        let again = format!("{next}&count=true");
        let again = tenant.viewer.get(&again).tenant(&tenant.id).send().await.expect(200);
        assert_eq!(again.body["total"], total, "{link}");
    }
    total
}

async fn totals_stand_beside_the_page(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let (one, two) = (tenant.project("in_progress", None).await, tenant.project("draft", None).await);
    let mut tasks = Vec::new();
    for (project, title, status, priority, due_on, mine) in [
        (&one, "red", "todo", "low", Some("2026-05-01"), true),
        (&one, "red and blue", "done", "urgent", None, false),
        (&one, "blue", "blocked", "high", Some("2026-03-01"), true),
        (&two, "red", "todo", "high", None, false),
    ] {
        let assignee = mine.then_some(&tenant.member.id);
        let new = json!({
            "title": title, "status": status, "priority": priority, "due_on": due_on, "assignee_id": assignee,
        });
        let path = format!("/v1/projects/{project}/tasks");
        let made = tenant.owner.post(&path).tenant(&tenant.id).json(&new).send().await.expect(201);
        tasks.push(made.text_at("/id"));
    }
    for number in 0..3 {
        let path = format!("/v1/tasks/{}/comments", tasks[0]);
        let new = json!({ "body": format!("Comment {number}") });
        tenant.owner.post(&path).tenant(&tenant.id).json(&new).send().await.expect(201);
    }
    // What others have is counted with theirs.
    let elsewhere = other.project("draft", None).await;
    other.task(&elsewhere, "todo").await;
    let me = &tenant.member.id;
    for (path, count) in [
        ("/v1/tasks".to_owned(), 4),
        (format!("/v1/projects/{one}/tasks"), 3),
        (format!("/v1/projects/{two}/tasks?status=done"), 0),
        ("/v1/tasks?status=todo,blocked".to_owned(), 3),
        ("/v1/tasks?status=todo&priority=high,low&order=-created_at".to_owned(), 2),
        ("/v1/tasks?assignee_id=none".to_owned(), 2),
        (format!("/v1/tasks?assignee_id={me}"), 2),
        (format!("/v1/tasks?assignee_id={me}&due_after=2026-03-01&order=due_on"), 1),
        (format!("/v1/projects/{one}/tasks?assignee_id={me}&due_before=2026-05-02&order=-due_on"), 2),
        ("/v1/tasks?q=red".to_owned(), 3),
        ("/v1/tasks?q=red&status=todo&order=-priority".to_owned(), 2),
        (format!("/v1/projects/{two}/tasks?q=red"), 1),
        (format!("/v1/projects/{two}/tasks?q=blue"), 0),
        ("/v1/projects".to_owned(), 2),
        ("/v1/projects?status=draft,submitted".to_owned(), 1),
        ("/v1/projects?visibility=public&order=name".to_owned(), 0),
        ("/v1/projects?created_after=2020-01-01T00:00:00Z&order=-updated_at".to_owned(), 2),
        ("/v1/projects?updated_before=2020-01-01T00:00:00Z".to_owned(), 0),
        (format!("/v1/tasks/{}/comments", tasks[0]), 3),
        (format!("/v1/tasks/{}/comments", tasks[1]), 0),
        ("/v1/members".to_owned(), 4),
    ] {
        assert_eq!(total(&tenant, &path).await, json!({ "count": count, "at_least": false }), "{path}");
    }
    let ask = tenant.viewer.get("/v1/tasks?count=yes").tenant(&tenant.id).send().await;
    assert_eq!(ask.problem(400, "invalid_parameter").pointers(), ["/count"]);
    let path = format!("/v1/tasks/{}/comments?count=true", bailiwick_tests::actors::new_id());
    tenant.viewer.get(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
}

/// Rows that are newer than all that the service makes.
fn id(number: usize) -> String {
    format!("fffffff0-0000-7000-8000-{number:012}")
}

async fn counting_ends_somewhere(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let oldest = tenant.task(&project, "todo").await;
    let now = "2026-01-01T00:00:00.000Z";
    let fill = async |numbers: std::ops::Range<usize>| {
        let tasks: Vec<_> = numbers
            .map(|number| {
                format!(
                    "('{}', '{}', '{project}', 'T', '', 'done', '{now}', '{now}', 1, 1)",
                    tenant.id,
                    id(number)
                )
            })
            .collect();
        for tasks in tasks.chunks(250) {
            let insert = format!(
                "INSERT INTO tasks (tenant_id, id, project_id, title, description, status, created_at, updated_at, version, \
                 indexed) VALUES {}",
                tasks.join(", ")
            );
            target.backdoor.sql(&insert).await;
        }
    };
    fill(0..9_999).await;
    let list = format!("/v1/projects/{project}/tasks");
    for path in ["/v1/tasks", &list] {
        for (query, count) in [("", 10_000), ("?status=done", 9_999), ("?status=todo", 1)] {
            let expected = json!({ "count": count, "at_least": false });
            assert_eq!(total(&tenant, &format!("{path}{query}")).await, expected, "{path}{query}");
        }
    }
    // Of one more it is not known; the oldest is not looked at.
    fill(9_999..10_001).await;
    for path in ["/v1/tasks", &list] {
        for (query, count) in [("", 10_000), ("?status=done", 10_000), ("?status=todo", 0)] {
            let expected = json!({ "count": count, "at_least": true });
            assert_eq!(total(&tenant, &format!("{path}{query}")).await, expected, "{path}{query}");
        }
    }
    let path = format!("/v1/tasks/{oldest}");
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
}
