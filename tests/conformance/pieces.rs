//! What one tenant has heaped up is worked off in pieces, between which others have their turn; and what is brought in at
//! once has a bound.

use bailiwick::verify::samples::{import_head, import_rows};
use bailiwick_tests::{
    actors::{Actor, Tenant, new_id, unique},
    provided,
    targets::Target,
};
use serde_json::json;

crate::cases!("pieces":
    a_large_tenant_is_gone_at_once_and_removed_in_pieces,
    what_is_brought_in_has_a_bound,
    secrets_go_to_people_and_leave_a_trace,
    parts_of_an_export_and_of_the_activity_end_by_bytes,
);

/// More than goes with the request that deletes a tenant.
const MANY: usize = 900;

const NOW: &str = "'2026-01-01T00:00:00.000Z'";

async fn insert(target: &Target, into: &str, rows: &[String]) {
    // D1 takes no longer statements.
    for some in rows.chunks(200) {
        target.backdoor.sql(&format!("INSERT INTO {into} VALUES {}", some.join(", "))).await;
    }
}

/// Comments below one task, notifications and entries.
async fn heap_up(tenant: &Tenant<'_>) {
    let (of, who, target) = (&tenant.id, &tenant.member.id, tenant.owner.target);
    let task = tenant.task(&tenant.project("in_progress", None).await, "todo").await;
    let rows = |row: &dyn Fn(String) -> String| (0..MANY).map(|_| row(new_id())).collect::<Vec<_>>();
    let comments = rows(&|id| format!("('{of}', '{id}', '{task}', '{who}', 'B', {NOW}, {NOW}, 1)"));
    let into = "comments (tenant_id, id, task_id, author_id, body, created_at, updated_at, version)";
    insert(target, into, &comments).await;
    let notifications =
        rows(&|id| format!("('{of}', '{id}', '{who}', 'approved', 'T', '', 'project', '{id}', {NOW})"));
    let into = "notifications (tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, created_at)";
    insert(target, into, &notifications).await;
    let entries = rows(&|id| format!("('{of}', '{id}', '{who}', 'a.b', 'c', '{id}', '{{}}', {NOW})"));
    let into = "activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at)";
    insert(target, into, &entries).await;
}

/// The tables in which something of a tenant is left, of all that there are.
async fn left(target: &Target, tenant: &str) -> Vec<String> {
    let mut left = Vec::new();
    let own = ("tenants".to_owned(), "id");
    let tables = target.backdoor.tenant_tables().await.into_iter().map(|table| (table, "tenant_id"));
    for (table, column) in tables.chain([own]) {
        let rows = format!("SELECT count(*) FROM {table} WHERE {column} = '{tenant}'");
        if target.backdoor.count(&rows).await > 0 {
            left.push(table);
        }
    }
    left
}

async fn a_large_tenant_is_gone_at_once_and_removed_in_pieces(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let other = Tenant::create(target).await;
    tenant.public_project().await;
    tenant.invitation().await;
    heap_up(&tenant).await;
    let machine = tenant.machine(&tenant.owner, "owner").await;
    let path = format!("/v1/tenant?confirm={}", tenant.slug);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    // For nobody it is there any more, whatever of it is left.
    for actor in [&tenant.owner, &tenant.viewer] {
        actor.get("/v1/projects").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    }
    machine.get("/v1/projects").send().await.problem(401, "invalid_token");
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.problem(403, "not_a_member");
    let listed = tenant.owner.get("/v1/tenants").send().await.expect(200);
    assert_eq!(listed.body["data"], json!([]));
    let visitor = Actor::anonymous(target);
    for header in [("x-tenant-id", &tenant.id), ("x-tenant-slug", &tenant.slug)] {
        let asked = visitor.get("/v1/catalog/projects").header(header.0, header.1).send().await;
        asked.problem(404, "tenant_not_found");
    }
    // Others write meanwhile, and lose nothing.
    other.owner.post("/v1/projects").tenant(&other.id).json(&json!({ "name": "P" })).send().await.expect(201);
    target
        .until("nothing to be left", async || provided(left(target, &tenant.id).await, Vec::is_empty))
        .await;
    other.owner.get("/v1/tenant").tenant(&other.id).send().await.expect(200);
}

async fn what_is_brought_in_has_a_bound(target: &'static Target) {
    let importer = Actor::register(target, "importer").await;
    for (what, allowed, refused) in [
        ("next_line", "next_line = 19999", "next_line = 20000"),
        (
            "state",
            "state = CAST(replace(CAST(state AS text), '\"head\"', '\"bytes\":33554000,\"head\"') AS STATE)",
            "state = CAST(replace(CAST(state AS text), '\"head\"', '\"bytes\":33554432,\"head\"') AS STATE)",
        ),
    ] {
        for (set, fits) in [(allowed, true), (refused, false)] {
            let tenant = new_id();
            importer.post("/v1/imports").json(&import_head(&tenant)).send().await.expect(200);
            let kind = if target.postgres.is_some() { "jsonb" } else { "text" };
            let set = set.replace("STATE", kind);
            // What an import has counted so far.
            let clear = "state = CAST(replace(replace(CAST(state AS text), '\"bytes\":0,', ''), '\"bytes\": 0, ', '') AS STATE)";
            for set in [clear.replace("STATE", kind), set] {
                let update = format!("UPDATE imports SET {set} WHERE tenant_id = '{tenant}'");
                target.backdoor.sql(&update).await;
            }
            let next = format!("SELECT next_line FROM imports WHERE tenant_id = '{tenant}'");
            let first = target.backdoor.count(&next).await;
            let rows = json!({ "first": first, "rows": import_rows(&tenant) });
            let added = importer.post(&format!("/v1/imports/{tenant}/rows")).json(&rows).send().await;
            if fits {
                assert_eq!(added.expect(200).body["next"], first + 1, "{what}");
            } else {
                added.problem(413, "import_too_large");
            }
        }
    }
}

async fn secrets_go_to_people_and_leave_a_trace(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let machine = tenant.machine(&tenant.owner, "owner").await;
    let export = |actor: &Actor<'_>, query: &str| {
        actor.get(&format!("/v1/admin/export{query}")).tenant(&tenant.id).send()
    };
    let traces = async || {
        let listed = tenant.owner.get("/v1/admin/activity?action=tenant.exported").tenant(&tenant.id).send();
        listed.await.expect(200).body["data"].as_array().expect("a list").clone()
    };
    let webhook = format!("https://hooks.slack.com/services/{}", unique("x"));
    let config = json!({ "slack_webhook_url": webhook });
    tenant.owner.patch("/v1/tenant/config").tenant(&tenant.id).json(&config).send().await.expect(200);
    for query in ["", "?from=tenants"] {
        export(&machine, query).await.expect(200);
        export(&tenant.owner, query).await.expect(200);
    }
    assert!(traces().await.is_empty());
    for query in ["?secrets=true", "?secrets=true&from=tenants"] {
        export(&machine, query).await.problem(403, "session_required");
    }
    assert!(traces().await.is_empty());
    export(&tenant.owner, "?secrets=true").await.expect(200);
    let shown = export(&tenant.owner, "?secrets=true&from=tenants").await.expect(200);
    assert_eq!(shown.body["rows"][0]["row"]["config"]["slack_webhook_url"], webhook);
    let traces = traces().await;
    assert_eq!(traces.len(), 1, "{traces:?}");
    assert_eq!(
        (&traces[0]["actor_id"], &traces[0]["detail"]),
        (&json!(tenant.owner.id), &json!({ "secrets": true }))
    );
    // Another owner's is another one; and it is nothing to any other tenant.
    let second = Actor::register(target, "second").await;
    tenant.admit(&second, "owner").await;
    export(&second, "?secrets=true").await.expect(200);
    let exported = "SELECT count(*) FROM activity WHERE action = 'tenant.exported' AND";
    let by = |column: &str, id: &str| format!("{exported} {column} = '{id}'");
    assert_eq!(target.backdoor.count(&by("tenant_id", &tenant.id)).await, 2);
    assert_eq!(target.backdoor.count(&by("actor_id", &second.id)).await, 1);
}

/// What a part may have, and one more row.
const PART: usize = 1024 * 1024 + 64 * 1024;

async fn parts_of_an_export_and_of_the_activity_end_by_bytes(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (of, who) = (&tenant.id, &tenant.member.id);
    let task = tenant.task(&tenant.project("in_progress", None).await, "todo").await;
    // Three bytes each, and as many characters as a client may write.
    let body = "\u{20ac}".repeat(10_000);
    let comments: Vec<_> = (0..100)
        .map(|_| format!("('{of}', '{}', '{task}', '{who}', '{body}', {NOW}, {NOW}, 1)", new_id()))
        .collect();
    for some in comments.chunks(3) {
        let into = "comments (tenant_id, id, task_id, author_id, body, created_at, updated_at, version)";
        insert(target, into, some).await;
    }
    let (mut from, mut found, mut parts) = ("?from=comments".to_owned(), Vec::new(), 0);
    loop {
        let part = tenant.owner.get(&format!("/v1/admin/export{from}")).tenant(of).send().await.expect(200);
        assert!(part.body.to_string().len() < PART, "a part has {} bytes", part.body.to_string().len());
        let rows = part.body["rows"].as_array().expect("rows").clone();
        found
            .extend(rows.iter().filter(|row| row["table"] == "comments").map(|row| row["row"]["id"].clone()));
        parts += 1;
        match part.body["next"].as_str() {
            Some(next) if next.starts_with("comments") => from = format!("?from={next}"),
            _ => break,
        }
    }
    assert_eq!((found.len(), parts), (100, 3));
    found.dedup();
    assert_eq!(found.len(), 100, "each once");

    // Entries that fill more than two parts, sealed by the service.
    let detail = json!({ "comment": "x".repeat(15_000) }).to_string();
    let entries: Vec<_> = (0..180)
        .map(|_| {
            let id = new_id();
            format!("('{of}', '{id}', '{who}', 'a.b', 'c', '{id}', '{detail}', {NOW})")
        })
        .collect();
    for some in entries.chunks(6) {
        let into = "activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at)";
        insert(target, into, some).await;
    }
    // A change of the tenant's has the service look for what is to be sealed.
    tenant.owner.patch("/v1/tenant").tenant(of).json(&json!({ "name": "N" })).send().await.expect(200);
    let waiting = format!("SELECT count(*) FROM activity WHERE tenant_id = '{of}' AND seq IS NULL");
    target
        .until("all entries to be sealed", async || {
            provided(target.backdoor.count(&waiting).await, |waiting| *waiting == 0)
        })
        .await;
    let all = target.backdoor.count(&format!("SELECT count(*) FROM activity WHERE tenant_id = '{of}'")).await;
    let (mut query, mut checked, mut parts) = (String::new(), 0, 0);
    loop {
        let path = format!("/v1/admin/activity/verify{query}");
        let part = tenant.owner.get(&path).tenant(of).send().await.expect(200).body;
        assert!(part["valid"] == true && part["checked"].as_i64().expect("a number") <= 80, "{part}");
        checked += part["checked"].as_i64().expect("a number");
        parts += 1;
        if part["more"] != true {
            break;
        }
        let head = part["head"].as_str().expect("a head");
        query = format!("?head={head}");
    }
    assert_eq!((checked, parts), (all, 3));
}
