//! A tenant that has heaped up much of everything.

use bailiwick_tests::{
    actors::{Tenant, new_id},
    targets::Target,
};

use super::rows::{NOW, Owned, insert, rows};

/// Rows of each table: what visits them all visits more than any request may.
pub(crate) const MANY: usize = 1_200;

/// One at which nothing is due.
const NEVER: &str = "'2100-01-01T00:00:00.000Z'";

/// Makes it.
pub(crate) async fn make(target: &'static Target) -> Tenant<'static> {
    let tenant = Tenant::create(target).await;
    let backdoor = &target.backdoor;
    let own = Owned { tenant: tenant.id.clone(), owner: tenant.owner.id.clone() };
    let of = &tenant.id;
    own.projects_without_words(backdoor, MANY / 4).await;
    let task = own.tasks(backdoor, MANY, 0).await;
    own.entries(backdoor, MANY).await;
    own.notifications(backdoor, MANY, "NULL").await;
    let owner = &tenant.owner.id;
    let into = "comments (tenant_id, id, task_id, author_id, body, created_at, updated_at, version)";
    let comment = |id| format!("('{of}', '{id}', '{task}', '{owner}', 'A comment', {NOW}, {NOW}, 1)");
    insert(backdoor, into, &rows(MANY, comment)).await;
    let into = "deliveries (tenant_id, id, channel, kind, title, body, subject_type, subject_id, state, attempts, \
                next_attempt_at, created_at)";
    let delivery = |id| {
        format!(
            "('{of}', '{id}', 'slack', 'approved', 'T', '', 'project', '{id}', 'pending', 0, {NEVER}, {NOW})"
        )
    };
    insert(backdoor, into, &rows(MANY, delivery)).await;
    // Of what belongs to no tenant, too.
    let into = "users (id, email, name, password_hash, created_at, updated_at, version)";
    let user = |id| format!("('{id}', '{id}@example.com', 'U', 'x', {NOW}, {NOW}, 1)");
    insert(backdoor, into, &rows(MANY, user)).await;
    let into = "identities (id, user_id, issuer, subject, created_at)";
    let identity = |id| format!("('{id}', '{owner}', 'https://id.example', '{id}', {NOW})");
    insert(backdoor, into, &rows(MANY, identity)).await;
    let import = new_id();
    backdoor
        .sql(&format!(
            "INSERT INTO imports (tenant_id, user_id, state, next_line, digest, created_at, updated_at) \
             VALUES ('{import}', '{owner}', '{{}}', {MANY}, '', {NEVER}, {NEVER})"
        ))
        .await;
    let lines: Vec<_> = (0..MANY)
        .map(|line| format!("('{import}', '{owner}', {line}, 'tasks', 'tasks {}', '{{}}')", new_id()))
        .collect();
    insert(backdoor, "import_rows (tenant_id, user_id, line, kind, name, content)", &lines).await;
    tenant
}
