//! What is included in tasks and comments: people and projects by their names, in lists and in single reads.

use bailiwick_tests::{
    actors::{Actor, Tenant},
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("included":
    tasks_have_people_and_their_project,
    comments_have_their_author,
);

async fn name(tenant: &Tenant<'_>, actor: &Actor<'_>) -> String {
    let path = format!("/v1/people/{}", actor.id);
    tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200).text_at("/name")
}

async fn read(tenant: &Tenant<'_>, path: &str) -> Value {
    tenant.viewer.get(path).tenant(&tenant.id).send().await.expect(200).body
}

async fn tasks_have_people_and_their_project(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let writer = Actor::register(target, "writer").await;
    tenant.admit(&writer, "member").await;
    let new = json!({ "name": "Bridge" });
    let project = tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.expect(201);
    let project = project.text_at("/id");
    let path = format!("/v1/projects/{project}/tasks");
    let mut tasks = Vec::new();
    for assignee in [Some(&tenant.member.id), None] {
        let new = json!({ "title": "Task", "assignee_id": assignee });
        let made = writer.post(&path).tenant(&tenant.id).json(&new).send().await.expect(201);
        assert!(made.body.get("included").is_none(), "{made:?}");
        tasks.push(made.text_at("/id"));
    }
    let (assignee, creator) = (name(&tenant, &tenant.member).await, name(&tenant, &writer).await);
    let assignee = json!({ "id": tenant.member.id, "name": assignee });
    let creator = json!({ "id": writer.id, "name": creator });
    let about = json!({ "id": project, "name": "Bridge", "status": "draft" });
    // Who left keeps their name.
    tenant.remove(&writer).await;
    for (include, expected) in [
        ("assignee", [json!({ "assignee": assignee }), json!({ "assignee": null })]),
        ("created_by", [json!({ "created_by": creator }), json!({ "created_by": creator })]),
        ("project", [json!({ "project": about }), json!({ "project": about })]),
        (
            "project,assignee,created_by",
            [
                json!({ "assignee": assignee, "created_by": creator, "project": about }),
                json!({ "assignee": null, "created_by": creator, "project": about }),
            ],
        ),
    ] {
        for (task, expected) in tasks.iter().zip(&expected) {
            let path = format!("/v1/tasks/{task}");
            let plain = read(&tenant, &path).await;
            assert!(plain.get("included").is_none(), "{plain}");
            let mut with = read(&tenant, &format!("{path}?include={include}")).await;
            assert_eq!(with["included"], *expected, "{include}");
            with.as_object_mut().expect("an object").remove("included");
            assert_eq!(with, plain, "{include}");
        }
        for list in ["/v1/tasks", &path] {
            for order in ["created_at", "-created_at", "due_on", "-due_on", "priority", "-priority"] {
                for filter in ["", "&status=todo", "&q=task", "&count=true"] {
                    let path = format!("{list}?order={order}{filter}&include={include}");
                    let page = read(&tenant, &path).await;
                    let data = page["data"].as_array().expect("a list");
                    assert_eq!(data.len(), 2, "{path}");
                    for item in data {
                        let at =
                            tasks.iter().position(|task| item["id"] == **task).expect("it is one of them");
                        assert_eq!(item["included"], expected[at], "{path}");
                    }
                }
            }
        }
        let mine = format!("/v1/tasks?assignee_id={}&include={include}", tenant.member.id);
        assert_eq!(read(&tenant, &mine).await["data"][0]["included"], expected[0], "{mine}");
    }
    includes_make_another_representation(&tenant, &tasks[0]).await;
    wrong_includes_are_refused(&tenant, &format!("/v1/tasks/{}", tasks[0])).await;
}

/// What is included makes another representation, with a tag of its own, and the same version. Cursors do not depend on it.
async fn includes_make_another_representation(tenant: &Tenant<'_>, task: &str) {
    let path = format!("/v1/tasks/{task}");
    let with =
        tenant.viewer.get(&format!("{path}?include=project")).tenant(&tenant.id).send().await.expect(200);
    let plain = tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
    let tag = with.header("etag").expect("a tag").to_owned();
    assert_ne!(plain.header("etag"), Some(tag.as_str()));
    let patch = tenant.member.patch(&path).tenant(&tenant.id).header("if-match", &tag);
    patch.json(&json!({ "title": "Changed" })).send().await.expect(200);
    let page = read(tenant, "/v1/tasks?limit=1").await;
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    read(tenant, &format!("/v1/tasks?limit=1&include=assignee&cursor={cursor}")).await;
}

/// In a list and in a single read.
async fn wrong_includes_are_refused(tenant: &Tenant<'_>, task: &str) {
    for bad in [
        "include=",
        "include=author",
        "include=assignee,assignee",
        "include=assignee_id",
        "include=project.tasks",
    ] {
        for path in ["/v1/tasks", task] {
            let refused = tenant.viewer.get(&format!("{path}?{bad}")).tenant(&tenant.id).send().await;
            assert_eq!(refused.problem(400, "invalid_parameter").pointers(), ["/include"], "{path}?{bad}");
        }
    }
}

async fn comments_have_their_author(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let writer = Actor::register(target, "writer").await;
    tenant.admit(&writer, "member").await;
    let task = tenant.task(&tenant.project("in_progress", None).await, "todo").await;
    let list = format!("/v1/tasks/{task}/comments");
    let mut expected = Vec::new();
    for author in [&tenant.owner, &writer] {
        let new = json!({ "body": "Said" });
        let made = author.post(&list).tenant(&tenant.id).json(&new).send().await.expect(201);
        assert!(made.body.get("included").is_none(), "{made:?}");
        let author = json!({ "author": { "id": author.id, "name": name(&tenant, author).await } });
        expected.insert(0, (made.text_at("/id"), author));
    }
    tenant.remove(&writer).await;
    let page = read(&tenant, &format!("{list}?include=author&count=true")).await;
    assert_eq!(page["total"]["count"], 2);
    for (item, (id, author)) in page["data"].as_array().expect("a list").iter().zip(&expected) {
        assert_eq!((&item["id"], &item["included"]), (&json!(id), author));
        let one = read(&tenant, &format!("{list}/{id}?include=author")).await;
        assert_eq!(one, *item);
        let plain = read(&tenant, &format!("{list}/{id}")).await;
        assert!(plain.get("included").is_none(), "{plain}");
    }
    let refused = tenant.viewer.get(&format!("{list}?include=task")).tenant(&tenant.id).send().await;
    assert_eq!(refused.problem(400, "invalid_parameter").pointers(), ["/include"]);
}
