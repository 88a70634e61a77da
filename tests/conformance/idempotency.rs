//! `Idempotency-Key`: what is asked for twice is done once, and answered the same both times; for every route that takes
//! one.

use bailiwick::verify::matrix::description;
use bailiwick_core::routes::{ROUTES, Route};
use bailiwick_tests::{
    actors::{Actor, Tenant, unique},
    backdoor::Backdoor,
    client::Answer,
    provided,
    targets::Target,
};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::matrix::samples::{ask, sample};
use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = own_cases();
    cases.extend(ROUTES.iter().filter(|route| takes_key(route)).map(|route| {
        Case::new(format!("idempotency_key::{}", route.name), move |target| ask_twice(target, route))
    }));
    cases
}

/// A panic at the edge takes with it what else is under way there.
pub(crate) fn disturbing() -> Vec<Case> {
    vec![Case::new("idempotency::an_answer_is_kept_across_a_crash", an_answer_is_kept_across_a_crash)]
}

crate::cases!(own_cases, "idempotency":
    what_creates_or_moves_takes_a_key,
    at_the_same_time_it_is_done_once,
    another_body_is_refused,
    nobody_gets_the_answer_of_another,
    what_was_refused_can_be_tried_again,
    who_lost_access_gets_no_answer,
    answers_are_kept_encrypted,
    answers_are_kept_for_a_day,
    what_is_too_old_is_dropped_at_the_edge,
    malformed_keys_are_refused,
);

/// Whether the description says that the route takes a key.
fn takes_key(route: &Route) -> bool {
    let method = route.method.as_str().to_lowercase();
    let described = &description()["paths"][route.path][&method]["description"];
    described.as_str().is_some_and(|text| text.contains("An `Idempotency-Key` makes it safe to repeat."))
}

async fn what_creates_or_moves_takes_a_key(_: &'static Target) {
    for route in ROUTES.iter().filter(|route| route.method == "POST") {
        // Nobody is known yet, it does nothing if it is done again, or it ends what one asks by.
        let without = matches!(
            route.name,
            "auth::register"
                | "auth::login"
                | "auth::refresh"
                | "auth::logout"
                | "auth::forgot_password"
                | "auth::reset_password"
                | "me::change_password"
                | "notifications::mark_read"
                | "notifications::mark_all_read"
                | "transfer::begin"
                | "transfer::add"
                | "transfer::finish"
        );
        assert_ne!(takes_key(route), without, "{route:?}");
    }
}

/// What is about the answer and not about the request that it is to.
fn said(headers: &HeaderMap) -> Vec<(String, String)> {
    let own = [
        "date",
        "server-timing",
        "x-request-id",
        "idempotency-replayed",
        "content-length",
        "transfer-encoding",
        "vary",
    ];
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let mut said: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    said.sort();
    said
}

#[track_caller]
fn assert_replayed(first: &Answer, again: &Answer) {
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(said(&first.headers), said(&again.headers));
    assert_eq!(
        (first.header("idempotency-replayed"), again.header("idempotency-replayed")),
        (None, Some("true"))
    );
}

async fn ask_twice(target: &'static Target, route: &'static Route) {
    let tenant = Tenant::create(target).await;
    let wanted = sample(route, &tenant, &tenant.owner).await;
    let send = || ask(&wanted, &tenant.owner, &tenant).header("idempotency-key", "one").send();
    let first = send().await;
    assert_eq!(first.status, wanted.success, "{first:?}");
    settled(&tenant).await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    assert_replayed(&first, &send().await);
    assert_replayed(&first, &send().await);
    assert_eq!(before, target.backdoor.snapshot(&tenant.id).await, "{route:?} was done again");
}

/// Waits until what was sent off has arrived: its rows change meanwhile.
async fn settled(tenant: &Tenant<'static>) {
    let target = tenant.owner.target;
    let pending =
        format!("SELECT count(*) FROM deliveries WHERE tenant_id = '{}' AND state = 'pending'", tenant.id);
    target
        .until("nothing to be under way", async || {
            provided(target.backdoor.count(&pending).await, |left| *left == 0)
        })
        .await;
}

async fn create(tenant: &Tenant<'static>, actor: &Actor<'_>, key: &str, name: &str) -> Answer {
    let ask = actor.post("/v1/projects").tenant(&tenant.id).header("idempotency-key", key);
    ask.json(&json!({ "name": name })).send().await
}

async fn projects(tenant: &Tenant<'static>) -> usize {
    let list = tenant.owner.get("/v1/projects?limit=100").tenant(&tenant.id).send().await.expect(200);
    list.body["data"].as_array().expect("a list").len()
}

async fn at_the_same_time_it_is_done_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let attempts = (0..10).map(|_| create(&tenant, &tenant.owner, "once", "Once"));
    let answers = futures::future::join_all(attempts).await;
    assert!(
        answers.iter().all(|answer| answer.status == 201 && answer.text == answers[0].text),
        "{answers:?}"
    );
    let replayed = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_some());
    assert_eq!((replayed.count(), projects(&tenant).await), (9, 1));
}

async fn another_body_is_refused(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    create(&tenant, &tenant.owner, "one", "One").await.expect(201);
    create(&tenant, &tenant.owner, "one", "Two").await.problem(422, "idempotency_key_reused");
    // Another route, or another query, is another request, too.
    let new = json!({ "name": "One", "role": "viewer" });
    let key = tenant.owner.post("/v1/api-keys").tenant(&tenant.id).header("idempotency-key", "one");
    key.json(&new).send().await.problem(422, "idempotency_key_reused");
    // What cannot be read is refused for that, whatever was asked with the key before: of a tenant, and of an account.
    let unread = json!({ "name": 7 });
    let key = tenant.owner.post("/v1/projects").tenant(&tenant.id).header("idempotency-key", "one");
    key.json(&unread).send().await.problem(422, "validation_failed");
    let ask = || tenant.owner.post("/v1/tenants").header("idempotency-key", "one");
    ask().json(&json!({ "slug": unique("keyed"), "name": "Keyed" })).send().await.expect(201);
    ask().json(&unread).send().await.problem(422, "validation_failed");
    assert_eq!(projects(&tenant).await, 1);
    create(&tenant, &tenant.owner, "two", "One").await.expect(201);
    assert_eq!(projects(&tenant).await, 2);
}

/// The same key of another member, of a key of the same person, or in another tenant is another key.
async fn nobody_gets_the_answer_of_another(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    other.admit(&tenant.owner, "owner").await;
    let machine = tenant.machine(&tenant.owner, "owner").await;
    let first = create(&tenant, &tenant.owner, "same", "Same").await.expect(201);
    let mut seen = vec![first.text_at("/id")];
    for (tenant, actor) in [(&tenant, &tenant.member), (&tenant, &machine), (&other, &tenant.owner)] {
        let made = create(tenant, actor, "same", "Same").await.expect(201);
        assert_eq!(made.header("idempotency-replayed"), None);
        let id = made.text_at("/id");
        assert!(!seen.contains(&id));
        seen.push(id);
    }
    // The same person in another session is the same.
    let again = Actor { token: Some(tenant.owner.login().await), ..tenant.owner.clone() };
    assert_replayed(&first, &create(&tenant, &again, "same", "Same").await);
}

async fn what_was_refused_can_be_tried_again(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("draft", None).await;
    let path = format!("/v1/projects/{project}/transitions");
    let submit = |to: &str| {
        let ask = tenant.owner.post(&path).tenant(&tenant.id).header("idempotency-key", "move");
        ask.json(&json!({ "to": to })).send()
    };
    submit("approved").await.problem(409, "transition_not_allowed");
    let moved = submit("submitted").await.expect(200);
    // By itself it could not be moved there again.
    assert_replayed(&moved, &submit("submitted").await);
    submit("approved").await.problem(422, "idempotency_key_reused");
}

async fn who_lost_access_gets_no_answer(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    create(&tenant, &tenant.member, "mine", "Mine").await.expect(201);
    tenant.set(&tenant.member, "role", "viewer").await;
    create(&tenant, &tenant.member, "mine", "Mine").await.problem(403, "insufficient_role");
    tenant.set(&tenant.member, "role", "member").await;
    create(&tenant, &tenant.member, "mine", "Mine").await.expect(201);
    tenant.remove(&tenant.member).await;
    create(&tenant, &tenant.member, "mine", "Mine").await.problem(403, "not_a_member");
    // What was kept for them is gone with the membership.
    tenant.admit(&tenant.member, "member").await;
    let anew = create(&tenant, &tenant.member, "mine", "Mine").await.expect(201);
    assert_eq!((anew.header("idempotency-replayed"), projects(&tenant).await), (None, 2));
}

async fn an_answer_is_kept_across_a_crash(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let body = json!({ "name": "Survivor" });
    let send = || {
        tenant.owner.post("/v1/projects").tenant(&tenant.id).header("idempotency-key", "crash").json(&body)
    };
    // It is done, but nobody hears of it.
    send().header("x-fault", "panic-after").send().await.problem(500, "internal_error");
    assert_eq!(projects(&tenant).await, 1);
    let told = send().send().await.expect(201);
    assert_eq!(told.header("idempotency-replayed"), Some("true"));
    let path = told.header("location").expect("a place").to_owned();
    let read = tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!((&read.text, read.header("etag")), (&told.text, told.header("etag")));
    assert_eq!(projects(&tenant).await, 1);
}

/// What is shown only once is not in the database, nor is what the client's key was.
async fn answers_are_kept_encrypted(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let key = unique("key");
    let new = json!({ "name": "Secretive", "role": "viewer" });
    let ask =
        || tenant.owner.post("/v1/api-keys").tenant(&tenant.id).header("idempotency-key", &key).json(&new);
    let made = ask().send().await.expect(201);
    let rows = target.backdoor.snapshot(&tenant.id).await;
    let kept: Vec<_> = rows.iter().filter(|row| row.starts_with("idempotency_keys")).collect();
    assert_eq!(kept.len(), 1);
    for plain in [key.as_str(), "Secretive", &made.text_at("/key")] {
        assert!(!kept[0].contains(plain), "{}", kept[0]);
    }
    let hash = format!("SELECT key_hash FROM idempotency_keys WHERE tenant_id = '{}'", tenant.id);
    let hash = target.backdoor.sql(&hash).await[0][0].clone().expect("a hash");
    // A row that was given the answer of another one answers nothing.
    create(&tenant, &tenant.owner, "another", "Another").await.expect(201);
    let swap = format!(
        "UPDATE idempotency_keys SET answer = (SELECT k.answer FROM idempotency_keys k \
         WHERE k.tenant_id = '{0}' AND k.key_hash <> '{1}') WHERE tenant_id = '{0}' AND key_hash = '{1}'",
        tenant.id, hash
    );
    target.backdoor.sql(&swap).await;
    ask().send().await.problem(422, "idempotency_key_reused");
}

async fn answers_are_kept_for_a_day(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let slug = unique("kept");
    let new = json!({ "slug": slug, "name": "Kept" });
    let found = || tenant.owner.post("/v1/tenants").header("idempotency-key", "old").json(&new).send();
    let made = found().await.expect(201);
    assert_replayed(&made, &found().await);
    create(&tenant, &tenant.owner, "old", "Old").await.expect(201);
    for (table, whose) in [
        ("idempotency_keys", format!("tenant_id = '{}'", tenant.id)),
        ("account_idempotency_keys", format!("user_id = '{}'", tenant.owner.id)),
    ] {
        let age = format!("UPDATE {table} SET created_at = '2026-01-01T00:00:00.000Z' WHERE {whose}");
        target.backdoor.sql(&age).await;
    }
    // Before it is dropped it is not answered any more.
    let anew = create(&tenant, &tenant.owner, "old", "Old").await.expect(201);
    assert_eq!((anew.header("idempotency-replayed"), projects(&tenant).await), (None, 2));
    found().await.problem(409, "slug_taken");
}

/// By the cron trigger. (A native server does it when it starts, and every half an hour: see the tests of the binary.)
async fn what_is_too_old_is_dropped_at_the_edge(target: &'static Target) {
    if !matches!(target.backdoor, Backdoor::Edge(..)) {
        return;
    }
    let tenant = Tenant::create(target).await;
    create(&tenant, &tenant.owner, "old", "Old").await.expect(201);
    create(&tenant, &tenant.member, "new", "New").await.expect(201);
    let age = format!(
        "UPDATE idempotency_keys SET created_at = '2026-01-01T00:00:00.000Z' WHERE tenant_id = '{}' AND user_id = '{}'",
        tenant.id, tenant.owner.id
    );
    target.backdoor.sql(&age).await;
    let left = format!("SELECT user_id FROM idempotency_keys WHERE tenant_id = '{}'", tenant.id);
    let rows = target
        .until("what is too old to be dropped", async || {
            provided(target.backdoor.sql(&left).await, |rows| rows.len() < 2)
        })
        .await;
    assert_eq!(rows, [[Some(tenant.member.id.clone())]]);
}

async fn malformed_keys_are_refused(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let long = "x".repeat(256);
    for malformed in ["", "a b", "a,b", "schlüssel", &long] {
        create(&tenant, &tenant.owner, malformed, "N").await.problem(400, "invalid_header");
    }
    let twice = tenant.owner.post("/v1/projects").tenant(&tenant.id).header("idempotency-key", "a");
    let twice = twice.header("idempotency-key", "b").json(&json!({ "name": "N" })).send().await;
    twice.problem(400, "invalid_header");
    assert_eq!(projects(&tenant).await, 0);
    create(&tenant, &tenant.owner, &long[1..], "N").await.expect(201);
    // Where it means nothing it is not looked at.
    let read: Value =
        tenant.owner.get("/v1/me").header("idempotency-key", "a b").send().await.expect(200).body;
    assert_eq!(read["id"], tenant.owner.id);
}
