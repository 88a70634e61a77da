//! Invitations: from their making to what becomes of them.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, new_id, unique},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("invitations":
    made_accepted_and_used_up,
    only_for_roles_below_ones_own,
    accepted_while_registering,
    only_for_the_address_that_is_invited,
    revoked_and_expired_ones_are_refused,
    a_member_or_an_invited_one_is_not_invited_again,
    an_expired_one_makes_room,
    of_several_the_one_that_is_named_is_accepted,
    one_that_was_taken_back_stays_so_when_its_time_has_passed,
    who_may_make_one_may_revoke_it,
    they_go_with_the_authority_that_made_them,
    who_was_shown_out_does_not_come_in_by_an_older_one,
    of_many_who_accept_at_once_one_does,
    tokens_that_are_none,
    the_token_is_shown_once_and_kept_nowhere,
    who_may_join_by_registering,
);

fn address() -> String {
    format!("{}@example.com", unique("guest"))
}

async fn invite(tenant: &Tenant<'_>, by: &Actor<'_>, email: &str, role: &str) -> Answer {
    by.post("/v1/invitations").tenant(&tenant.id).json(&json!({ "email": email, "role": role })).send().await
}

async fn accept(by: &Actor<'_>, token: &str) -> Answer {
    by.post("/v1/invitations/accept").json(&json!({ "token": token })).send().await
}

async fn status(tenant: &Tenant<'_>, invitation: &Answer) -> String {
    let path = format!("/v1/invitations/{}", invitation.text_at("/id"));
    tenant.manager.get(&path).tenant(&tenant.id).send().await.expect(200).text_at("/status")
}

async fn made_accepted_and_used_up(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let guest = Actor::register(target, "guest").await;
    let made = invite(&tenant, &tenant.manager, &guest.email.to_uppercase(), "member").await.expect(201);
    assert_eq!(made.header("location"), Some(&*format!("/v1/invitations/{}", made.text_at("/id"))));
    assert_eq!((made.text_at("/email"), made.text_at("/status")), (guest.email.clone(), "open".to_owned()));
    let joined = accept(&guest, &made.text_at("/token")).await.expect(200);
    assert_eq!((joined.text_at("/id"), joined.text_at("/role")), (tenant.id.clone(), "member".to_owned()));
    guest.post("/v1/projects").tenant(&tenant.id).json(&json!({ "name": "Mine" })).send().await.expect(201);
    assert_eq!(status(&tenant, &made).await, "accepted");
    let again = accept(&guest, &made.text_at("/token")).await.problem(409, "invitation_unusable");
    assert_eq!(again.body["reason"], "accepted");
    let path = format!("/v1/invitations/{}", made.text_at("/id"));
    let late =
        tenant.manager.delete(&path).tenant(&tenant.id).send().await.problem(409, "invitation_unusable");
    assert_eq!(late.body["reason"], "accepted");
    let entries =
        tenant.owner.get("/v1/admin/activity?entity_type=invitation").tenant(&tenant.id).send().await;
    let actions: Vec<_> = entries.body["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["action"].clone())
        .collect();
    assert_eq!(actions, ["invitation.accepted", "invitation.created"]);
}

async fn only_for_roles_below_ones_own(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    for (by, role, expected) in [
        (&tenant.owner, "manager", 201),
        (&tenant.owner, "viewer", 201),
        (&tenant.manager, "member", 201),
        (&tenant.manager, "manager", 403),
        (&tenant.member, "viewer", 403),
    ] {
        let answer = invite(&tenant, by, &address(), role).await.expect(expected);
        if expected == 403 {
            answer.problem(403, "insufficient_role");
        }
    }
    let owner = invite(&tenant, &tenant.owner, &address(), "owner").await.problem(422, "validation_failed");
    assert_eq!(owner.pointers(), ["/role"]);
}

async fn accepted_while_registering(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let nobody = Actor::anonymous(target);
    let email = address();
    let made = invite(&tenant, &tenant.owner, &email, "manager").await.expect(201);
    let account = |email: &str| json!({ "email": email, "name": "Guest", "password": PASSWORD, "invitation_token": made.text_at("/token") });
    // With another address there is neither an account nor a membership.
    let other = address();
    let refused = nobody.post("/v1/auth/register").json(&account(&other)).send().await;
    assert_eq!(refused.problem(409, "invitation_unusable").body["reason"], "other_email");
    let login = json!({ "email": other, "password": PASSWORD });
    nobody.post("/v1/auth/login").json(&login).send().await.problem(401, "invalid_credentials");

    nobody.post("/v1/auth/register").json(&account(&email)).send().await.expect(201);
    let mut guest = Actor { email, ..nobody };
    guest.token = Some(guest.login().await);
    let read = guest.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(read.body["role"], "manager");
}

async fn only_for_the_address_that_is_invited(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let thief = Actor::register(target, "thief").await;
    let made = invite(&tenant, &tenant.owner, &address(), "member").await.expect(201);
    let before = target.backdoor.snapshot(&tenant.id).await;
    let refused = accept(&thief, &made.text_at("/token")).await.problem(409, "invitation_unusable");
    assert_eq!(refused.body["reason"], "other_email");
    assert!(!refused.text.contains(&tenant.slug));
    let after = target.backdoor.snapshot(&tenant.id).await;
    assert_eq!(without_deliveries(&before), without_deliveries(&after));
}

/// An invitation's email may be on its way at any moment.
fn without_deliveries(rows: &[String]) -> Vec<&String> {
    rows.iter().filter(|row| !row.starts_with("deliveries")).collect()
}

async fn revoked_and_expired_ones_are_refused(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let guest = Actor::register(target, "guest").await;
    let made = invite(&tenant, &tenant.manager, &guest.email, "viewer").await.expect(201);
    let path = format!("/v1/invitations/{}", made.text_at("/id"));
    let revoke = || tenant.manager.delete(&path).tenant(&tenant.id).send();
    revoke().await.expect(204);
    revoke().await.expect(204);
    assert_eq!(status(&tenant, &made).await, "revoked");
    let refused = accept(&guest, &made.text_at("/token")).await.problem(409, "invitation_unusable");
    assert_eq!(refused.body["reason"], "revoked");

    let made = invite(&tenant, &tenant.manager, &guest.email, "viewer").await.expect(201);
    expire(&tenant, &made).await;
    assert_eq!(status(&tenant, &made).await, "expired");
    let refused = accept(&guest, &made.text_at("/token")).await.problem(409, "invitation_unusable");
    assert_eq!(refused.body["reason"], "expired");
    guest.get("/v1/tenant").tenant(&tenant.id).send().await.problem(403, "not_a_member");

    // One that is open is of no use while the tenant is closed.
    let made = invite(&tenant, &tenant.manager, &guest.email, "viewer").await.expect(201);
    let close = format!("UPDATE tenants SET suspended_at = created_at WHERE id = '{}'", tenant.id);
    target.backdoor.sql(&close).await;
    accept(&guest, &made.text_at("/token")).await.problem(403, "tenant_suspended");
}

async fn expire(tenant: &Tenant<'_>, invitation: &Answer) {
    let sql = format!(
        "UPDATE invitations SET expires_at = created_at WHERE tenant_id = '{}' AND id = '{}'",
        tenant.id,
        invitation.text_at("/id")
    );
    tenant.owner.target.backdoor.sql(&sql).await;
}

async fn a_member_or_an_invited_one_is_not_invited_again(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    invite(&tenant, &tenant.owner, &tenant.viewer.email, "member").await.problem(409, "already_member");
    let email = address();
    invite(&tenant, &tenant.owner, &email, "member").await.expect(201);
    invite(&tenant, &tenant.manager, &email, "viewer").await.problem(409, "already_invited");
    // Who became a member in another way cannot use it any more.
    let guest = Actor::register(target, "guest").await;
    let made = invite(&tenant, &tenant.owner, &guest.email, "member").await.expect(201);
    tenant.admit(&guest, "viewer").await;
    accept(&guest, &made.text_at("/token")).await.problem(409, "already_member");
    // Another tenant may invite the same person.
    let other = Tenant::create(target).await;
    invite(&other, &other.owner, &email, "member").await.expect(201);
}

async fn an_expired_one_makes_room(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let email = address();
    let first = invite(&tenant, &tenant.owner, &email, "member").await.expect(201);
    expire(&tenant, &first).await;
    let second = invite(&tenant, &tenant.owner, &email, "member").await.expect(201);
    assert_ne!(first.text_at("/token"), second.text_at("/token"));
    let listed = tenant.manager.get("/v1/invitations").tenant(&tenant.id).send().await.expect(200);
    let statuses: Vec<_> =
        listed.body["data"].as_array().expect("a list").iter().map(|item| item["status"].clone()).collect();
    assert_eq!(statuses, ["open", "expired"]);
    let guest = Actor::register(target, "guest").await;
    let refused = accept(&guest, &first.text_at("/token")).await.problem(409, "invitation_unusable");
    assert_eq!(refused.body["reason"], "expired");
}

async fn of_several_the_one_that_is_named_is_accepted(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let guest = Actor::register(target, "guest").await;
    invite(&tenant, &tenant.owner, &address(), "manager").await.expect(201);
    let made = invite(&tenant, &tenant.owner, &guest.email, "member").await.expect(201);
    invite(&tenant, &tenant.owner, &address(), "viewer").await.expect(201);
    accept(&guest, &made.text_at("/token")).await.expect(200);
    let own = guest.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(own.body["role"], "member");
    let listed = tenant.owner.get("/v1/invitations").tenant(&tenant.id).send().await.expect(200);
    let by: Vec<_> =
        listed.body["data"].as_array().expect("a list").iter().map(|of| &of["accepted_by"]).collect();
    assert_eq!(by, [&Value::Null, &json!(guest.id), &Value::Null]);
}

async fn one_that_was_taken_back_stays_so_when_its_time_has_passed(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let email = address();
    let first = invite(&tenant, &tenant.owner, &email, "member").await.expect(201);
    let past = format!(
        "UPDATE invitations SET revoked_at = '2026-01-01T00:00:00.000Z', expires_at = '2026-01-02T00:00:00.000Z' \
         WHERE tenant_id = '{}' AND id = '{}'",
        tenant.id,
        first.text_at("/id")
    );
    target.backdoor.sql(&past).await;
    assert_eq!(status(&tenant, &first).await, "revoked");
    invite(&tenant, &tenant.owner, &email, "member").await.expect(201);
    assert_eq!(status(&tenant, &first).await, "revoked");
}

async fn who_may_make_one_may_revoke_it(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let made = invite(&tenant, &tenant.owner, &address(), "manager").await.expect(201);
    let path = format!("/v1/invitations/{}", made.text_at("/id"));
    let refused =
        tenant.manager.delete(&path).tenant(&tenant.id).send().await.problem(403, "insufficient_role");
    assert_eq!(refused.body["required_role"], "owner");
    assert_eq!(status(&tenant, &made).await, "open");
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
}

async fn they_go_with_the_authority_that_made_them(target: &'static Target) {
    for change in [json!({ "role": "member" }), json!({ "status": "suspended" }), Value::Null] {
        let tenant = Tenant::create(target).await;
        let guest = Actor::register(target, "guest").await;
        let theirs = invite(&tenant, &tenant.manager, &guest.email, "member").await.expect(201);
        let other = invite(&tenant, &tenant.owner, &address(), "manager").await.expect(201);
        let path = format!("/v1/members/{}", tenant.manager.id);
        let ask = if change.is_null() {
            tenant.owner.delete(&path)
        } else {
            tenant.owner.patch(&path).json(&change)
        };
        let answer = ask.tenant(&tenant.id).send().await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
        let refused = accept(&guest, &theirs.text_at("/token")).await.problem(409, "invitation_unusable");
        assert_eq!(refused.body["reason"], "revoked", "{change}");
        let path = format!("/v1/invitations/{}", other.text_at("/id"));
        let kept = tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200);
        assert_eq!(kept.body["status"], "open");
    }
    // An owner who becomes a manager still answers for members, but no longer for managers.
    let tenant = Tenant::create(target).await;
    tenant.set(&tenant.manager, "role", "owner").await;
    let member = invite(&tenant, &tenant.manager, &address(), "member").await.expect(201);
    let manager = invite(&tenant, &tenant.manager, &address(), "manager").await.expect(201);
    let gone = invite(&tenant, &tenant.manager, &address(), "manager").await.expect(201).text_at("/id");
    let revoke = tenant.manager.delete(&format!("/v1/invitations/{gone}")).tenant(&tenant.id);
    revoke.send().await.expect(204);
    let revoked = revoked_at(&tenant, &gone).await;
    let path = format!("/v1/members/{}", tenant.manager.id);
    let change = json!({ "role": "manager" });
    tenant.owner.patch(&path).tenant(&tenant.id).json(&change).send().await.expect(200);
    assert_eq!(status(&tenant, &member).await, "open");
    assert_eq!(status(&tenant, &manager).await, "revoked");
    assert_eq!(revoked_at(&tenant, &gone).await, revoked);
}

/// Since when an invitation is none any more.
async fn revoked_at(tenant: &Tenant<'_>, invitation: &str) -> Vec<Vec<Option<String>>> {
    let sql = format!(
        "SELECT revoked_at FROM invitations WHERE tenant_id = '{}' AND id = '{invitation}'",
        tenant.id
    );
    tenant.owner.target.backdoor.sql(&sql).await
}

async fn who_was_shown_out_does_not_come_in_by_an_older_one(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let guest = Actor::register(target, "guest").await;
    let gone = invite(&tenant, &tenant.owner, &guest.email, "viewer").await.expect(201).text_at("/id");
    let revoke = tenant.owner.delete(&format!("/v1/invitations/{gone}")).tenant(&tenant.id);
    revoke.send().await.expect(204);
    let revoked = revoked_at(&tenant, &gone).await;
    let made = invite(&tenant, &tenant.owner, &guest.email, "manager").await.expect(201);
    tenant.admit(&guest, "viewer").await;
    let path = format!("/v1/members/{}", guest.id);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    assert_eq!(revoked_at(&tenant, &gone).await, revoked);
    accept(&guest, &made.text_at("/token")).await.problem(409, "invitation_unusable");
    // A newer one brings them in.
    let made = invite(&tenant, &tenant.owner, &guest.email, "viewer").await.expect(201);
    accept(&guest, &made.text_at("/token")).await.expect(200);
}

async fn of_many_who_accept_at_once_one_does(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let guest = Actor::register(target, "guest").await;
    let made = invite(&tenant, &tenant.owner, &guest.email, "member").await.expect(201);
    let token = made.text_at("/token");
    let (one, two, three) =
        tokio::join!(accept(&guest, &token), accept(&guest, &token), accept(&guest, &token));
    let mut statuses = [one.status, two.status, three.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409], "{one:?} {two:?} {three:?}");
    let sql = format!("SELECT count(*) FROM memberships WHERE user_id = '{}'", guest.id);
    assert_eq!(target.backdoor.count(&sql).await, 1);
}

async fn tokens_that_are_none(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let guest = Actor::register(target, "guest").await;
    for bad in ["", "x", &"A".repeat(85), &"A".repeat(87), &format!("{}=", "A".repeat(85))] {
        let refused = accept(&guest, bad).await.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), ["/token"]);
    }
    // Well-formed, but nobody's; or somebody's with another secret.
    accept(&guest, &"A".repeat(86)).await.problem(404, "invitation_not_found");
    let token = invite(&tenant, &tenant.owner, &guest.email, "member").await.expect(201).text_at("/token");
    let forged = format!("{}{}", &token[..60], "A".repeat(26));
    accept(&guest, &forged).await.problem(404, "invitation_not_found");
    // Registering with it is no way around.
    let email = address();
    let token = invite(&tenant, &tenant.owner, &email, "member").await.expect(201).text_at("/token");
    let forged = format!("{}{}", &token[..60], "A".repeat(26));
    let account =
        json!({ "email": email, "name": "Guest", "password": PASSWORD, "invitation_token": forged });
    let refused = Actor::anonymous(target).post("/v1/auth/register").json(&account).send().await;
    refused.problem(404, "invitation_not_found");
    let path = format!("/v1/invitations/{}", new_id());
    tenant.manager.get(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
    tenant.manager.delete(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
    Actor::anonymous(target)
        .post("/v1/invitations/accept")
        .json(&json!({ "token": token }))
        .send()
        .await
        .problem(401, "authentication_required");
}

async fn the_token_is_shown_once_and_kept_nowhere(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let made = invite(&tenant, &tenant.owner, &address(), "member").await.expect(201);
    let token = made.text_at("/token");
    let path = format!("/v1/invitations/{}", made.text_at("/id"));
    for path in [&*path, "/v1/invitations", "/v1/admin/activity", "/v1/admin/deliveries"] {
        let read = tenant.owner.get(path).tenant(&tenant.id).send().await.expect(200);
        assert!(!read.text.contains(&token[60..]), "{path} shows the token");
    }
    let rows = target.backdoor.snapshot(&tenant.id).await;
    assert!(rows.iter().all(|row| !row.contains(&token[60..])), "the token is kept");
}

async fn who_may_join_by_registering(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let register = |slug: &str| {
        let email = address();
        let account = json!({ "email": email, "name": "Guest", "password": PASSWORD });
        let ask = Actor::anonymous(target).post("/v1/auth/register").slug(slug).json(&account);
        async move {
            ask.send().await.expect(201);
            let mut actor = Actor { email, ..Actor::anonymous(target) };
            actor.token = Some(actor.login().await);
            actor
        }
    };
    // Naming a tenant while registering joins nothing,
    let outsider = register(&tenant.slug).await;
    outsider.get("/v1/tenant").slug(&tenant.slug).send().await.problem(403, "not_a_member");
    // unless its owner opens it.
    let config = json!({ "open_registration": "viewer" });
    tenant.owner.patch("/v1/tenant/config").tenant(&tenant.id).json(&config).send().await.expect(200);
    let insider = register(&tenant.slug).await;
    let read = insider.get("/v1/tenant").slug(&tenant.slug).send().await.expect(200);
    assert_eq!(read.body["role"], "viewer");
    // Headers that contradict each other are refused here, too, and nobody is registered.
    let account = json!({ "email": address(), "name": "Guest", "password": PASSWORD });
    let ask = Actor::anonymous(target).post("/v1/auth/register").tenant(&new_id()).slug(&tenant.slug);
    ask.json(&account).send().await.problem(400, "tenant_conflict");
    Actor::anonymous(target).post("/v1/auth/register").json(&account).send().await.expect(201);
    // While it is closed to all, nobody joins it.
    let suspend =
        |since: &str| format!("UPDATE tenants SET suspended_at = {since} WHERE id = '{}'", tenant.id);
    target.backdoor.sql(&suspend("created_at")).await;
    let meanwhile = register(&tenant.slug).await;
    target.backdoor.sql(&suspend("NULL")).await;
    meanwhile.get("/v1/tenant").slug(&tenant.slug).send().await.problem(403, "not_a_member");
    // And it is open to no more than that, and for no longer than that.
    let tenants = insider.get("/v1/tenants").send().await.expect(200);
    assert_eq!(tenants.body["data"].as_array().map(Vec::len), Some(1));
    let config = json!({ "open_registration": Value::Null });
    tenant.owner.patch("/v1/tenant/config").tenant(&tenant.id).json(&config).send().await.expect(200);
    let late = register(&tenant.slug).await;
    late.get("/v1/tenant").slug(&tenant.slug).send().await.problem(403, "not_a_member");
}
