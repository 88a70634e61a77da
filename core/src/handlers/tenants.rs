//! Tenants: one's own, and the one that the request names.

use crate::{
    cursor::Page,
    dispatch::{Account, TenantScope},
    endpoint::{Body, Created, Json, Query},
    handlers::PageQuery,
    problem::Result,
    repository::tenants::{NewTenant, Settings, Tenancies, Tenant, TenantPatch},
};

pub(crate) async fn create(account: Account, Body(new): Body<NewTenant>) -> Result<Created<Tenant>> {
    let body = account.create(new).await?;
    Ok(Created { location: "/v1/tenant".to_owned(), body })
}

pub(crate) async fn list(account: Account, Query(page): Query<PageQuery>) -> Result<Json<Page<Tenant>>> {
    account.list(page.limit, page.cursor).await.map(Json)
}

pub(crate) async fn get(scope: TenantScope) -> Result<Json<Tenant>> {
    scope.settings().get().await.map(Json)
}

pub(crate) async fn update(scope: TenantScope, Body(patch): Body<TenantPatch>) -> Result<Json<Tenant>> {
    scope.settings().update(patch).await.map(Json)
}
