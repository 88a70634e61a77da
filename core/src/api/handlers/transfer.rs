//! Export and import of tenants.

use crate::{
    access::scopes::{account::AccountScope, tenant::TenantScope},
    api::{
        endpoint::{Body, Query},
        reply::{Json, NoContent},
    },
    http::problem::Result,
    kernel::values::TenantId,
    repository::{
        tenants::Tenant,
        transfer::{
            export::Exporting,
            file::{Export, ExportQuery, Import, NewImport, Rows, Totals},
            import::Importing,
        },
    },
};

pub(crate) async fn export(scope: TenantScope, Query(query): Query<ExportQuery>) -> Result<Json<Export>> {
    scope.transfer().export(query).await.map(Json)
}

pub(crate) async fn begin(account: AccountScope, Body(new): Body<NewImport>) -> Result<Json<Import>> {
    account.begin_import(new).await.map(Json)
}

pub(crate) async fn add(
    account: AccountScope,
    tenant: TenantId,
    Body(rows): Body<Rows>,
) -> Result<Json<Import>> {
    account.add_rows(tenant, rows).await.map(Json)
}

pub(crate) async fn finish(
    account: AccountScope,
    tenant: TenantId,
    Body(totals): Body<Totals>,
) -> Result<Json<Tenant>> {
    account.finish_import(tenant, totals).await.map(Json)
}

pub(crate) async fn abort(account: AccountScope, tenant: TenantId) -> Result<NoContent> {
    account.abort_import(tenant).await.map(|()| NoContent)
}
