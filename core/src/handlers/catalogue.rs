//! The public projects of a tenant.

use crate::{
    cursor::Page,
    dispatch::Visitor,
    endpoint::Query,
    problem::Result,
    reply::{Json, List},
    repository::catalogue::{Catalogue, CatalogueProject, CatalogueQuery},
    values::ProjectId,
};

pub(crate) async fn list(
    visitor: Visitor,
    Query(query): Query<CatalogueQuery>,
) -> Result<List<Page<CatalogueProject>>> {
    visitor.list(query).await.map(List)
}

pub(crate) async fn get(visitor: Visitor, id: ProjectId) -> Result<Json<CatalogueProject>> {
    Catalogue::get(&visitor, id).await.map(Json)
}
