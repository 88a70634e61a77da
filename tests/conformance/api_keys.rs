//! API keys: shown once, good in one tenant, never worth more than their maker.

use bailiwick_tests::{
    actors::{Actor, Tenant, unique},
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("api_keys":
    a_key_is_shown_once_and_opens_its_tenant,
    the_use_of_one_is_none_of_another,
    a_key_opens_no_other_tenant,
    a_key_has_no_higher_role_than_its_maker,
    a_key_is_worth_what_its_maker_is,
    a_key_goes_with_the_membership,
    a_key_ends,
    a_revoked_key_is_worth_nothing_at_once,
    others_keys_are_an_owners_business,
    made_up_keys,
    what_is_done_by_a_key_says_so,
    bad_input,
);

async fn a_key_is_shown_once_and_opens_its_tenant(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let new = json!({ "name": "CI", "role": "viewer" });
    let made = tenant.member.post("/v1/api-keys").tenant(&tenant.id).json(&new).send().await.expect(201);
    let (id, key) = (made.text_at("/id"), made.text_at("/key"));
    let path = format!("/v1/api-keys/{id}");
    assert_eq!(made.header("location"), Some(&*path));
    assert!(key.starts_with("bwk_") && key.starts_with(&made.text_at("/prefix")), "{made:?}");
    assert_eq!((&made.body["role"], &made.body["last_used_at"]), (&json!("viewer"), &Value::Null));
    assert_eq!(made.text_at("/user_id"), tenant.member.id);

    // No header: the key knows its tenant. The headers may repeat it.
    let machine = Actor { token: Some(key.clone()), ..tenant.member.clone() };
    let seen = machine.get("/v1/tenant").send().await.expect(200);
    assert_eq!((seen.text_at("/id"), seen.text_at("/role")), (tenant.id.clone(), "viewer".to_owned()));
    machine.get("/v1/tenant").tenant(&tenant.id).slug(&tenant.slug).send().await.expect(200);
    machine.get("/v1/projects").slug(&tenant.slug).send().await.expect(200);

    let read = tenant.member.get(&path).tenant(&tenant.id).send().await.expect(200);
    let used = read.text_at("/last_used_at");
    let list = tenant.member.get("/v1/api-keys").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(list.body["data"], json!([read.body]));
    // Used again within the minute, that is not noted again.
    machine.get("/v1/tenant").send().await.expect(200);
    let read = tenant.member.get(&path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!(read.text_at("/last_used_at"), used);
    for row in target.backdoor.snapshot(&tenant.id).await {
        assert!(!row.contains(&key), "the key is kept: {row}");
    }
    assert!(!list.text.contains(&key) && !read.text.contains(&key));
}

async fn the_use_of_one_is_none_of_another(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let machine = tenant.machine(&tenant.owner, "viewer").await;
    let idle = tenant.api_key(&tenant.owner.id).await;
    machine.get("/v1/tenant").send().await.expect(200);
    let listed = tenant.owner.get("/v1/api-keys").tenant(&tenant.id).send().await.expect(200);
    let keys = listed.body["data"].as_array().expect("a list");
    let used: Vec<_> = keys.iter().map(|key| (key["id"] == idle, !key["last_used_at"].is_null())).collect();
    assert_eq!(used, [(true, false), (false, true)]);
}

async fn a_key_opens_no_other_tenant(target: &'static Target) {
    let (mine, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    // Its maker is an owner there as well, and yet.
    other.admit(&mine.owner, "owner").await;
    let machine = mine.machine(&mine.owner, "owner").await;
    let before = target.backdoor.snapshot(&other.id).await;
    let new = json!({ "name": "P" });
    let ask = |id: Option<&str>, slug: Option<&str>| {
        let ask = machine.post("/v1/projects").json(&new);
        let ask = if let Some(id) = id { ask.tenant(id) } else { ask };
        if let Some(slug) = slug { ask.slug(slug) } else { ask }.send()
    };
    ask(Some(&other.id), None).await.problem(403, "not_a_member");
    ask(None, Some(&other.slug)).await.problem(403, "not_a_member");
    ask(None, Some("default")).await.problem(403, "not_a_member");
    ask(None, Some("there-is-none")).await.problem(403, "not_a_member");
    ask(Some(&other.id), Some(&other.slug)).await.problem(403, "not_a_member");
    ask(Some(&other.id), Some(&mine.slug)).await.problem(403, "not_a_member");
    ask(Some(&mine.id), Some(&other.slug)).await.problem(400, "tenant_conflict");
    machine.get("/v1/tenant").slug(&other.slug).send().await.problem(403, "not_a_member");
    machine.get("/v1/tenants").send().await.problem(403, "session_required");
    assert_eq!(before, target.backdoor.snapshot(&other.id).await);
    ask(Some(&mine.id), Some(&mine.slug)).await.expect(201);
}

async fn a_key_has_no_higher_role_than_its_maker(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let roles = ["viewer", "member", "manager", "owner"];
    for (maker, rank) in [(&tenant.member, 1), (&tenant.manager, 2), (&tenant.owner, 3)] {
        for (index, role) in roles.into_iter().enumerate() {
            let new = json!({ "name": "K", "role": role });
            let answer = maker.post("/v1/api-keys").tenant(&tenant.id).json(&new).send().await;
            if index <= rank {
                answer.expect(201);
            } else {
                let answer = answer.problem(403, "insufficient_role");
                assert_eq!(answer.body["required_role"], role);
            }
        }
    }
    // Nor has a key that a key makes.
    let machine = tenant.machine(&tenant.owner, "owner").await;
    machine.post("/v1/api-keys").json(&json!({ "name": "K", "role": "owner" })).send().await.expect(201);
}

async fn a_key_is_worth_what_its_maker_is(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let machine = tenant.machine(&tenant.manager, "manager").await;
    let path = format!("/v1/projects/{}", tenant.project("draft", None).await);
    tenant.set(&tenant.manager, "role", "viewer").await;
    machine.delete(&path).send().await.problem(403, "insufficient_role");
    assert_eq!(machine.get("/v1/tenant").send().await.expect(200).text_at("/role"), "viewer");
    tenant.set(&tenant.manager, "status", "suspended").await;
    machine.get(&path).send().await.problem(403, "not_a_member");
    tenant.set(&tenant.manager, "status", "active").await;
    tenant.set(&tenant.manager, "role", "owner").await;
    assert_eq!(machine.get("/v1/tenant").send().await.expect(200).text_at("/role"), "manager");
    let disable = format!(
        "UPDATE users SET disabled_at = '2026-01-01T00:00:00.000Z' WHERE id = '{}'",
        tenant.manager.id
    );
    target.backdoor.sql(&disable).await;
    machine.get(&path).send().await.problem(401, "invalid_token");
    machine.delete(&path).send().await.problem(401, "invalid_token");
}

async fn a_key_goes_with_the_membership(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (first, second) =
        tokio::join!(tenant.machine(&tenant.manager, "viewer"), tenant.machine(&tenant.member, "viewer"));
    let path = format!("/v1/members/{}", tenant.manager.id);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    tenant.member.delete("/v1/members/me").tenant(&tenant.id).send().await.expect(204);
    for (machine, maker) in [(first, &tenant.manager), (second, &tenant.member)] {
        machine.get("/v1/projects").send().await.problem(401, "invalid_token");
        // Coming back does not bring it back.
        tenant.admit(maker, "owner").await;
        machine.get("/v1/projects").send().await.problem(401, "invalid_token");
    }
    let list = tenant.owner.get("/v1/api-keys").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(list.body["data"], json!([]));
}

async fn a_key_ends(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let machine = tenant.machine(&tenant.owner, "owner").await;
    machine.get("/v1/projects").send().await.expect(200);
    let end = format!(
        "UPDATE api_keys SET expires_at = '2026-01-01T00:00:00.000Z' WHERE tenant_id = '{}'",
        tenant.id
    );
    target.backdoor.sql(&end).await;
    machine.get("/v1/projects").send().await.problem(401, "invalid_token");
    machine.post("/v1/projects").json(&json!({ "name": "P" })).send().await.problem(401, "invalid_token");
}

async fn a_revoked_key_is_worth_nothing_at_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let machine = tenant.machine(&tenant.member, "member").await;
    let list = tenant.member.get("/v1/api-keys").tenant(&tenant.id).send().await.expect(200);
    let path = format!("/v1/api-keys/{}", list.text_at("/data/0/id"));
    machine.get("/v1/projects").send().await.expect(200);
    machine.delete(&path).send().await.problem(403, "insufficient_role");
    tenant.member.delete(&path).tenant(&tenant.id).send().await.expect(204);
    machine.get("/v1/projects").send().await.problem(401, "invalid_token");
    machine.post("/v1/projects").json(&json!({ "name": "P" })).send().await.problem(401, "invalid_token");
    tenant.member.delete(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
    let activity = tenant.owner.get("/v1/admin/activity").tenant(&tenant.id).send().await.expect(200);
    let entries = activity.body["data"].as_array().expect("entries");
    let told = |action: &str| entries.iter().find(|entry| entry["action"] == action).expect("an entry");
    assert_eq!(told("api_key.created")["detail"]["role"], "member");
    assert_eq!(told("api_key.revoked")["entity_id"], told("api_key.created")["entity_id"]);
    // That the key tried to revoke itself is told, too.
    assert_eq!(told("access.denied")["entity_id"], told("api_key.created")["entity_id"]);
    assert_eq!(told("access.denied")["detail"]["api_key_id"], told("api_key.created")["entity_id"]);
}

async fn others_keys_are_an_owners_business(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let key = tenant.api_key(&tenant.member.id).await;
    let path = format!("/v1/api-keys/{key}");
    let before = target.backdoor.snapshot(&tenant.id).await;
    tenant.manager.get(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
    tenant.manager.delete(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
    let list = tenant.manager.get("/v1/api-keys").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(list.body["data"], json!([]));
    assert_eq!(before, target.backdoor.snapshot(&tenant.id).await);
    let list = tenant.owner.get("/v1/api-keys").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(list.text_at("/data/0/id"), key);
    tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
}

async fn made_up_keys(target: &'static Target) {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    let (mine, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let machine = mine.machine(&mine.owner, "owner").await;
    let good = machine.token.clone().expect("a key");
    let bytes = URL_SAFE_NO_PAD.decode(&good[4..]).expect("base64");
    let id = |text: &str| uuid::Uuid::parse_str(text).expect("an id").into_bytes();
    // The secret, the tenant, the user, the key's own id: each is part of what must fit.
    let altered = |at: usize, with: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        format!("bwk_{}", URL_SAFE_NO_PAD.encode(bytes))
    };
    let key_of_other = id(&other.api_key(&other.owner.id).await);
    let mut keys = vec![
        altered(0, &[bytes[0] ^ 1]),
        altered(32, &id(&other.id)),
        altered(48, &id(&mine.manager.id)),
        altered(64, &key_of_other),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        "bwk_".to_owned(),
        "bwk_nonsense".to_owned(),
    ];
    keys.push(good.replacen("bwk_", "BWK_", 1));
    for key in keys {
        let forged = Actor { token: Some(key), ..machine.clone() };
        forged.get("/v1/projects").send().await.problem(401, "invalid_token");
        forged.post("/v1/projects").json(&json!({ "name": "P" })).send().await.problem(401, "invalid_token");
    }
    machine.get("/v1/projects").send().await.expect(200);
}

async fn what_is_done_by_a_key_says_so(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let machine = tenant.machine(&tenant.member, "member").await;
    let list = tenant.member.get("/v1/api-keys").tenant(&tenant.id).send().await.expect(200);
    let name = unique("by-a-machine");
    machine.post("/v1/projects").json(&json!({ "name": name })).send().await.expect(201);
    let activity = tenant.owner.get("/v1/admin/activity").tenant(&tenant.id).send().await.expect(200);
    let entry = &activity.body["data"][0];
    assert_eq!((&entry["action"], &entry["detail"]["name"]), (&json!("project.created"), &json!(name)));
    assert_eq!(entry["actor_id"], tenant.member.id);
    assert_eq!(entry["detail"]["api_key_id"], list.body["data"][0]["id"]);
}

async fn bad_input(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let make = |body: Value| {
        let ask = tenant.owner.post("/v1/api-keys").tenant(&tenant.id).json(&body);
        async move { ask.send().await }
    };
    let answer = make(json!({ "name": "", "role": "root", "tenant_id": tenant.id })).await;
    assert_eq!(answer.problem(422, "validation_failed").pointers(), ["/name", "/role", "/tenant_id"]);
    for bad in ["2026-01-01T00:00:00.000Z", "2100-01-01T00:00:00Z", "tomorrow"] {
        let answer = make(json!({ "name": "K", "role": "viewer", "expires_at": bad })).await;
        assert_eq!(answer.problem(422, "validation_failed").pointers(), ["/expires_at"], "{bad}");
    }
    let made = make(json!({ "name": "K", "role": "viewer", "expires_at": null })).await.expect(201);
    assert!(made.text_at("/expires_at") > made.text_at("/created_at"));
}
