//! Throttling: who asks too often waits, and nobody else does.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, unique},
    client::{Answer, Ask},
    provider::{Person, Provider},
    targets::Target,
};
use futures::future::join_all;
use serde_json::json;

use crate::apart::Apart;

crate::cases!("throttle":
    guessing_a_password,
    registering_one_address_again_and_again,
    renewing_and_changing_passwords,
    forgetting_and_resetting_passwords,
    trying_tokens_of_invitations,
    attempts_from_one_address,
    an_address_cannot_be_made_up,
    requests_of_one_user,
    requests_of_one_identity,
    requests_of_one_key,
    requests_of_one_visitor,
);

const REQUESTS: usize = 20;
const ACCOUNT: usize = 10;
// More than an account has: those who use up theirs do so from one.
const ADDRESS: usize = 40;

/// Targets whose limits are met by a few requests, and whose period does not pass: as many as a limit says are taken, and
/// none after them, however long a test takes.
pub(crate) static LIMITED: Apart = Apart::with(&[
    ("RATE_LIMIT", "20"),
    ("RATE_LIMIT_ACCOUNT", "10"),
    ("RATE_LIMIT_ADDRESS", "40"),
    ("RATE_LIMIT_PERIOD", "36500d"),
]);
const PERIOD: u64 = 36_500 * 24 * 60 * 60;

/// Uses up what is left of a limit, all at once, and returns a refusal. No more and no fewer are taken than are left.
async fn use_up(left: usize, ask: impl Fn() -> Ask) -> Answer {
    let answers = join_all((0..left + 5).map(|_| ask().send())).await;
    let (mut refused, taken): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 429);
    assert_eq!(taken.len(), left, "{refused:?} {taken:?}");
    // It stays so.
    refused.push(ask().send().await);
    refused.pop().expect("at least one")
}

/// Asserts what a refusal says.
fn check(answer: Answer, code: &str, limit: &str, quota: usize) {
    let answer = answer.problem(429, code);
    let wait: u64 = answer.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=PERIOD).contains(&wait), "{wait}");
    assert_eq!(answer.header("ratelimit"), Some(&*format!("\"{limit}\";r=0;t={wait}")));
    assert_eq!(answer.header("ratelimit-policy"), Some(&*format!("\"{limit}\";q={quota};w={PERIOD}")));
}

fn login(from: &Actor<'_>, email: &str, password: &str) -> Ask {
    from.post("/v1/auth/login").json(&json!({ "email": email, "password": password }))
}

async fn guessing_a_password(target: &'static Target) {
    let target = LIMITED.like(target).await;
    let (victim, other) = tokio::join!(Actor::sign_up(target, "victim"), Actor::sign_up(target, "other"));
    let guess = || {
        // From everywhere, and in whatever spelling.
        let email =
            if unique("x").ends_with('0') { victim.email.to_uppercase() } else { victim.email.clone() };
        login(&Actor::anonymous(target), &email, "a wrong guess")
    };
    // Registering and logging in were attempts, too.
    check(use_up(ACCOUNT - 2, guess).await, "too_many_attempts", "account", ACCOUNT);
    // The right one is not tried either, and who is logged in stays so.
    let refused = login(&Actor::anonymous(target), &victim.email, PASSWORD).send().await;
    check(refused, "too_many_attempts", "account", ACCOUNT);
    victim.get("/v1/me").send().await.expect(200);
    login(&other, &other.email, PASSWORD).send().await.expect(200);
    // Of who does not exist the limit tells as little.
    let nobody = format!("{}@example.com", unique("nobody"));
    let refused = use_up(ACCOUNT, || login(&Actor::anonymous(target), &nobody, "x".repeat(8).as_str()));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);
}

async fn registering_one_address_again_and_again(target: &'static Target) {
    let target = LIMITED.like(target).await;
    let email = format!("{}@example.com", unique("again"));
    let account = json!({ "email": email, "name": "Again", "password": PASSWORD });
    let refused = use_up(ACCOUNT, || Actor::anonymous(target).post("/v1/auth/register").json(&account));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);
}

async fn renewing_and_changing_passwords(target: &'static Target) {
    let target = LIMITED.like(target).await;
    let actor = Actor::register(target, "busy").await;
    let session = actor.session().await;
    let body = json!({ "refresh_token": session.text_at("/refresh_token") });
    let refused = use_up(ACCOUNT, || Actor::anonymous(target).post("/v1/auth/refresh").json(&body));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);

    let actor = Actor::register(target, "thief").await;
    let guess = json!({ "current_password": "a wrong guess", "new_password": PASSWORD });
    let refused = use_up(ACCOUNT, || actor.post("/v1/me/password").json(&guess));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);
}

async fn forgetting_and_resetting_passwords(target: &'static Target) {
    let target = LIMITED.like(target).await;
    let email = json!({ "email": format!("{}@example.com", unique("forgetful")) });
    let refused = use_up(ACCOUNT, || Actor::anonymous(target).post("/v1/auth/password-reset").json(&email));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);
    // Nobody else's: of what is counted here nothing is left for other tests.
    let guess = json!({ "token": format!("{:A<64}", unique("x")), "new_password": PASSWORD });
    let confirm = || Actor::anonymous(target).post("/v1/auth/password-reset/confirm").json(&guess);
    check(use_up(ACCOUNT, confirm).await, "too_many_attempts", "account", ACCOUNT);
}

async fn trying_tokens_of_invitations(target: &'static Target) {
    let target = LIMITED.like(target).await;
    let actor = Actor::register(target, "guest").await;
    let body = json!({ "token": "A".repeat(86) });
    let refused = use_up(ACCOUNT, || actor.post("/v1/invitations/accept").json(&body));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);
}

async fn attempts_from_one_address(target: &'static Target) {
    let target = LIMITED.like(target).await;
    let somebody = Actor::anonymous(target);
    let guess = || {
        let body = json!({ "refresh_token": format!("{:A<86}", unique("x")) });
        somebody.post("/v1/auth/refresh").json(&body)
    };
    check(use_up(ADDRESS, guess).await, "too_many_attempts", "address", ADDRESS);
    // Neither can they register or log in, but others can, and what takes no attempt is open.
    let (known, email) = (Actor::register(target, "known").await, format!("{}@example.com", unique("new")));
    let refused = login(&somebody, &known.email, PASSWORD).send().await;
    check(refused, "too_many_attempts", "address", ADDRESS);
    let account = json!({ "email": email, "name": "N", "password": PASSWORD });
    let refused = somebody.post("/v1/auth/register").json(&account).send().await;
    check(refused, "too_many_attempts", "address", ADDRESS);
    let known = Actor { address: somebody.address.clone(), ..known };
    known.get("/v1/me").send().await.expect(200);
    let body = json!({ "token": "A".repeat(86) });
    let refused = known.post("/v1/invitations/accept").json(&body).send().await;
    check(refused, "too_many_attempts", "address", ADDRESS);
    somebody.get("/v1/workflow").send().await.expect(200);
}

async fn an_address_cannot_be_made_up(target: &'static Target) {
    let target = LIMITED.like(target).await;
    let real = Actor::anonymous(target).address;
    let refused = use_up(ADDRESS, || {
        // What a client writes itself stands before what its proxy adds.
        let path = format!("{}/v1/auth/refresh", target.url);
        let made_up = Actor::anonymous(target).address;
        Ask::new(&target.http, http::Method::POST, "", &path)
            .header("x-forwarded-for", &format!("{made_up}, {real}"))
            .header("x-real-ip", &made_up)
            .header("forwarded", &format!("for={made_up}"))
            .header("cf-connecting-ip", &real)
            .json(&json!({ "refresh_token": format!("{:A<86}", unique("x")) }))
    });
    check(refused.await, "too_many_attempts", "address", ADDRESS);
}

async fn requests_of_one_user(target: &'static Target) {
    let target = LIMITED.like(target).await;
    let (tenant, other) = tokio::join!(Tenant::create(target), Actor::register(target, "other"));
    // In another tenant, from another address and in another session it is still the same user.
    let token = Some(Actor { address: other.address.clone(), ..tenant.viewer.clone() }.login().await);
    let elsewhere = Actor { address: other.address.clone(), token, ..tenant.viewer.clone() };
    let refused = use_up(REQUESTS, || tenant.viewer.get("/v1/me")).await;
    check(refused, "too_many_requests", "requests", REQUESTS);
    let refused = elsewhere.get("/v1/projects").tenant(&tenant.id).send().await;
    check(refused, "too_many_requests", "requests", REQUESTS);
    other.get("/v1/me").send().await.expect(200);
    tenant.owner.get("/v1/projects").tenant(&tenant.id).send().await.expect(200);
}

async fn requests_of_one_identity(target: &'static Target) {
    let target = LIMITED.like(target).await;
    // Also where it leads to no account, which asks the database each time.
    let stranger = Person { verified: false, ..Person::new("stranger") };
    let token = Provider::shared().access_token("EdDSA", &stranger).await;
    let stranger = Actor { token: Some(token), ..Actor::anonymous(target) };
    stranger.get("/v1/me").send().await.problem(403, "email_not_verified");
    let refused = use_up(REQUESTS - 1, || stranger.get("/v1/me")).await;
    check(refused, "too_many_requests", "requests", REQUESTS);
}

async fn requests_of_one_key(target: &'static Target) {
    let target = LIMITED.like(target).await;
    let tenant = Tenant::create(target).await;
    let (one, two) =
        (tenant.machine(&tenant.owner, "viewer").await, tenant.machine(&tenant.owner, "viewer").await);
    let two = Actor { address: Actor::anonymous(target).address, ..two };
    let refused = use_up(REQUESTS, || one.get("/v1/tenant")).await;
    check(refused, "too_many_requests", "requests", REQUESTS);
    two.get("/v1/tenant").send().await.expect(200);
    // Its maker is somebody else.
    tenant.owner.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
    // Keys that are made up do not use up the real one's allowance, and there are not more of them than requests.
    let good = two.token.clone().expect("a key");
    let forger = Actor::anonymous(target);
    let refused = use_up(REQUESTS, || {
        let number = unique("").bytes().filter(u8::is_ascii_digit).map(char::from).collect::<String>();
        let token = format!("bwk_{}{}", &number[number.len() - 4..], &good[8..]);
        Actor { token: Some(token), ..forger.clone() }.get("/v1/tenant")
    });
    check(refused.await, "too_many_requests", "requests", REQUESTS);
    two.get("/v1/tenant").send().await.expect(200);
}

async fn requests_of_one_visitor(target: &'static Target) {
    let target = LIMITED.like(target).await;
    let tenant = Tenant::create(target).await;
    let visitor = Actor::anonymous(target);
    let ask = |actor: &Actor<'_>| actor.get("/v1/catalog/projects").tenant(&tenant.id);
    let refused = use_up(REQUESTS, || ask(&visitor)).await;
    check(refused, "too_many_requests", "requests", REQUESTS);
    ask(&Actor::anonymous(target)).send().await.expect(200);
}
