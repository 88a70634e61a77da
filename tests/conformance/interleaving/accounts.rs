//! Getting in: nobody does by what has ceased to be good while it was looked at.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant},
    client::Ask,
    provider::{Person, Provider},
    targets::Target,
};
use serde_json::json;

use super::{refused, sql};

crate::cases!("interleaving::accounts":
    a_password_that_is_changed_lets_nobody_in,
    a_password_that_is_reset_lets_nobody_in,
    an_account_that_is_disabled_lets_nobody_in,
    an_account_that_is_deleted_lets_nobody_in,
    a_password_is_changed_from_the_one_that_was_given,
    a_reset_is_good_once,
    a_reset_of_an_account_that_is_disabled,
    a_reset_of_an_account_with_another_address,
    a_reset_whose_time_has_passed,
    an_address_that_is_registered_is_not_taken_over,
    an_identity_that_is_linked_leads_to_that_account,
    an_identity_that_has_passed_to_another_account,
);

const ANOTHER: &str = "another horse battery";

/// Logging in, which has begun when the password is looked at.
fn logging_in(somebody: &Actor<'static>) -> Ask {
    let nobody = Actor { token: None, ..somebody.clone() };
    nobody.post("/v1/auth/login").json(&json!({ "email": somebody.email, "password": PASSWORD }))
}

async fn a_password_that_is_changed_lets_nobody_in(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let somebody = &tenant.member;
    let changed = async {
        let change = json!({ "current_password": PASSWORD, "new_password": ANOTHER });
        somebody.post("/v1/me/password").json(&change).send().await.expect(204);
    };
    refused(&tenant, somebody, logging_in(somebody), changed, (401, "invalid_credentials")).await;
}

async fn a_password_that_is_reset_lets_nobody_in(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let somebody = &tenant.member;
    let token = somebody.reset().await;
    let reset = async {
        let reset = json!({ "token": token, "new_password": ANOTHER });
        somebody.post("/v1/auth/password-reset/confirm").json(&reset).send().await.expect(204);
    };
    refused(&tenant, somebody, logging_in(somebody), reset, (401, "invalid_credentials")).await;
}

async fn disable(somebody: &Actor<'static>) {
    let statement = format!("UPDATE users SET disabled_at = created_at WHERE id = '{}'", somebody.id);
    sql(somebody.target, statement).await;
}

/// A session that began then would be there when the account is opened again.
async fn an_account_that_is_disabled_lets_nobody_in(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let somebody = &tenant.member;
    refused(&tenant, somebody, logging_in(somebody), disable(somebody), (401, "invalid_credentials")).await;
}

async fn an_account_that_is_deleted_lets_nobody_in(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let somebody = &tenant.member;
    let deleted = async {
        somebody.delete("/v1/me").send().await.expect(204);
    };
    refused(&tenant, somebody, logging_in(somebody), deleted, (401, "invalid_credentials")).await;
}

async fn a_password_is_changed_from_the_one_that_was_given(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let somebody = &tenant.member;
    let change = json!({ "current_password": PASSWORD, "new_password": ANOTHER });
    let changed =
        sql(target, format!("UPDATE users SET password_hash = 'other' WHERE id = '{}'", somebody.id));
    let changing = somebody.post("/v1/me/password").json(&change);
    refused(&tenant, somebody, changing, changed, (409, "conflict")).await;
}

/// Setting another password by the token of a reset.
fn resetting(somebody: &Actor<'static>, token: &str) -> Ask {
    let reset = json!({ "token": token, "new_password": ANOTHER });
    somebody.post("/v1/auth/password-reset/confirm").json(&reset)
}

async fn a_reset_is_good_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (somebody, token) = (&tenant.member, tenant.member.reset().await);
    let used = async {
        resetting(somebody, &token).send().await.expect(204);
    };
    refused(&tenant, somebody, resetting(somebody, &token), used, (403, "invalid_reset_token")).await;
}

async fn a_reset_of_an_account_that_is_disabled(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (somebody, token) = (&tenant.member, tenant.member.reset().await);
    let resetting = resetting(somebody, &token);
    refused(&tenant, somebody, resetting, disable(somebody), (403, "invalid_reset_token")).await;
}

async fn a_reset_of_an_account_with_another_address(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (somebody, token) = (&tenant.member, tenant.member.reset().await);
    let moved = format!("UPDATE users SET email = 'moved-{}' WHERE id = '{}'", somebody.email, somebody.id);
    // Also if the address is somebody else's since.
    let other = Actor::register(target, "other").await;
    let passed = format!("UPDATE users SET email = '{}' WHERE id = '{}'", somebody.email, other.id);
    let moved = async {
        sql(target, moved).await;
        sql(target, passed).await;
    };
    let resetting = resetting(somebody, &token);
    refused(&tenant, somebody, resetting, moved, (403, "invalid_reset_token")).await;
}

async fn a_reset_whose_time_has_passed(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (somebody, token) = (&tenant.member, tenant.member.reset().await);
    let passed =
        format!("UPDATE password_resets SET expires_at = created_at WHERE user_id = '{}'", somebody.id);
    let resetting = resetting(somebody, &token);
    refused(&tenant, somebody, resetting, sql(target, passed), (403, "invalid_reset_token")).await;
}

/// Somebody's first request with a token of the provider, which makes them an account.
async fn coming(target: &'static Target, person: &Person) -> Ask {
    let token = Provider::shared().access_token("ES256", person).await;
    Actor { token: Some(token), ..Actor::anonymous(target) }.get("/v1/me")
}

async fn an_address_that_is_registered_is_not_taken_over(target: &'static Target) {
    let person = Person::new("person");
    let registered = async {
        let account = json!({ "email": person.email, "name": "Earlier", "password": PASSWORD });
        Actor::anonymous(target).post("/v1/auth/register").json(&account).send().await.expect(201);
    };
    let coming = coming(target, &person).await;
    coming.meanwhile(registered).await.problem(403, "identity_not_linked");
}

async fn an_identity_that_is_linked_leads_to_that_account(target: &'static Target) {
    let (person, somebody) = (Person::new("person"), Actor::register(target, "somebody").await);
    let linked = async {
        let token = Provider::shared().access_token("ES256", &person).await;
        somebody.post("/v1/me/identities").json(&json!({ "token": token })).send().await.expect(201);
    };
    let me = coming(target, &person).await.meanwhile(linked).await.expect(200);
    assert_eq!(me.text_at("/id"), somebody.id);
    let made = format!("SELECT count(*) FROM users WHERE email = '{}'", person.email);
    assert_eq!(target.backdoor.count(&made).await, 0);
}

async fn an_identity_that_has_passed_to_another_account(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (member, other) = (&tenant.member, Actor::register(target, "other").await);
    let token = Provider::shared().access_token("ES256", &Person::new("person")).await;
    let link = json!({ "token": token });
    let linked = member.post("/v1/me/identities").json(&link).send().await.expect(201);
    let by_identity = Actor { token: Some(token), ..member.clone() };
    by_identity.get("/v1/me").send().await.expect(200);
    let passed = async {
        let path = format!("/v1/me/identities/{}", linked.text_at("/id"));
        member.delete(&path).send().await.expect(204);
        other.post("/v1/me/identities").json(&link).send().await.expect(201);
    };
    let project = tenant.project("draft", None).await;
    let path = format!("/v1/projects/{project}/transitions");
    let moving = by_identity.post(&path).tenant(&tenant.id).json(&json!({ "to": "submitted" }));
    refused(&tenant, member, moving, passed, (403, "not_a_member")).await;
}
