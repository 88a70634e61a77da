//! What an invitation's mail is for: who reads an address's mail shows by its token that they do, and nobody else has that. And
//! no address gets more of them than a few a day.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, unique},
    client::Answer,
    targets::Target,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::apart::STRICT;

crate::cases!("invitation_mails":
    the_token_leaves_by_mail_alone,
    who_invites_does_not_accept_in_anothers_name,
    an_address_gets_a_few_a_day,
    of_many_at_once_an_address_gets_as_few,
);

/// Invitations of an address by a tenant, restated.
const A_DAY: usize = 5;

fn address() -> String {
    format!("{}@example.com", unique("stranger"))
}

fn invitation(email: &str) -> Value {
    json!({ "email": email, "role": "member" })
}

/// The token in the mail to an address.
async fn token_of_mail(target: &'static Target, email: &str) -> String {
    let mail = target.mail_to(email).await;
    let tokens: Vec<_> = mail.text.lines().filter(|line| line.len() == 86).collect();
    assert_eq!(tokens.len(), 1, "{mail:?}");
    tokens[0].to_owned()
}

async fn the_token_leaves_by_mail_alone(target: &'static Target) {
    let target = STRICT.like(target).await;
    let tenant = Tenant::create(target).await;
    let (email, key) = (address(), unique("key"));
    let ask = || {
        let ask = tenant.manager.post("/v1/invitations").tenant(&tenant.id).header("idempotency-key", &key);
        ask.json(&invitation(&email)).send()
    };
    let (made, again) = (ask().await.expect(201), ask().await.expect(201));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let token = token_of_mail(target, &email).await;
    let path = format!("/v1/invitations/{}", made.text_at("/id"));
    let mut answers = vec![made, again];
    for path in [&*path, "/v1/invitations", "/v1/admin/activity", "/v1/admin/deliveries", "/v1/admin/export"]
    {
        answers.push(tenant.owner.get(path).tenant(&tenant.id).send().await.expect(200));
    }
    answers.push(tenant.manager.delete(&path).tenant(&tenant.id).send().await.expect(204));
    // Its beginning is no secret: those are ids.
    for answer in &answers {
        assert!(!answer.text.contains(&token[60..]), "{answer:?}");
    }
    assert_eq!((&answers[0].body["token"], &answers[1].body["token"]), (&Value::Null, &Value::Null));
    assert!(!target.log.text().contains(&token[60..]), "it is in the log");
    let rows = target.backdoor.snapshot(&tenant.id).await;
    assert!(rows.iter().all(|row| !row.contains(&token[60..])), "it is kept");
}

async fn who_invites_does_not_accept_in_anothers_name(target: &'static Target) {
    let target = STRICT.like(target).await;
    let tenant = Tenant::create(target).await;
    let email = address();
    let ask = tenant.manager.post("/v1/invitations").tenant(&tenant.id).json(&invitation(&email));
    let made = ask.send().await.expect(201);
    // An account of the address is the manager's, if they are the first to register it; it is no member by that.
    let account = json!({ "email": email, "name": "Nobody", "password": PASSWORD });
    let nobody = Actor { email: email.clone(), ..Actor::anonymous(target) };
    let register = |token: &str| {
        let mut account = account.clone();
        account["invitation_token"] = json!(token);
        nobody.post("/v1/auth/register").json(&account).send()
    };
    // What of the token is no secret, and something for the rest.
    let [tenant_id, id] = [&tenant.id, &made.text_at("/id")].map(|id| uuid(id));
    let guess = URL_SAFE_NO_PAD.encode([tenant_id, id, [7; 16], [7; 16]].concat());
    register(&guess).await.problem(404, "invitation_not_found");
    nobody.post("/v1/auth/register").tenant(&tenant.id).json(&account).send().await.expect(201);
    let posing = Actor { token: Some(nobody.login().await), ..nobody.clone() };
    let accept = |token: &str| posing.post("/v1/invitations/accept").json(&json!({ "token": token })).send();
    accept(&guess).await.problem(404, "invitation_not_found");
    posing.get("/v1/tenant").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    // Who reads the address's mail can.
    let token = token_of_mail(target, &email).await;
    assert_eq!(token[..42], guess[..42]);
    accept(&token).await.expect(200);
    posing.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
}

fn uuid(text: &str) -> [u8; 16] {
    text.parse::<uuid::Uuid>().expect("an id").into_bytes()
}

/// Invites an address, and takes that back.
async fn invite_in_vain(tenant: &Tenant<'_>, email: &str) -> Answer {
    let ask = tenant.manager.post("/v1/invitations").tenant(&tenant.id).json(&invitation(email));
    let made = ask.send().await;
    if made.status == 201 {
        let path = format!("/v1/invitations/{}", made.text_at("/id"));
        tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    }
    made
}

async fn an_address_gets_a_few_a_day(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let email = address();
    for _ in 0..A_DAY {
        invite_in_vain(&tenant, &email).await.expect(201);
    }
    let before = target.backdoor.snapshot(&tenant.id).await.len();
    let refused = invite_in_vain(&tenant, &email.to_uppercase()).await.problem(429, "quota_exceeded");
    let wait: u64 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=24 * 60 * 60).contains(&wait), "{wait}");
    assert_eq!(target.backdoor.snapshot(&tenant.id).await.len(), before);
    // Nobody else is kept from anything.
    invite_in_vain(&tenant, &address()).await.expect(201);
    invite_in_vain(&other, &email).await.expect(201);
    // What is told to be waited for is until the oldest of them is a day old.
    let listed = tenant.owner.get("/v1/invitations?limit=100").tenant(&tenant.id).send().await.expect(200);
    let mut of_address: Vec<_> = listed.body["data"].as_array().expect("a list").iter().collect();
    of_address.retain(|invitation| invitation["email"] == *email);
    let oldest = of_address.last().and_then(|invitation| invitation["id"].as_str()).expect("an id");
    let aged = format!(
        "UPDATE invitations SET created_at = '2026-01-01T00:00:00.000Z' WHERE tenant_id = '{}' AND id = '{oldest}'",
        tenant.id
    );
    target.backdoor.sql(&aged).await;
    invite_in_vain(&tenant, &email).await.expect(201);
    invite_in_vain(&tenant, &email).await.problem(429, "quota_exceeded");
}

async fn of_many_at_once_an_address_gets_as_few(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let email = address();
    let answers = join_all((0..3 * A_DAY).map(|_| invite_in_vain(&tenant, &email))).await;
    for answer in answers {
        match answer.status {
            201 => {}
            409 => drop(answer.problem(409, "already_invited")),
            _ => drop(answer.problem(429, "quota_exceeded")),
        }
    }
    // However many of them were refused because another one was open.
    let made =
        format!("SELECT count(*) FROM invitations WHERE tenant_id = '{}' AND email = '{email}'", tenant.id);
    assert!((1..=5).contains(&target.backdoor.count(&made).await));
    for _ in 0..A_DAY {
        invite_in_vain(&tenant, &email).await;
    }
    assert_eq!(target.backdoor.count(&made).await, 5);
}
