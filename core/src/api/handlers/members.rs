//! The members of a tenant.

use crate::{
    access::scopes::tenant::TenantScope,
    api::{
        endpoint::{Body, Query},
        handlers::CountedPageQuery,
        reply::{Json, List, NoContent, Versioned},
    },
    http::{page::CountedPage, problem::Result},
    kernel::values::UserId,
    repository::{
        members::{Member, MemberPatch, Members},
        people::{People, Person},
    },
};

pub(crate) async fn list(
    scope: TenantScope,
    Query(page): Query<CountedPageQuery>,
) -> Result<List<CountedPage<Member>>> {
    scope.members().list(page.limit, page.cursor, page.count == Some(true)).await.map(List)
}

pub(crate) async fn me(scope: TenantScope) -> Result<Versioned<Member>> {
    scope.members().get(scope.user()).await.map(Versioned)
}

pub(crate) async fn leave(scope: TenantScope) -> Result<NoContent> {
    scope.members().leave().await.map(|()| NoContent)
}

pub(crate) async fn get(scope: TenantScope, user: UserId) -> Result<Versioned<Member>> {
    scope.members().get(user).await.map(Versioned)
}

pub(crate) async fn update(
    scope: TenantScope,
    user: UserId,
    Body(patch): Body<MemberPatch>,
) -> Result<Versioned<Member>> {
    scope.members().update(user, patch).await.map(Versioned)
}

pub(crate) async fn remove(scope: TenantScope, user: UserId) -> Result<NoContent> {
    scope.members().remove(user).await.map(|()| NoContent)
}

pub(crate) async fn person(scope: TenantScope, user: UserId) -> Result<Json<Person>> {
    scope.people().get(user).await.map(Json)
}
