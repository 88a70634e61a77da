//! The view of a whole tenant that its owners have.

use crate::{
    access::scopes::{account::AccountScope, tenant::TenantScope},
    api::{
        endpoint::Query,
        handlers::PageQuery,
        reply::{Done, Json, List},
    },
    http::{page::Page, problem::Result},
    kernel::values::DeliveryId,
    repository::{
        admin::{Activity, ActivityQuery, Admin, Holdings, OwnedTenant, Statistics},
        chain::{Chain, ChainQuery, Verification},
        deliveries::{Deliveries, Delivery, DeliveryQuery},
        quotas::{Quotas, Usage},
    },
};

pub(crate) async fn statistics(scope: TenantScope) -> Result<Json<Statistics>> {
    scope.admin().statistics().await.map(Json)
}

pub(crate) async fn usage(scope: TenantScope) -> Result<Json<Usage>> {
    scope.quotas().usage().await.map(Json)
}

pub(crate) async fn activity(
    scope: TenantScope,
    Query(query): Query<ActivityQuery>,
) -> Result<List<Page<Activity>>> {
    scope.admin().activity(query).await.map(List)
}

pub(crate) async fn verify_activity(
    scope: TenantScope,
    Query(query): Query<ChainQuery>,
) -> Result<Json<Verification>> {
    scope.chain().verify(query).await.map(Json)
}

pub(crate) async fn tenants(
    account: AccountScope,
    Query(page): Query<PageQuery>,
) -> Result<List<Page<OwnedTenant>>> {
    account.owned(page.limit, page.cursor).await.map(List)
}

pub(crate) async fn deliveries(
    scope: TenantScope,
    Query(query): Query<DeliveryQuery>,
) -> Result<List<Page<Delivery>>> {
    scope.deliveries().list(query).await.map(List)
}

pub(crate) async fn retry_delivery(scope: TenantScope, id: DeliveryId) -> Result<Done<Delivery>> {
    scope.deliveries().retry(id).await.map(Done)
}
