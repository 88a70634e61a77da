//! If anything fails, nothing happens, and all faults are pointed at.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id},
    targets::Target,
};
use serde_json::{Value, json};

use super::{bulk, tasks};

crate::cases!("bulk":
    nothing_happens_if_anything_fails,
    all_faults_at_once,
    shapes,
);

async fn nothing_happens_if_anything_fails(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let project = tenant.project("in_progress", None).await;
    let (archived, elsewhere) = (tenant.project("archived", None).await, tenant.project("draft", None).await);
    let there = tasks(&tenant, &project, 3).await;
    let [sibling, kept] = [tenant.task(&elsewhere, "todo").await, tenant.task(&archived, "todo").await];
    let foreign_project = other.project("draft", None).await;
    let foreign = other.task(&foreign_project, "todo").await;
    let stranger = Actor::register(target, "stranger").await;
    tenant.set(&tenant.manager, "status", "suspended").await;
    let good = |last: Value| {
        json!([
            { "op": "create", "title": "New", "assignee_id": tenant.viewer.id },
            { "op": "update", "id": there[0], "title": "Changed", "assignee_id": tenant.viewer.id },
            { "op": "delete", "id": there[1] },
            last,
        ])
    };
    let before = tokio::join!(target.backdoor.snapshot(&tenant.id), target.backdoor.snapshot(&other.id));
    let create = |assignee: &str| json!({ "op": "create", "title": "T", "assignee_id": assignee });
    for (last, pointer, code) in [
        (json!({ "op": "update", "id": new_id(), "title": "T" }), "/operations/3/id", "not_allowed"),
        (json!({ "op": "delete", "id": new_id() }), "/operations/3/id", "not_allowed"),
        (json!({ "op": "update", "id": new_id() }), "/operations/3/id", "not_allowed"),
        (json!({ "op": "update", "id": sibling, "title": "T" }), "/operations/3/id", "not_allowed"),
        (json!({ "op": "delete", "id": sibling }), "/operations/3/id", "not_allowed"),
        (json!({ "op": "update", "id": foreign, "title": "T" }), "/operations/3/id", "not_allowed"),
        (json!({ "op": "delete", "id": foreign }), "/operations/3/id", "not_allowed"),
        (json!({ "op": "delete", "id": there[0] }), "/operations/3/id", "repeated"),
        (json!({ "op": "delete", "id": there[0].to_uppercase() }), "/operations/3/id", "repeated"),
        (json!({ "op": "update", "id": there[1] }), "/operations/3/id", "repeated"),
        (create(&new_id()), "/operations/3/assignee_id", "not_allowed"),
        (create(&stranger.id), "/operations/3/assignee_id", "not_allowed"),
        (create(&other.owner.id), "/operations/3/assignee_id", "not_allowed"),
        (create(&tenant.manager.id), "/operations/3/assignee_id", "not_allowed"),
        (
            json!({ "op": "update", "id": there[2], "assignee_id": stranger.id }),
            "/operations/3/assignee_id",
            "not_allowed",
        ),
        (json!({ "op": "create", "title": "" }), "/operations/3/title", "too_short"),
        (json!({ "op": "update", "id": there[2], "title": null }), "/operations/3/title", "wrong_type"),
    ] {
        let refused = bulk(&tenant, &project, good(last.clone())).await.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), [pointer], "{last}");
        assert_eq!(refused.body["errors"][0]["code"], code, "{last}");
    }
    // Nothing tells what is elsewhere from what is nowhere.
    let texts = [&sibling, &foreign, &new_id()].map(|id| json!([{ "op": "delete", "id": id }]));
    let [one, two, three] = texts.map(|operations| bulk(&tenant, &project, operations));
    let (one, two, three) = tokio::join!(one, two, three);
    assert!(one.body["errors"] == two.body["errors"] && two.body["errors"] == three.body["errors"]);
    let plain = json!([{ "op": "create", "title": "T" }]);
    for nowhere in [foreign_project.as_str(), &new_id(), "1"] {
        bulk(&tenant, nowhere, plain.clone()).await.problem(404, "not_found");
    }
    for operations in [plain.clone(), json!([{ "op": "delete", "id": kept }]), good(plain[0].clone())] {
        bulk(&tenant, &archived, operations).await.problem(409, "project_archived");
    }
    let ask = tenant.viewer.post(&format!("/v1/projects/{project}/tasks/bulk")).tenant(&tenant.id);
    ask.json(&json!({ "operations": plain })).send().await.problem(403, "insufficient_role");
    let after = tokio::join!(target.backdoor.snapshot(&tenant.id), target.backdoor.snapshot(&other.id));
    assert_eq!(before, after);
    bulk(&tenant, &project, good(plain[0].clone())).await.expect(200);
}

async fn all_faults_at_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let task = tenant.task(&project, "todo").await;
    let refused = bulk(
        &tenant,
        &project,
        json!([
            { "op": "update", "id": task, "assignee_id": new_id() },
            { "op": "delete", "id": new_id() },
            { "op": "create", "title": "T", "assignee_id": new_id() },
            { "op": "update", "id": new_id(), "assignee_id": new_id() },
            { "op": "delete", "id": task },
        ]),
    )
    .await;
    assert_eq!(
        refused.problem(422, "validation_failed").pointers(),
        [
            "/operations/0/assignee_id",
            "/operations/1/id",
            "/operations/2/assignee_id",
            "/operations/3/id",
            "/operations/3/assignee_id",
            "/operations/4/id",
        ]
    );
    let refused = bulk(
        &tenant,
        &project,
        json!([
            { "op": "update", "title": 7, "due_on": "soon", "x/y": 1 },
            { "op": "delete", "id": "1", "title": "T" },
            { "op": "create", "id": task },
            { "op": "destroy", "id": task },
            { "title": "T" },
            [],
            { "op": null },
        ]),
    )
    .await;
    let refused = refused.problem(422, "validation_failed");
    let mut pointers = refused.pointers();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        [
            "/operations/0/due_on",
            "/operations/0/id",
            "/operations/0/title",
            "/operations/0/x~1y",
            "/operations/1/id",
            "/operations/1/title",
            "/operations/2/id",
            "/operations/2/title",
            "/operations/3/op",
            "/operations/4/op",
            "/operations/5",
            "/operations/6/op",
        ]
    );
}

async fn shapes(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let ask = async |body: Value| {
        let ask = tenant.member.post(&format!("/v1/projects/{project}/tasks/bulk")).tenant(&tenant.id);
        ask.json(&body).send().await.problem(422, "validation_failed")
    };
    let before = target.backdoor.snapshot(&tenant.id).await;
    let many = vec![json!({ "op": "create", "title": "T" }); 101];
    for (body, pointers, code) in [
        (json!({}), &["/operations"][..], "required"),
        (json!({ "operations": null }), &["/operations"], "wrong_type"),
        (json!({ "operations": {} }), &["/operations"], "wrong_type"),
        (json!({ "operations": [] }), &["/operations"], "too_short"),
        (json!({ "operations": many }), &["/operations"], "too_long"),
        (json!({ "operations": many[..1], "atomic": false }), &["/atomic"], "unknown"),
    ] {
        let refused = ask(body.clone()).await;
        assert_eq!(
            (refused.pointers(), &refused.body["errors"][0]["code"]),
            (pointers.to_vec(), &json!(code)),
            "{body}"
        );
    }
    let long: Vec<_> =
        (0..30).map(|_| json!({ "op": "create", "title": "T", "description": "x".repeat(10_000) })).collect();
    bulk(&tenant, &project, json!(long)).await.problem(413, "body_too_large");
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
    bulk(&tenant, &project, json!(long[..25])).await.expect(200);
}
