//! Members: their roles, their coming and going, and the owner that a tenant always keeps.

use bailiwick_tests::{
    actors::{Actor, Tenant},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("members":
    reading_them,
    changing_a_role,
    suspending_and_reinstating,
    who_was_brought_in_is_asked,
    removing_one_leaves_their_tasks_behind,
    leaving,
    the_last_owner_stays,
    an_owner_who_cannot_log_in_is_none,
    ownership_can_be_handed_over,
    of_two_owners_who_demote_each_other_one_stays,
    of_two_owners_who_leave_at_once_one_stays,
    changes_have_their_activity,
);

async fn patch(tenant: &Tenant<'_>, by: &Actor<'_>, whom: &Actor<'_>, body: Value) -> Answer {
    by.patch(&format!("/v1/members/{}", whom.id)).tenant(&tenant.id).json(&body).send().await
}

async fn owners(tenant: &Tenant<'_>) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM memberships WHERE tenant_id = '{}' AND role = 'owner' AND status = 'active'",
        tenant.id
    );
    tenant.owner.target.backdoor.count(&sql).await
}

async fn reading_them(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let path = format!("/v1/members/{}", tenant.manager.id);
    let read = tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!(
        (read.text_at("/email"), read.text_at("/role"), read.text_at("/status")),
        (tenant.manager.email.clone(), "manager".to_owned(), "active".to_owned())
    );
    let mine = tenant.manager.get("/v1/members/me").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(mine.body, read.body);
    // Who is in no tenant of mine is nobody here.
    let stranger = Actor::register(target, "stranger").await;
    let path = format!("/v1/members/{}", stranger.id);
    tenant.owner.get(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
}

async fn changing_a_role(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let changed =
        patch(&tenant, &tenant.owner, &tenant.viewer, json!({ "role": "manager" })).await.expect(200);
    assert_eq!((&changed.body["role"], &changed.body["version"]), (&json!("manager"), &json!(2)));
    // It counts at once, with the token that they have.
    let project = tenant.project("draft", None).await;
    let path = format!("/v1/projects/{project}");
    tenant.viewer.delete(&path).tenant(&tenant.id).send().await.expect(204);
    // The same once more changes nothing.
    let same = patch(&tenant, &tenant.owner, &tenant.viewer, json!({ "role": "manager" })).await.expect(200);
    assert_eq!(same.body, changed.body);
    patch(&tenant, &tenant.owner, &tenant.viewer, json!({})).await.expect(200);

    patch(&tenant, &tenant.manager, &tenant.member, json!({ "role": "viewer" }))
        .await
        .problem(403, "insufficient_role");
    for (body, pointer) in [
        (json!({ "role": "king" }), "/role"),
        (json!({ "role": null }), "/role"),
        (json!({ "status": "removed" }), "/status"),
        (json!({ "email": "a@b.c" }), "/email"),
    ] {
        let refused =
            patch(&tenant, &tenant.owner, &tenant.member, body).await.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), [pointer]);
    }
}

async fn suspending_and_reinstating(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let read = || tenant.member.get("/v1/tenant").tenant(&tenant.id).send();
    patch(&tenant, &tenant.owner, &tenant.member, json!({ "status": "suspended" })).await.expect(200);
    read().await.problem(403, "not_a_member");
    let listed = tenant.owner.get("/v1/members").tenant(&tenant.id).send().await.expect(200);
    let suspended =
        listed.body["data"].as_array().expect("a list").iter().filter(|m| m["status"] == "suspended");
    assert_eq!(suspended.count(), 1);
    patch(&tenant, &tenant.owner, &tenant.member, json!({ "status": "active" })).await.expect(200);
    read().await.expect(200);
}

async fn who_was_brought_in_is_asked(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (owner, member) = (&tenant.owner, &tenant.member);
    let brought_in = format!(
        "UPDATE memberships SET status = 'suspended', imported_at = '2026-01-01T00:00:00.000Z' \
         WHERE tenant_id = '{}' AND user_id = '{}'",
        tenant.id, member.id
    );
    target.backdoor.sql(&brought_in).await;
    for change in [json!({ "status": "active" }), json!({ "status": "active", "role": "viewer" })] {
        patch(&tenant, owner, member, change).await.problem(409, "invitation_required");
    }
    patch(&tenant, owner, member, json!({ "role": "manager" })).await.expect(200);
    member.get("/v1/tenant").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    let invitation = json!({ "email": member.email, "role": "viewer" });
    let invite = || tenant.manager.post("/v1/invitations").tenant(&tenant.id).json(&invitation);
    let token = invite().send().await.expect(201).text_at("/token");
    let accept = || member.post("/v1/invitations/accept").json(&json!({ "token": token }));
    let theirs = format!("tenant_id = '{}' AND user_id = '{}'", tenant.id, member.id);
    let aged = "updated_at = '2026-01-01T00:00:00.000Z'";
    target.backdoor.sql(&format!("UPDATE memberships SET version = 7, {aged} WHERE {theirs}")).await;
    accept().send().await.expect(200);
    // Whoever has read the membership before sees that it is another one now.
    let anew = format!("SELECT count(*) FROM memberships WHERE {theirs} AND version = 8 AND NOT {aged}");
    assert_eq!(target.backdoor.count(&anew).await, 1);
    let me = member.get("/v1/members/me").tenant(&tenant.id).send().await.expect(200);
    assert_eq!((me.text_at("/role"), me.text_at("/status")), ("viewer".to_owned(), "active".to_owned()));
    // From then on they are a member like any other.
    for status in ["suspended", "active"] {
        patch(&tenant, owner, member, json!({ "status": status })).await.expect(200);
    }
    accept().send().await.problem(409, "invitation_unusable");
    invite().send().await.problem(409, "already_member");
}

async fn removing_one_leaves_their_tasks_behind(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let new = json!({ "title": "T", "assignee_id": tenant.member.id });
    let path = format!("/v1/projects/{project}/tasks");
    let task = tenant.owner.post(&path).tenant(&tenant.id).json(&new).send().await.expect(201);
    let whom = format!("/v1/members/{}", tenant.member.id);
    tenant.manager.delete(&whom).tenant(&tenant.id).send().await.problem(403, "insufficient_role");
    tenant.owner.delete(&whom).tenant(&tenant.id).send().await.expect(204);
    tenant.owner.delete(&whom).tenant(&tenant.id).send().await.problem(404, "not_found");
    tenant.member.get("/v1/tenant").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    let path = format!("/v1/tasks/{}", task.text_at("/id"));
    let left = tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!((&left.body["assignee_id"], &left.body["version"]), (&Value::Null, &json!(2)));
    // What they were told went with them.
    let sql = format!("SELECT count(*) FROM notifications WHERE recipient_id = '{}'", tenant.member.id);
    assert_eq!(target.backdoor.count(&sql).await, 0);
    // Their account stays, and they may come back.
    tenant.member.get("/v1/me").send().await.expect(200);
    tenant.admit(&tenant.member, "viewer").await;
    tenant.member.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
}

async fn leaving(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    for actor in [&tenant.viewer, &tenant.member, &tenant.manager] {
        actor.delete("/v1/members/me").tenant(&tenant.id).send().await.expect(204);
        actor.get("/v1/tenant").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    }
    let listed = tenant.owner.get("/v1/members").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(1));
}

async fn the_last_owner_stays(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    tenant.owner.delete("/v1/members/me").tenant(&tenant.id).send().await.problem(409, "last_owner");
    let path = format!("/v1/members/{}", tenant.owner.id);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.problem(409, "last_owner");
    for body in [json!({ "role": "manager" }), json!({ "status": "suspended" })] {
        patch(&tenant, &tenant.owner, &tenant.owner, body).await.problem(409, "last_owner");
    }
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
    // A suspended owner is none.
    let second = Actor::register(target, "second").await;
    tenant.admit(&second, "owner").await;
    patch(&tenant, &tenant.owner, &second, json!({ "status": "suspended" })).await.expect(200);
    tenant.owner.delete("/v1/members/me").tenant(&tenant.id).send().await.problem(409, "last_owner");
}

async fn an_owner_who_cannot_log_in_is_none(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let second = Actor::register(target, "second").await;
    tenant.admit(&second, "owner").await;
    let disable = |when: &str| format!("UPDATE users SET disabled_at = {when} WHERE id = '{}'", second.id);
    target.backdoor.sql(&disable("created_at")).await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    let owner = format!("/v1/members/{}", tenant.owner.id);
    for path in ["/v1/members/me", &owner] {
        tenant.owner.delete(path).tenant(&tenant.id).send().await.problem(409, "last_owner");
    }
    for body in [json!({ "role": "manager" }), json!({ "status": "suspended" })] {
        patch(&tenant, &tenant.owner, &tenant.owner, body).await.problem(409, "last_owner");
    }
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
    // With one who can, the first may go.
    target.backdoor.sql(&disable("NULL")).await;
    tenant.owner.delete("/v1/members/me").tenant(&tenant.id).send().await.expect(204);
    assert_eq!(owners(&tenant).await, 1);
}

async fn ownership_can_be_handed_over(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    patch(&tenant, &tenant.owner, &tenant.manager, json!({ "role": "owner" })).await.expect(200);
    patch(&tenant, &tenant.owner, &tenant.owner, json!({ "role": "member" })).await.expect(200);
    patch(&tenant, &tenant.owner, &tenant.manager, json!({ "role": "member" }))
        .await
        .problem(403, "insufficient_role");
    tenant.manager.delete("/v1/members/me").tenant(&tenant.id).send().await.problem(409, "last_owner");
    assert_eq!(owners(&tenant).await, 1);
}

async fn of_two_owners_who_demote_each_other_one_stays(target: &'static Target) {
    for _ in 0..5 {
        let tenant = Tenant::create(target).await;
        tenant.set(&tenant.manager, "role", "owner").await;
        let (one, two) = tokio::join!(
            patch(&tenant, &tenant.owner, &tenant.manager, json!({ "role": "viewer" })),
            patch(&tenant, &tenant.manager, &tenant.owner, json!({ "role": "viewer" })),
        );
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses[0], 200, "{one:?} {two:?}");
        assert!([403, 409].contains(&statuses[1]), "{one:?} {two:?}");
        assert_eq!(owners(&tenant).await, 1);
    }
}

async fn of_two_owners_who_leave_at_once_one_stays(target: &'static Target) {
    for _ in 0..5 {
        let tenant = Tenant::create(target).await;
        tenant.set(&tenant.manager, "role", "owner").await;
        let (one, two) = tokio::join!(
            tenant.owner.delete("/v1/members/me").tenant(&tenant.id).send(),
            tenant.manager.delete("/v1/members/me").tenant(&tenant.id).send(),
        );
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409], "{one:?} {two:?}");
        assert_eq!(owners(&tenant).await, 1);
    }
}

async fn changes_have_their_activity(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    patch(&tenant, &tenant.owner, &tenant.viewer, json!({ "role": "member" })).await.expect(200);
    let path = format!("/v1/members/{}", tenant.viewer.id);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    tenant.member.delete("/v1/members/me").tenant(&tenant.id).send().await.expect(204);
    let path = "/v1/admin/activity?entity_type=member";
    let entries = tenant.owner.get(path).tenant(&tenant.id).send().await.expect(200);
    let actions: Vec<_> = entries.body["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| (entry["action"].as_str(), entry["actor_id"].as_str(), entry["entity_id"].as_str()))
        .collect();
    let (owner, member, viewer) = (&*tenant.owner.id, &*tenant.member.id, &*tenant.viewer.id);
    assert_eq!(
        actions,
        [
            (Some("member.left"), Some(member), Some(member)),
            (Some("member.removed"), Some(owner), Some(viewer)),
            (Some("member.updated"), Some(owner), Some(viewer)),
        ]
    );
    let detail = &entries.body["data"][2]["detail"];
    assert_eq!((&detail["from"]["role"], &detail["to"]["role"]), (&json!("viewer"), &json!("member")));
}
