//! What is kept under an `Idempotency-Key` is dropped after a day, by the server itself, which looks when it starts.

use bailiwick_tests::{backdoor::Backdoor, client::Answer, provided, targets::client, until};
use reqwest::Method;
use serde_json::{Value, json};

use crate::instance::{Instance, postgres, sqlite};

const TABLES: [&str; 2] = ["idempotency_keys", "account_idempotency_keys"];

async fn post(instance: &Instance, token: &str, key: &str, (path, body): (&str, Value)) -> Answer {
    let ask = instance.ask(&client(), token, Method::POST, path).header("idempotency-key", key);
    ask.json(&body).send().await.expect(201)
}

async fn what_is_too_old_is_dropped(database: &str, backdoor: &Backdoor) {
    let project = |name: &str| ("/v1/projects", json!({ "name": name }));
    let tenant = |slug: &str| ("/v1/tenants", json!({ "slug": slug, "name": "T" }));
    let first = Instance::start(database, &[]).await;
    let (_, owner) = first.register("owner@example.com", None).await;
    for key in ["old", "new"] {
        post(&first, &owner, key, project(key)).await;
        post(&first, &owner, key, tenant(key)).await;
    }
    let count = async |table| backdoor.count(&format!("SELECT count(*) FROM {table}")).await;
    for table in TABLES {
        assert_eq!(count(table).await, 2);
        let age = format!(
            "UPDATE {table} SET created_at = '2026-01-01T00:00:00.000Z' \
             WHERE created_at = (SELECT min(k.created_at) FROM {table} k)"
        );
        backdoor.sql(&age).await;
    }
    first.kill().await;
    let second = Instance::start(database, &[]).await;
    for table in TABLES {
        until("what is too old to be dropped", async || provided(count(table).await, |left| *left == 1))
            .await;
    }
    // And nothing else.
    for asked in [project("new"), tenant("new")] {
        let again = post(&second, &owner, "new", asked).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    }
    second.kill().await;
}

/// What was shown when the operator allowed it is not shown again when they do not.
#[tokio::test]
async fn an_invitations_token_is_not_repeated_where_it_is_not_to_be_shown() {
    let (_directory, database, _) = sqlite().await;
    let shown = |shown: &str| [("INVITATION_TOKEN_IN_RESPONSE", shown.to_owned())];
    let invitation = ("/v1/invitations", json!({ "email": "guest@example.com", "role": "viewer" }));
    let first = Instance::start(&database, &shown("true")).await;
    let (_, owner) = first.register("owner@example.com", None).await;
    let made = post(&first, &owner, "key", invitation.clone()).await;
    let again = post(&first, &owner, "key", invitation.clone()).await;
    assert_eq!((made.text_at("/token").len(), &made.body), (86, &again.body));
    first.kill().await;
    let second = Instance::start(&database, &shown("false")).await;
    let again = post(&second, &owner, "key", invitation).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!((&again.body["id"], &again.body["token"]), (&made.body["id"], &Value::Null));
    assert!(!again.text.contains(&made.text_at("/token")[60..]));
    second.kill().await;
}

#[tokio::test]
async fn what_is_too_old_is_dropped_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    what_is_too_old_is_dropped(&database, &backdoor).await;
}

#[tokio::test]
async fn what_is_too_old_is_dropped_on_postgres() {
    let (_postgres, database, backdoor) = postgres().await;
    what_is_too_old_is_dropped(&database, &backdoor).await;
}
