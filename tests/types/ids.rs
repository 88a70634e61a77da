//! An id of one kind is not one of another. `ids/right.rs` is its twin, and compiles.

use bailiwick_core::{
    TenantScope,
    repository::{projects::Projects, tasks::Tasks},
    values::{ProjectId, TaskId},
};

async fn asked(scope: &TenantScope, project: ProjectId, task: TaskId) {
    let _ = scope.projects().get(task).await;
    let _ = scope.tasks().get(project).await;
}

fn renamed(task: TaskId) -> ProjectId {
    ProjectId(task.0)
}

fn main() {}
