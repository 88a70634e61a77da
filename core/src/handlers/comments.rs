//! Comments on tasks.

use crate::{
    cursor::Page,
    dispatch::TenantScope,
    endpoint::{Body, Created, Json, List, NoContent, Query},
    handlers::PageQuery,
    problem::Result,
    repository::comments::{Comment, CommentPatch, Comments, NewComment},
    values::{CommentId, TaskId},
};

pub(crate) async fn list(
    scope: TenantScope,
    task: TaskId,
    Query(page): Query<PageQuery>,
) -> Result<List<Page<Comment>>> {
    scope.comments().list(task, page.limit, page.cursor).await.map(List)
}

pub(crate) async fn create(
    scope: TenantScope,
    task: TaskId,
    Body(new): Body<NewComment>,
) -> Result<Created<Comment>> {
    let body = scope.comments().create(task, new).await?;
    Ok(Created { location: format!("/v1/tasks/{task}/comments/{}", body.id), body })
}

pub(crate) async fn get(scope: TenantScope, task: TaskId, id: CommentId) -> Result<Json<Comment>> {
    scope.comments().get(task, id).await.map(Json)
}

pub(crate) async fn update(
    scope: TenantScope,
    task: TaskId,
    id: CommentId,
    Body(patch): Body<CommentPatch>,
) -> Result<Json<Comment>> {
    scope.comments().update(task, id, patch).await.map(Json)
}

pub(crate) async fn delete(scope: TenantScope, task: TaskId, id: CommentId) -> Result<NoContent> {
    scope.comments().delete(task, id).await.map(|()| NoContent)
}
