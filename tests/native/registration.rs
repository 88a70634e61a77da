//! Who may register, as `REGISTRATION` says. That nobody is kept out by default, all other tests show.

use bailiwick_tests::{
    actors::{PASSWORD, new_id},
    backdoor::Backdoor,
    client::{Answer, Ask},
    instance::{self, Instance},
    targets::client,
};
use reqwest::Method;
use serde_json::{Value, json};

async fn start(database: &str, registration: &str) -> Instance {
    Instance::start(database, &[("REGISTRATION", registration.to_owned())]).await
}

async fn post(instance: &Instance, path: &str, body: &Value) -> Answer {
    Ask::new(&client(), Method::POST, &instance.url, path).json(body).send().await
}

async fn it_is_obeyed(database: &str, backdoor: &Backdoor) {
    let open = start(database, "open").await;
    let (_, owner) = open.register("owner@example.com", None).await;
    let tenants = open.get(&owner, "/v1/tenants").await.expect(200);
    assert_eq!(tenants.text_at("/data/0/slug"), "default");
    // It lets in who registers for it; but the operator decides who registers.
    let setting = json!({ "open_registration": "viewer" });
    let config = open.ask(&client(), &owner, Method::PATCH, "/v1/tenant/config");
    config.json(&setting).send().await.expect(200);
    let mut tokens = Vec::new();
    for name in ["one", "two"] {
        let new = json!({ "email": format!("{name}@example.com"), "role": "member" });
        tokens.push(open.post(&owner, "/v1/invitations", &new).await.expect(201).text_at("/token"));
    }
    open.terminate().await;
    let account = |name: &str, token: Option<&str>| {
        let mut account =
            json!({ "email": format!("{name}@example.com"), "name": name, "password": PASSWORD });
        if let Some(token) = token {
            account["invitation_token"] = token.into();
        }
        account
    };
    let accounts = || backdoor.count("SELECT count(*) FROM users");

    let closed = start(database, "closed").await;
    for token in [None, Some(tokens[0].as_str())] {
        let refused = post(&closed, "/v1/auth/register", &account("one", token)).await;
        refused.problem(403, "registration_closed");
    }
    assert_eq!(accounts().await, 1);
    // Whoever has an account is not concerned.
    let login = json!({ "email": "owner@example.com", "password": PASSWORD });
    post(&closed, "/v1/auth/login", &login).await.expect(200);
    closed.terminate().await;

    let invited = start(database, "invited").await;
    let refused = post(&invited, "/v1/auth/register", &account("one", None)).await;
    refused.problem(403, "registration_closed");
    let refused = post(&invited, "/v1/auth/register", &account("two", Some(&tokens[0]))).await;
    refused.problem(409, "invitation_unusable");
    let made_up = "A".repeat(tokens[0].len());
    let refused = post(&invited, "/v1/auth/register", &account("one", Some(&made_up))).await;
    refused.problem(404, "invitation_not_found");
    assert_eq!(accounts().await, 1);
    let (_, one) = invited.register("one@example.com", Some(&tokens[0])).await;
    let me = invited.get(&one, "/v1/members/me").await.expect(200);
    assert_eq!(me.text_at("/role"), "member");
    // Once, and then no more.
    let again = post(&invited, "/v1/auth/register", &account("three", Some(&tokens[0]))).await;
    again.problem(409, "invitation_unusable");
    assert_eq!(accounts().await, 2);
    invited.terminate().await;
}

/// People who came with a tenant, and for whom nobody has ever logged in: a forgotten password would let them in.
async fn no_way_around(database: &str, backdoor: &Backdoor) {
    let open = start(database, "open").await;
    let (_, owner) = open.register("owner@example.com", None).await;
    let tenant = open.get(&owner, "/v1/tenants").await.expect(200).text_at("/data/0/id");
    let invited = json!({ "email": "invited@example.com", "role": "member" });
    open.post(&owner, "/v1/invitations", &invited).await.expect(201);
    let now = "'2026-01-01T00:00:00.000Z'";
    for (name, status) in
        [("stranger", ""), ("member", "'active', NULL"), ("brought", IMPORTED), ("invited", IMPORTED)]
    {
        let id = new_id();
        backdoor
            .sql(&format!(
                "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) \
                 VALUES ('{id}', '{name}@example.com', '{name}', '', {now}, {now}, 1)"
            ))
            .await;
        if !status.is_empty() {
            backdoor
                .sql(&format!(
                    "INSERT INTO memberships (tenant_id, id, user_id, role, status, imported_at, created_at, updated_at, version) \
                     VALUES ('{tenant}', '{id}', '{id}', 'member', {status}, {now}, {now}, 1)"
                ))
                .await;
        }
    }
    open.terminate().await;
    for (registration, good) in [
        ("closed", &["member"][..]),
        ("invited", &["member", "invited"]),
        ("open", &["stranger", "member", "brought", "invited"]),
    ] {
        let instance = start(database, registration).await;
        for name in ["stranger", "member", "brought", "invited"] {
            let email = format!("{name}@example.com");
            post(&instance, "/v1/auth/password-reset", &json!({ "email": email })).await.expect(204);
            let sent = backdoor
                .count(&format!("SELECT count(*) FROM password_resets WHERE email = '{email}'"))
                .await;
            assert_eq!(sent == 1, good.contains(&name), "{registration}: {name}");
        }
        instance.terminate().await;
        backdoor.sql("DELETE FROM password_resets").await;
    }
}

/// The standing of somebody who came with a tenant and has not agreed to be in it.
const IMPORTED: &str = "'suspended', '2026-01-01T00:00:00.000Z'";

#[tokio::test]
async fn it_is_obeyed_on_sqlite() {
    let (_directory, database, backdoor) = instance::sqlite().await;
    it_is_obeyed(&database, &backdoor).await;
}

#[tokio::test]
async fn resets_are_no_way_around_it_on_sqlite() {
    let (_directory, database, backdoor) = instance::sqlite().await;
    no_way_around(&database, &backdoor).await;
}

#[tokio::test]
async fn resets_are_no_way_around_it_on_postgres() {
    let (_postgres, database, backdoor) = instance::postgres().await;
    no_way_around(&database, &backdoor).await;
}

#[tokio::test]
async fn it_is_obeyed_on_postgres() {
    let (_postgres, database, backdoor) = instance::postgres().await;
    it_is_obeyed(&database, &backdoor).await;
}
