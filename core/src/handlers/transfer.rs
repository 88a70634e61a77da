//! Export and import of tenants.

use crate::{
    dispatch::{Account, TenantScope},
    endpoint::{Body, Query},
    problem::Result,
    reply::{Json, NoContent},
    repository::{
        tenants::Tenant,
        transfer::{export::Exporting, import::Importing},
    },
    transfer::{Export, ExportQuery, Import, NewImport, Rows, Totals},
    values::TenantId,
};

pub(crate) async fn export(scope: TenantScope, Query(query): Query<ExportQuery>) -> Result<Json<Export>> {
    scope.transfer().export(query).await.map(Json)
}

pub(crate) async fn begin(account: Account, Body(new): Body<NewImport>) -> Result<Json<Import>> {
    account.begin_import(new).await.map(Json)
}

pub(crate) async fn add(account: Account, tenant: TenantId, Body(rows): Body<Rows>) -> Result<Json<Import>> {
    account.add_rows(tenant, rows).await.map(Json)
}

pub(crate) async fn finish(
    account: Account,
    tenant: TenantId,
    Body(totals): Body<Totals>,
) -> Result<Json<Tenant>> {
    account.finish_import(tenant, totals).await.map(Json)
}

pub(crate) async fn abort(account: Account, tenant: TenantId) -> Result<NoContent> {
    account.abort_import(tenant).await.map(|()| NoContent)
}
