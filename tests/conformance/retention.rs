//! What people were told is kept until they have read it, and for a time after that. A native server drops it when it starts,
//! and every half an hour; a Worker when its cron trigger is set off.

use bailiwick::verify::samples::import_head;
use bailiwick_tests::{
    actors::{Tenant, new_id, unique},
    backdoor::Backdoor,
    instance::Instance,
    outbox::Webhook,
    provided,
    receivers::{Receivers, http::Behaviour},
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("retention":
    what_was_read_long_ago_is_dropped_and_nothing_else,
    of_each_kind_what_is_old_is_dropped_and_nothing_else,
);

const LONG_AGO: &str = "2024-01-01T00:00:00.000Z";

/// More than are dropped at once.
const MANY: usize = 2_500;

/// Notifications of the member that were written long ago: so many with this title, read at a time, or not.
async fn told(tenant: &Tenant<'_>, title: &str, count: usize, read_at: Option<&str>) {
    let read_at = read_at.map_or_else(|| "NULL".to_owned(), |time| format!("'{time}'"));
    let (of, recipient) = (&tenant.id, &tenant.member.id);
    let row = |_| {
        let (id, subject) = (new_id(), new_id());
        format!(
            "('{of}', '{id}', '{recipient}', 'approved', '{title}', '', 'project', '{subject}', {read_at}, '{LONG_AGO}')"
        )
    };
    let rows: Vec<_> = (0..count).map(row).collect();
    // D1 takes no longer statements.
    for some in rows.chunks(250) {
        let sql = format!(
            "INSERT INTO notifications (tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, read_at, \
             created_at) VALUES {}",
            some.join(", ")
        );
        tenant.owner.target.backdoor.sql(&sql).await;
    }
}

/// How many there are of each title.
async fn there(tenant: &Tenant<'_>) -> Vec<String> {
    let sql = format!(
        "SELECT title, count(*) FROM notifications WHERE tenant_id = '{}' GROUP BY title ORDER BY title",
        tenant.id
    );
    let rows = tenant.owner.target.backdoor.sql(&sql).await.into_iter();
    rows.map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect()
}

/// Another server on a native target's database, with the target's settings.
async fn another(target: &Target) -> Option<Instance> {
    let receivers = Receivers::shared();
    let (database, settings) = match &target.backdoor {
        Backdoor::Sqlite(_) => {
            let file = target.backdoor.sql("SELECT file FROM pragma_database_list WHERE name = 'main'").await;
            let file = file[0][0].clone().expect("a file");
            (format!("sqlite://{file}"), receivers.by_smtp())
        }
        Backdoor::Postgres(_) => {
            let postgres = target.postgres.as_ref().expect("its server");
            (postgres.login("bailiwick_server", "bailiwick"), receivers.by_api())
        }
        Backdoor::Edge(..) => return None,
    };
    Some(Instance::start(&database, &settings).await)
}

/// An assigned task of which the member is told here and, an hour later, elsewhere; and they have read it long ago.
async fn told_elsewhere_later(tenant: &Tenant<'_>) -> (Webhook, Value) {
    let webhook = tenant.webhook().await;
    tenant.send_by(&["task_assigned"], &["in_app", "slack"]).await;
    webhook.behave([Behaviour::RetryAfter(429, 3600)]);
    tenant.assign(&tenant.manager, "Sweep", &tenant.member).await;
    let postponed = tenant.delivery("postponed", |delivery| delivery["last_error"].is_string()).await;
    let read = format!(
        "UPDATE notifications SET read_at = '{LONG_AGO}', title = 'told elsewhere' WHERE tenant_id = '{}'",
        tenant.id
    );
    tenant.owner.target.backdoor.sql(&read).await;
    (webhook, postponed)
}

async fn what_was_read_long_ago_is_dropped_and_nothing_else(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (webhook, postponed) = told_elsewhere_later(&tenant).await;
    told(&tenant, "read long ago", MANY, Some(LONG_AGO)).await;
    told(&tenant, "not read", 2, None).await;
    told(&tenant, "read lately", 2, None).await;
    let listed = tenant.member.get("/v1/notifications").tenant(&tenant.id).send().await.expect(200);
    let lately = listed.body["data"].as_array().expect("a list").iter();
    for told in lately.filter(|told| told["title"] == "read lately") {
        let path = format!("/v1/notifications/{}/read", told["id"].as_str().expect("an id"));
        tenant.member.post(&path).tenant(&tenant.id).send().await.expect(200);
    }
    let server = another(target).await;
    let left = ["not read 2".to_owned(), "read lately 2".to_owned()];
    let dropped = async || provided(there(&tenant).await, |there| there.len() == left.len());
    target.until("what was read long ago to be dropped", dropped).await;
    assert_eq!(there(&tenant).await, left);
    // What was to be told elsewhere is, when its time has come.
    assert_eq!(tenant.deliveries().await, [postponed]);
    let due = format!(
        "UPDATE deliveries SET next_attempt_at = '2026-01-01T00:00:00.000Z' WHERE tenant_id = '{}'",
        tenant.id
    );
    target.backdoor.sql(&due).await;
    let sent = tenant.delivery("sent", |delivery| delivery["state"] == "sent").await;
    assert_eq!((&sent["attempts"], webhook.count()), (&json!(2), 2));
    if let Some(server) = server {
        server.terminate().await;
    }
}

async fn of_each_kind_what_is_old_is_dropped_and_nothing_else(target: &'static Target) {
    let (tenant, closed) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let sql = async |sql: String| target.backdoor.sql(&sql).await;
    let mut slugs = Vec::new();
    for actor in [&tenant.manager, &tenant.member] {
        let keyed = |path: &str| actor.post(path).header("idempotency-key", "once");
        keyed("/v1/projects").tenant(&tenant.id).json(&json!({ "name": "P" })).send().await.expect(201);
        let new = json!({ "slug": unique("kept"), "name": "Kept" });
        keyed("/v1/tenants").json(&new).send().await.expect(201);
        actor.reset().await;
        actor.post("/v1/imports").json(&import_head(&new_id())).send().await.expect(200);
        slugs.push(unique("released"));
        sql(format!(
            "INSERT INTO released_slugs (slug, user_id, released_at) VALUES ('{}', '{}', '2100-01-01T00:00:00.000Z')",
            slugs[slugs.len() - 1],
            actor.id
        ))
        .await;
    }
    let dead = [tenant.dead_delivery().await, tenant.dead_delivery().await];
    // What waits is not done with, however long it does.
    sql(format!("UPDATE tenants SET suspended_at = created_at WHERE id = '{}'", closed.id)).await;
    let waiting = closed.dead_delivery().await;
    sql(format!(
        "UPDATE deliveries SET state = 'pending', next_attempt_at = '{LONG_AGO}' WHERE tenant_id = '{}'",
        closed.id
    ))
    .await;
    let users = [&tenant.manager, &tenant.member].map(|actor| actor.id.clone());
    let mut gone = Vec::new();
    for (table, column, key, ids) in [
        ("idempotency_keys", "created_at", "user_id", &users[..]),
        ("account_idempotency_keys", "created_at", "user_id", &users),
        ("password_resets", "expires_at", "user_id", &users),
        ("imports", "updated_at", "user_id", &users),
        ("released_slugs", "released_at", "slug", &slugs),
        ("deliveries", "next_attempt_at", "id", &dead),
    ] {
        let [kept, old] = [0, 1].map(|place| format!("FROM {table} WHERE {key} = '{}'", ids[place]));
        for rows in [&kept, &old] {
            assert_eq!(target.backdoor.count(&format!("SELECT count(*) {rows}")).await, 1, "{rows}");
        }
        let age = old.replacen("FROM ", "UPDATE ", 1).replacen(
            " WHERE",
            &format!(" SET {column} = '{LONG_AGO}' WHERE"),
            1,
        );
        sql(age).await;
        gone.push((kept, old));
    }
    let server = another(target).await;
    for (kept, old) in &gone {
        let look = async || {
            provided(target.backdoor.count(&format!("SELECT count(*) {old}")).await, |there| *there == 0)
        };
        target.until(&format!("nothing to be there {old}"), look).await;
        assert_eq!(target.backdoor.count(&format!("SELECT count(*) {kept}")).await, 1, "{kept}");
    }
    let waits = format!("SELECT count(*) FROM deliveries WHERE id = '{waiting}'");
    assert_eq!(target.backdoor.count(&waits).await, 1);
    if let Some(server) = server {
        server.terminate().await;
    }
}
