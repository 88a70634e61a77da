//! API keys.

use crate::{
    access::scopes::tenant::TenantScope,
    api::{
        endpoint::{Body, Query},
        handlers::PageQuery,
        reply::{Created, List, NoContent, Versioned},
    },
    http::{page::Page, problem::Result},
    kernel::values::ApiKeyId,
    repository::api_keys::{ApiKey, ApiKeys, MadeApiKey, NewApiKey},
};

pub(crate) async fn list(scope: TenantScope, Query(page): Query<PageQuery>) -> Result<List<Page<ApiKey>>> {
    scope.api_keys().list(page.limit, page.cursor).await.map(List)
}

pub(crate) async fn create(scope: TenantScope, Body(new): Body<NewApiKey>) -> Result<Created<MadeApiKey>> {
    scope.api_keys().create(new).await.map(Created)
}

pub(crate) async fn get(scope: TenantScope, id: ApiKeyId) -> Result<Versioned<ApiKey>> {
    scope.api_keys().get(id).await.map(Versioned)
}

pub(crate) async fn revoke(scope: TenantScope, id: ApiKeyId) -> Result<NoContent> {
    scope.api_keys().revoke(id).await.map(|()| NoContent)
}
