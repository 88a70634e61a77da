//! Deleting an account by its user: what is gone, what stays, and the owner that a tenant always keeps.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, new_id, unique},
    client::Answer,
    provider::{Person, Provider},
    receivers::Trouble,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("account_deletion":
    nobody_gets_in_any_more,
    no_other_mail_goes_to_the_address_so_soon,
    the_address_can_register_again,
    nothing_of_the_address_stays_in_the_account,
    what_they_wrote_stays,
    every_tenant_is_left,
    what_others_have_stays,
    an_invitation_elsewhere_is_not_the_accounts,
    the_last_owner_stays,
    many_tenants_without_an_owner,
    only_people_delete_themselves,
    only_in_the_state_that_was_seen,
    who_comes_by_an_identity,
    of_two_owners_who_delete_themselves_at_once_one_stays,
    what_waits_to_be_sent_is_not_sent,
);

async fn delete(actor: &Actor<'_>) -> Answer {
    actor.delete("/v1/me").send().await
}

async fn count(target: &Target, rows: &str) -> i64 {
    target.backdoor.count(&format!("SELECT count(*) FROM {rows}")).await
}

async fn nobody_gets_in_any_more(target: &'static Target) {
    let somebody = Actor::register(target, "somebody").await;
    let other = somebody.session().await;
    somebody.identity().await;
    let reset = somebody.reset().await;
    delete(&somebody).await.expect(204);
    let elsewhere = Actor { token: Some(other.text_at("/access_token")), ..somebody.clone() };
    for actor in [&somebody, &elsewhere] {
        actor.get("/v1/me").send().await.problem(401, "invalid_token");
        delete(actor).await.problem(401, "invalid_token");
    }
    let nobody = Actor::anonymous(target);
    let refresh = json!({ "refresh_token": other.text_at("/refresh_token") });
    nobody.post("/v1/auth/refresh").json(&refresh).send().await.problem(401, "invalid_refresh_token");
    let login = json!({ "email": somebody.email, "password": PASSWORD });
    nobody.post("/v1/auth/login").json(&login).send().await.problem(401, "invalid_credentials");
    let reset = json!({ "token": reset, "new_password": "another horse battery" });
    let refused = nobody.post("/v1/auth/password-reset/confirm").json(&reset).send().await;
    refused.problem(403, "invalid_reset_token");
    let ask = json!({ "email": somebody.email });
    nobody.post("/v1/auth/password-reset").json(&ask).send().await.expect(204);
    for table in ["sessions", "identities", "account_idempotency_keys", "memberships"] {
        assert_eq!(count(target, &format!("{table} WHERE user_id = '{}'", somebody.id)).await, 0, "{table}");
    }
}

/// Otherwise anybody could fill a stranger's mailbox, by an account of that address that comes and goes.
async fn no_other_mail_goes_to_the_address_so_soon(target: &'static Target) {
    let somebody = Actor::sign_up(target, "somebody").await;
    let nobody = Actor::anonymous(target);
    let ask = || nobody.post("/v1/auth/password-reset").json(&json!({ "email": somebody.email }));
    let asked = async || count(target, &format!("password_resets WHERE email = '{}'", somebody.email)).await;
    ask().send().await.expect(204);
    assert_eq!(asked().await, 1);
    delete(&somebody).await.expect(204);
    let due = format!("password_resets WHERE user_id = '{}' AND next_attempt_at IS NOT NULL", somebody.id);
    assert_eq!(count(target, &due).await, 0);
    let account = json!({ "email": somebody.email, "name": "Another", "password": PASSWORD });
    nobody.post("/v1/auth/register").json(&account).send().await.expect(201);
    ask().send().await.expect(204);
    assert_eq!(asked().await, 1);
    // Once it is long ago, the new account gets one.
    let past = format!(
        "UPDATE password_resets SET created_at = '2020-01-01T00:00:00.000Z' WHERE email = '{}'",
        somebody.email
    );
    target.backdoor.sql(&past).await;
    ask().send().await.expect(204);
    assert_eq!(asked().await, 2);
}

async fn the_address_can_register_again(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let before = &tenant.member;
    let new = json!({ "slug": unique("own"), "name": "Own" });
    // A stored answer is not given to whoever comes after.
    let create =
        |actor: &Actor<'static>| actor.post("/v1/tenants").header("idempotency-key", "the-same").json(&new);
    let made = create(before).send().await.expect(201);
    let confirm = format!("/v1/tenant?confirm={}", made.text_at("/slug"));
    before.delete(&confirm).tenant(&made.text_at("/id")).send().await.expect(204);
    delete(before).await.expect(204);
    let account = json!({ "email": before.email, "name": "Another", "password": PASSWORD });
    let nobody = Actor::anonymous(target);
    let registered = nobody.post("/v1/auth/register").json(&account).send().await.expect(201);
    let id = registered.text_at("/id");
    assert_ne!(id, before.id);
    let mut after = Actor { id, email: before.email.clone(), ..nobody };
    after.token = Some(after.login().await);
    let mine = after.get("/v1/tenants").send().await.expect(200);
    assert_eq!(mine.body["data"], json!([]));
    after.get("/v1/tenant").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    let sessions = after.get("/v1/me/sessions").send().await.expect(200);
    assert_eq!(sessions.body["data"].as_array().map(Vec::len), Some(1));
    let identities = after.get("/v1/me/identities").send().await.expect(200);
    assert_eq!(identities.body["data"], json!([]));
    // The slug is kept for the account that gave it up.
    create(&after).send().await.problem(409, "slug_taken");
    // And once more.
    delete(&after).await.expect(204);
    Actor::anonymous(target).post("/v1/auth/register").json(&account).send().await.expect(201);
}

async fn nothing_of_the_address_stays_in_the_account(target: &'static Target) {
    let somebody = Actor::register(target, "somebody").await;
    somebody.reset().await;
    somebody
        .post("/v1/imports")
        .json(&bailiwick::verify::samples::import_head(&new_id()))
        .send()
        .await
        .expect(200);
    delete(&somebody).await.expect(204);
    let rows = target.backdoor.snapshot_of_account(&somebody.id).await;
    assert!(rows.iter().any(|row| row.starts_with("users ")), "{rows:?}");
    // The reset stays until it expires, for what is asked for next (`no_other_mail_goes_to_the_address_so_soon`).
    let of_account = rows.iter().filter(|row| !row.starts_with("password_resets "));
    let account: Vec<_> = of_account.filter(|row| row.contains(&somebody.email)).collect();
    assert!(account.is_empty(), "{account:?}");
    let left = format!("SELECT name, password_hash, imported_email FROM users WHERE id = '{}'", somebody.id);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(target.backdoor.sql(&left).await, [[text("somebody"), text(""), None]]);
}

async fn what_they_wrote_stays(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (owner, member) = (&tenant.owner, &tenant.member);
    let new = json!({ "name": "Written" });
    let project = member.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.expect(201);
    let tasks = format!("/v1/projects/{}/tasks", project.text_at("/id"));
    let new = json!({ "title": "Written", "assignee_id": member.id });
    let task = member.post(&tasks).tenant(&tenant.id).json(&new).send().await.expect(201);
    let task = format!("/v1/tasks/{}", task.text_at("/id"));
    let (comments, new) = (format!("{task}/comments"), json!({ "body": "Written" }));
    member.post(&comments).tenant(&tenant.id).json(&new).send().await.expect(201);
    delete(member).await.expect(204);
    let read = async |path: &str| owner.get(path).tenant(&tenant.id).send().await.expect(200);
    let person = read(&format!("/v1/people/{}", member.id)).await;
    assert_eq!(person.body, json!({ "id": member.id, "name": "member", "member": false }));
    let left = read(&format!("{task}?include=created_by")).await;
    assert_eq!((&left.body["created_by"], &left.body["assignee_id"]), (&json!(member.id), &Value::Null));
    assert_eq!(left.body["version"], 2);
    let comments = read(&format!("{comments}?include=author")).await;
    assert_eq!(comments.body["data"][0]["author_id"], member.id);
    assert!(comments.text.contains("\"name\":\"member\""), "{comments:?}");
    let entries = read(&format!("/v1/admin/activity?actor_id={}", member.id)).await;
    let entries: Vec<_> = entries.body["data"].as_array().expect("a list").iter().collect();
    assert_eq!(entries.len(), 4, "{entries:?}");
    assert_eq!((&entries[0]["action"], &entries[0]["entity_id"]), (&json!("member.left"), &json!(member.id)));
    // Who takes the tenant out takes a name along.
    let export = read("/v1/admin/export?from=users").await;
    assert!(export.text.contains(&member.id) && !export.text.contains(&member.email), "{export:?}");
}

/// A tenant in which somebody of this role has something of everything.
async fn busy(target: &'static Target, somebody: &Actor<'static>, role: &str) -> Tenant<'static> {
    let tenant = Tenant::create(target).await;
    tenant.admit(somebody, role).await;
    let project = tenant.project("in_progress", None).await;
    tenant.assign(&tenant.owner, &format!("For {role}"), somebody).await;
    tenant.task(&project, "todo").await;
    tenant.api_key(&somebody.id).await;
    tenant.notification(&somebody.id).await;
    if role != "viewer" {
        tenant.invite(somebody, &format!("{}@example.com", unique("guest"))).await;
    }
    // Somebody who has joined otherwise than by it.
    let open = format!(
        "INSERT INTO invitations (tenant_id, id, email, role, token_hash, invited_by, expires_at, created_at) VALUES \
         ('{}', '{}', '{}', 'viewer', 'none', '{}', '2100-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z')",
        tenant.id,
        new_id(),
        somebody.email,
        tenant.owner.id
    );
    target.backdoor.sql(&open).await;
    tenant
}

async fn every_tenant_is_left(target: &'static Target) {
    let somebody = Actor::register(target, "somebody").await;
    let tenants = [
        busy(target, &somebody, "manager").await,
        busy(target, &somebody, "owner").await,
        busy(target, &somebody, "viewer").await,
    ];
    let machine = tenants[0].machine(&somebody, "member").await;
    machine.get("/v1/tenant").send().await.expect(200);
    // Suspended they are in it still.
    tenants[2].set(&somebody, "status", "suspended").await;
    delete(&somebody).await.expect(204);
    machine.get("/v1/tenant").send().await.problem(401, "invalid_token");
    for tenant in &tenants {
        let own = |rows: &str| format!("{rows} AND tenant_id = '{}'", tenant.id);
        for rows in [
            format!("memberships WHERE user_id = '{}'", somebody.id),
            format!("api_keys WHERE user_id = '{}'", somebody.id),
            format!("notifications WHERE recipient_id = '{}'", somebody.id),
            format!("tasks WHERE assignee_id = '{}'", somebody.id),
            format!("invitations WHERE invited_by = '{}' AND revoked_at IS NULL", somebody.id),
            format!("invitations WHERE email = '{}' AND revoked_at IS NULL", somebody.email),
        ] {
            assert_eq!(count(target, &own(&rows)).await, 0, "{rows}");
        }
        let left = format!(
            "activity WHERE action = 'member.left' AND entity_type = 'member' AND actor_id = '{0}' AND entity_id = '{0}'",
            somebody.id
        );
        assert_eq!(count(target, &own(&left)).await, 1);
        let changed = "tasks WHERE title LIKE 'For %' AND version = 2 AND updated_at > created_at";
        assert_eq!(count(target, &own(changed)).await, 1);
    }
    let path = "/v1/admin/activity/verify";
    let verified = tenants[0].owner.get(path).tenant(&tenants[0].id).send().await.expect(200);
    assert_eq!(verified.body["breach"], Value::Null);
}

async fn what_others_have_stays(target: &'static Target) {
    let (tenant, elsewhere) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let (gone, other) = (&tenant.member, &tenant.manager);
    for actor in [gone, other] {
        tenant.assign(&tenant.owner, "A task", actor).await;
    }
    tenant.invite(other, &format!("{}@example.com", unique("guest"))).await;
    tenant.machine(other, "viewer").await;
    tokio::join!(other.identity(), other.reset(), other.new_session());
    let rows = async || {
        let mut rows = target.backdoor.snapshot_of_account(&other.id).await;
        rows.extend(target.backdoor.snapshot(&elsewhere.id).await);
        let tasks = format!("SELECT id FROM tasks WHERE assignee_id = '{}' AND version = 1", other.id);
        let invitations =
            format!("SELECT id FROM invitations WHERE invited_by = '{}' AND revoked_at IS NULL", other.id);
        for sql in [tasks, invitations] {
            let found = target.backdoor.sql(&sql).await;
            assert_eq!(found.len(), 1, "{sql}");
            rows.push(format!("{found:?}"));
        }
        rows
    };
    let before = rows().await;
    delete(gone).await.expect(204);
    assert_eq!(rows().await, before);
}

async fn an_invitation_elsewhere_is_not_the_accounts(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let guest = Actor::register(target, "guest").await;
    let token = json!({ "token": tenant.invite(&tenant.owner, &guest.email).await });
    delete(&guest).await.expect(204);
    guest.post("/v1/invitations/accept").json(&token).send().await.problem(401, "invalid_token");
    // It was sent to the address, whoever has registered that.
    let account = json!({
        "email": guest.email, "name": "Guest", "password": PASSWORD, "invitation_token": token["token"],
    });
    Actor::anonymous(target).post("/v1/auth/register").json(&account).send().await.expect(201);
}

async fn the_last_owner_stays(target: &'static Target) {
    let (one, two, third) =
        tokio::join!(Tenant::create(target), Tenant::create(target), Tenant::create(target));
    let owner = &one.owner;
    for tenant in [&two, &third] {
        tenant.admit(owner, "owner").await;
    }
    // Whoever cannot log in is none.
    let disable = |when: &str| format!("UPDATE users SET disabled_at = {when} WHERE id = '{}'", two.owner.id);
    target.backdoor.sql(&disable("created_at")).await;
    let rows = async || {
        let mut rows = target.backdoor.snapshot_of_account(&owner.id).await;
        for tenant in [&one, &two, &third] {
            rows.extend(target.backdoor.snapshot(&tenant.id).await);
        }
        rows
    };
    let before = rows().await;
    let refused = delete(owner).await.problem(409, "last_owner");
    let detail = refused.text_at("/detail");
    let named = |tenant: &Tenant<'_>| {
        detail.contains(&format!("{}.", tenant.slug)) || detail.contains(&format!("{},", tenant.slug))
    };
    assert_eq!((named(&one), named(&two), named(&third)), (true, true, false), "{detail}");
    assert_eq!(rows().await, before);
    target.backdoor.sql(&disable("NULL")).await;
    let detail = delete(owner).await.problem(409, "last_owner").text_at("/detail");
    assert!(detail.contains(&format!("the last owner of {}. ", one.slug)), "{detail}");
    // As a suspended owner, or of a tenant that is deleted, nobody is missed.
    two.set(&two.owner, "status", "suspended").await;
    two.set(owner, "status", "suspended").await;
    let deleted = format!("UPDATE tenants SET deleted_at = created_at WHERE id = '{}'", one.id);
    target.backdoor.sql(&deleted).await;
    delete(owner).await.expect(204);
}

async fn many_tenants_without_an_owner(target: &'static Target) {
    let owner = Actor::register(target, "owner").await;
    let (now, prefix) = ("2026-01-01T00:00:00.000Z", unique("of-many"));
    let (mut tenants, mut memberships) = (Vec::new(), Vec::new());
    for number in 10..31 {
        let id = new_id();
        tenants.push(format!("('{id}', '{prefix}-{number}', 'T', '{now}', '{now}', 1)"));
        memberships.push(format!("('{id}', '{id}', '{}', 'owner', 'active', '{now}', '{now}', 1)", owner.id));
    }
    let statements = [
        format!(
            "INSERT INTO tenants (id, slug, name, created_at, updated_at, version) VALUES {}",
            tenants.join(", ")
        ),
        format!(
            "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) VALUES {}",
            memberships.join(", ")
        ),
    ];
    target.backdoor.all(&statements).await;
    let detail = delete(&owner).await.problem(409, "last_owner").text_at("/detail");
    let named = format!("{prefix}-28, {prefix}-29 and others. Make another member an owner there first");
    assert!(detail.contains(&named) && detail.contains(&format!(" {prefix}-10, ")), "{detail}");
}

async fn only_people_delete_themselves(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let machine = tenant.machine(&tenant.manager, "manager").await;
    delete(&machine).await.problem(403, "session_required");
    delete(&Actor::anonymous(target)).await.problem(401, "authentication_required");
    let confirmed = tenant.manager.delete("/v1/me").json(&json!({ "confirm": true })).send().await;
    confirmed.problem(400, "unexpected_body");
    tenant.manager.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
}

async fn only_in_the_state_that_was_seen(target: &'static Target) {
    let somebody = Actor::register(target, "somebody").await;
    let seen = somebody.get("/v1/me").send().await.expect(200).header("etag").expect("a tag").to_owned();
    let renamed = json!({ "name": "Renamed" });
    let renamed = somebody.patch("/v1/me").json(&renamed).send().await.expect(200);
    let in_state = async |tag: &str| somebody.delete("/v1/me").header("if-match", tag).send().await;
    in_state(&seen).await.problem(412, "precondition_failed");
    somebody.get("/v1/me").send().await.expect(200);
    in_state(renamed.header("etag").expect("a tag")).await.expect(204);
}

async fn who_comes_by_an_identity(target: &'static Target) {
    let person = Person::new("person");
    let token = Provider::shared().access_token("ES256", &person).await;
    let came = Actor { token: Some(token), ..Actor::anonymous(target) };
    let first = came.get("/v1/me").send().await.expect(200).text_at("/id");
    delete(&came).await.expect(204);
    // Their provider still says who they are: as somebody new.
    let second = came.get("/v1/me").send().await.expect(200);
    assert_eq!(second.text_at("/email"), person.email);
    assert_ne!(second.text_at("/id"), first);
}

async fn of_two_owners_who_delete_themselves_at_once_one_stays(target: &'static Target) {
    for leaves in [false, true, false, true, false] {
        let tenant = Tenant::create(target).await;
        tenant.set(&tenant.manager, "role", "owner").await;
        let path = if leaves { "/v1/members/me" } else { "/v1/me" };
        let other = tenant.manager.delete(path).tenant(&tenant.id);
        let (one, two) = tokio::join!(tenant.owner.delete("/v1/me").send(), other.send());
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409], "{one:?} {two:?}");
        let owners = format!("memberships WHERE tenant_id = '{}' AND role = 'owner'", tenant.id);
        assert_eq!(count(target, &owners).await, 1);
    }
}

async fn what_waits_to_be_sent_is_not_sent(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let member = &tenant.member;
    tenant.send_by(&["task_assigned"], &["email"]).await;
    // It cannot be sent as long as they are there; when it could be, they have gone.
    target.mailbox.always_refuse(&member.email, Trouble::ForGood);
    tenant.assign(&tenant.owner, "A task", member).await;
    let dead = tenant.delivery("given up", |delivery| delivery["state"] == "dead").await;
    delete(member).await.expect(204);
    target.mailbox.refuse(&member.email, Trouble::ForGood, 0);
    tenant.retry(&dead).await.expect(200);
    let again = tenant.delivery("given up again", |delivery| delivery["state"] == "dead").await;
    assert!(again["last_error"].as_str().is_some_and(|error| error.contains("no longer")), "{again}");
    assert!(target.mailbox.mails(&member.email).iter().all(|mail| !mail.taken));
}
