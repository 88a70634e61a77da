//! Tasks: their life, their lists and orders, and who may be given one.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("tasks":
    create_read_change_delete,
    fields_are_cleared_by_null_only,
    an_assignee_is_an_active_member,
    those_of_an_archived_project_are_read_only,
    filters,
    orders_go_on_from_page_to_page,
    across_projects,
    open_ones_keep_a_project_from_completion,
    concurrent_changes_of_different_fields_both_stay,
    of_many_who_assign_it_at_once_one_tells,
    bad_input,
);

async fn create(tenant: &Tenant<'_>, project: &str, body: Value) -> Answer {
    tenant.member.post(&format!("/v1/projects/{project}/tasks")).tenant(&tenant.id).json(&body).send().await
}

async fn patch(tenant: &Tenant<'_>, id: &str, body: Value) -> Answer {
    tenant.member.patch(&format!("/v1/tasks/{id}")).tenant(&tenant.id).json(&body).send().await
}

/// The titles on all pages of a list.
async fn titles(tenant: &Tenant<'_>, path: &str) -> Vec<String> {
    titles_for(&tenant.viewer, tenant, path).await
}

async fn titles_for(asker: &Actor<'_>, tenant: &Tenant<'_>, path: &str) -> Vec<String> {
    let mut titles = Vec::new();
    let mut next = path.to_owned();
    loop {
        let page = asker.get(&next).tenant(&tenant.id).send().await.expect(200);
        let data = page.body["data"].as_array().expect("a list");
        titles.extend(data.iter().map(|task| task["title"].as_str().expect("a title").to_owned()));
        match page.body["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => return titles,
        }
    }
}

async fn create_read_change_delete(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let new = json!({ "title": "Dig", "description": "Deep", "priority": "high", "due_on": "2026-12-24" });
    let created = create(&tenant, &project, new).await.expect(201);
    let id = created.text_at("/id");
    let path = format!("/v1/tasks/{id}");
    assert_eq!(created.header("location"), Some(path.as_str()));
    assert_eq!(
        (&created.body["status"], &created.body["priority"], &created.body["due_on"]),
        (&json!("todo"), &json!("high"), &json!("2026-12-24"))
    );
    assert_eq!(
        (&created.body["project_id"], &created.body["created_by"], &created.body["assignee_id"]),
        (&json!(project), &json!(tenant.member.id), &Value::Null)
    );
    let read = tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!(read.body, created.body);
    let changed = patch(&tenant, &id, json!({ "status": "blocked", "title": "Dig on" })).await.expect(200);
    assert_eq!(
        (&changed.body["status"], &changed.body["title"], &changed.body["version"]),
        (&json!("blocked"), &json!("Dig on"), &json!(2))
    );
    assert_eq!(changed.body["description"], "Deep");
    assert_eq!(patch(&tenant, &id, json!({})).await.expect(200).body, changed.body);

    let comment = tenant.comment(&id, &tenant.member.id).await;
    tenant.member.delete(&path).tenant(&tenant.id).send().await.expect(204);
    tenant.member.delete(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
    patch(&tenant, &id, json!({ "title": "T" })).await.problem(404, "not_found");
    let comments = format!("SELECT count(*) FROM comments WHERE id = '{comment}'");
    assert_eq!(target.backdoor.count(&comments).await, 0);
    create(&tenant, &new_id(), json!({ "title": "T" })).await.problem(404, "not_found");

    let entries =
        tenant.owner.get(&format!("/v1/admin/activity?entity_id={id}")).tenant(&tenant.id).send().await;
    let actions: Vec<_> = entries.body["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["action"].clone())
        .collect();
    assert_eq!(actions, ["task.deleted", "task.updated", "task.created"]);
}

async fn fields_are_cleared_by_null_only(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let new = json!({ "title": "T", "assignee_id": tenant.viewer.id, "due_on": "2026-01-31" });
    let id = create(&tenant, &project, new).await.expect(201).text_at("/id");
    let kept = patch(&tenant, &id, json!({ "description": "D" })).await.expect(200);
    assert_eq!(
        (&kept.body["assignee_id"], &kept.body["due_on"]),
        (&json!(tenant.viewer.id), &json!("2026-01-31"))
    );
    let cleared = patch(&tenant, &id, json!({ "assignee_id": null })).await.expect(200);
    assert_eq!((&cleared.body["assignee_id"], &cleared.body["due_on"]), (&Value::Null, &json!("2026-01-31")));
    let cleared = patch(&tenant, &id, json!({ "due_on": null })).await.expect(200);
    assert_eq!(cleared.body["due_on"], Value::Null);
    let refused = patch(&tenant, &id, json!({ "title": null, "status": null, "priority": null })).await;
    let refused = refused.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/title", "/status", "/priority"]);
}

async fn an_assignee_is_an_active_member(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let stranger = Actor::register(target, "stranger").await;
    tenant.set(&tenant.manager, "status", "suspended").await;
    let task = create(&tenant, &project, json!({ "title": "T" })).await.expect(201).text_at("/id");
    let before = target.backdoor.snapshot(&tenant.id).await;
    for id in [&stranger.id, &tenant.manager.id, &new_id()] {
        let refused = create(&tenant, &project, json!({ "title": "T", "assignee_id": id })).await;
        assert_eq!(refused.problem(422, "validation_failed").pointers(), ["/assignee_id"]);
        let refused = patch(&tenant, &task, json!({ "assignee_id": id })).await;
        assert_eq!(refused.problem(422, "validation_failed").pointers(), ["/assignee_id"]);
    }
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
    patch(&tenant, &task, json!({ "assignee_id": tenant.member.id })).await.expect(200);
}

async fn those_of_an_archived_project_are_read_only(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("archived", None).await;
    // One that is open is nothing to it.
    tenant.task(&tenant.project("in_progress", None).await, "todo").await;
    let task = tenant.task(&project, "todo").await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    create(&tenant, &project, json!({ "title": "T" })).await.problem(409, "project_archived");
    patch(&tenant, &task, json!({ "title": "T" })).await.problem(409, "project_archived");
    let path = format!("/v1/tasks/{task}");
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.problem(409, "project_archived");
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
    tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
}

/// Ten tasks of all kinds.
async fn corpus(tenant: &Tenant<'_>, project: &str) {
    for (title, status, priority, due_on, mine) in [
        ("a", "todo", "low", Some("2026-05-01"), true),
        ("b", "done", "urgent", None, false),
        ("c", "todo", "normal", Some("2026-03-01"), false),
        ("d", "blocked", "high", Some("2026-05-01"), true),
        ("e", "in_progress", "urgent", Some("2025-12-31"), false),
        ("f", "todo", "normal", None, true),
        ("g", "todo", "low", Some("2026-03-01"), false),
    ] {
        let assignee = mine.then_some(&tenant.member.id);
        let new = json!({
            "title": title, "status": status, "priority": priority, "due_on": due_on, "assignee_id": assignee,
        });
        create(tenant, project, new).await.expect(201);
    }
}

async fn filters(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    corpus(&tenant, &project).await;
    let me = &tenant.member.id;
    for (query, expected) in [
        (String::new(), "gfedcba"),
        ("&status=todo".to_owned(), "gfca"),
        ("&priority=urgent".to_owned(), "eb"),
        (format!("&assignee_id={me}"), "fda"),
        (format!("&assignee_id={me}&status=todo"), "fa"),
        ("&due_before=2026-05-01".to_owned(), "gec"),
        ("&due_before=2026-05-02&status=todo&priority=low".to_owned(), "ga"),
        ("&status=done&priority=low".to_owned(), ""),
        // Several values, in whatever order.
        ("&status=todo,blocked".to_owned(), "gfdca"),
        ("&status=done,in_progress,blocked&priority=high,urgent".to_owned(), "edb"),
        ("&status=todo%2Cblocked&priority=low".to_owned(), "ga"),
        ("&status=todo,in_progress,blocked,done".to_owned(), "gfedcba"),
        ("&status=blocked,todo&order=due_on".to_owned(), "gcdaf"),
        ("&status=blocked,todo&q=d".to_owned(), "d"),
        // Neither day is meant itself, and what has no day is neither before nor after one.
        ("&due_after=2026-03-01".to_owned(), "da"),
        ("&due_after=2025-12-31&due_before=2026-05-01".to_owned(), "gc"),
        ("&due_after=2026-03-01&due_before=2026-03-02".to_owned(), ""),
        ("&due_after=2025-12-31&order=priority".to_owned(), "dcga"),
        ("&assignee_id=none".to_owned(), "gecb"),
        ("&assignee_id=none&status=todo,done".to_owned(), "gcb"),
        ("&assignee_id=me".to_owned(), ""),
        ("&assignee=none".to_owned(), "gecb"),
        ("&assignee=none&status=todo".to_owned(), "gc"),
        ("&assignee=none&order=due_on".to_owned(), "egcb"),
        ("&assignee=none&order=priority".to_owned(), "ebcg"),
        // Whoever asks has none.
        ("&assignee=me".to_owned(), ""),
    ] {
        for list in [format!("/v1/projects/{project}/tasks"), "/v1/tasks".to_owned()] {
            let found = titles(&tenant, &format!("{list}?limit=2{query}")).await.concat();
            assert_eq!(found, expected, "{list} {query}");
        }
    }
    // A machine is whoever made its key.
    let machine = tenant.machine(&tenant.member, "viewer").await;
    for (query, expected) in
        [("", "fda"), ("&status=todo", "fa"), ("&order=due_on", "daf"), ("&q=d", "d"), ("&q=c", "")]
    {
        for list in [format!("/v1/projects/{project}/tasks"), "/v1/tasks".to_owned()] {
            for name in ["assignee", "assignee_id"] {
                let path = format!("{list}?{name}=me{query}");
                for asker in [&tenant.member, &machine] {
                    assert_eq!(titles_for(asker, &tenant, &path).await.concat(), expected, "{path}");
                }
            }
        }
    }
    assert_eq!(titles(&tenant, "/v1/tasks?assignee=none&q=c").await.concat(), "c");
    // All that is asked for must hold.
    for (assignee, other, expected) in [
        ("me", me.as_str(), "fda"),
        ("none", me, ""),
        ("me", "me", "fda"),
        ("none", "none", "gecb"),
        ("me", "none", ""),
    ] {
        let path = format!("/v1/tasks?assignee={assignee}&assignee_id={other}");
        assert_eq!(titles_for(&tenant.member, &tenant, &path).await.concat(), expected, "{path}");
    }
    // The same values in another order are the same filter; others are another.
    let ask = async |query: &str| {
        tenant.viewer.get(&format!("/v1/tasks?limit=1&{query}")).tenant(&tenant.id).send().await
    };
    let cursor = ask("status=todo,blocked").await.expect(200).text_at("/next_cursor");
    ask(&format!("status=blocked,todo&cursor={cursor}")).await.expect(200);
    for other in ["status=todo", "status=todo,done", "priority=high,urgent", "due_after=2020-01-01"] {
        ask(&format!("{other}&cursor={cursor}")).await.problem(400, "invalid_cursor");
    }
}

async fn orders_go_on_from_page_to_page(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    corpus(&tenant, &project).await;
    let me = format!("&assignee_id={}", tenant.member.id);
    for (order, all, mine) in [
        ("created_at", "gfedcba", "fda"),
        ("-created_at", "abcdefg", "adf"),
        ("due_on", "egcdafb", "daf"),
        ("-due_on", "dagcefb", "daf"),
        ("priority", "ebdfcga", "dfa"),
        ("-priority", "gafcdeb", "afd"),
    ] {
        for list in [format!("/v1/projects/{project}/tasks"), "/v1/tasks".to_owned()] {
            for limit in [1, 2, 3, 100] {
                let path = format!("{list}?order={order}&limit={limit}");
                assert_eq!(titles(&tenant, &path).await.concat(), all, "{path}");
                let path = format!("{path}{me}");
                assert_eq!(titles(&tenant, &path).await.concat(), mine, "{path}");
            }
        }
    }
    // So it is with filters and words.
    for (query, expected) in [
        ("order=-created_at&status=todo,blocked", "acdfg"),
        ("order=-created_at&assignee_id=none", "bceg"),
        ("order=-created_at&q=d", "d"),
        ("order=-due_on&status=todo,blocked", "dagcf"),
        ("order=-due_on&due_before=2026-05-01", "gce"),
        ("order=-due_on&q=d", "d"),
        ("order=-priority&assignee_id=none", "gceb"),
        ("order=-priority&q=d", "d"),
    ] {
        for limit in [1, 2, 100] {
            let path = format!("/v1/tasks?{query}&limit={limit}");
            assert_eq!(titles(&tenant, &path).await.concat(), expected, "{path}");
        }
    }
    // A cursor belongs to one order, and to one direction.
    for (order, other) in [
        ("due_on", "priority"),
        ("due_on", "-due_on"),
        ("-priority", "priority"),
        ("-created_at", "created_at"),
    ] {
        let page = format!("/v1/tasks?order={order}&limit=1");
        let page = tenant.viewer.get(&page).tenant(&tenant.id).send().await.expect(200);
        let elsewhere = format!("/v1/tasks?order={other}&limit=1&cursor={}", page.text_at("/next_cursor"));
        tenant.viewer.get(&elsewhere).tenant(&tenant.id).send().await.problem(400, "invalid_cursor");
    }
}

async fn across_projects(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (one, two) = (tenant.project("in_progress", None).await, tenant.project("draft", None).await);
    create(&tenant, &one, json!({ "title": "1" })).await.expect(201);
    create(&tenant, &two, json!({ "title": "2" })).await.expect(201);
    assert_eq!(titles(&tenant, "/v1/tasks?limit=20").await.concat(), "21");
    assert_eq!(titles(&tenant, &format!("/v1/projects/{one}/tasks?limit=20")).await.concat(), "1");
    let path = format!("/v1/projects/{}/tasks", new_id());
    tenant.viewer.get(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
    // A deleted project takes its tasks along.
    tenant.manager.delete(&format!("/v1/projects/{one}")).tenant(&tenant.id).send().await.expect(204);
    assert_eq!(titles(&tenant, "/v1/tasks?limit=20").await.concat(), "2");
}

async fn open_ones_keep_a_project_from_completion(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let task = create(&tenant, &project, json!({ "title": "T" })).await.expect(201).text_at("/id");
    let complete = || {
        let ask = tenant.manager.post(&format!("/v1/projects/{project}/transitions")).tenant(&tenant.id);
        ask.json(&json!({ "to": "completed" })).send()
    };
    complete().await.problem(409, "tasks_open");
    patch(&tenant, &task, json!({ "status": "done" })).await.expect(200);
    complete().await.expect(200);
}

async fn concurrent_changes_of_different_fields_both_stay(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let task = create(&tenant, &project, json!({ "title": "T" })).await.expect(201).text_at("/id");
    let (one, two, three) = tokio::join!(
        patch(&tenant, &task, json!({ "title": "Changed" })),
        patch(&tenant, &task, json!({ "priority": "urgent", "assignee_id": tenant.owner.id })),
        patch(&tenant, &task, json!({ "due_on": "2027-01-01" })),
    );
    for answer in [one, two, three] {
        answer.expect(200);
    }
    let read = tenant.viewer.get(&format!("/v1/tasks/{task}")).tenant(&tenant.id).send().await.expect(200);
    let body = &read.body;
    assert_eq!(
        (&body["title"], &body["priority"], &body["due_on"], &body["assignee_id"], &body["version"]),
        (&json!("Changed"), &json!("urgent"), &json!("2027-01-01"), &json!(tenant.owner.id), &json!(4))
    );
}

async fn of_many_who_assign_it_at_once_one_tells(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    for _ in 0..5 {
        let task = tenant.task(&project, "todo").await;
        let assign = || patch(&tenant, &task, json!({ "assignee_id": tenant.viewer.id }));
        for answer in <[Answer; 3]>::from(tokio::join!(assign(), assign(), assign())) {
            answer.expect(200);
        }
        let told = format!("SELECT count(*) FROM notifications WHERE subject_id = '{task}'");
        assert_eq!(target.backdoor.count(&told).await, 1);
    }
}

async fn bad_input(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    for (body, pointers) in [
        (json!({}), &["/title"][..]),
        (json!({ "title": " " }), &["/title"]),
        (json!({ "title": "two\nlines" }), &["/title"]),
        (json!({ "title": "x".repeat(201) }), &["/title"]),
        (json!({ "title": "T", "due_on": "2026-02-30", "priority": "asap" }), &["/priority", "/due_on"]),
        (json!({ "title": "T", "due_on": "2026-02-03T00:00:00Z" }), &["/due_on"]),
        (json!({ "title": "T", "assignee_id": "me" }), &["/assignee_id"]),
        (
            json!({ "title": "T", "project_id": project, "tenant_id": tenant.id }),
            &["/project_id", "/tenant_id"],
        ),
    ] {
        let refused = create(&tenant, &project, body.clone()).await.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), pointers, "{body}");
    }
    for query in [
        "status=open",
        "order=title",
        "order=--due_on",
        "order=due_on,priority",
        "due_before=soon",
        "due_after=2026-02-30",
        "assignee_id=nobody",
        "assignee_id=me,none",
        "status=todo,open",
        "status=todo,todo",
        "priority=urgent,",
        "assignee=0196a2b4-0000-7000-8000-000000000000",
        "limit=0",
        "query=x",
        "status=todo&status=done",
    ] {
        let ask = tenant.viewer.get(&format!("/v1/tasks?{query}")).tenant(&tenant.id);
        ask.send().await.problem(400, "invalid_parameter");
    }
    let read = tenant.viewer.get("/v1/tasks/1").tenant(&tenant.id).send().await;
    read.problem(404, "not_found");
}
