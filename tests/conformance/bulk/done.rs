//! What many operations at once do, and whom they tell.

use bailiwick_tests::{
    actors::{Actor, Tenant},
    provided,
    targets::Target,
};
use serde_json::{Value, json};

use super::{bulk, column, read, tasks};

crate::cases!("bulk":
    operations_of_all_kinds,
    it_leaves_what_single_requests_leave,
    from_one_to_a_hundred,
    what_is_told_is_short_whatever_it_is_of,
    those_told_by_email_and_those_who_muted_it,
);

async fn operations_of_all_kinds(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let [one, two, three] = <[String; 3]>::try_from(tasks(&tenant, &project, 3).await).expect("three");
    let comment = tenant.comment(&two, &tenant.member.id).await;
    let untouched = read(&tenant, &three).await.expect(200);
    let text = "\u{1F680} e\u{301} \u{202E}x\u{200D}\n\t\"\\'";
    let answer = bulk(
        &tenant,
        &project,
        json!([
            { "op": "create", "title": "New", "description": text, "priority": "high", "due_on": "2026-12-24" },
            { "op": "update", "id": one, "status": "done", "assignee_id": tenant.viewer.id, "description": text },
            { "op": "delete", "id": two },
            { "op": "update", "id": three },
            { "op": "create", "title": "Newer", "assignee_id": null },
        ]),
    )
    .await
    .expect(200);
    let results = answer.body["results"].as_array().expect("results");
    let kinds: Vec<_> = results.iter().map(|result| result["op"].as_str().unwrap_or("-")).collect();
    assert_eq!(kinds, ["create", "update", "delete", "update", "create"]);
    let new = &results[0]["task"];
    assert_eq!(
        (
            &new["title"],
            &new["description"],
            &new["priority"],
            &new["status"],
            &new["due_on"],
            &new["version"]
        ),
        (&json!("New"), &json!(text), &json!("high"), &json!("todo"), &json!("2026-12-24"), &json!(1))
    );
    assert_eq!((&new["project_id"], &new["created_by"]), (&json!(project), &json!(tenant.member.id)));
    let changed = &results[1]["task"];
    assert_eq!(
        (&changed["id"], &changed["title"], &changed["status"], &changed["assignee_id"], &changed["version"]),
        (&json!(one), &json!("A task"), &json!("done"), &json!(tenant.viewer.id), &json!(2))
    );
    assert_eq!((&results[2]["id"], results[2].get("task")), (&json!(two), None));
    assert_eq!(results[3]["task"], untouched.body);
    for index in [0, 1, 3, 4] {
        let id = results[index]["task"]["id"].as_str().expect("an id");
        assert_eq!(read(&tenant, id).await.expect(200).body, results[index]["task"]);
    }
    read(&tenant, &two).await.problem(404, "not_found");
    let comments = format!("SELECT count(*) FROM comments WHERE id = '{comment}'");
    assert_eq!(target.backdoor.count(&comments).await, 0);

    // What is cleared, and what is left.
    let cleared = json!([{ "op": "update", "id": one, "assignee_id": null, "due_on": "2027-01-01" }]);
    let cleared = bulk(&tenant, &project, cleared).await.expect(200);
    let task = &cleared.body["results"][0]["task"];
    assert_eq!(
        (&task["assignee_id"], &task["due_on"], &task["status"], &task["description"]),
        (&Value::Null, &json!("2027-01-01"), &json!("done"), &json!(text))
    );
    let cleared =
        bulk(&tenant, &project, json!([{ "op": "update", "id": one, "due_on": null }])).await.expect(200);
    assert_eq!(cleared.body["results"][0]["task"]["due_on"], Value::Null);
}

/// What the activity log and the notifications say of a project's tasks, without ids and times.
async fn traces(tenant: &Tenant<'_>, project: &str) -> Vec<Vec<Option<String>>> {
    let backdoor = &tenant.owner.target.backdoor;
    let known = backdoor
        .sql(&format!(
            "SELECT action, actor_id, entity_type, detail FROM activity WHERE tenant_id = '{}' \
             AND action LIKE 'task.%' ORDER BY seq, id",
            tenant.id
        ))
        .await;
    let told = backdoor
        .sql(&format!(
            "SELECT recipient_id, kind, title, body, subject_type FROM notifications WHERE tenant_id = '{}' \
             ORDER BY title, recipient_id",
            tenant.id
        ))
        .await;
    // Postgres and SQLite order the members of details differently, but each the same way.
    let plain = |cell: Option<String>| cell.map(|text| text.replace(project, "project").replace(' ', ""));
    known.into_iter().chain(told).map(|row| row.into_iter().map(plain).collect()).collect()
}

async fn it_leaves_what_single_requests_leave(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let create = json!({ "title": "New", "description": "D", "assignee_id": tenant.viewer.id });
    let mine = json!({ "title": "Mine", "assignee_id": tenant.member.id, "due_on": "2026-12-24" });
    let assign = json!({ "assignee_id": tenant.manager.id, "description": "E" });
    let clear = json!({ "due_on": null, "priority": "low", "assignee_id": null });
    let with = |op: &str, id: Option<&str>, body: &Value| {
        let mut operation = body.clone();
        operation["op"] = json!(op);
        if let Some(id) = id {
            operation["id"] = json!(id);
        }
        operation
    };
    let sealed = async || {
        let unsealed =
            format!("SELECT count(*) FROM activity WHERE tenant_id = '{}' AND seq IS NULL", tenant.id);
        let done = async || provided(target.backdoor.count(&unsealed).await, |left| *left == 0);
        target.until("all entries to be sealed", done).await;
    };

    let singly = tenant.project("in_progress", None).await;
    let there = tasks(&tenant, &singly, 3).await;
    let path = format!("/v1/projects/{singly}/tasks");
    for new in [&create, &mine] {
        tenant.member.post(&path).tenant(&tenant.id).json(new).send().await.expect(201);
        sealed().await;
    }
    for (task, patch) in there.iter().zip([&assign, &clear]) {
        let ask = tenant.member.patch(&format!("/v1/tasks/{task}")).tenant(&tenant.id);
        ask.json(patch).send().await.expect(200);
        sealed().await;
    }
    tenant.member.delete(&format!("/v1/tasks/{}", there[2])).tenant(&tenant.id).send().await.expect(204);
    sealed().await;
    let expected = traces(&tenant, &singly).await;
    assert_eq!(expected.len(), 5 + 2, "{expected:?}");

    for table in ["notifications", "activity"] {
        target.backdoor.sql(&format!("DELETE FROM {table} WHERE tenant_id = '{}'", tenant.id)).await;
    }
    let at_once = tenant.project("in_progress", None).await;
    let there = tasks(&tenant, &at_once, 3).await;
    let operations = json!([
        with("create", None, &create),
        with("create", None, &mine),
        with("update", Some(&there[0]), &assign),
        with("update", Some(&there[1]), &clear),
        with("delete", Some(&there[2]), &json!({})),
    ]);
    bulk(&tenant, &at_once, operations).await.expect(200);
    sealed().await;
    assert_eq!(traces(&tenant, &at_once).await, expected);
    let verified = tenant.owner.get("/v1/admin/activity/verify").tenant(&tenant.id).send().await.expect(200);
    assert_eq!((&verified.body["valid"], &verified.body["checked"]), (&json!(true), &json!(5)));

    // A machine leaves its mark on each entry.
    let machine = tenant.machine(&tenant.owner, "member").await;
    let ask = machine.post(&format!("/v1/projects/{at_once}/tasks/bulk"));
    let two = json!({ "operations": [{ "op": "create", "title": "A" }, { "op": "create", "title": "B" }] });
    ask.json(&two).send().await.expect(200);
    let marked = format!(
        "SELECT count(*) FROM activity WHERE tenant_id = '{}' AND detail ->> 'api_key_id' IS NOT NULL",
        tenant.id
    );
    let marked_tasks = format!("{marked} AND action = 'task.created'");
    assert_eq!(target.backdoor.count(&marked_tasks).await, 2);
}

async fn from_one_to_a_hundred(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let new: Vec<_> = (0..100)
        .map(|number| {
            let assignee = [&tenant.viewer, &tenant.manager, &tenant.member][number % 3];
            json!({ "op": "create", "title": format!("Task {number:02}"), "assignee_id": assignee.id })
        })
        .collect();
    let created = bulk(&tenant, &project, json!(new)).await.expect(200);
    let results = created.body["results"].as_array().expect("results");
    let ids: Vec<_> = results.iter().map(|result| result["task"]["id"].as_str().expect("an id")).collect();
    // They are as if they were created one after the other.
    let titles: Vec<_> = (0..100).map(|number| format!("Task {number:02}")).collect();
    assert_eq!(column(&tenant, &project, "title").await, titles);
    assert_eq!(column(&tenant, &project, "id").await, ids);
    let told = format!("SELECT count(*) FROM notifications WHERE tenant_id = '{}'", tenant.id);
    // Nobody is told what they do themselves.
    assert_eq!(target.backdoor.count(&told).await, 67);
    let patches: Vec<_> =
        ids.iter().map(|id| json!({ "op": "update", "id": id, "status": "done" })).collect();
    bulk(&tenant, &project, json!(patches)).await.expect(200);
    assert_eq!(column(&tenant, &project, "version").await, vec!["2"; 100]);
    let gone: Vec<_> = ids.iter().map(|id| json!({ "op": "delete", "id": id })).collect();
    bulk(&tenant, &project, json!(gone[..99])).await.expect(200);
    bulk(&tenant, &project, json!(gone[99..])).await.expect(200);
    assert_eq!(column(&tenant, &project, "id").await, Vec::<String>::new());
    for (action, count) in [("task.created", 100), ("task.updated", 100), ("task.deleted", 100)] {
        let known = format!(
            "SELECT count(*) FROM activity WHERE tenant_id = '{}' AND action = '{action}'",
            tenant.id
        );
        assert_eq!(target.backdoor.count(&known).await, count, "{action}");
    }
}

async fn what_is_told_is_short_whatever_it_is_of(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let there = tasks(&tenant, &project, 60).await;
    // Together more than D1 takes as one value.
    let text = "\u{1F680}".repeat(10_000);
    for task in &there {
        let sql = format!("UPDATE tasks SET description = '{text}' WHERE id = '{task}'");
        target.backdoor.sql(&sql).await;
    }
    let assign = |id: &String| json!({ "op": "update", "id": id, "assignee_id": tenant.viewer.id });
    let operations: Vec<_> = there.iter().map(assign).collect();
    bulk(&tenant, &project, json!(operations)).await.expect(200);
    let told = format!(
        "SELECT count(*) FROM notifications WHERE tenant_id = '{}' AND length(body) <= 280",
        tenant.id
    );
    assert_eq!(target.backdoor.count(&told).await, 60);
}

async fn those_told_by_email_and_those_who_muted_it(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let channels = json!({ "channels": { "task_assigned": ["in_app", "email"] } });
    tenant.owner.patch("/v1/tenant/config").tenant(&tenant.id).json(&channels).send().await.expect(200);
    let muted = json!({ "muted": ["task_assigned"] });
    let preferences = tenant.manager.patch("/v1/notifications/preferences").tenant(&tenant.id);
    preferences.json(&muted).send().await.expect(200);
    let create =
        |title: &str, who: &Actor<'_>| json!({ "op": "create", "title": title, "assignee_id": who.id });
    let operations = json!([
        create("One", &tenant.viewer),
        create("Two", &tenant.viewer),
        create("Three", &tenant.manager),
        create("Four", &tenant.member),
        create("Five", &tenant.owner),
    ]);
    bulk(&tenant, &project, operations).await.expect(200);
    let mails = format!(
        "SELECT recipient_id FROM deliveries WHERE tenant_id = '{}' AND channel = 'email' ORDER BY id",
        tenant.id
    );
    let mails: Vec<_> = target.backdoor.sql(&mails).await.into_iter().flatten().flatten().collect();
    assert_eq!(mails, [&*tenant.viewer.id, &tenant.viewer.id, &tenant.owner.id]);
    let mail = target.mail_to(&tenant.owner.email).await;
    assert!(format!("{mail:?}").contains("Five"), "{mail:?}");
    let told = format!("SELECT count(*) FROM notifications WHERE tenant_id = '{}'", tenant.id);
    assert_eq!(target.backdoor.count(&told).await, 3);
}
