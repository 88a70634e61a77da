//! What a project says: what was approved is what stands there, and who changes it later is seen to.

use bailiwick_tests::{
    actors::{Actor, Tenant},
    client::{Answer, Ask},
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("content":
    a_revision_counts_what_a_project_says,
    who_approves_says_what_they_mean,
    any_move_may_say_what_it_means,
    what_is_under_review_is_not_changed,
    what_was_approved_is_a_managers_to_change,
    what_was_before_is_in_the_log_as_far_as_there_is_room,
);

fn changing(tenant: &Tenant<'_>, by: &Actor<'_>, project: &str, change: &Value) -> Ask {
    by.patch(&format!("/v1/projects/{project}")).tenant(&tenant.id).json(change)
}

fn moving(tenant: &Tenant<'_>, by: &Actor<'_>, project: &str, request: &Value) -> Ask {
    by.post(&format!("/v1/projects/{project}/transitions")).tenant(&tenant.id).json(request)
}

async fn read(tenant: &Tenant<'_>, project: &str) -> Answer {
    tenant.viewer.get(&format!("/v1/projects/{project}")).tenant(&tenant.id).send().await.expect(200)
}

/// What the newest change of a project's content says of itself in the activity.
async fn logged(tenant: &Tenant<'_>, project: &str) -> Value {
    let path = format!("/v1/admin/activity?action=project.updated&entity_id={project}&limit=1");
    let log = tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200);
    log.body["data"][0]["detail"].clone()
}

async fn a_revision_counts_what_a_project_says(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let new = json!({ "name": "Bridge" });
    let made = tenant.member.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.expect(201);
    let id = made.text_at("/id");
    assert_eq!(made.body["revision"], 1);
    for (nth, change) in
        [json!({ "name": "B" }), json!({ "description": "D" }), json!({ "visibility": "public" })]
            .iter()
            .enumerate()
    {
        let changed = changing(&tenant, &tenant.member, &id, change).send().await.expect(200);
        assert_eq!((&changed.body["revision"], &changed.body["version"]), (&json!(nth + 2), &json!(nth + 2)));
    }
    changing(&tenant, &tenant.member, &id, &json!({})).send().await.expect(200);
    // Where it stands in the workflow is not what it says.
    let moved = moving(&tenant, &tenant.member, &id, &json!({ "to": "submitted" })).send().await.expect(200);
    assert_eq!((&moved.body["revision"], &moved.body["version"]), (&json!(4), &json!(5)));
    assert_eq!(read(&tenant, &id).await.body["revision"], 4);
}

async fn who_approves_says_what_they_mean(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("submitted", Some(&tenant.member.id)).await;
    let approve = |revision: Value| {
        moving(&tenant, &tenant.manager, &project, &json!({ "to": "approved", "revision": revision }))
    };
    let etag = read(&tenant, &project).await.header("etag").expect("a tag").to_owned();
    approve(Value::Null).send().await.problem(428, "revision_required");
    approve(Value::Null).header("if-match", "*").send().await.problem(428, "revision_required");
    approve(json!(2)).send().await.problem(409, "conflict");
    // As JSON Schema has it, a whole number may be written like this.
    approve(json!(2.0)).send().await.problem(409, "conflict");
    approve(json!(1.5)).send().await.problem(422, "validation_failed");
    // It is taken back, made dearer, and submitted again: who has read it before approves nothing.
    for (to, change) in [("draft", true), ("submitted", false)] {
        moving(&tenant, &tenant.member, &project, &json!({ "to": to })).send().await.expect(200);
        if change {
            let dearer = json!({ "description": "1,000,000" });
            changing(&tenant, &tenant.member, &project, &dearer).send().await.expect(200);
        }
    }
    approve(json!(1)).send().await.problem(409, "conflict");
    approve(Value::Null).header("if-match", &etag).send().await.problem(412, "precondition_failed");
    approve(json!(2)).header("if-match", &etag).send().await.problem(412, "precondition_failed");
    assert_eq!(read(&tenant, &project).await.body["status"], "submitted");
    approve(json!(2)).send().await.expect(200);
    let path = format!("/v1/projects/{project}/transitions");
    let journey = tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!(
        (&journey.body["data"][0]["to"], &journey.body["data"][0]["revision"]),
        (&json!("approved"), &json!(2))
    );
    // Either of the two is enough.
    let project = tenant.project("submitted", Some(&tenant.member.id)).await;
    let etag = read(&tenant, &project).await.header("etag").expect("a tag").to_owned();
    let approve = moving(&tenant, &tenant.manager, &project, &json!({ "to": "approved" }));
    approve.header("if-match", &etag).send().await.expect(200);
}

async fn any_move_may_say_what_it_means(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("draft", None).await;
    let submit = |revision: i64| {
        moving(&tenant, &tenant.member, &project, &json!({ "to": "submitted", "revision": revision })).send()
    };
    submit(2).await.problem(409, "conflict");
    submit(1).await.expect(200);
}

async fn what_is_under_review_is_not_changed(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("submitted", Some(&tenant.member.id)).await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    for by in [&tenant.member, &tenant.manager, &tenant.owner] {
        for change in
            [json!({ "name": "N" }), json!({ "description": "D" }), json!({ "visibility": "public" })]
        {
            changing(&tenant, by, &project, &change).send().await.problem(409, "under_review");
        }
    }
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
    changing(&tenant, &tenant.viewer, &project, &json!({ "name": "N" }))
        .send()
        .await
        .problem(403, "insufficient_role");
    moving(&tenant, &tenant.member, &project, &json!({ "to": "draft" })).send().await.expect(200);
    changing(&tenant, &tenant.member, &project, &json!({ "name": "N" })).send().await.expect(200);
}

async fn what_was_approved_is_a_managers_to_change(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    for status in ["approved", "in_progress", "completed"] {
        let project = tenant.project(status, Some(&tenant.member.id)).await;
        let change = json!({ "name": "Another", "visibility": "public" });
        let refused = changing(&tenant, &tenant.member, &project, &change).send().await;
        assert_eq!(refused.problem(403, "insufficient_role").body["required_role"], "manager");
        assert_eq!(read(&tenant, &project).await.body["name"], "A project");
        let changed = changing(&tenant, &tenant.manager, &project, &change).send().await.expect(200);
        assert_eq!((&changed.body["revision"], &changed.body["status"]), (&json!(2), &json!(status)));
        // Who created it and who submitted it are told, and the log has what was approved.
        for told in [&tenant.owner, &tenant.member] {
            let list = told.get("/v1/notifications?kind=approved&limit=1").tenant(&tenant.id).send().await;
            let list = list.expect(200);
            let title = "manager changed \u{201c}A project\u{201d}, which was approved";
            assert_eq!(
                (&*list.text_at("/data/0/title"), list.text_at("/data/0/subject_id")),
                (title, project.clone())
            );
        }
        let expected = json!({
            "name": "Another", "visibility": "public",
            "before": { "name": "A project", "visibility": "private", "revision": 1 },
        });
        assert_eq!(logged(&tenant, &project).await, expected);
    }
    // Of a draft the log has no more than that it was changed.
    for status in ["draft", "rejected"] {
        let project = tenant.project(status, None).await;
        changing(&tenant, &tenant.member, &project, &json!({ "name": "N" })).send().await.expect(200);
        assert_eq!(logged(&tenant, &project).await, json!({ "name": "N" }));
    }
    // An entry is a link of the chain.
    let chain = tenant.owner.get("/v1/admin/activity/verify").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(chain.body["valid"], true);
}

async fn what_was_before_is_in_the_log_as_far_as_there_is_room(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("approved", None).await;
    // The longest that there can be, of the characters that take the most room.
    let (name, description) = ("\u{1F4B8}".repeat(200), "\u{1F4B8}".repeat(10_000));
    let long = json!({ "name": name, "description": description });
    changing(&tenant, &tenant.owner, &project, &long).send().await.expect(200);
    let short = json!({ "name": "S", "description": "S", "visibility": "public" });
    changing(&tenant, &tenant.owner, &project, &short).send().await.expect(200);
    let detail = logged(&tenant, &project).await;
    let cut = format!("{}\u{2026}", "\u{1F4B8}".repeat(2_000));
    let before = json!({ "name": name, "description": cut, "visibility": "private", "revision": 2 });
    assert_eq!(detail["before"], before);
    // As much as an import takes.
    assert!(detail.to_string().len() <= 16 * 1024);
}
