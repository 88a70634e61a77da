//! Registering, logging in, tokens, and the caller's own account.

use std::time::SystemTime;

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, new_id, session_of, token, unique},
    targets::Target,
};
use serde_json::json;

crate::cases!("accounts":
    register_and_log_in,
    emails_are_unique_whatever_their_case,
    nobody_takes_the_address_of_an_account_that_has_none,
    two_registrations_of_one_email_at_once,
    wrong_credentials_are_all_the_same,
    passwords_are_never_shown,
    tokens_that_are_refused,
    tokens_that_are_signed_but_say_the_wrong_thing,
    my_account,
    only_tenants_that_one_is_in_are_told,
    a_disabled_user_is_out_at_once,
);

async fn register_and_log_in(target: &'static Target) {
    let anyone = Actor::anonymous(target);
    let email = format!("{}@Example.COM", unique("Ada"));
    let account = json!({ "email": email, "name": "Ada Lovelace \u{1F9EE}", "password": "pässwörd" });
    let registered = anyone.post("/v1/auth/register").json(&account).send().await.expect(201);
    assert_eq!(registered.header("location"), Some("/v1/me"));
    assert_eq!(registered.body["email"], email.to_lowercase());
    assert_eq!(registered.body["name"], "Ada Lovelace \u{1F9EE}");
    assert_eq!(registered.body["version"], 1);

    let credentials = json!({ "email": email.to_uppercase(), "password": "pässwörd" });
    let session = anyone.post("/v1/auth/login").json(&credentials).send().await.expect(200);
    assert_eq!((&session.body["token_type"], &session.body["expires_in"]), (&json!("Bearer"), &json!(900)));
    let token = session.text_at("/access_token");
    let me =
        anyone.get("/v1/me").header("authorization", &format!("bEARER {token}")).send().await.expect(200);
    assert_eq!(me.body, registered.body);
}

async fn emails_are_unique_whatever_their_case(target: &'static Target) {
    let actor = Actor::register(target, "twin").await;
    let again = json!({ "email": actor.email.to_uppercase(), "name": "Twin", "password": PASSWORD });
    actor.post("/v1/auth/register").json(&again).send().await.problem(409, "email_taken");
}

async fn nobody_takes_the_address_of_an_account_that_has_none(target: &'static Target) {
    for address in [format!("{}@unclaimed.invalid", new_id()), "Anybody@Unclaimed.Invalid".to_owned()] {
        let account = json!({ "email": address, "name": "Squatter", "password": PASSWORD });
        let refused = Actor::anonymous(target).post("/v1/auth/register").json(&account).send().await;
        assert_eq!(refused.problem(422, "validation_failed").pointers(), ["/email"]);
    }
}

async fn two_registrations_of_one_email_at_once(target: &'static Target) {
    let anyone = Actor::anonymous(target);
    let account =
        json!({ "email": format!("{}@example.com", unique("race")), "name": "R", "password": PASSWORD });
    let ask = || anyone.post("/v1/auth/register").json(&account).send();
    let (one, two, three) = tokio::join!(ask(), ask(), ask());
    let mut statuses = [one.status, two.status, three.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409]);
}

async fn wrong_credentials_are_all_the_same(target: &'static Target) {
    let actor = Actor::register(target, "login").await;
    let ask = async |email: &str, password: &str| {
        let credentials = json!({ "email": email, "password": password });
        let answer =
            actor.post("/v1/auth/login").json(&credentials).send().await.problem(401, "invalid_credentials");
        let mut body = answer.body;
        body["request_id"].take();
        (body, answer.headers.len())
    };
    let wrong_password = ask(&actor.email, "not the password").await;
    let unknown_email = ask("nobody@example.com", PASSWORD).await;
    assert_eq!(wrong_password, unknown_email);
}

async fn passwords_are_never_shown(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    for path in ["/v1/me", "/v1/members", "/v1/tenant"] {
        let answer = tenant.owner.get(path).tenant(&tenant.id).send().await.expect(200);
        assert!(!answer.text.contains("password") && !answer.text.contains("$2"), "{answer:?}");
    }
}

async fn tokens_that_are_refused(target: &'static Target) {
    let actor = Actor::register(target, "token").await;
    let anyone = Actor::anonymous(target);
    anyone.get("/v1/me").send().await.problem(401, "authentication_required");
    let good = actor.token.clone().expect("logged in");
    let (message, _) = good.rsplit_once('.').expect("three parts");
    let bad = [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer nonsense".to_owned(),
        format!("Basic {good}"),
        format!("Bearer {good}x"),
        format!("Bearer {message}."),
        format!("Bearer {message}.{}", "A".repeat(43)),
        format!("Bearer {}", "x".repeat(5000)),
    ];
    for value in bad {
        let answer =
            anyone.get("/v1/me").header("authorization", &value).send().await.problem(401, "invalid_token");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains("error=\"invalid_token\""), "{value}: {challenge}");
    }
    let twice = anyone.get("/v1/me").header("authorization", &format!("Bearer {good}"));
    twice.header("authorization", &format!("Bearer {good}")).send().await.problem(401, "invalid_token");
}

async fn tokens_that_are_signed_but_say_the_wrong_thing(target: &'static Target) {
    let actor = Actor::register(target, "claims").await;
    #[expect(clippy::disallowed_methods, reason = "a test has no Clock port")]
    let now = i64::try_from(
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs(),
    )
    .expect("seconds");
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let claims = json!({
        "sub": actor.id, "sid": session_of(actor.token.as_deref().expect("a token")), "exp": now + 86_400, "iat": now, "jti": "j", "iss": "bailiwick", "aud": "bailiwick",
    });
    let ask = |token: String| {
        Actor::anonymous(target).get("/v1/me").header("authorization", &format!("Bearer {token}")).send()
    };
    ask(token(&header, &claims)).await.expect(200);

    let changed = |name: &str, value: serde_json::Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        token(&header, &claims)
    };
    // As far as the clock of whoever made it may be ahead.
    for start in [json!(0), json!(now - 1), json!(now + 30)] {
        ask(changed("nbf", start)).await.expect(200);
    }
    let mut bad = vec![
        changed("nbf", json!(now + 43_200)),
        changed("nbf", json!(null)),
        changed("nbf", json!("0")),
        changed("nbf", json!([0])),
        changed("iat", json!(null)),
        changed("iat", json!("0")),
        changed("exp", json!(now - 1)),
        changed("exp", json!((now + 60).to_string())),
        changed("exp", json!(null)),
        changed("aud", json!("another")),
        changed("iss", json!("another")),
        changed("sub", json!("nobody")),
        changed("sub", json!(new_id())),
        changed("sid", json!("nobody's")),
        changed("sid", json!(new_id())),
        changed("sid", json!(null)),
    ];
    for other in
        [json!({ "alg": "none" }), json!({ "alg": "HS512" }), json!({ "alg": "HS256", "crit": ["exp"] })]
    {
        bad.push(token(&other, &claims));
    }
    for (index, token) in bad.into_iter().enumerate() {
        let answer = ask(token).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_token"), "token {index}: {answer:?}");
    }
}

async fn my_account(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let me = tenant.member.get("/v1/me").send().await.expect(200);
    assert_eq!(me.body["email"], tenant.member.email);
    let renamed =
        tenant.member.patch("/v1/me").json(&json!({ "name": "Somebody Else" })).send().await.expect(200);
    assert_eq!((&renamed.body["name"], &renamed.body["version"]), (&json!("Somebody Else"), &json!(2)));
    // Nothing to change is no change.
    let same = tenant.member.patch("/v1/me").json(&json!({})).send().await.expect(200);
    assert_eq!(same.body, renamed.body);
    let same =
        tenant.member.patch("/v1/me").json(&json!({ "name": "Somebody Else" })).send().await.expect(200);
    assert_eq!(same.body, renamed.body, "the name that it has is no change either");
    let refused = tenant.member.patch("/v1/me").json(&json!({ "name": null })).send().await;
    assert_eq!(refused.problem(422, "validation_failed").pointers(), ["/name"]);
    let refused = tenant.member.patch("/v1/me").json(&json!({ "email": "x@y.z" })).send().await;
    assert_eq!(refused.problem(422, "validation_failed").pointers(), ["/email"]);
    // The tenants that they are in have it in their activity.
    let entries = format!(
        "SELECT count(*) FROM activity WHERE tenant_id = '{}' AND action = 'user.updated' AND entity_id = '{}'",
        tenant.id, tenant.member.id
    );
    assert_eq!(target.backdoor.count(&entries).await, 1);
}

async fn only_tenants_that_one_is_in_are_told(target: &'static Target) {
    let (active, suspended) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let actor = Actor::register(target, "both").await;
    for tenant in [&active, &suspended] {
        tenant.admit(&actor, "member").await;
    }
    suspended.set(&actor, "status", "suspended").await;
    actor.patch("/v1/me").json(&json!({ "name": "Another Name" })).send().await.expect(200);
    for (tenant, count) in [(&active, 1), (&suspended, 0)] {
        let entries =
            tenant.owner.get("/v1/admin/activity?action=user.updated").tenant(&tenant.id).send().await;
        assert_eq!(entries.expect(200).body["data"].as_array().map(Vec::len), Some(count));
    }
}

async fn a_disabled_user_is_out_at_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let disable =
        format!("UPDATE users SET disabled_at = '2026-01-01T00:00:00.000Z' WHERE id = '{}'", tenant.owner.id);
    target.backdoor.sql(&disable).await;
    tenant.owner.get("/v1/me").send().await.problem(401, "invalid_token");
    tenant.owner.get("/v1/projects").tenant(&tenant.id).send().await.problem(401, "invalid_token");
    let new = json!({ "name": "P" });
    tenant
        .owner
        .post("/v1/projects")
        .tenant(&tenant.id)
        .json(&new)
        .send()
        .await
        .problem(401, "invalid_token");
    let credentials = json!({ "email": tenant.owner.email, "password": PASSWORD });
    tenant.owner.post("/v1/auth/login").json(&credentials).send().await.problem(401, "invalid_credentials");
}
