//! The public projects of a tenant.

use crate::{
    access::scopes::public_tenant::PublicTenantScope,
    api::{
        endpoint::Query,
        reply::{Json, List},
    },
    http::{page::Page, problem::Result},
    kernel::values::ProjectId,
    repository::catalogue::{Catalogue, CatalogueProject, CatalogueQuery},
};

pub(crate) async fn list(
    scope: PublicTenantScope,
    Query(query): Query<CatalogueQuery>,
) -> Result<List<Page<CatalogueProject>>> {
    scope.list(query).await.map(List)
}

pub(crate) async fn get(scope: PublicTenantScope, id: ProjectId) -> Result<Json<CatalogueProject>> {
    Catalogue::get(&scope, id).await.map(Json)
}
