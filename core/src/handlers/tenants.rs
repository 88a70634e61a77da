//! Tenants: one's own, and the one that the request names.

use crate::{
    cursor::Page,
    dispatch::{Account, TenantScope},
    endpoint::{Body, Created, Json, List, NoContent, Query},
    handlers::PageQuery,
    problem::Result,
    repository::{
        config::Configuration,
        tenants::{Confirmation, NewTenant, Settings, Tenancies, Tenant, TenantPatch},
    },
    tenant_config::{TenantConfig, TenantConfigPatch},
};

pub(crate) async fn create(account: Account, Body(new): Body<NewTenant>) -> Result<Created<Tenant>> {
    let body = account.create(new).await?;
    Ok(Created { location: "/v1/tenant".to_owned(), body })
}

pub(crate) async fn list(account: Account, Query(page): Query<PageQuery>) -> Result<List<Page<Tenant>>> {
    account.list(page.limit, page.cursor).await.map(List)
}

pub(crate) async fn get(scope: TenantScope) -> Result<Json<Tenant>> {
    scope.settings().get().await.map(Json)
}

pub(crate) async fn update(scope: TenantScope, Body(patch): Body<TenantPatch>) -> Result<Json<Tenant>> {
    scope.settings().update(patch).await.map(Json)
}

pub(crate) async fn delete(
    scope: TenantScope,
    Query(confirmation): Query<Confirmation>,
) -> Result<NoContent> {
    scope.settings().delete(confirmation).await.map(|()| NoContent)
}

pub(crate) async fn config(scope: TenantScope) -> Result<Json<TenantConfig>> {
    scope.config().get().await.map(Json)
}

pub(crate) async fn configure(
    scope: TenantScope,
    Body(patch): Body<TenantConfigPatch>,
) -> Result<Json<TenantConfig>> {
    scope.config().update(patch).await.map(Json)
}
