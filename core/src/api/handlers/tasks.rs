//! Tasks: of one project, and of all projects.

use crate::{
    access::scopes::tenant::TenantScope,
    api::{
        endpoint::{Body, Query},
        reply::{Created, Done, List, NoContent, Versioned},
    },
    http::{page::CountedPage, problem::Result},
    kernel::values::{ProjectId, TaskId},
    repository::tasks::{
        Tasks,
        bulk::{TaskOperations, TaskOutcomes},
        task::{NewTask, Task, TaskPatch, TaskQuery, TaskReading},
    },
};

pub(crate) async fn list(
    scope: TenantScope,
    Query(query): Query<TaskQuery>,
) -> Result<List<CountedPage<Task>>> {
    scope.tasks().list(None, query).await.map(List)
}

pub(crate) async fn list_of_project(
    scope: TenantScope,
    project: ProjectId,
    Query(query): Query<TaskQuery>,
) -> Result<List<CountedPage<Task>>> {
    scope.tasks().list(Some(project), query).await.map(List)
}

pub(crate) async fn create(
    scope: TenantScope,
    project: ProjectId,
    Body(new): Body<NewTask>,
) -> Result<Created<Task>> {
    scope.tasks().create(project, new).await.map(Created)
}

pub(crate) async fn get(
    scope: TenantScope,
    id: TaskId,
    Query(reading): Query<TaskReading>,
) -> Result<Versioned<Task>> {
    scope.tasks().read(id, reading.include).await.map(Versioned)
}

pub(crate) async fn update(
    scope: TenantScope,
    id: TaskId,
    Body(patch): Body<TaskPatch>,
) -> Result<Versioned<Task>> {
    scope.tasks().update(id, patch).await.map(Versioned)
}

pub(crate) async fn delete(scope: TenantScope, id: TaskId) -> Result<NoContent> {
    scope.tasks().delete(id).await.map(|()| NoContent)
}

pub(crate) async fn apply(
    scope: TenantScope,
    project: ProjectId,
    Body(TaskOperations { operations }): Body<TaskOperations>,
) -> Result<Done<TaskOutcomes>> {
    scope.tasks().apply(project, operations.0).await.map(Done)
}
