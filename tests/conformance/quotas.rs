//! How much a tenant or an account has of something at the most.

use bailiwick::verify::samples::import_head;
use bailiwick_tests::{
    actors::{Actor, Tenant, new_id, unique},
    client::Answer,
    targets::Target,
};
use futures::future::join_all;
use serde_json::json;

crate::cases!("quotas":
    usage_says_what_there_is_and_may_be,
    nobody_joins_a_tenant_that_is_full,
    who_registers_is_no_member_of_a_tenant_that_is_full,
    no_more_invitations_are_made_than_may_wait,
    no_more_keys_are_made_than_there_may_be,
    of_many_at_once_no_more_come_than_there_is_room_for,
    what_there_is_no_room_for_is_given_up_and_can_be_tried_anew,
    no_more_is_mailed_in_a_day_than_may_be,
    an_account_owns_no_more_tenants_than_it_may,
    who_takes_a_placeholders_place_is_not_one_more,
    an_account_has_no_more_imports_under_way_than_it_may,
);

/// What `bailiwick tenant limits` does.
async fn limit(tenant: &Tenant<'_>, name: &str, most: i64) {
    let sql = format!(
        "INSERT INTO limits (tenant_id, name, most) VALUES ('{}', '{name}', {most}) \
         ON CONFLICT (tenant_id, name) DO UPDATE SET most = excluded.most",
        tenant.id
    );
    tenant.owner.target.backdoor.sql(&sql).await;
}

/// What there is of a tenant but for what is on its way.
async fn rows(tenant: &Tenant<'_>) -> Vec<String> {
    let mut rows = tenant.owner.target.backdoor.snapshot(&tenant.id).await;
    rows.retain(|row| !row.starts_with("deliveries"));
    rows
}

/// How much of it the tenant has, and how much it may have.
async fn usage(tenant: &Tenant<'_>, name: &str) -> (i64, i64) {
    let answer = tenant.owner.get("/v1/admin/usage").tenant(&tenant.id).send().await.expect(200);
    let number = |of: &str| answer.body[name][of].as_i64().unwrap_or_else(|| panic!("{name}: {answer:?}"));
    (number("used"), number("most"))
}

async fn invite(tenant: &Tenant<'_>, email: &str) -> Answer {
    let new = json!({ "email": email, "role": "member" });
    tenant.manager.post("/v1/invitations").tenant(&tenant.id).json(&new).send().await
}

async fn accept(by: &Actor<'_>, token: &str) -> Answer {
    by.post("/v1/invitations/accept").json(&json!({ "token": token })).send().await
}

async fn key(tenant: &Tenant<'_>) -> Answer {
    let new = json!({ "name": "A machine", "role": "viewer" });
    tenant.owner.post("/v1/api-keys").tenant(&tenant.id).json(&new).send().await
}

async fn usage_says_what_there_is_and_may_be(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    for (name, used, most) in [
        ("members", 4, 2_000),
        ("invitations", 0, 500),
        ("api_keys", 0, 200),
        ("pending_deliveries", 0, 5_000),
        ("emails_a_day", 0, 5_000),
    ] {
        assert_eq!(usage(&tenant, name).await, (used, most), "{name}");
    }
    // What the operator has said counts, for this tenant alone, and what there is above that is not counted.
    limit(&tenant, "members", 3).await;
    limit(&tenant, "api_keys", 7).await;
    key(&tenant).await.expect(201);
    assert_eq!(usage(&tenant, "members").await, (3, 3));
    assert_eq!(usage(&tenant, "api_keys").await, (1, 7));
    assert_eq!(usage(&other, "members").await, (4, 2_000));
    assert_eq!(usage(&other, "api_keys").await, (0, 200));
}

async fn nobody_joins_a_tenant_that_is_full(target: &'static Target) {
    let (tenant, guest) = tokio::join!(Tenant::create(target), Actor::register(target, "guest"));
    let token = invite(&tenant, &guest.email).await.expect(201).text_at("/token");
    let newcomer = format!("{}@example.com", unique("newcomer"));
    let other = invite(&tenant, &newcomer).await.expect(201).text_at("/token");
    limit(&tenant, "members", 4).await;
    let before = rows(&tenant).await;
    let refused = accept(&guest, &token).await.problem(403, "limit_reached");
    assert_eq!(refused.body["detail"], "The maximum number is reached: members.");
    let registration =
        json!({ "email": newcomer, "name": "New", "password": "correct horse", "invitation_token": other });
    let anonymous = Actor::anonymous(target);
    anonymous.post("/v1/auth/register").json(&registration).send().await.problem(403, "limit_reached");
    assert_eq!(rows(&tenant).await, before);
    // Where there is room for one, the first has it, and who is in can go on.
    limit(&tenant, "members", 5).await;
    accept(&guest, &token).await.expect(200);
    anonymous.post("/v1/auth/register").json(&registration).send().await.problem(403, "limit_reached");
    guest.get("/v1/projects").tenant(&tenant.id).send().await.expect(200);
    tenant.remove(&guest).await;
    anonymous.post("/v1/auth/register").json(&registration).send().await.expect(201);
}

async fn who_registers_is_no_member_of_a_tenant_that_is_full(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.configure(&json!({ "open_registration": "member" })).await.expect(200);
    limit(&tenant, "members", 5).await;
    // How many there may be of anything else is another matter.
    limit(&tenant, "api_keys", 1).await;
    for (name, status) in [("first", 200), ("second", 403)] {
        let new = json!({
            "email": format!("{}@example.com", unique(name)), "name": name, "password": "correct horse",
        });
        let anonymous = Actor::anonymous(target);
        let register = anonymous.post("/v1/auth/register").tenant(&tenant.id).json(&new);
        register.send().await.expect(201);
        let login = json!({ "email": new["email"], "password": new["password"] });
        let token =
            anonymous.post("/v1/auth/login").json(&login).send().await.expect(200).text_at("/access_token");
        let newcomer = Actor { token: Some(token), ..anonymous };
        newcomer.get("/v1/members/me").tenant(&tenant.id).send().await.expect(status);
    }
    assert_eq!(usage(&tenant, "members").await, (5, 5));
}

async fn no_more_invitations_are_made_than_may_wait(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    limit(&tenant, "invitations", 2).await;
    let address = || format!("{}@example.com", unique("guest"));
    let first = invite(&tenant, &address()).await.expect(201).text_at("/id");
    invite(&tenant, &address()).await.expect(201);
    let before = rows(&tenant).await;
    invite(&tenant, &address()).await.problem(403, "limit_reached");
    assert_eq!(rows(&tenant).await, before);
    assert_eq!(usage(&tenant, "invitations").await, (2, 2));
    let path = format!("/v1/invitations/{first}");
    tenant.manager.delete(&path).tenant(&tenant.id).send().await.expect(204);
    invite(&tenant, &address()).await.expect(201);
}

async fn no_more_keys_are_made_than_there_may_be(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    limit(&tenant, "api_keys", 2).await;
    let first = key(&tenant).await.expect(201).text_at("/id");
    key(&tenant).await.expect(201);
    key(&tenant).await.problem(403, "limit_reached");
    let path = format!("/v1/api-keys/{first}");
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    key(&tenant).await.expect(201);
}

async fn of_many_at_once_no_more_come_than_there_is_room_for(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    limit(&tenant, "api_keys", 3).await;
    let answers = join_all((0..8).map(|_| key(&tenant))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 3, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "limit_reached"));
    assert_eq!(usage(&tenant, "api_keys").await, (3, 3));
}

/// Puts deliveries in that wait for something that does not come.
async fn fill(tenant: &Tenant<'_>, channel: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let id = new_id();
        let sql = format!(
            "INSERT INTO deliveries (tenant_id, id, channel, kind, title, body, subject_type, subject_id, state, attempts, \
             next_attempt_at, created_at) VALUES ('{}', '{id}', '{channel}', 'approved', 'A title', '', 'project', '{id}', \
             'pending', 1, '2100-01-01T00:00:00.000Z', '2100-01-01T00:00:00.000Z')",
            tenant.id
        );
        tenant.owner.target.backdoor.sql(&sql).await;
        ids.push(id);
    }
    ids
}

async fn what_there_is_no_room_for_is_given_up_and_can_be_tried_anew(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.send_by(&["task_assigned"], &["in_app", "email"]).await;
    limit(&tenant, "pending_deliveries", 2).await;
    let waiting = fill(&tenant, "slack", 2).await;
    assert_eq!(usage(&tenant, "pending_deliveries").await, (2, 2));
    // The task is made and its assignee is told of it where they are; the email is what there is no room for.
    tenant.assign(&tenant.manager, "A task", &tenant.member).await;
    assert_eq!(tenant.told().await, [(tenant.member.id.clone(), "task_assigned".to_owned())]);
    let is_dead = |delivery: &serde_json::Value| delivery["state"] == "dead";
    let given_up = tenant.deliveries().await.into_iter().find(is_dead).expect("one that was given up");
    assert_eq!(given_up["last_error"], "There was no room for it: pending_deliveries.");
    assert_eq!(given_up["attempts"], 0);
    // What would be worth nothing without its mail is refused, and so is trying it anew.
    let guest = format!("{}@example.com", unique("guest"));
    let refused = invite(&tenant, &guest).await.problem(429, "quota_exceeded");
    assert_eq!(refused.header("retry-after"), Some("60"));
    tenant.retry(&given_up).await.problem(429, "quota_exceeded");
    let sql = format!("DELETE FROM deliveries WHERE tenant_id = '{}' AND id = '{}'", tenant.id, waiting[0]);
    target.backdoor.sql(&sql).await;
    tenant.retry(&given_up).await.expect(200);
    let mail = target.mail_to(&tenant.member.email).await;
    assert!(mail.subject.contains("A task"), "{mail:?}");
}

async fn no_more_is_mailed_in_a_day_than_may_be(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let webhook = tenant.webhook().await;
    tenant.send_by(&["task_assigned"], &["email", "slack"]).await;
    limit(&tenant, "emails_a_day", 1).await;
    let waiting = fill(&tenant, "email", 1).await;
    assert_eq!(usage(&tenant, "emails_a_day").await, (1, 1));
    tenant.assign(&tenant.manager, "A task", &tenant.member).await;
    let all = tenant.deliveries().await;
    let email = all.iter().find(|one| one["recipient_id"] == tenant.member.id.as_str()).expect("the email");
    assert_eq!(
        (&email["state"], &email["last_error"]),
        (&json!("dead"), &json!("There was no room for it: emails_a_day."))
    );
    // By another way it goes.
    target
        .until(
            "the webhook to be called",
            async || {
                if webhook.count() == 1 { Ok(()) } else { Err(webhook.count()) }
            },
        )
        .await;
    // What was mailed more than a day ago does not count.
    let sql = format!(
        "UPDATE deliveries SET created_at = '2026-01-01T00:00:00.000Z' WHERE tenant_id = '{}' AND id = '{}'",
        tenant.id, waiting[0]
    );
    target.backdoor.sql(&sql).await;
    assert_eq!(usage(&tenant, "emails_a_day").await, (0, 1));
    let guest = format!("{}@example.com", unique("guest"));
    invite(&tenant, &guest).await.expect(201);
    let refused = invite(&tenant, &format!("{}@example.com", unique("guest"))).await;
    assert_eq!(refused.problem(429, "quota_exceeded").header("retry-after"), Some("3600"));
}

async fn an_account_owns_no_more_tenants_than_it_may(target: &'static Target) {
    let owner = Actor::register(target, "owner").await;
    let create = || {
        let new = json!({ "slug": unique("many"), "name": "One of many" });
        owner.post("/v1/tenants").json(&new).send()
    };
    for _ in 0..10 {
        for made in join_all((0..10).map(|_| create())).await {
            made.expect(201);
        }
    }
    let refused = create().await.problem(403, "limit_reached");
    assert_eq!(refused.body["detail"], "The maximum number is reached: tenants.");
    let last = owner.get("/v1/tenants?limit=1").send().await.expect(200);
    let (id, slug) = (last.text_at("/data/0/id"), last.text_at("/data/0/slug"));
    owner.delete(&format!("/v1/tenant?confirm={slug}")).tenant(&id).send().await.expect(204);
    create().await.expect(201);
    create().await.problem(403, "limit_reached");
    // Nor is one handed over to who has as many.
    let other = Tenant::create(target).await;
    other.admit(&owner, "manager").await;
    let path = format!("/v1/members/{}", owner.id);
    let hand_over = || other.owner.patch(&path).tenant(&other.id).json(&json!({ "role": "owner" })).send();
    hand_over().await.problem(403, "limit_reached");
    let last = owner.get("/v1/tenants?limit=2").send().await.expect(200);
    let (id, slug) = (last.text_at("/data/1/id"), last.text_at("/data/1/slug"));
    owner.delete(&format!("/v1/tenant?confirm={slug}")).tenant(&id).send().await.expect(204);
    hand_over().await.expect(200);
}

async fn who_takes_a_placeholders_place_is_not_one_more(target: &'static Target) {
    let (tenant, guest) = tokio::join!(Tenant::create(target), Actor::register(target, "guest"));
    let placeholder = new_id();
    let time = "'2026-01-01T00:00:00.000Z'";
    for sql in [
        format!(
            "INSERT INTO users (id, email, imported_into, imported_email, name, password_hash, created_at, updated_at, version) \
             VALUES ('{placeholder}', '{placeholder}@unclaimed.invalid', '{}', '{}', 'P', '', {time}, {time}, 1)",
            tenant.id, guest.email
        ),
        format!(
            "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version, imported_at) \
             VALUES ('{}', '{}', '{placeholder}', 'member', 'suspended', {time}, {time}, 1, {time})",
            tenant.id,
            new_id()
        ),
    ] {
        target.backdoor.sql(&sql).await;
    }
    limit(&tenant, "members", 5).await;
    let token = invite(&tenant, &guest.email).await.expect(201).text_at("/token");
    accept(&guest, &token).await.expect(200);
    assert_eq!(usage(&tenant, "members").await, (5, 5));
}

async fn an_account_has_no_more_imports_under_way_than_it_may(target: &'static Target) {
    let (one, other) = tokio::join!(Actor::register(target, "one"), Actor::register(target, "other"));
    let ids: Vec<_> = (0..101).map(|_| new_id()).collect();
    let begin = |by: &Actor<'_>, id: &str| by.post("/v1/imports").json(&import_head(id)).send();
    for id in &ids[..100] {
        begin(&one, id).await.expect(200);
    }
    begin(&one, &ids[100]).await.problem(403, "limit_reached");
    // One that is under way goes on, and others have theirs.
    begin(&one, &ids[0]).await.expect(200);
    begin(&other, &ids[100]).await.expect(200);
    one.delete(&format!("/v1/imports/{}", ids[0])).send().await.expect(204);
    let another = new_id();
    begin(&one, &another).await.expect(200);
}
