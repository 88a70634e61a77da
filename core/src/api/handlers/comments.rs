//! Comments on tasks.

use crate::{
    access::scopes::tenant::TenantScope,
    api::{
        endpoint::{Body, Query},
        reply::{Created, List, NoContent, Versioned},
    },
    http::{page::CountedPage, problem::Result},
    kernel::values::{CommentId, TaskId},
    repository::comments::{Comment, CommentPatch, CommentQuery, CommentReading, Comments, NewComment},
};

pub(crate) async fn list(
    scope: TenantScope,
    task: TaskId,
    Query(query): Query<CommentQuery>,
) -> Result<List<CountedPage<Comment>>> {
    scope.comments().list(task, query).await.map(List)
}

pub(crate) async fn create(
    scope: TenantScope,
    task: TaskId,
    Body(new): Body<NewComment>,
) -> Result<Created<Comment>> {
    scope.comments().create(task, new).await.map(Created)
}

pub(crate) async fn get(
    scope: TenantScope,
    task: TaskId,
    id: CommentId,
    Query(reading): Query<CommentReading>,
) -> Result<Versioned<Comment>> {
    scope.comments().read(task, id, reading.include).await.map(Versioned)
}

pub(crate) async fn update(
    scope: TenantScope,
    task: TaskId,
    id: CommentId,
    Body(patch): Body<CommentPatch>,
) -> Result<Versioned<Comment>> {
    scope.comments().update(task, id, patch).await.map(Versioned)
}

pub(crate) async fn delete(scope: TenantScope, task: TaskId, id: CommentId) -> Result<NoContent> {
    scope.comments().delete(task, id).await.map(|()| NoContent)
}
