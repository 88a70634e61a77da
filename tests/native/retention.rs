//! What is kept for a time after it was done with is dropped by the server itself, as soon as it starts: what people have
//! read, for as long as whoever operates it says, and a thousand at a time. That nothing else goes is shown on all targets,
//! by `retention` of the conformance suite, and for deliveries in `outbox`.

use bailiwick_tests::{backdoor::Backdoor, provided, targets::client, until};
use reqwest::Method;
use serde_json::json;
use sqlx::raw_sql;
use uuid::Uuid;

use crate::{
    instance::{Instance, postgres, sqlite},
    outbox::{DEFAULT_TENANT, left_behind, setting},
};

const LONG_AGO: &str = "2024-01-01T00:00:00.000Z";

/// More than are dropped at once.
const MANY: usize = 2_500;

/// Has the owner of the default tenant told so often, and they have read it long ago.
async fn read_long_ago(backdoor: &Backdoor, owner: &str) {
    let rows = (0..MANY).map(|_| {
        let (id, subject) = (Uuid::now_v7(), Uuid::now_v7());
        format!(
            "('{DEFAULT_TENANT}', '{id}', '{owner}', 'approved', 'T', '', 'project', '{subject}', '{LONG_AGO}', \
             '{LONG_AGO}')"
        )
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    let columns =
        "tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, read_at, created_at";
    backdoor.sql(&format!("INSERT INTO notifications ({columns}) VALUES {rows}")).await;
}

async fn count(backdoor: &Backdoor) -> usize {
    let count = backdoor.count("SELECT count(*) FROM notifications").await;
    usize::try_from(count).expect("a number")
}

async fn what_was_read_is_kept_for_as_long_as_is_said(database: &str, backdoor: &Backdoor) {
    let first = Instance::start(database, &[]).await;
    let (owner, token) = first.register("owner@example.com", None).await;
    read_long_ago(backdoor, &owner).await;
    // By this it is seen that the next one has looked.
    let ask = first.ask(&client(), &token, Method::POST, "/v1/projects").header("idempotency-key", "old");
    ask.json(&json!({ "name": "old" })).send().await.expect(201);
    backdoor.sql(&format!("UPDATE idempotency_keys SET created_at = '{LONG_AGO}'")).await;
    first.terminate().await;
    let keeping = Instance::start(database, &[setting("NOTIFICATION_RETENTION", "36500d")]).await;
    until("it has looked", async || {
        provided(backdoor.count("SELECT count(*) FROM idempotency_keys").await, |left| *left == 0)
    })
    .await;
    // It ends when all that it drops in a round is dropped.
    keeping.terminate().await;
    assert_eq!(count(backdoor).await, MANY);
    let dropping = Instance::start(database, &[]).await;
    until("all is dropped", async || provided(count(backdoor).await, |left| *left == 0)).await;
    dropping.terminate().await;
}

#[tokio::test]
async fn what_was_read_is_kept_for_as_long_as_is_said_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    what_was_read_is_kept_for_as_long_as_is_said(&database, &backdoor).await;
}

#[tokio::test]
async fn what_was_read_is_kept_for_as_long_as_is_said_on_postgres() {
    let (_postgres, database, backdoor) = postgres().await;
    what_was_read_is_kept_for_as_long_as_is_said(&database, &backdoor).await;
}

/// Postgres tells how many rows each statement has taken away.
#[tokio::test]
async fn no_more_than_a_thousand_are_dropped_at_once() {
    let (_postgres, database, backdoor) = postgres().await;
    let first = Instance::start(&database, &[]).await;
    let (owner, _) = first.register("owner@example.com", None).await;
    first.terminate().await;
    read_long_ago(&backdoor, &owner).await;
    left_behind(&backdoor, MANY, "sent", LONG_AGO).await;
    let Backdoor::Postgres(pool) = &backdoor else { panic!("it is Postgres") };
    let watch = "CREATE TABLE taken_away (what text, many bigint);
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            INSERT INTO taken_away SELECT TG_TABLE_NAME, count(*) FROM gone;
            RETURN NULL;
        END $$;
        CREATE TRIGGER tell AFTER DELETE ON notifications REFERENCING OLD TABLE AS gone
            FOR EACH STATEMENT EXECUTE FUNCTION tell();
        CREATE TRIGGER tell AFTER DELETE ON deliveries REFERENCING OLD TABLE AS gone
            FOR EACH STATEMENT EXECUTE FUNCTION tell();";
    raw_sql(watch).execute(pool).await.expect("triggers");
    let second = Instance::start(&database, &[]).await;
    for table in ["deliveries", "notifications"] {
        let taken = format!("SELECT many FROM taken_away WHERE what = '{table}' AND many > 0 ORDER BY many");
        let all = format!("SELECT COALESCE(sum(many), 0)::bigint FROM taken_away WHERE what = '{table}'");
        until("all is dropped", async || {
            provided(usize::try_from(backdoor.count(&all).await).unwrap_or(0), |dropped| *dropped == MANY)
        })
        .await;
        let taken: Vec<_> = backdoor.sql(&taken).await.into_iter().flatten().flatten().collect();
        assert_eq!(taken, ["500", "1000", "1000"], "{table}");
    }
    second.terminate().await;
}
