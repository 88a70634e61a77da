//! Tenants: those of the caller, and the one that the request names.

use crate::{
    access::scopes::{account::AccountScope, tenant::TenantScope},
    api::{
        endpoint::{Body, Query},
        handlers::PageQuery,
        reply::{Created, List, NoContent, Versioned},
    },
    domain::tenant_config::{TenantConfig, TenantConfigPatch},
    http::{conditional::Part, page::Page, problem::Result},
    repository::{
        config::Configuration,
        tenants::{Confirmation, NewTenant, Settings, Tenancies, Tenant, TenantPatch},
    },
};

pub(crate) async fn create(account: AccountScope, Body(new): Body<NewTenant>) -> Result<Created<Tenant>> {
    account.create(new).await.map(Created)
}

pub(crate) async fn list(account: AccountScope, Query(page): Query<PageQuery>) -> Result<List<Page<Tenant>>> {
    account.list(page.limit, page.cursor).await.map(List)
}

pub(crate) async fn get(scope: TenantScope) -> Result<Versioned<Tenant>> {
    scope.settings().get().await.map(Versioned)
}

pub(crate) async fn update(scope: TenantScope, Body(patch): Body<TenantPatch>) -> Result<Versioned<Tenant>> {
    scope.settings().update(patch).await.map(Versioned)
}

pub(crate) async fn delete(
    scope: TenantScope,
    Query(confirmation): Query<Confirmation>,
) -> Result<NoContent> {
    scope.settings().delete(confirmation).await.map(|()| NoContent)
}

pub(crate) async fn config(scope: TenantScope) -> Result<Versioned<Part<TenantConfig>>> {
    scope.config().get().await.map(Versioned)
}

pub(crate) async fn configure(
    scope: TenantScope,
    Body(patch): Body<TenantConfigPatch>,
) -> Result<Versioned<Part<TenantConfig>>> {
    scope.config().update(patch).await.map(Versioned)
}
