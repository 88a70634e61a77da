//! Tenants on their way in: each is its importer's own business, also where two bring in the same one.

use bailiwick::verify::samples::{import_head, import_rows, import_totals};
use bailiwick_core::transfer::{Digest, canonical};
use bailiwick_tests::{
    actors::{Actor, Tenant, new_id, unique},
    client::Answer,
    provided,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("imports":
    of_two_who_bring_in_the_same_neither_sees_the_other,
    no_id_ends_like_that_of_another_tenant,
    nothing_comes_in_that_another_importer_has_brought,
    what_is_not_whole_is_nobodys_and_goes_on_or_goes,
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

/// More tasks than become rows of a tenant at once.
const TASKS: usize = 1_100;

/// All rows of a tenant with so many tasks.
fn many_rows(tenant: &str) -> Vec<Value> {
    let now = "2026-01-01T00:00:00.000Z";
    let (user, project) = (new_id(), new_id());
    let row = |table: &str, row: Value| {
        let mut row = row;
        for (name, value) in [("created_at", json!(now)), ("updated_at", json!(now)), ("version", json!(1))] {
            row[name] = value;
        }
        json!({ "table": table, "row": row })
    };
    let email = format!("{user}@example.com");
    let mut rows = vec![row(
        "users",
        json!({ "id": user, "email": email, "imported_email": null, "name": "Somebody", "password_hash": null, "disabled_at": null }),
    )];
    let mut own = import_rows(tenant)[0].clone();
    own["row"]["created_by"] = json!(user);
    rows.push(own);
    rows.push(row(
        "projects",
        json!({
            "id": project, "name": "Bridge", "description": "", "status": "approved", "visibility": "public",
            "created_by": user, "submitted_by": null, "revision": 1,
        }),
    ));
    let mut ids: Vec<_> = (0..TASKS).map(|_| new_id()).collect();
    ids.sort_unstable();
    rows.extend(ids.into_iter().map(|id| {
        let task = json!({
            "id": id, "project_id": project, "title": "Sample", "description": "", "status": "todo", "priority": "normal",
            "assignee_id": null, "due_on": null, "created_by": user,
        });
        row("tasks", task)
    }));
    rows
}

/// An import that has arrived whole, and whose last row was then made the same as the one before, which nobody could do from
/// outside: so it cannot be finished, unless that is mended.
struct Broken<'a> {
    importer: &'a Actor<'a>,
    tenant: &'a str,
    totals: Value,
    /// What the last row was.
    content: String,
}

impl<'a> Broken<'a> {
    async fn bring(importer: &'a Actor<'a>, tenant: &'a str, rows: &[Value]) -> Self {
        assert_eq!(begin(importer, tenant).await.expect(200).body["next"], 0);
        for (part, rows) in rows.chunks(200).enumerate() {
            let body = json!({ "first": part * 200, "rows": rows });
            importer.post(&format!("/v1/imports/{tenant}/rows")).json(&body).send().await.expect(200);
        }
        let head = Digest::of_head(&import_head(tenant));
        let digest = rows.iter().fold(head, |digest, row| digest.and(&canonical(row)));
        let totals = json!({ "rows": rows.len(), "sha256": digest.as_str() });
        let mut this = Self { importer, tenant, totals, content: String::new() };
        this.content = this.content_of(rows.len() - 1).await;
        this.put(&this.content_of(rows.len() - 2).await).await;
        this.finish().await.problem(409, "import_mismatch");
        this
    }

    async fn content_of(&self, line: usize) -> String {
        let sql =
            format!("SELECT content FROM import_rows WHERE tenant_id = '{}' AND line = {line}", self.tenant);
        let rows = self.importer.target.backdoor.sql(&sql).await;
        rows[0][0].clone().expect("content")
    }

    /// Has the last row be this.
    async fn put(&self, content: &str) {
        let last = self.totals["rows"].as_u64().expect("a number") - 1;
        let sql = format!(
            "UPDATE import_rows SET content = '{content}' WHERE tenant_id = '{}' AND line = {last}",
            self.tenant
        );
        self.importer.target.backdoor.sql(&sql).await;
    }

    async fn mend(&self) {
        self.put(&self.content).await;
    }

    async fn finish(&self) -> Answer {
        self.importer.post(&format!("/v1/imports/{}/finish", self.tenant)).json(&self.totals).send().await
    }

    /// Rows of it that are in a table.
    async fn count(&self, table: &str, column: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table} WHERE {column} = '{}'", self.tenant);
        self.importer.target.backdoor.count(&sql).await
    }

    /// Ends it, and waits until nothing is left.
    async fn give_up(&self) {
        self.importer.delete(&format!("/v1/imports/{}", self.tenant)).send().await.expect(204);
        self.importer
            .target
            .until("nothing to be left", async || {
                provided(self.count("tenants", "id").await, |left| *left == 0)
            })
            .await;
        for table in ["tasks", "projects", "import_rows", "imports", "limits"] {
            assert_eq!(self.count(table, "tenant_id").await, 0, "{table}");
        }
        assert_eq!(self.count("users", "imported_into").await, 0);
    }
}

/// A large import becomes a tenant in pieces, between which others write. What was broken off in between is seen by nobody, is
/// not taken for a tenant that was deleted, goes on when it is asked for again, and is gone when it is given up.
async fn what_is_not_whole_is_nobodys_and_goes_on_or_goes(target: &'static Target) {
    let (importer, stranger) =
        tokio::join!(Actor::register(target, "importer"), Actor::register(target, "stranger"));
    let id = new_id();
    let (slug, rows) = (format!("i-{id}"), many_rows(&id));
    begin(&stranger, &id).await.expect(200);
    add(&stranger, &id).await.expect(200);
    let broken = Broken::bring(&importer, &id, &rows).await;
    let some = broken.count("tasks", "tenant_id").await;
    assert!(some > 0 && some < i64::try_from(TASKS).expect("a number"), "it is not in pieces: {some}");

    importer.get("/v1/tenant").tenant(&id).send().await.problem(403, "not_a_member");
    importer.get("/v1/tenant").slug(&slug).send().await.problem(403, "not_a_member");
    importer.get("/v1/catalog/projects").tenant(&id).send().await.problem(404, "tenant_not_found");
    let theirs = importer.get("/v1/tenants").send().await.expect(200);
    assert_eq!(theirs.body["data"], json!([]));
    let more = json!({ "first": rows.len(), "rows": [rows.last()] });
    importer.post(&format!("/v1/imports/{id}/rows")).json(&more).send().await.problem(409, "conflict");
    // Who brings in the same comes too late, and takes nothing away.
    let finish = stranger.post(&format!("/v1/imports/{id}/finish")).json(&import_totals(&id)).send().await;
    assert_eq!(finish.status, 409, "{finish:?}");
    stranger.delete(&format!("/v1/imports/{id}")).send().await.expect(204);
    // A tenant that was deleted goes meanwhile, and this one does not.
    let (other, then) = (new_id(), "2026-01-01T00:00:00.000Z");
    let sql = format!(
        "INSERT INTO tenants (id, slug, name, created_at, updated_at, version, suspended_at, deleted_at) \
         VALUES ('{other}', 'd-{other}', 'Deleted', '{then}', '{then}', 1, '{then}', '{then}')"
    );
    target.backdoor.sql(&sql).await;
    let gone = format!("SELECT count(*) FROM tenants WHERE id = '{other}'");
    let none = async || provided(target.backdoor.count(&gone).await, |left| *left == 0);
    target.until("the other tenant to be gone", none).await;
    assert_eq!(broken.count("tasks", "tenant_id").await, some);

    broken.mend().await;
    broken.finish().await.expect(200);
    assert_eq!(broken.count("tasks", "tenant_id").await, i64::try_from(TASKS).expect("a number"));
    for table in ["import_rows", "imports", "limits"] {
        assert_eq!(broken.count(table, "tenant_id").await, 0, "{table}");
    }
    importer.get("/v1/tenant").tenant(&id).send().await.expect(200);
    let made = importer.get("/v1/projects").tenant(&id).send().await.expect(200);
    assert_eq!(made.body["data"].as_array().map(Vec::len), Some(1));

    // One of which something was removed, by whatever takes it for a tenant that was deleted, is not shown. Nor is anything
    // left of it when it is given up.
    let id = new_id();
    let broken = Broken::bring(&importer, &id, &many_rows(&id)).await;
    target.backdoor.sql(&format!("DELETE FROM limits WHERE tenant_id = '{id}'")).await;
    broken.mend().await;
    broken.finish().await.problem(409, "conflict");
    importer.get("/v1/tenant").tenant(&id).send().await.problem(403, "not_a_member");
    broken.give_up().await;
}
