//! Tenants on their way in: each is its importer's own business, also where two bring in the same one.

use bailiwick::isolation::samples::{import_head, import_rows, import_totals};
use bailiwick_tests::{
    actors::{Actor, Tenant, new_id, unique},
    client::Answer,
    provided,
    targets::Target,
};
use serde_json::json;

crate::cases!("imports":
    of_two_who_bring_in_the_same_neither_sees_the_other,
    no_id_ends_like_that_of_another_tenant,
    nothing_comes_in_that_another_importer_has_brought,
);

async fn begin(actor: &Actor<'_>, tenant: &str) -> Answer {
    actor.post("/v1/imports").json(&import_head(tenant)).send().await
}

async fn add(actor: &Actor<'_>, tenant: &str) -> Answer {
    let rows = json!({ "first": 0, "rows": import_rows(tenant) });
    actor.post(&format!("/v1/imports/{tenant}/rows")).json(&rows).send().await
}

async fn of_two_who_bring_in_the_same_neither_sees_the_other(target: &'static Target) {
    const LONG_AGO: &str = "'2026-01-01T00:00:00.000Z'";
    let (one, other) = tokio::join!(Actor::register(target, "one"), Actor::register(target, "other"));
    let third = Actor::register(target, "third").await;
    let tenant = new_id();
    for actor in [&one, &other, &third] {
        assert_eq!(begin(actor, &tenant).await.expect(200).body["next"], 0);
    }
    // Those who have one under way, and those whose import was dated anew.
    let known = async |more: &str| {
        let sql = format!("SELECT user_id FROM imports WHERE tenant_id = '{tenant}' {more}");
        let mut users: Vec<_> = target.backdoor.sql(&sql).await.into_iter().flatten().flatten().collect();
        users.sort_unstable();
        users
    };
    let sorted = |actors: &[&Actor<'_>]| {
        let mut ids: Vec<_> = actors.iter().map(|actor| actor.id.clone()).collect();
        ids.sort_unstable();
        ids
    };
    let fresh = format!("AND updated_at <> {LONG_AGO}");
    let age = format!("UPDATE imports SET updated_at = {LONG_AGO} WHERE tenant_id = '{tenant}'");
    target.backdoor.sql(&age).await;
    assert_eq!(add(&one, &tenant).await.expect(200).body["next"], 1);
    assert_eq!(known(&fresh).await, sorted(&[&one]));
    assert_eq!(begin(&other, &tenant).await.expect(200).body["next"], 0);
    assert_eq!(add(&other, &tenant).await.expect(200).body["next"], 1);

    let path = format!("/v1/imports/{tenant}");
    third.delete(&path).send().await.expect(204);
    assert_eq!(known("").await, sorted(&[&one, &other]));
    let finish =
        |actor: &Actor<'_>| actor.post(&format!("{path}/finish")).json(&import_totals(&tenant)).send();
    finish(&one).await.expect(200);
    assert_eq!(known("").await, sorted(&[&other]));
    assert_eq!(finish(&other).await.status, 409);
    other.delete(&path).send().await.expect(204);
    assert_eq!(known("").await, Vec::<String>::new());
    one.get("/v1/tenant").tenant(&tenant).send().await.expect(200);
    other.get("/v1/tenant").tenant(&tenant).send().await.problem(403, "not_a_member");
}

/// The words of a tenant are in the index of words under the end of its id, so of two that ended alike the searches of each
/// would go through the words of both.
async fn no_id_ends_like_that_of_another_tenant(target: &'static Target) {
    let (one, other) = tokio::join!(Actor::register(target, "one"), Actor::register(target, "other"));
    let victim = Tenant::create(target).await;
    let like = |id: &str| format!("{}{}", &new_id()[..28], &id[28..]);
    begin(&one, &like(&victim.id)).await.problem(409, "tenant_exists");
    // Nor of two that are on their way: who comes first has it.
    let first = new_id();
    let second = like(&first);
    for (actor, tenant) in [(&one, &first), (&other, &second)] {
        begin(actor, tenant).await.expect(200);
        add(actor, tenant).await.expect(200);
    }
    let finish = |actor: &Actor<'_>, tenant: &str| {
        actor.post(&format!("/v1/imports/{tenant}/finish")).json(&import_totals(tenant)).send()
    };
    finish(&one, &first).await.expect(200);
    finish(&other, &second).await.problem(409, "tenant_exists");
    // New ids end as chance will have it.
    let mut head = import_head(&second);
    head["new_ids"] = json!(true);
    other.post("/v1/imports").json(&head).send().await.expect(200);
}

async fn nothing_comes_in_that_another_importer_has_brought(target: &'static Target) {
    // Something of each kind, which somebody has as a file.
    let there = Tenant::create(target).await;
    let project = there.project("in_progress", None).await;
    let task = there.task(&project, "todo").await;
    there.comment(&task, &there.member.id).await;
    there.invitation().await;
    for _ in 0..2 {
        there.notification(&there.member.id).await;
    }
    there.api_key(&there.member.id).await;
    // Of the activity a file has what is sealed.
    let unsealed = format!("SELECT count(*) FROM activity WHERE tenant_id = '{}' AND seq IS NULL", there.id);
    let count = async || provided(target.backdoor.count(&unsealed).await, |count| *count == 0);
    target.until("its entries to be sealed", count).await;
    let (mut rows, mut from) = (Vec::new(), String::new());
    loop {
        let part =
            there.owner.get(&format!("/v1/admin/export{from}")).tenant(&there.id).send().await.expect(200);
        rows.extend(part.body["rows"].as_array().expect("rows").iter().cloned());
        match part.body["next"].as_str() {
            Some(next) => from = format!("?from={next}"),
            None => break,
        }
    }
    let delete = format!("/v1/tenant?confirm={}", there.slug);
    there.owner.delete(&delete).tenant(&there.id).send().await.expect(204);

    let (rich, poor) = tokio::join!(Actor::register(target, "rich"), Actor::register(target, "poor"));
    let mut head = import_head(&there.id);
    // Its own is kept for the one who deleted it.
    head["slug"] = json!(unique("moved"));
    rich.post("/v1/imports").json(&head).send().await.expect(200);
    let path = format!("/v1/imports/{}", there.id);
    let all = json!({ "first": 0, "rows": rows });
    rich.post(&format!("{path}/rows")).json(&all).send().await.expect(200);
    let sql = format!("SELECT DISTINCT kind FROM import_rows WHERE tenant_id = '{}'", there.id);
    assert!(target.backdoor.sql(&sql).await.len() >= 9, "there is a kind that it has nothing of");
    // Keys are brought in by the operator alone, who may have begun with the same tenant.
    let key = format!(
        "UPDATE import_rows SET kind = 'api_keys' WHERE tenant_id = '{0}' AND line = \
         (SELECT max(r.line) FROM import_rows r WHERE r.tenant_id = '{0}' AND r.kind = 'notifications')",
        there.id
    );
    target.backdoor.sql(&key).await;

    begin(&poor, &there.id).await.expect(200);
    add(&poor, &there.id).await.expect(200);
    poor.post(&format!("{path}/finish")).json(&import_totals(&there.id)).send().await.expect(200);
    let theirs = async |table: &str| {
        target.backdoor.count(&format!("SELECT count(*) FROM {table} WHERE tenant_id = '{}'", there.id)).await
    };
    for table in ["projects", "tasks", "comments", "invitations", "notifications", "api_keys"] {
        assert_eq!(theirs(table).await, 0, "{table}");
    }
    assert_eq!(theirs("memberships").await, 1);
    let entries = poor.get("/v1/admin/activity").tenant(&there.id).send().await.expect(200);
    assert_eq!(entries.body["data"].as_array().map(Vec::len), Some(1), "{:?}", entries.body);
}
