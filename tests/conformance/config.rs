//! A tenant's configuration, and its end.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id, unique},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("config":
    defaults_are_shown,
    a_patch_merges,
    a_webhook_is_written_and_never_read,
    faults_are_pointed_at,
    concurrent_changes_of_different_parts_both_stay,
    deleting_a_tenant_needs_its_slug,
    deleting_a_tenant_removes_all_of_it_and_nothing_else,
    the_default_tenant_stays,
);

const HOOK: &str = "https://hooks.slack.com/services/T000/B000/verysecret";

async fn patch(tenant: &Tenant<'_>, body: Value) -> Answer {
    tenant.owner.patch("/v1/tenant/config").tenant(&tenant.id).json(&body).send().await
}

async fn read(tenant: &Tenant<'_>) -> Value {
    tenant.owner.get("/v1/tenant/config").tenant(&tenant.id).send().await.expect(200).body
}

async fn defaults_are_shown(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let config = read(&tenant).await;
    let channels = config["channels"].as_object().expect("an object");
    assert_eq!(channels.len(), 8);
    assert!(channels.values().all(|channels| *channels == json!(["in_app"])), "{config}");
    for name in ["slack_webhook_url", "email_sender_name", "email_reply_to", "open_registration"] {
        assert_eq!(config[name], Value::Null, "{name}");
    }
    tenant.manager.get("/v1/tenant/config").tenant(&tenant.id).send().await.problem(403, "insufficient_role");
}

async fn a_patch_merges(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let change = json!({
        "channels": { "approved": ["slack", "in_app"], "mentioned": [] },
        "email_sender_name": "Büro", "email_reply_to": "Office@Example.com", "open_registration": "member",
    });
    patch(&tenant, json!({ "slack_webhook_url": HOOK })).await.expect(200);
    let changed = patch(&tenant, change).await.expect(200).body;
    assert_eq!(changed["channels"]["approved"], json!(["in_app", "slack"]));
    assert_eq!(changed["channels"]["mentioned"], json!([]));
    assert_eq!(changed["channels"]["rejected"], json!(["in_app"]));
    assert_eq!(
        (&changed["email_sender_name"], &changed["email_reply_to"], &changed["open_registration"]),
        (&json!("Büro"), &json!("office@example.com"), &json!("member"))
    );
    assert_eq!(read(&tenant).await, changed);
    let cleared =
        patch(&tenant, json!({ "channels": { "approved": null }, "email_sender_name": null })).await;
    let cleared = cleared.expect(200).body;
    assert_eq!(cleared["channels"]["approved"], json!(["in_app"]));
    assert_eq!(cleared["channels"]["mentioned"], json!([]));
    assert_eq!(
        (&cleared["email_sender_name"], &cleared["open_registration"]),
        (&Value::Null, &json!("member"))
    );
    // What changes nothing leaves no trace.
    let before = target.backdoor.snapshot(&tenant.id).await;
    for same in [json!({}), json!({ "email_sender_name": null, "open_registration": "member" })] {
        assert_eq!(patch(&tenant, same).await.expect(200).body, cleared);
    }
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
    let defaults = patch(&tenant, json!({ "channels": null })).await.expect(200).body;
    assert_eq!(defaults["channels"]["mentioned"], json!(["in_app"]));
}

async fn a_webhook_is_written_and_never_read(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let changed = patch(&tenant, json!({ "slack_webhook_url": HOOK })).await.expect(200);
    assert_eq!(changed.body["slack_webhook_url"], "https://hooks.slack.com/***");
    // A change of something else keeps it.
    let changed = patch(&tenant, json!({ "email_sender_name": "X" })).await.expect(200);
    assert_eq!(changed.body["slack_webhook_url"], "https://hooks.slack.com/***");
    let kept = format!(
        "SELECT count(*) FROM tenants WHERE id = '{}' AND config ->> 'slack_webhook_url' = '{HOOK}'",
        tenant.id
    );
    assert_eq!(target.backdoor.count(&kept).await, 1);
    for path in ["/v1/tenant/config", "/v1/tenant", "/v1/admin/activity", "/v1/tenants", "/v1/admin/tenants"]
    {
        let read = tenant.owner.get(path).tenant(&tenant.id).send().await.expect(200);
        assert!(!read.text.contains("verysecret") && !read.text.contains("B000"), "{path} shows it");
    }
    let log = format!("SELECT detail FROM activity WHERE tenant_id = '{}'", tenant.id);
    let log = format!("{:?}", target.backdoor.sql(&log).await);
    assert!(log.contains("email_sender_name") && !log.contains("verysecret"), "{log}");
    // Wherever in the URL the secret stands.
    for secret in ["https://hooks.slack.com?token=verysecret", "https://hooks.slack.com#verysecret"] {
        let changed = patch(&tenant, json!({ "slack_webhook_url": secret })).await;
        assert!(!changed.text.contains("verysecret"), "{changed:?}");
    }
    // The mask itself is no webhook.
    let masked = patch(&tenant, json!({ "slack_webhook_url": "https://hooks.slack.com/***" })).await;
    assert_eq!(masked.problem(422, "validation_failed").pointers(), ["/slack_webhook_url"]);
    let cleared = patch(&tenant, json!({ "slack_webhook_url": null })).await.expect(200);
    assert_eq!(cleared.body["slack_webhook_url"], Value::Null);
}

async fn faults_are_pointed_at(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let before = read(&tenant).await;
    for (body, pointers) in [
        (json!({ "slack_webhook_url": "http://hooks.slack.com/services/x" }), &["/slack_webhook_url"][..]),
        (json!({ "slack_webhook_url": "https://example.com/x" }), &["/slack_webhook_url"]),
        (json!({ "slack_webhook_url": "https://127.0.0.1/x" }), &["/slack_webhook_url"]),
        (json!({ "slack_webhook_url": "https://hooks.slack.com@127.0.0.1/x" }), &["/slack_webhook_url"]),
        (json!({ "slack_webhook_url": "https://hooks.slack.com.example.com/x" }), &["/slack_webhook_url"]),
        (json!({ "slack_webhook_url": 7 }), &["/slack_webhook_url"]),
        (json!({ "slack_webhook_url": "https://hooks.slack.com:99999/x" }), &["/slack_webhook_url"]),
        (json!({ "channels": { "approved": ["slack"] } }), &["/slack_webhook_url"]),
        (
            json!({ "channels": { "approved": ["pigeon"], "nothing": [] } }),
            &["/channels/approved/0", "/channels/nothing"],
        ),
        (json!({ "channels": { "invitation": ["slack"] } }), &["/channels/invitation"]),
        (json!({ "channels": [] }), &["/channels"]),
        (
            json!({ "email_reply_to": "nobody", "open_registration": "owner" }),
            &["/email_reply_to", "/open_registration"],
        ),
        (json!({ "email_sender_name": "two\r\nBcc: lines" }), &["/email_sender_name"]),
        (json!({ "theme": "dark" }), &["/theme"]),
    ] {
        let refused = patch(&tenant, body.clone()).await.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), pointers, "{body}");
    }
    assert_eq!(read(&tenant).await, before);
}

async fn concurrent_changes_of_different_parts_both_stay(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (one, two) = tokio::join!(
        patch(&tenant, json!({ "email_sender_name": "One" })),
        patch(&tenant, json!({ "channels": { "started": ["email"] } })),
    );
    one.expect(200);
    two.expect(200);
    let config = read(&tenant).await;
    assert_eq!(
        (&config["email_sender_name"], &config["channels"]["started"]),
        (&json!("One"), &json!(["email"]))
    );
}

async fn deleting_a_tenant_needs_its_slug(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let before = target.backdoor.snapshot(&tenant.id).await;
    for query in ["", "?confirm=", "?confirm=yes", &format!("?confirm={}", other.slug), "?confirmed=true"] {
        let delete = tenant.owner.delete(&format!("/v1/tenant{query}")).tenant(&tenant.id).send().await;
        delete.problem(400, "invalid_parameter");
    }
    let path = format!("/v1/tenant?confirm={}", tenant.slug);
    other.owner.delete(&path).tenant(&tenant.id).send().await.problem(403, "not_a_member");
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
    // That a member tried is all that changes.
    tenant.manager.delete(&path).tenant(&tenant.id).send().await.problem(403, "insufficient_role");
    let mut after = target.backdoor.snapshot(&tenant.id).await;
    after.retain(|row| !row.contains("access.denied"));
    assert_eq!(after, before);
}

/// Rows of every table that belongs to tenants.
async fn fill(tenant: &Tenant<'_>) {
    let project = json!({ "name": "Kept" });
    let request = tenant.owner.post("/v1/projects").tenant(&tenant.id).header("idempotency-key", "kept");
    request.json(&project).send().await.expect(201);
    let project = tenant.project("in_progress", None).await;
    let task = tenant.task(&project, "todo").await;
    tenant.comment(&task, &tenant.member.id).await;
    tenant.invitation().await;
    tenant.api_key(&tenant.member.id).await;
    tenant.notification(&tenant.member.id).await;
    tenant.dead_delivery().await;
    let limit = format!("INSERT INTO limits (tenant_id, name, most) VALUES ('{}', 'members', 10)", tenant.id);
    tenant.owner.target.backdoor.sql(&limit).await;
    tenant.owner.target.backdoor.measured(&tenant.id, None).await;
    let assign = json!({ "assignee_id": tenant.member.id });
    let path = format!("/v1/tasks/{task}");
    tenant.owner.patch(&path).tenant(&tenant.id).json(&assign).send().await.expect(200);
}

async fn deleting_a_tenant_removes_all_of_it_and_nothing_else(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    other.admit(&tenant.owner, "viewer").await;
    fill(&tenant).await;
    fill(&other).await;
    let mut tables = target.backdoor.tenant_tables().await;
    // What somebody brings in is theirs, whatever id it has.
    tables.retain(|table| !["imports", "import_rows"].contains(&table.as_str()));
    for table in tables {
        let rows = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{}'", tenant.id);
        assert!(target.backdoor.count(&rows).await > 0, "{table} has no rows, so it would prove nothing");
    }
    let before = target.backdoor.snapshot(&other.id).await;
    let path = format!("/v1/tenant?confirm={}", tenant.slug);
    tenant.owner.delete(&path).slug(&tenant.slug).send().await.expect(204);
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, [""; 0]);
    assert_eq!(target.backdoor.snapshot(&other.id).await, before);
    tenant.owner.get("/v1/tenant").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    tenant.owner.get("/v1/tenant").slug(&tenant.slug).send().await.problem(403, "not_a_member");
    tenant.owner.delete(&path).slug(&tenant.slug).send().await.problem(403, "not_a_member");
    // Their accounts and other tenants stay; the slug is theirs to use again, and what was under it does not come back.
    tenant.owner.get("/v1/tenant").tenant(&other.id).send().await.expect(200);
    let new = json!({ "slug": tenant.slug, "name": "Another" });
    let created = tenant.owner.post("/v1/tenants").json(&new).send().await.expect(201);
    assert_ne!(created.text_at("/id"), tenant.id);
    tenant.member.get("/v1/tenant").slug(&tenant.slug).send().await.problem(403, "not_a_member");
    let projects = tenant.owner.get("/v1/projects").slug(&tenant.slug).send().await.expect(200);
    assert_eq!(projects.body["data"], json!([]));
}

async fn the_default_tenant_stays(target: &'static Target) {
    let owner = Actor::register(target, unique("owner").as_str()).await;
    let admit = format!(
        "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         SELECT t.id, '{}', '{}', 'owner', 'active', t.created_at, t.created_at, 1 FROM tenants t WHERE t.slug = 'default'",
        new_id(),
        owner.id
    );
    target.backdoor.sql(&admit).await;
    owner.delete("/v1/tenant?confirm=default").send().await.problem(409, "default_tenant");
    owner.get("/v1/tenant").send().await.expect(200);
    owner.delete("/v1/members/me").send().await.expect(204);
}
