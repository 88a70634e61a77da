//! The twin of `ids.rs`, with each id where it belongs. That it compiles is all that is wanted of it.

use bailiwick_core::{
    TenantScope,
    repository::{projects::Projects, tasks::Tasks},
    values::{ProjectId, TaskId},
};

#[expect(dead_code, reason = "it is compiled, not called")]
async fn asked(scope: &TenantScope, project: ProjectId, task: TaskId) {
    let _ = scope.projects().get(project).await;
    let _ = scope.tasks().get(task).await;
}
