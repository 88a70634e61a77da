//! Throttling: who asks too often waits, and nobody else does.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, unique},
    client::{Answer, Ask},
    provider::{Person, Provider},
    targets::{RATE_LIMIT_ACCOUNT, RATE_LIMIT_ADDRESS, Target},
};
use futures::future::join_all;
use serde_json::json;

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

const ACCOUNT: usize = number(RATE_LIMIT_ACCOUNT);
const ADDRESS: usize = number(RATE_LIMIT_ADDRESS);

const fn number(text: &str) -> usize {
    match usize::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("a number"),
    }
}

/// Asks until it is refused, and returns the refusal. A window may end in between, or an allowance grow: so the limit may
/// be met as late as after twice as many and some.
async fn until_refused(limit: usize, ask: impl Fn() -> Ask) -> Answer {
    let mut taken = 0;
    while taken <= 2 * limit + 50 {
        // Many at once, or a window ends sooner than it is used up; but none beyond the limit together with those within it.
        let at_once = if taken < limit { (limit - taken).min(40) } else { 40 };
        for answer in join_all((0..at_once).map(|_| ask().send())).await {
            if answer.status == 429 {
                assert!(taken >= limit, "refused after {taken}, not {limit}");
                return answer;
            }
            taken += 1;
        }
    }
    panic!("more than {limit} were taken");
}

/// The refusal of what counts together with something else, of which none is left. A window may end in between: then that
/// is used up again.
async fn refused_too(used_up: impl Fn() -> Ask, ask: impl Fn() -> Ask) -> Answer {
    for _ in 0..3 {
        for _ in 0..50 {
            let answer = ask().send().await;
            if answer.status == 429 {
                return answer;
            }
        }
        for _ in 0..50 {
            let answers = join_all((0..40).map(|_| used_up().send())).await;
            if answers.iter().any(|answer| answer.status == 429) {
                break;
            }
        }
    }
    panic!("it is not refused");
}

/// Asserts what a refusal says.
fn check(answer: Answer, code: &str, limit: &str, quota: usize) {
    let answer = answer.problem(429, code);
    let wait: u64 = answer.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(answer.header("ratelimit"), Some(&*format!("\"{limit}\";r=0;t={wait}")));
    assert_eq!(answer.header("ratelimit-policy"), Some(&*format!("\"{limit}\";q={quota};w=60")));
}

fn login(from: &Actor<'_>, email: &str, password: &str) -> Ask {
    from.post("/v1/auth/login").json(&json!({ "email": email, "password": password }))
}

async fn guessing_a_password(target: &'static Target) {
    let (victim, other) = tokio::join!(Actor::register(target, "victim"), Actor::register(target, "other"));
    let guess = || {
        // From everywhere, and in whatever spelling.
        let email =
            if unique("x").ends_with('0') { victim.email.to_uppercase() } else { victim.email.clone() };
        login(&Actor::anonymous(target), &email, "a wrong guess")
    };
    let refused = until_refused(ACCOUNT - 2, guess).await;
    check(refused, "too_many_attempts", "account", ACCOUNT);
    // The right one is not tried either, and who is logged in stays so.
    let refused = refused_too(guess, || login(&Actor::anonymous(target), &victim.email, PASSWORD)).await;
    check(refused, "too_many_attempts", "account", ACCOUNT);
    victim.get("/v1/me").send().await.expect(200);
    login(&other, &other.email, PASSWORD).send().await.expect(200);
    // Of who does not exist the limit tells as little.
    let nobody = format!("{}@example.com", unique("nobody"));
    let refused =
        until_refused(ACCOUNT, || login(&Actor::anonymous(target), &nobody, "x".repeat(8).as_str()));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);
}

async fn registering_one_address_again_and_again(target: &'static Target) {
    let email = format!("{}@example.com", unique("again"));
    let account = json!({ "email": email, "name": "Again", "password": PASSWORD });
    let refused =
        until_refused(ACCOUNT, || Actor::anonymous(target).post("/v1/auth/register").json(&account));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);
}

async fn renewing_and_changing_passwords(target: &'static Target) {
    let actor = Actor::register(target, "busy").await;
    let session = actor.session().await;
    let body = json!({ "refresh_token": session.text_at("/refresh_token") });
    let refused = until_refused(ACCOUNT, || Actor::anonymous(target).post("/v1/auth/refresh").json(&body));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);

    let actor = Actor::register(target, "thief").await;
    let guess = json!({ "current_password": "a wrong guess", "new_password": PASSWORD });
    let refused = until_refused(ACCOUNT, || actor.post("/v1/me/password").json(&guess));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);
}

async fn forgetting_and_resetting_passwords(target: &'static Target) {
    let email = json!({ "email": format!("{}@example.com", unique("forgetful")) });
    let refused =
        until_refused(ACCOUNT, || Actor::anonymous(target).post("/v1/auth/password-reset").json(&email));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);
    // Nobody else's: of what is counted here nothing is left for other tests.
    let guess = json!({ "token": format!("{:A<64}", unique("x")), "new_password": PASSWORD });
    let confirm = || Actor::anonymous(target).post("/v1/auth/password-reset/confirm").json(&guess);
    check(until_refused(ACCOUNT, confirm).await, "too_many_attempts", "account", ACCOUNT);
}

async fn trying_tokens_of_invitations(target: &'static Target) {
    let actor = Actor::register(target, "guest").await;
    let body = json!({ "token": "A".repeat(86) });
    let refused = until_refused(ACCOUNT, || actor.post("/v1/invitations/accept").json(&body));
    check(refused.await, "too_many_attempts", "account", ACCOUNT);
}

async fn attempts_from_one_address(target: &'static Target) {
    let somebody = Actor::anonymous(target);
    let guess = || {
        let body = json!({ "refresh_token": "A".repeat(86) });
        somebody.post("/v1/auth/refresh").json(&body)
    };
    check(until_refused(ADDRESS, guess).await, "too_many_attempts", "address", ADDRESS);
    // Neither can they register or log in, but others can, and what takes no attempt is open.
    let (known, email) = (Actor::register(target, "known").await, format!("{}@example.com", unique("new")));
    let refused = refused_too(guess, || login(&somebody, &known.email, PASSWORD)).await;
    check(refused, "too_many_attempts", "address", ADDRESS);
    let account = json!({ "email": email, "name": "N", "password": PASSWORD });
    let refused = refused_too(guess, || somebody.post("/v1/auth/register").json(&account)).await;
    check(refused, "too_many_attempts", "address", ADDRESS);
    let known = Actor { address: somebody.address.clone(), ..known };
    known.get("/v1/me").send().await.expect(200);
    let body = json!({ "token": "A".repeat(86) });
    let refused = refused_too(guess, || known.post("/v1/invitations/accept").json(&body)).await;
    check(refused, "too_many_attempts", "address", ADDRESS);
    somebody.get("/v1/workflow").send().await.expect(200);
}

async fn an_address_cannot_be_made_up(target: &'static Target) {
    let real = Actor::anonymous(target).address;
    let body = json!({ "refresh_token": "A".repeat(86) });
    let refused = until_refused(ADDRESS, || {
        // What a client writes itself stands before what its proxy adds.
        let path = format!("{}/v1/auth/refresh", target.url);
        let made_up = Actor::anonymous(target).address;
        Ask::new(&target.http, http::Method::POST, "", &path)
            .header("x-forwarded-for", &format!("{made_up}, {real}"))
            .header("x-real-ip", &made_up)
            .header("forwarded", &format!("for={made_up}"))
            .header("cf-connecting-ip", &real)
            .json(&body)
    });
    check(refused.await, "too_many_attempts", "address", ADDRESS);
}

async fn requests_of_one_user(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Actor::register(target, "other"));
    let read = || tenant.viewer.get("/v1/me");
    let refused = until_refused(1190, read).await;
    check(refused, "too_many_requests", "requests", 1200);
    // In another tenant, from another address and in another session it is still the same user.
    let token = Some(Actor { address: other.address.clone(), ..tenant.viewer.clone() }.login().await);
    let elsewhere = Actor { address: other.address.clone(), token, ..tenant.viewer.clone() };
    // A few may have come free in the meantime.
    let refused = refused_too(read, || elsewhere.get("/v1/projects").tenant(&tenant.id)).await;
    check(refused, "too_many_requests", "requests", 1200);
    other.get("/v1/me").send().await.expect(200);
    tenant.owner.get("/v1/projects").tenant(&tenant.id).send().await.expect(200);
}

async fn requests_of_one_identity(target: &'static Target) {
    // Also where it leads to no account, which asks the database each time.
    let stranger = Person { verified: false, ..Person::new("stranger") };
    let token = Provider::shared().access_token("EdDSA", &stranger).await;
    let stranger = Actor { token: Some(token), ..Actor::anonymous(target) };
    stranger.get("/v1/me").send().await.problem(403, "email_not_verified");
    let refused = until_refused(1199, || stranger.get("/v1/me")).await;
    check(refused, "too_many_requests", "requests", 1200);
}

async fn requests_of_one_key(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (one, two) =
        (tenant.machine(&tenant.owner, "viewer").await, tenant.machine(&tenant.owner, "viewer").await);
    let two = Actor { address: Actor::anonymous(target).address, ..two };
    let refused = until_refused(1200, || one.get("/v1/tenant")).await;
    check(refused, "too_many_requests", "requests", 1200);
    two.get("/v1/tenant").send().await.expect(200);
    // Its maker is somebody else.
    tenant.owner.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
    // Keys that are made up do not use up the real one's allowance, and there are not more of them than requests.
    let good = two.token.clone().expect("a key");
    let forger = Actor::anonymous(target);
    let refused = until_refused(1200, || {
        let number = unique("").bytes().filter(u8::is_ascii_digit).map(char::from).collect::<String>();
        let token = format!("bwk_{}{}", &number[number.len() - 4..], &good[8..]);
        Actor { token: Some(token), ..forger.clone() }.get("/v1/tenant")
    });
    check(refused.await, "too_many_requests", "requests", 1200);
    two.get("/v1/tenant").send().await.expect(200);
}

async fn requests_of_one_visitor(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let visitor = Actor::anonymous(target);
    let ask = |actor: &Actor<'_>| actor.get("/v1/catalog/projects").tenant(&tenant.id);
    let refused = until_refused(1200, || ask(&visitor)).await;
    check(refused, "too_many_requests", "requests", 1200);
    ask(&Actor::anonymous(target)).send().await.expect(200);
}
