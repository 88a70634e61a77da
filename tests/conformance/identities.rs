//! People who come with a token of the identity provider: whose tokens are taken, and whose account they get.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, new_id, session_of, token, unique},
    client::Answer,
    provided,
    provider::{AUDIENCE, Person, Provider},
    targets::Target,
};
use futures::future::join_all;
use serde_json::{Value, json};

crate::cases!("identities":
    tokens_of_each_algorithm_are_taken,
    bad_tokens,
    keys_are_not_confused,
    who_has_no_verified_address_gets_no_account,
    a_registered_address_is_not_taken_over,
    an_account_that_waits_for_its_owner_is_theirs_and_no_other,
    an_address_that_passed_on_takes_no_account_along,
    an_identity_has_one_account,
    the_only_way_in_stays,
    of_many_who_come_at_once_one_is_made,
    who_comes_first_joins_an_open_tenant,
    a_disabled_account_is_out_at_once,
    a_removed_member_is_out_at_once,
    those_of_others_are_nobodys_business,
    there_is_no_session,
);

/// What changes the provider for everybody.
pub(crate) fn disturbing() -> Vec<crate::Case> {
    vec![
        crate::Case::new("identities::keys_are_changed", keys_are_changed),
        crate::Case::new("identities::a_provider_that_is_down", a_provider_that_is_down),
    ]
}

async fn get(target: &'static Target, path: &str, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    Actor::anonymous(target).get(path).header("authorization", &bearer).send().await
}

async fn me(target: &'static Target, token: &str) -> Answer {
    get(target, "/v1/me", token).await
}

async fn link(actor: &Actor<'_>, token: &str) -> Answer {
    actor.post("/v1/me/identities").json(&json!({ "token": token })).send().await
}

async fn tokens_of_each_algorithm_are_taken(target: &'static Target) {
    let (provider, tenant) = (Provider::shared(), Tenant::create(target).await);
    let person = Person::new("person");
    let actor = provider.actor(target, &person).await;
    tenant.admit(&actor, "member").await;
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let token = provider.access_token(algorithm, &person).await;
        let seen = me(target, &token).await.expect(200);
        assert_eq!((seen.text_at("/id"), seen.text_at("/email")), (actor.id.clone(), person.email.clone()));
        assert_eq!(seen.text_at("/name"), "A person");
        let actor = Actor { token: Some(token), ..actor.clone() };
        actor.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
        let new = json!({ "name": algorithm });
        let made = actor.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.expect(201);
        assert_eq!(made.text_at("/created_by"), actor.id);
        actor.get("/v1/tenant/config").tenant(&tenant.id).send().await.problem(403, "insufficient_role");
    }
    let token = provider.id_token(&person).await;
    assert_eq!(me(target, &token).await.expect(200).text_at("/id"), actor.id);
    // Each algorithm makes accounts, too.
    for algorithm in ["RS256", "EdDSA"] {
        let person = Person::new(&algorithm.to_lowercase());
        let token = provider.access_token(algorithm, &person).await;
        assert_eq!(me(target, &token).await.expect(200).text_at("/email"), person.email);
    }
}

/// Seconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the test is outside; the targets have the same time")]
fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

fn good_claims(provider: &Provider, person: &Person) -> Value {
    let mut claims = person.claims();
    claims["iss"] = json!(provider.issuer);
    claims["aud"] = json!(AUDIENCE);
    claims["exp"] = json!(now() + 600);
    claims["iat"] = json!(now());
    claims
}

/// Claims, each with a value that no token may have.
fn bad_claims() -> impl Iterator<Item = (&'static str, Value)> {
    let (past, future) = (now() - 1, now() + 600);
    [
        ("exp", vec![json!(past), json!(future.to_string()), json!("tomorrow"), json!(null), json!(true)]),
        ("nbf", vec![json!(future)]),
        ("iat", vec![json!(future)]),
        ("iss", vec![json!("https://accounts.example.com"), json!("bailiwick")]),
        ("aud", vec![json!("somebody"), json!(["somebody"])]),
        ("sub", vec![json!(""), json!("x".repeat(256))]),
        ("cnf", vec![json!({ "jkt": "x" })]),
        ("padding", vec![json!("x".repeat(20_000))]),
    ]
    .into_iter()
    .flat_map(|(name, values)| values.into_iter().map(move |value| (name, value)))
}

async fn bad_tokens(target: &'static Target) {
    let (provider, person) = (Provider::shared(), Person::new("bad"));
    let tenant = Tenant::create(target).await;
    let claims = good_claims(provider, &person);
    let refused = async |token: String, what: &str| {
        for path in ["/v1/me", "/v1/tenant"] {
            let bearer = format!("Bearer {token}");
            let ask = Actor::anonymous(target).get(path).tenant(&tenant.id);
            let answer = ask.header("authorization", &bearer).send().await;
            assert_eq!((answer.status, answer.code()), (401, "invalid_token"), "{what}: {answer:?}");
            answer.problem(401, "invalid_token");
        }
    };
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let key = provider.key(algorithm).await;
        let header = json!({ "alg": algorithm, "kid": key });
        let with = |name: &str, value: Value| {
            let mut header = header.clone();
            header[name] = value;
            header
        };
        let others = ["RS256", "ES256", "EdDSA"].into_iter().filter(|other| *other != algorithm);
        let mut headers: Vec<_> = others.map(|other| with("alg", json!(other))).collect();
        headers.extend([
            with("alg", json!("none")),
            with("alg", json!("HS256")),
            with("alg", json!("RS512")),
            with("kid", json!("unknown")),
            with("kid", json!("")),
            with("kid", json!(7)),
            with("crit", json!(["exp"])),
            with("typ", json!("logout+jwt")),
        ]);
        for header in &headers {
            let token = provider.sign("provider", algorithm, header, &claims).await;
            refused(token, &header.to_string()).await;
        }
        // Somebody else's key, also where the token brings it along.
        for header in
            [&header, &with("jwk", json!({ "kty": "OKP" })), &with("jku", json!("http://127.0.0.1:9/"))]
        {
            let token = provider.sign("stranger", algorithm, header, &claims).await;
            refused(token, &format!("a stranger's: {header}")).await;
        }
        for by in ["public-pem", "public-der", "public-jwk"] {
            let token = provider.sign(by, algorithm, &with("alg", json!("HS256")), &claims).await;
            refused(token, by).await;
            let token = provider.sign(by, algorithm, &header, &claims).await;
            refused(token, by).await;
        }
        let unsigned = provider.sign("nobody", algorithm, &header, &claims).await;
        refused(unsigned, "no signature").await;

        let sign = async |claims: &Value| provider.sign("provider", algorithm, &header, claims).await;
        for (name, value) in bad_claims() {
            let mut claims = claims.clone();
            claims[name] = value;
            refused(sign(&claims).await, &format!("{algorithm} {name}")).await;
        }
        for name in ["exp", "iss", "aud", "sub"] {
            let mut claims = claims.clone();
            claims.as_object_mut().expect("an object").remove(name);
            refused(sign(&claims).await, &format!("{algorithm} without {name}")).await;
        }
        let good = sign(&claims).await;
        let (message, signature) = good.rsplit_once('.').expect("a JWT");
        let other = if signature.starts_with('A') { "B" } else { "A" };
        refused(format!("{message}.{other}{}", &signature[1..]), "another signature").await;
        let mut others = claims.clone();
        others["sub"] = json!("somebody else");
        let payload = sign(&others).await;
        let payload = payload.split('.').nth(1).expect("a JWT");
        let head = good.split('.').next().expect("a JWT");
        refused(format!("{head}.{payload}.{signature}"), "other claims").await;
        refused(format!("{good}."), "a part more").await;
    }
    let made = format!("SELECT count(*) FROM users WHERE email = '{}'", person.email);
    assert_eq!(target.backdoor.count(&made).await, 0, "a bad token made an account");
    // The sample itself is good.
    let header = json!({ "alg": "ES256", "kid": provider.key("ES256").await });
    me(target, &provider.sign("provider", "ES256", &header, &claims).await).await.expect(200);
}

async fn keys_are_not_confused(target: &'static Target) {
    let (provider, person) = (Provider::shared(), Person::new("confused"));
    let actor = Actor::register(target, "victim").await;
    let session = session_of(actor.token.as_deref().expect("a token"));
    let ours = json!({
        "sub": actor.id, "sid": session, "exp": now() + 600, "iat": now(), "jti": "j",
        "iss": "bailiwick", "aud": "bailiwick",
    });
    // Our claims under the provider's key.
    let header = json!({ "alg": "ES256", "kid": provider.key("ES256").await });
    let forged = provider.sign("provider", "ES256", &header, &ours).await;
    me(target, &forged).await.problem(401, "invalid_token");
    let mut mixed = ours.clone();
    mixed["iss"] = json!(provider.issuer);
    let mixed = provider.sign("provider", "ES256", &header, &mixed).await;
    // It is one of the provider's, and says nothing about our user of this id.
    me(target, &mixed).await.problem(403, "email_not_verified");
    // The provider's claims under our key.
    let claims = good_claims(provider, &person);
    for header in [json!({ "alg": "HS256" }), json!({ "alg": "ES256" }), header] {
        me(target, &token(&header, &claims)).await.problem(401, "invalid_token");
    }
    me(target, &token(&json!({ "alg": "HS256" }), &ours)).await.expect(200);
}

async fn who_has_no_verified_address_gets_no_account(target: &'static Target) {
    let provider = Provider::shared();
    let unverified = Person { verified: false, ..Person::new("unverified") };
    let token = provider.access_token("EdDSA", &unverified).await;
    me(target, &token).await.problem(403, "email_not_verified");
    let tenant = Tenant::create(target).await;
    let bearer = format!("Bearer {token}");
    let ask = Actor::anonymous(target).get("/v1/tenant").tenant(&tenant.id);
    ask.header("authorization", &bearer).send().await.problem(403, "email_not_verified");
    let header = json!({ "alg": "EdDSA", "kid": provider.key("EdDSA").await });
    for (name, value) in
        [("email", json!(null)), ("email", json!("nonsense")), ("email_verified", json!("true"))]
    {
        let mut claims = good_claims(provider, &Person::new("nobody"));
        claims[name] = value;
        let token = provider.sign("provider", "EdDSA", &header, &claims).await;
        me(target, &token).await.problem(403, "email_not_verified");
    }
    let made = format!("SELECT count(*) FROM users WHERE email = '{}'", unverified.email);
    assert_eq!(target.backdoor.count(&made).await, 0);
    // With a local account, an unverified address is no obstacle: whose it is was shown otherwise.
    let actor = Actor::register(target, "local").await;
    link(&actor, &token).await.expect(201);
    assert_eq!(me(target, &token).await.expect(200).text_at("/id"), actor.id);
}

async fn an_address_that_passed_on_takes_no_account_along(target: &'static Target) {
    let (provider, first) = (Provider::shared(), Person::new("first"));
    let theirs = provider.access_token("ES256", &first).await;
    let account = me(target, &theirs).await.expect(200);
    // The provider gave the address to somebody else since.
    let second = Person { email: first.email.clone(), ..Person::new("second") };
    let other = provider.access_token("ES256", &second).await;
    for _ in 0..2 {
        me(target, &other).await.problem(403, "identity_not_linked");
    }
    assert_eq!(me(target, &theirs).await.expect(200).body, account.body);
}

async fn a_registered_address_is_not_taken_over(target: &'static Target) {
    let (provider, tenant) = (Provider::shared(), Tenant::create(target).await);
    let actor = &tenant.member;
    let person = Person { email: actor.email.to_uppercase(), ..Person::new("hijacker") };
    let token = provider.access_token("ES256", &person).await;
    for _ in 0..2 {
        me(target, &token).await.problem(403, "identity_not_linked");
    }
    // Its owner links it.
    let linked = link(actor, &token).await.expect(201);
    assert_eq!(
        (linked.text_at("/issuer"), linked.text_at("/subject")),
        (provider.issuer.clone(), person.subject)
    );
    assert_eq!(me(target, &token).await.expect(200).text_at("/id"), actor.id);
    let external = Actor { token: Some(token.clone()), ..actor.clone() };
    external.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
    let listed = actor.get("/v1/me/identities").send().await.expect(200);
    assert_eq!(listed.body["data"], json!([linked.body]));

    // Taken away, it counts at once.
    let path = format!("/v1/me/identities/{}", linked.text_at("/id"));
    actor.delete(&path).send().await.expect(204);
    let before = target.backdoor.snapshot(&tenant.id).await;
    external.get("/v1/tenant").tenant(&tenant.id).send().await.problem(403, "identity_not_linked");
    let new = json!({ "name": "P" });
    let refused = external.post("/v1/projects").tenant(&tenant.id).json(&new).send().await;
    refused.problem(403, "identity_not_linked");
    me(target, &token).await.problem(403, "identity_not_linked");
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
    actor.delete(&path).send().await.problem(404, "not_found");
    actor.get("/v1/me").send().await.expect(200);
    for action in ["user.identity_linked", "user.identity_unlinked"] {
        let path = format!("/v1/admin/activity?action={action}");
        let entries = tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200);
        assert_eq!(entries.body["data"].as_array().map(Vec::len), Some(1), "{entries:?}");
    }
}

/// The operator makes accounts that nobody can log in to until their owners come.
async fn an_account_that_waits_for_its_owner_is_theirs_and_no_other(target: &'static Target) {
    let provider = Provider::shared();
    let people = ["other", "closed", "awaited"].map(Person::new);
    let mut accounts = Vec::new();
    for person in &people {
        let id = new_id();
        let disabled = if person.email.starts_with("closed") { "'2026-01-01T00:00:00.000Z'" } else { "NULL" };
        let sql = format!(
            "INSERT INTO users (id, email, name, password_hash, disabled_at, created_at, updated_at, version) VALUES \
             ('{id}', '{}', 'Awaited', '', {disabled}, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', 1)",
            person.email
        );
        target.backdoor.sql(&sql).await;
        accounts.push(id);
    }
    let linked = async |account: &str| {
        let sql = format!("SELECT count(*) FROM identities WHERE user_id = '{account}'");
        target.backdoor.count(&sql).await
    };
    let [_, closed, awaited] = &people;
    let token = provider.access_token("ES256", awaited).await;
    assert_eq!(me(target, &token).await.expect(200).text_at("/id"), accounts[2]);
    let token = provider.access_token("ES256", closed).await;
    me(target, &token).await.problem(403, "identity_not_linked");
    assert_eq!(
        [linked(&accounts[0]).await, linked(&accounts[1]).await, linked(&accounts[2]).await],
        [0, 0, 1]
    );
}

async fn an_identity_has_one_account(target: &'static Target) {
    let (provider, person) = (Provider::shared(), Person::new("linked"));
    let (one, two) = tokio::join!(Actor::register(target, "one"), Actor::register(target, "two"));
    let token = provider.access_token("RS256", &person).await;
    let first = link(&one, &token).await.expect(201);
    link(&one, &token).await.problem(409, "identity_taken");
    link(&two, &token).await.problem(409, "identity_taken");
    let made = Person::new("made");
    let actor = provider.actor(target, &made).await;
    link(&one, actor.token.as_deref().expect("a token")).await.problem(409, "identity_taken");
    // Taken from one it can be given to the other, also where it is remembered as the first one's.
    assert_eq!(me(target, &token).await.expect(200).text_at("/id"), one.id);
    one.delete(&format!("/v1/me/identities/{}", first.text_at("/id"))).send().await.expect(204);
    link(&two, &token).await.expect(201);
    assert_eq!(me(target, &token).await.expect(200).text_at("/id"), two.id);

    for bad in ["", "x", one.token.as_deref().expect("a token"), &format!("{token}x")] {
        let refused = link(&one, bad).await.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), ["/token"], "{bad}");
    }
}

async fn the_only_way_in_stays(target: &'static Target) {
    let provider = Provider::shared();
    let (person, second) = (Person::new("only"), Person::new("second"));
    let actor = provider.actor(target, &person).await;
    let listed = actor.get("/v1/me/identities").send().await.expect(200);
    let path = format!("/v1/me/identities/{}", listed.text_at("/data/0/id"));
    actor.delete(&path).send().await.problem(409, "only_way_in");
    // There is no password, and nothing that passes for one.
    let change = json!({ "current_password": PASSWORD, "new_password": "another password" });
    actor.post("/v1/me/password").json(&change).send().await.problem(409, "no_password");
    for password in [PASSWORD, "        ", "$2b$04$........"] {
        let login = json!({ "email": person.email, "password": password });
        let refused = Actor::anonymous(target).post("/v1/auth/login").json(&login).send().await;
        refused.problem(401, "invalid_credentials");
    }
    let again = json!({ "email": person.email, "name": "Squatter", "password": PASSWORD });
    let refused = Actor::anonymous(target).post("/v1/auth/register").json(&again).send().await;
    refused.problem(409, "email_taken");
    // With another one, the first can go; then that one is the only one.
    let token = provider.access_token("ES256", &second).await;
    let linked = link(&actor, &token).await.expect(201);
    actor.delete(&path).send().await.expect(204);
    let actor = Actor { token: Some(token), ..actor };
    assert_eq!(actor.get("/v1/me").send().await.expect(200).text_at("/id"), actor.id);
    let path = format!("/v1/me/identities/{}", linked.text_at("/id"));
    actor.delete(&path).send().await.problem(409, "only_way_in");
}

async fn of_many_who_come_at_once_one_is_made(target: &'static Target) {
    let (provider, person) = (Provider::shared(), Person::new("hasty"));
    let token = provider.access_token("EdDSA", &person).await;
    let answers = join_all((0..8).map(|_| me(target, &token))).await;
    let first = answers[0].text_at("/id");
    for answer in answers {
        assert_eq!(answer.expect(200).text_at("/id"), first);
    }
    let made = format!("SELECT count(*) FROM identities WHERE subject = '{}'", person.subject);
    assert_eq!(target.backdoor.count(&made).await, 1);
}

async fn who_comes_first_joins_an_open_tenant(target: &'static Target) {
    let (provider, tenant) = (Provider::shared(), Tenant::create(target).await);
    let arrive = async |name: &str| {
        let token = provider.access_token("ES256", &Person::new(name)).await;
        let ask = Actor::anonymous(target).get("/v1/tenant").slug(&tenant.slug);
        ask.header("authorization", &format!("Bearer {token}")).send().await
    };
    arrive("stranger").await.problem(403, "not_a_member");
    let open = json!({ "open_registration": "viewer" });
    tenant.owner.patch("/v1/tenant/config").tenant(&tenant.id).json(&open).send().await.expect(200);
    assert_eq!(arrive("guest").await.expect(200).text_at("/role"), "viewer");
}

async fn a_disabled_account_is_out_at_once(target: &'static Target) {
    let (provider, tenant) = (Provider::shared(), Tenant::create(target).await);
    let actor = provider.actor(target, &Person::new("disabled")).await;
    tenant.admit(&actor, "owner").await;
    actor.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
    let disable = format!("UPDATE users SET disabled_at = created_at WHERE id = '{}'", actor.id);
    target.backdoor.sql(&disable).await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    actor.get("/v1/tenant").tenant(&tenant.id).send().await.problem(401, "invalid_token");
    let new = json!({ "name": "P" });
    actor.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.problem(401, "invalid_token");
    actor.get("/v1/me").send().await.problem(401, "invalid_token");
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
}

async fn a_removed_member_is_out_at_once(target: &'static Target) {
    let (provider, tenant) = (Provider::shared(), Tenant::create(target).await);
    let actor = provider.actor(target, &Person::new("removed")).await;
    actor.get("/v1/projects").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    tenant.admit(&actor, "manager").await;
    actor.get("/v1/projects").tenant(&tenant.id).send().await.expect(200);
    tenant.remove(&actor).await;
    actor.get("/v1/projects").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    let new = json!({ "name": "P" });
    actor.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.problem(403, "not_a_member");
}

async fn those_of_others_are_nobodys_business(target: &'static Target) {
    let provider = Provider::shared();
    let (mine, other) = tokio::join!(Actor::register(target, "mine"), Actor::register(target, "other"));
    let mut theirs = Vec::new();
    for name in ["a", "b"] {
        let token = provider.access_token("EdDSA", &Person::new(name)).await;
        theirs.push(link(&other, &token).await.expect(201).text_at("/id"));
    }
    mine.delete(&format!("/v1/me/identities/{}", theirs[0])).send().await.problem(404, "not_found");
    assert_eq!(mine.get("/v1/me/identities").send().await.expect(200).body["data"], json!([]));
    let page = other.get("/v1/me/identities?limit=1").send().await.expect(200);
    assert_eq!(page.text_at("/data/0/id"), theirs[1]);
    let rest = format!("/v1/me/identities?limit=1&cursor={}", page.text_at("/next_cursor"));
    assert_eq!(other.get(&rest).send().await.expect(200).text_at("/data/0/id"), theirs[0]);
    mine.get(&rest).send().await.problem(400, "invalid_cursor");
}

async fn there_is_no_session(target: &'static Target) {
    let provider = Provider::shared();
    let actor = provider.actor(target, &Person::new("sessionless")).await;
    assert_eq!(actor.get("/v1/me/sessions").send().await.expect(200).body["data"], json!([]));
    actor.post("/v1/auth/logout").send().await.problem(403, "session_required");
    actor.delete("/v1/me/sessions").send().await.expect(204);
    actor.get("/v1/me").send().await.expect(200);
    // What an account is for, it is for them, too.
    let new = json!({ "slug": unique("external"), "name": "Theirs" });
    let tenant = actor.post("/v1/tenants").json(&new).send().await.expect(201);
    actor.get("/v1/tenant/config").tenant(&tenant.text_at("/id")).send().await.expect(200);
}

async fn keys_are_changed(target: &'static Target) {
    let (provider, person) = (Provider::shared(), Person::new("rotated"));
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let old = provider.access_token(algorithm, &person).await;
        me(target, &old).await.expect(200);
        // A new key beside the old one: it is not known, and is asked for, as soon as it may be (below, those that are gone
        // are asked for in vain).
        provider.rotate(true).await;
        let new = provider.access_token(algorithm, &person).await;
        until_taken(target, &new).await;
        me(target, &old).await.expect(200);
        // The old keys are gone: with the first token that needs newer ones, they are here, too.
        provider.rotate(false).await;
        let newest = provider.access_token(algorithm, &person).await;
        until_taken(target, &newest).await;
        for gone in [&old, &new] {
            me(target, gone).await.problem(401, "invalid_token");
        }
        me(target, &newest).await.expect(200);
    }
}

async fn a_provider_that_is_down(target: &'static Target) {
    let (provider, person) = (Provider::shared(), Person::new("down"));
    let old = provider.access_token("ES256", &person).await;
    until_taken(target, &old).await;
    provider.rotate(true).await;
    provider.outage(true).await;
    let new = provider.access_token("ES256", &person).await;
    // The key may be one that cannot be had just now.
    me(target, &new).await.problem(503, "identity_provider_unavailable");
    me(target, &old).await.expect(200);
    provider.outage(false).await;
    until_taken(target, &new).await;
}

/// Waits until unknown keys may be asked for again.
async fn until_taken(target: &'static Target, token: &str) {
    let taken = async || provided(me(target, token).await, |answer| answer.status == 200);
    target.until("a token to be taken", taken).await;
}
