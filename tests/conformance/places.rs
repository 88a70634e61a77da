//! What a placeholder leaves to whoever takes its place: all that it has in its tenant, and nothing of any other's. And of
//! tenants that are deleted no placeholder stays, however many there are.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id, unique},
    provided,
    targets::Target,
};
use serde_json::json;

crate::cases!("places":
    who_takes_one_has_what_is_theirs_and_nothing_else,
    of_deleted_tenants_none_is_left,
);

const THEN: &str = "2026-01-01T00:00:00.000Z";
const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// Somebody who was brought in with a tenant, and what they have there: one of each.
struct Placeholder<'t> {
    tenant: &'t Tenant<'static>,
    id: String,
    rows: Vec<(&'static str, &'static str, String)>,
}

/// A row that stands for somebody of this address, among the accounts.
fn row(tenant: &str, id: &str, email: &str) -> String {
    format!("('{id}', '{id}@unclaimed.invalid', 'Said', '', '{tenant}', '{email}', '{THEN}', '{THEN}', 1)")
}

async fn insert(target: &Target, rows: &[String]) {
    let columns =
        "id, email, name, password_hash, imported_into, imported_email, created_at, updated_at, version";
    let sql = format!("INSERT INTO users ({columns}) VALUES {}", rows.join(", "));
    target.backdoor.sql(&sql).await;
}

impl<'t> Placeholder<'t> {
    async fn of(tenant: &'t Tenant<'static>, email: &str) -> Self {
        let (target, id) = (tenant.owner.target, new_id());
        insert(target, &[row(&tenant.id, &id, email)]).await;
        let placeholder = Actor { id: id.clone(), ..Actor::anonymous(target) };
        tenant.admit(&placeholder, "member").await;
        tenant.set(&placeholder, "imported_at", THEN).await;
        let project = tenant.project("submitted", Some(&id)).await;
        let task = tenant.task(&project, "todo").await;
        let rows = vec![
            ("projects", "created_by, submitted_by", project),
            ("tasks", "created_by, assignee_id", task.clone()),
            ("comments", "author_id", tenant.comment(&task, &id).await),
            ("invitations", "invited_by, accepted_by", tenant.invitation().await),
            ("notifications", "recipient_id", tenant.notification(&id).await),
        ];
        for (table, columns, row) in &rows {
            let set: Vec<_> = columns.split(", ").map(|column| format!("{column} = '{id}'")).collect();
            let sql = format!("UPDATE {table} SET {} WHERE id = '{row}'", set.join(", "));
            target.backdoor.sql(&sql).await;
        }
        Self { tenant, id, rows }
    }

    /// Whose all of it is, and how often it was changed.
    async fn whose(&self) -> Vec<String> {
        let backdoor = &self.tenant.owner.target.backdoor;
        let mut found = Vec::new();
        for (table, columns, row) in &self.rows {
            let version = if matches!(*table, "projects" | "tasks" | "comments") { ", version" } else { "" };
            let sql = format!("SELECT {columns}{version} FROM {table} WHERE id = '{row}'");
            found.extend(backdoor.sql(&sql).await.into_iter().flatten().flatten());
        }
        found
    }

    /// Whether it stands for somebody, and is a member.
    async fn stands(&self) -> [bool; 2] {
        let backdoor = &self.tenant.owner.target.backdoor;
        let known =
            format!("SELECT count(*) FROM users WHERE id = '{}' AND imported_email IS NOT NULL", self.id);
        let member = format!("SELECT count(*) FROM memberships WHERE user_id = '{}'", self.id);
        [backdoor.count(&known).await == 1, backdoor.count(&member).await == 1]
    }
}

/// All of it is somebody's, and was changed so often.
fn all_of(id: &str, changes: [u32; 3]) -> Vec<String> {
    let [project, task, comment] = changes.map(|changes| (1 + changes).to_string());
    let id = id.to_owned();
    let (two, one) = (vec![id.clone(); 2], vec![id.clone()]);
    [two.clone(), vec![project], two.clone(), vec![task], one, vec![comment], two, vec![id]].concat()
}

async fn founded(target: &Target, tenant: &str, by: &str) {
    target.backdoor.sql(&format!("UPDATE tenants SET created_by = '{by}' WHERE id = '{tenant}'")).await;
}

async fn founder(target: &Target, tenant: &str) -> Option<String> {
    target
        .backdoor
        .sql(&format!("SELECT created_by FROM tenants WHERE id = '{tenant}'"))
        .await
        .remove(0)
        .remove(0)
}

async fn who_takes_one_has_what_is_theirs_and_nothing_else(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let third = Tenant::create(target).await;
    // Those who are looked for first, if anybody looks for others: another account's here, and the same address elsewhere.
    let earlier = Actor::register(target, "a").await;
    let guest = Actor::register(target, "guest").await;
    let elsewhere = Placeholder::of(&other, &guest.email).await;
    let anothers = Placeholder::of(&tenant, &earlier.email).await;
    let theirs = Placeholder::of(&tenant, &guest.email).await;
    for (of, by) in [(&tenant, &theirs), (&other, &elsewhere), (&third, &theirs)] {
        founded(target, &of.id, &by.id).await;
    }
    let invitation = json!({ "token": tenant.invite(&tenant.owner, &guest.email).await });
    guest.post("/v1/invitations/accept").json(&invitation).send().await.expect(200);

    assert_eq!(theirs.whose().await, all_of(&guest.id, [2, 2, 1]));
    assert_eq!(theirs.stands().await, [false, false]);
    for of in [&anothers, &elsewhere] {
        assert_eq!(of.whose().await, all_of(&of.id, [0, 0, 0]));
        assert_eq!(of.stands().await, [true, true]);
    }
    assert_eq!(founder(target, &tenant.id).await.as_ref(), Some(&guest.id));
    assert_eq!(founder(target, &other.id).await.as_ref(), Some(&elsewhere.id));
    assert_eq!(founder(target, &third.id).await.as_ref(), Some(&theirs.id));
    // Who takes nobody's place has founded nothing.
    let invitation = json!({ "token": third.invite(&third.owner, &earlier.email).await });
    earlier.post("/v1/invitations/accept").json(&invitation).send().await.expect(200);
    assert_eq!(founder(target, &third.id).await.as_ref(), Some(&theirs.id));
    // Of all members they alone have been somebody else before.
    let been = "SELECT user_id, imported_id FROM memberships WHERE imported_id IS NOT NULL AND tenant_id";
    let been = target.backdoor.sql(&format!("{been} IN ('{}', '{}')", tenant.id, other.id)).await;
    assert_eq!(been, [[Some(guest.id.clone()), Some(theirs.id.clone())]]);

    // With a tenant its people go, and nobody else.
    let path = format!("/v1/tenant?confirm={}", other.slug);
    other.owner.delete(&path).tenant(&other.id).send().await.expect(204);
    let said = async |id: &str| {
        let sql = format!("SELECT name, imported_into, imported_email FROM users WHERE id = '{id}'");
        target.backdoor.sql(&sql).await.remove(0)
    };
    let gone = async || {
        provided(said(&elsewhere.id).await, |said| {
            *said == [Some("-".to_owned()), Some(NIL.to_owned()), None]
        })
    };
    target.until("nothing to be said of who came with it", gone).await;
    let still = [Some("Said".to_owned()), Some(tenant.id.clone()), Some(earlier.email.clone())];
    assert_eq!(said(&anothers.id).await, still);
    assert_eq!(said(&guest.id).await[1..], [None, None]);
}

/// More than one batch takes, and of one of them still more.
async fn of_deleted_tenants_none_is_left(target: &'static Target) {
    let (one, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    for (tenant, count) in [(&one, 650), (&other, 1_300)] {
        let rows: Vec<_> = (0..count).map(|_| row(&tenant.id, &new_id(), &unique("said"))).collect();
        // D1 takes no longer statements.
        for some in rows.chunks(250) {
            insert(target, some).await;
        }
    }
    for tenant in [&one, &other] {
        let path = format!("/v1/tenant?confirm={}", tenant.slug);
        tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    }
    for tenant in [&one, &other] {
        let gone = format!("SELECT count(*) FROM tenants WHERE id = '{}'", tenant.id);
        let look = async || provided(target.backdoor.count(&gone).await, |count| *count == 0);
        target.until("the tenant to be gone", look).await;
        let left = format!("SELECT count(*) FROM users WHERE imported_into = '{}'", tenant.id);
        assert_eq!(target.backdoor.count(&left).await, 0);
    }
}
