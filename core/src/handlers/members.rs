//! The members of a tenant.

use crate::{
    cursor::Page,
    dispatch::TenantScope,
    endpoint::{Json, Query},
    handlers::PageQuery,
    problem::Result,
    repository::members::{Member, Members},
};

pub(crate) async fn list(scope: TenantScope, Query(page): Query<PageQuery>) -> Result<Json<Page<Member>>> {
    scope.members().list(page.limit, page.cursor).await.map(Json)
}
