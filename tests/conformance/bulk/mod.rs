//! Many tasks at once: all of it happens, as if it were done one by one, or nothing does.

mod concurrent;
mod done;
mod fields;
mod refused;

use bailiwick_tests::{actors::Tenant, client::Answer};
use serde_json::{Value, json};

pub(crate) fn cases() -> Vec<crate::Case> {
    let mut all = done::cases();
    all.extend(fields::cases());
    all.extend(refused::cases());
    all.extend(concurrent::cases());
    all
}

async fn bulk(tenant: &Tenant<'_>, project: &str, operations: Value) -> Answer {
    let ask = tenant.member.post(&format!("/v1/projects/{project}/tasks/bulk")).tenant(&tenant.id);
    ask.json(&json!({ "operations": operations })).send().await
}

async fn read(tenant: &Tenant<'_>, task: &str) -> Answer {
    tenant.viewer.get(&format!("/v1/tasks/{task}")).tenant(&tenant.id).send().await
}

/// A column of all tasks of a project.
async fn column(tenant: &Tenant<'_>, project: &str, column: &str) -> Vec<String> {
    let sql = format!(
        "SELECT {column} FROM tasks WHERE tenant_id = '{}' AND project_id = '{project}' ORDER BY id",
        tenant.id
    );
    tenant.owner.target.backdoor.sql(&sql).await.into_iter().flatten().flatten().collect()
}

async fn tasks(tenant: &Tenant<'_>, project: &str, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(tenant.task(project, "todo").await);
    }
    all
}
