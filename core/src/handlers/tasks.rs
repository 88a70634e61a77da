//! Tasks: those of a project, and those of all.

use crate::{
    cursor::Page,
    dispatch::TenantScope,
    endpoint::{Body, Created, Json, List, NoContent, Query},
    problem::Result,
    repository::tasks::{NewTask, Task, TaskPatch, TaskQuery, Tasks},
    values::{ProjectId, TaskId},
};

pub(crate) async fn list(scope: TenantScope, Query(query): Query<TaskQuery>) -> Result<List<Page<Task>>> {
    scope.tasks().list(None, query).await.map(List)
}

pub(crate) async fn list_of_project(
    scope: TenantScope,
    project: ProjectId,
    Query(query): Query<TaskQuery>,
) -> Result<List<Page<Task>>> {
    scope.tasks().list(Some(project), query).await.map(List)
}

pub(crate) async fn create(
    scope: TenantScope,
    project: ProjectId,
    Body(new): Body<NewTask>,
) -> Result<Created<Task>> {
    let body = scope.tasks().create(project, new).await?;
    Ok(Created { location: format!("/v1/tasks/{}", body.id), body })
}

pub(crate) async fn get(scope: TenantScope, id: TaskId) -> Result<Json<Task>> {
    scope.tasks().get(id).await.map(Json)
}

pub(crate) async fn update(
    scope: TenantScope,
    id: TaskId,
    Body(patch): Body<TaskPatch>,
) -> Result<Json<Task>> {
    scope.tasks().update(id, patch).await.map(Json)
}

pub(crate) async fn delete(scope: TenantScope, id: TaskId) -> Result<NoContent> {
    scope.tasks().delete(id).await.map(|()| NoContent)
}
