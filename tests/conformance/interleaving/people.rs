//! Who has access is decided by several at the same time: a tenant keeps an owner, an invitation is good once, and nobody
//! gives what they have no longer.

use bailiwick_tests::{
    actors::{Actor, Tenant},
    client::Ask,
    provider::{Person, Provider},
    targets::Target,
};
use serde_json::{Value, json};

use super::refused;

crate::cases!("interleaving::people":
    of_two_owners_who_demote_each_other_one_is_refused,
    who_steps_down_stays_if_the_other_owner_leaves,
    who_deletes_their_account_stays_if_the_other_owner_leaves,
    who_suspends_themselves_stays_if_the_other_owner_is_demoted,
    who_is_suspended_meanwhile_is_not_let_in_by_a_new_role,
    who_deletes_anothers_comment_is_a_manager_then,
    an_owner_who_is_demoted_invites_no_manager,
    an_address_that_was_invited_often_meanwhile,
    an_invitation_that_is_revoked_is_accepted_by_nobody,
    an_invitation_goes_with_whoever_made_it,
    an_invitation_is_accepted_once,
    an_invitation_to_an_account_that_is_deleted,
    an_invitation_to_a_tenant_that_is_closed,
    an_invitation_of_somebody_who_has_joined,
    a_slug_that_has_passed_to_another_tenant,
);

fn patch(tenant: &Tenant<'_>, by: &Actor<'_>, whom: &Actor<'_>, body: &Value) -> Ask {
    by.patch(&format!("/v1/members/{}", whom.id)).tenant(&tenant.id).json(body)
}

/// A tenant with a second owner.
async fn two_owners(target: &'static Target) -> (Tenant<'static>, Actor<'static>) {
    let tenant = Tenant::create(target).await;
    let second = Actor::register(target, "second").await;
    tenant.admit(&second, "owner").await;
    (tenant, second)
}

async fn of_two_owners_who_demote_each_other_one_is_refused(target: &'static Target) {
    let (tenant, second) = two_owners(target).await;
    let member = json!({ "role": "member" });
    let held = patch(&tenant, &tenant.owner, &second, &member).held().await;
    patch(&tenant, &second, &tenant.owner, &member).send().await.expect(200);
    held.release().await.problem(403, "insufficient_role");
    let read = second.get("/v1/members/me").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(read.body["role"], "owner");
}

async fn who_steps_down_stays_if_the_other_owner_leaves(target: &'static Target) {
    let (tenant, second) = two_owners(target).await;
    let stepping_down = patch(&tenant, &tenant.owner, &tenant.owner, &json!({ "role": "member" }));
    let left = async {
        second.delete("/v1/members/me").tenant(&tenant.id).send().await.expect(204);
    };
    refused(&tenant, &tenant.owner, stepping_down, left, (409, "last_owner")).await;
}

/// Whose account it is that comes by an identity is asked before the batch that deletes it.
async fn who_deletes_their_account_stays_if_the_other_owner_leaves(target: &'static Target) {
    let (tenant, second) = two_owners(target).await;
    let token = Provider::shared().access_token("ES256", &Person::new("person")).await;
    let link = json!({ "token": token });
    tenant.owner.post("/v1/me/identities").json(&link).send().await.expect(201);
    let by_identity = Actor { token: Some(token), ..tenant.owner.clone() };
    let left = async {
        second.delete("/v1/me").send().await.expect(204);
    };
    let deleting = by_identity.delete("/v1/me");
    let answer = refused(&tenant, &tenant.owner, deleting, left, (409, "last_owner")).await;
    assert!(answer.text_at("/detail").contains(&tenant.slug), "{answer:?}");
}

async fn who_suspends_themselves_stays_if_the_other_owner_is_demoted(target: &'static Target) {
    let (tenant, second) = two_owners(target).await;
    let suspending = patch(&tenant, &tenant.owner, &tenant.owner, &json!({ "status": "suspended" }));
    let demoted = async {
        patch(&tenant, &second, &second, &json!({ "role": "manager" })).send().await.expect(200);
    };
    refused(&tenant, &tenant.owner, suspending, demoted, (409, "last_owner")).await;
}

/// A role and a status are written together: what is not asked for stays as it is then.
async fn who_is_suspended_meanwhile_is_not_let_in_by_a_new_role(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let suspended = async {
        patch(&tenant, &tenant.owner, &tenant.member, &json!({ "status": "suspended" }))
            .send()
            .await
            .expect(200);
    };
    let promoting = patch(&tenant, &tenant.owner, &tenant.member, &json!({ "role": "manager" }));
    let promoted = promoting.meanwhile(suspended).await.expect(200);
    assert_eq!((&promoted.body["role"], &promoted.body["status"]), (&json!("manager"), &json!("suspended")));
    tenant.member.get("/v1/tenant").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    assert_eq!(tenant.told().await, []);
}

async fn who_deletes_anothers_comment_is_a_manager_then(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let task = tenant.task(&tenant.project("approved", None).await, "todo").await;
    let comment = tenant.comment(&task, &tenant.owner.id).await;
    let deleting = tenant.manager.delete(&format!("/v1/tasks/{task}/comments/{comment}")).tenant(&tenant.id);
    let demoted = tenant.set(&tenant.manager, "role", "member");
    let answer = refused(&tenant, &tenant.manager, deleting, demoted, (403, "insufficient_role")).await;
    assert_eq!(answer.body["required_role"], "manager");
    // Their own is theirs to delete.
    let comment = tenant.comment(&task, &tenant.manager.id).await;
    tenant.set(&tenant.manager, "role", "manager").await;
    let deleting = tenant.manager.delete(&format!("/v1/tasks/{task}/comments/{comment}")).tenant(&tenant.id);
    deleting.meanwhile(tenant.set(&tenant.manager, "role", "member")).await.expect(204);
}

async fn an_owner_who_is_demoted_invites_no_manager(target: &'static Target) {
    let (tenant, second) = two_owners(target).await;
    let invitation = json!({ "email": format!("of-{}@example.com", tenant.slug), "role": "manager" });
    let held = second.post("/v1/invitations").tenant(&tenant.id).json(&invitation).held().await;
    tenant.set(&second, "role", "manager").await;
    let answer = held.release().await.problem(403, "insufficient_role");
    assert_eq!(answer.body["required_role"], "owner");
    let made = tenant.owner.get("/v1/invitations").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(made.body["data"], json!([]));
}

async fn an_address_that_was_invited_often_meanwhile(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let invitation = json!({ "email": format!("of-{}@example.com", tenant.slug), "role": "viewer" });
    let invite = || tenant.manager.post("/v1/invitations").tenant(&tenant.id).json(&invitation);
    let in_vain = async || {
        let path = format!("/v1/invitations/{}", invite().send().await.expect(201).text_at("/id"));
        tenant.manager.delete(&path).tenant(&tenant.id).send().await.expect(204);
    };
    for _ in 0..4 {
        in_vain().await;
    }
    refused(&tenant, &tenant.manager, invite(), in_vain(), (429, "quota_exceeded")).await;
}

/// Somebody who is invited, and their acceptance.
async fn invited(tenant: &Tenant<'static>, by: &Actor<'static>) -> (Actor<'static>, Value) {
    let guest = Actor::register(tenant.owner.target, "guest").await;
    let token = tenant.invite(by, &guest.email).await;
    (guest, json!({ "token": token }))
}

fn accepting(guest: &Actor<'_>, token: &Value) -> Ask {
    guest.post("/v1/invitations/accept").json(token)
}

async fn an_invitation_that_is_revoked_is_accepted_by_nobody(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (guest, token) = invited(&tenant, &tenant.owner).await;
    let revoked = async {
        let list = tenant.owner.get("/v1/invitations").tenant(&tenant.id).send().await.expect(200);
        let path = format!("/v1/invitations/{}", list.text_at("/data/0/id"));
        tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    };
    let answer =
        refused(&tenant, &guest, accepting(&guest, &token), revoked, (409, "invitation_unusable")).await;
    assert_eq!(answer.body["reason"], "revoked");
}

async fn an_invitation_goes_with_whoever_made_it(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (guest, token) = invited(&tenant, &tenant.manager).await;
    let removed = async {
        let path = format!("/v1/members/{}", tenant.manager.id);
        tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    };
    let answer =
        refused(&tenant, &guest, accepting(&guest, &token), removed, (409, "invitation_unusable")).await;
    assert_eq!(answer.body["reason"], "revoked");
}

async fn an_invitation_is_accepted_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (guest, token) = invited(&tenant, &tenant.owner).await;
    let accepted = async {
        accepting(&guest, &token).send().await.expect(200);
    };
    let answer =
        refused(&tenant, &guest, accepting(&guest, &token), accepted, (409, "invitation_unusable")).await;
    assert_eq!(answer.body["reason"], "accepted");
}

async fn an_invitation_to_an_account_that_is_deleted(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (guest, token) = invited(&tenant, &tenant.owner).await;
    let deleted = async {
        guest.delete("/v1/me").send().await.expect(204);
    };
    refused(&tenant, &guest, accepting(&guest, &token), deleted, (401, "invalid_token")).await;
}

async fn an_invitation_to_a_tenant_that_is_closed(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (guest, token) = invited(&tenant, &tenant.owner).await;
    let suspended = super::sql(
        target,
        format!("UPDATE tenants SET suspended_at = created_at WHERE id = '{}'", tenant.id),
    );
    refused(&tenant, &guest, accepting(&guest, &token), suspended, (403, "tenant_suspended")).await;
}

async fn an_invitation_of_somebody_who_has_joined(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (guest, token) = invited(&tenant, &tenant.owner).await;
    let joined = tenant.admit(&guest, "viewer");
    refused(&tenant, &guest, accepting(&guest, &token), joined, (409, "already_member")).await;
}

/// Which tenant a slug names is asked before the batch that writes, which a route of one batch is held at, too.
async fn a_slug_that_has_passed_to_another_tenant(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (owner, heir) = (&tenant.owner, Actor::register(target, "heir").await);
    let new = json!({ "slug": tenant.slug, "name": "Another tenant" });
    let passed = async {
        let path = format!("/v1/tenant?confirm={}", tenant.slug);
        owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
        // For a time it is nobody else's.
        let later = "UPDATE released_slugs SET released_at = '2026-01-01T00:00:00.000Z' WHERE slug = ";
        target.backdoor.sql(&format!("{later}'{}'", tenant.slug)).await;
        heir.post("/v1/tenants").json(&new).send().await.expect(201);
    };
    let creating = owner.post("/v1/projects").slug(&tenant.slug).json(&json!({ "name": "A project" }));
    creating.meanwhile(passed).await.problem(403, "not_a_member");
    let list = heir.get("/v1/projects").slug(&tenant.slug).send().await.expect(200);
    assert_eq!(list.body["data"], json!([]));
}
