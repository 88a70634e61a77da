//! Who is told: what the table of kinds and ways does not show.

use std::collections::BTreeSet;

use bailiwick_tests::{
    actors::{Actor, Tenant, unique},
    outbox::{CHANNELS, KINDS},
    receivers::Trouble,
    targets::Target,
};
use serde_json::{Value, json};

use super::{Cast, comment, patch_member};

crate::cases!("recipients":
    unless_told_otherwise_it_is_in_the_product,
    by_all_ways_at_once,
    slack_is_chosen_only_with_a_webhook,
    an_invitation_goes_to_its_address_by_email,
    moves_that_nobody_is_told_of,
    reopening_is_starting,
    whoever_is_out_is_not_told_of_their_project,
    one_is_not_told_of_what_one_does,
    what_was_assigned_already_is_not_told_again,
    an_edited_comment_tells_only_who_is_new_in_it,
    a_change_of_standing,
    who_is_reinstated_is_told,
    who_does_not_want_it_is_spared,
    muting_goes_by_tenant,
    one_unreachable_address_keeps_nobody_else_from_being_told,
);

/// The kinds that a member has been told of, oldest first.
async fn kinds(tenant: &Tenant<'_>, actor: &Actor<'_>) -> Vec<String> {
    let list = actor.get("/v1/notifications").tenant(&tenant.id).send().await.expect(200);
    let list = list.body["data"].as_array().expect("a list").iter().rev();
    list.map(|told| told["kind"].as_str().expect("a kind").to_owned()).collect()
}

async fn unless_told_otherwise_it_is_in_the_product(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.webhook().await;
    let project = tenant.project("submitted", Some(&tenant.member.id)).await;
    tenant.transition(&tenant.manager, &project, "approved", Some("Well done")).await;
    assert_eq!(tenant.told().await.len(), 2);
    assert_eq!(tenant.deliveries().await, Vec::<Value>::new());
    let list = tenant.member.get("/v1/notifications").tenant(&tenant.id).send().await.expect(200);
    let told = &list.body["data"][0];
    assert_eq!((&told["body"], &told["read_at"]), (&json!("Well done"), &Value::Null));
    assert_eq!((&told["subject_type"], &told["subject_id"]), (&json!("project"), &json!(project)));
}

async fn by_all_ways_at_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let webhook = tenant.webhook().await;
    tenant.send_by(&["submitted"], &CHANNELS).await;
    let project = tenant.project("draft", None).await;
    tenant.transition(&tenant.member, &project, "submitted", None).await;
    let channels: Vec<_> =
        tenant.settled().await.iter().map(|delivery| delivery["channel"].clone()).collect();
    assert_eq!(channels.iter().filter(|channel| **channel == "email").count(), 2);
    assert_eq!((channels.len(), webhook.count(), tenant.told().await.len()), (3, 1, 2));
    for actor in [&tenant.owner, &tenant.manager] {
        assert_eq!(target.mailbox.mails(&actor.email).len(), 1);
    }
}

async fn slack_is_chosen_only_with_a_webhook(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let slack = json!({ "channels": { "task_assigned": ["slack"] } });
    let refused = tenant.configure(&slack).await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/slack_webhook_url"]);
    tenant.webhook().await;
    tenant.configure(&slack).await.expect(200);
    let cleared = tenant.configure(&json!({ "slack_webhook_url": null })).await;
    assert_eq!(cleared.problem(422, "validation_failed").pointers(), ["/slack_webhook_url"]);
    tenant.configure(&json!({ "slack_webhook_url": null, "channels": null })).await.expect(200);
}

async fn an_invitation_goes_to_its_address_by_email(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let webhook = tenant.webhook().await;
    tenant.send_by(&KINDS, &["in_app", "slack"]).await;
    let address = format!("{}@example.com", unique("guest"));
    tenant.invite(&tenant.manager, &address).await;
    let mail = target.mail_to(&address).await;
    assert_eq!(mail.to, [address.as_str()]);
    let deliveries = tenant.settled().await;
    let [delivery] = deliveries.as_slice() else { panic!("{deliveries:?}") };
    assert_eq!((&delivery["channel"], &delivery["kind"]), (&json!("email"), &json!("invitation")));
    assert_eq!((&delivery["address"], &delivery["recipient_id"]), (&json!(address), &Value::Null));
    assert_eq!((tenant.told().await.len(), webhook.count()), (0, 0));
    for actor in [&tenant.owner, &tenant.manager, &tenant.member, &tenant.viewer] {
        assert!(target.mailbox.mails(&actor.email).is_empty());
    }
    let refused = tenant.configure(&json!({ "channels": { "invitation": ["slack"] } })).await;
    assert_eq!(refused.problem(422, "validation_failed").pointers(), ["/channels/invitation"]);
}

async fn moves_that_nobody_is_told_of(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.webhook().await;
    tenant.send_by(&KINDS, &CHANNELS).await;
    for (from, to) in [("submitted", "draft"), ("completed", "archived"), ("rejected", "draft")] {
        let project = tenant.project(from, Some(&tenant.member.id)).await;
        tenant.transition(&tenant.owner, &project, to, None).await;
    }
    assert_eq!((tenant.told().await, tenant.deliveries().await), (vec![], vec![]));
}

async fn reopening_is_starting(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("completed", Some(&tenant.member.id)).await;
    tenant.transition(&tenant.manager, &project, "in_progress", Some("Not quite")).await;
    let list = tenant.member.get("/v1/notifications").tenant(&tenant.id).send().await.expect(200);
    let told = &list.body["data"][0];
    assert_eq!((&told["kind"], &told["body"]), (&json!("started"), &json!("Not quite")));
    assert_eq!(told["title"], "manager reopened \u{201c}A project\u{201d}");
}

async fn whoever_is_out_is_not_told_of_their_project(target: &'static Target) {
    let cast = Cast::gather(target).await;
    let tenant = &cast.tenant;
    tenant.send_by(&KINDS, &["in_app", "email"]).await;
    for gone in &cast.out {
        // The owner, who has created it, acts.
        let project = tenant.project("submitted", Some(&gone.id)).await;
        tenant.transition(&tenant.owner, &project, "approved", None).await;
    }
    assert_eq!((tenant.told().await, tenant.deliveries().await), (vec![], vec![]));
}

async fn one_is_not_told_of_what_one_does(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let webhook = tenant.webhook().await;
    tenant.send_by(&["task_assigned", "mentioned"], &CHANNELS).await;
    let task = tenant.assign(&tenant.member, "Mine", &tenant.member).await;
    comment(&tenant, &tenant.member, &task, &format!("Note to @{} and @nobody", tenant.member.id)).await;
    // Where nobody is told, nor is the channel.
    assert_eq!((tenant.told().await, tenant.deliveries().await), (vec![], vec![]));
    assert_eq!(webhook.count(), 0);
}

async fn what_was_assigned_already_is_not_told_again(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let task = tenant.assign(&tenant.manager, "Sweep", &tenant.member).await;
    let patch = async |patch: Value| {
        let ask = tenant.manager.patch(&format!("/v1/tasks/{task}")).tenant(&tenant.id);
        ask.json(&patch).send().await.expect(200);
    };
    patch(json!({ "assignee_id": tenant.member.id, "title": "Sweep well" })).await;
    patch(json!({ "status": "in_progress" })).await;
    assert_eq!(kinds(&tenant, &tenant.member).await, ["task_assigned"]);
    patch(json!({ "assignee_id": tenant.viewer.id })).await;
    patch(json!({ "assignee_id": null })).await;
    patch(json!({ "assignee_id": tenant.member.id })).await;
    assert_eq!(kinds(&tenant, &tenant.viewer).await, ["task_assigned"]);
    assert_eq!(kinds(&tenant, &tenant.member).await, ["task_assigned", "task_assigned"]);
    assert_eq!(tenant.told().await.len(), 3);
}

async fn an_edited_comment_tells_only_who_is_new_in_it(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let webhook = tenant.webhook().await;
    tenant.send_by(&["mentioned"], &["in_app", "slack"]).await;
    let project = tenant.project("in_progress", None).await;
    let task = tenant.task(&project, "todo").await;
    let first = format!("@{} look", tenant.manager.id);
    let written = comment(&tenant, &tenant.member, &task, &first).await;
    let edit = async |body: String| {
        let path = format!("/v1/tasks/{task}/comments/{written}");
        let ask = tenant.member.patch(&path).tenant(&tenant.id);
        ask.json(&json!({ "body": body })).send().await.expect(200);
    };
    edit(format!("{first}, @{}", tenant.owner.id)).await;
    edit(format!("{first}, please, @{}", tenant.owner.id)).await;
    edit("Never mind".to_owned()).await;
    for actor in [&tenant.manager, &tenant.owner] {
        assert_eq!(kinds(&tenant, actor).await, ["mentioned"]);
    }
    tenant.settled().await;
    let texts = webhook.texts();
    assert_eq!(texts.len(), 2, "one message for each time that somebody was told: {texts:?}");
}

async fn a_change_of_standing(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    patch_member(&tenant, &tenant.member, &json!({ "role": "member" })).await;
    patch_member(&tenant, &tenant.member, &json!({ "status": "suspended" })).await;
    patch_member(&tenant, &tenant.member, &json!({ "role": "viewer" })).await;
    assert_eq!(tenant.told().await, [], "who is suspended is not told");
    patch_member(&tenant, &tenant.manager, &json!({ "role": "member" })).await;
    assert_eq!(kinds(&tenant, &tenant.manager).await, ["role_changed"]);
    // What one does to oneself one knows.
    patch_member(&tenant, &tenant.manager, &json!({ "role": "owner" })).await;
    assert_eq!(kinds(&tenant, &tenant.manager).await, ["role_changed", "role_changed"]);
    patch_member(&tenant, &tenant.owner, &json!({ "role": "viewer" })).await;
    assert_eq!(kinds(&tenant, &tenant.owner).await, [""; 0]);
}

async fn who_is_reinstated_is_told(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.send_by(&["role_changed"], &["in_app", "email"]).await;
    patch_member(&tenant, &tenant.member, &json!({ "status": "suspended" })).await;
    patch_member(&tenant, &tenant.member, &json!({ "status": "active" })).await;
    assert_eq!(kinds(&tenant, &tenant.member).await, ["role_changed"]);
    assert_eq!(tenant.settled().await.len(), 1);
}

async fn mute(tenant: &Tenant<'_>, actor: &Actor<'_>, muted: &Value) {
    let version = format!(
        "SELECT version FROM memberships WHERE tenant_id = '{}' AND user_id = '{}'",
        tenant.id, actor.id
    );
    let before = tenant.owner.target.backdoor.count(&version).await;
    let ask = actor.patch("/v1/notifications/preferences").tenant(&tenant.id);
    let set = ask.json(&json!({ "muted": muted })).send().await.expect(200);
    let read = actor.get("/v1/notifications/preferences").tenant(&tenant.id).send().await.expect(200);
    assert_eq!((&set.body, &read.body), (&json!({ "muted": muted }), &json!({ "muted": muted })));
    assert_eq!(tenant.owner.target.backdoor.count(&version).await, before + 1);
}

async fn who_does_not_want_it_is_spared(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let webhook = tenant.webhook().await;
    tenant.send_by(&["approved", "completed"], &CHANNELS).await;
    mute(&tenant, &tenant.member, &json!(["approved", "mentioned"])).await;
    let approve = async || {
        let project = tenant.project("submitted", Some(&tenant.member.id)).await;
        tenant.transition(&tenant.manager, &project, "approved", None).await;
        project
    };
    let project = approve().await;
    tenant.settled().await;
    assert_eq!(kinds(&tenant, &tenant.member).await, [""; 0]);
    assert_eq!(kinds(&tenant, &tenant.owner).await, ["approved"]);
    // What one mutes is one's own: the channel is everybody's.
    assert_eq!(webhook.count(), 1);
    // Other kinds come as before.
    tenant.transition(&tenant.owner, &project, "in_progress", None).await;
    tenant.transition(&tenant.manager, &project, "completed", None).await;
    mute(&tenant, &tenant.member, &json!([])).await;
    approve().await;
    tenant.settled().await;
    assert_eq!(kinds(&tenant, &tenant.member).await, ["started", "completed", "approved"]);
    let mails = target.mailbox.mails(&tenant.member.email);
    let subjects: BTreeSet<_> = mails.into_iter().map(|mail| mail.subject).collect();
    let about = |verb: &str| format!("manager {verb} \u{201c}A project\u{201d}");
    assert_eq!(subjects, BTreeSet::from([about("completed"), about("approved")]));

    let ask = tenant.viewer.patch("/v1/notifications/preferences").tenant(&tenant.id);
    let refused = ask.json(&json!({ "muted": ["approved", "everything"] })).send().await;
    assert_eq!(refused.problem(422, "validation_failed").pointers(), ["/muted/1"]);
}

async fn muting_goes_by_tenant(target: &'static Target) {
    let (one, two) = tokio::join!(Tenant::create(target), Tenant::create(target));
    two.admit(&one.member, "member").await;
    mute(&one, &one.member, &json!(["task_assigned"])).await;
    one.assign(&one.manager, "Sweep", &one.member).await;
    two.assign(&two.manager, "Dust", &one.member).await;
    assert_eq!(kinds(&one, &one.member).await, [""; 0]);
    assert_eq!(kinds(&two, &one.member).await, ["task_assigned"]);
}

async fn one_unreachable_address_keeps_nobody_else_from_being_told(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.send_by(&["submitted"], &["email"]).await;
    target.mailbox.always_refuse(&tenant.owner.email, Trouble::ForGood);
    let project = tenant.project("draft", None).await;
    tenant.transition(&tenant.member, &project, "submitted", None).await;
    for delivery in tenant.settled().await {
        let for_owner = delivery["recipient_id"] == tenant.owner.id;
        let expected = if for_owner { ("dead", 1) } else { ("sent", 1) };
        assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!(expected.0), &json!(expected.1)));
        assert_eq!(delivery["last_error"].is_null(), !for_owner, "{delivery}");
    }
    assert!(target.mail_to(&tenant.manager.email).await.subject.contains("submitted"));
}
