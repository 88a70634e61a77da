//! Invitations: creating them, and accepting them.

use crate::{
    access::scopes::{account::AccountScope, tenant::TenantScope},
    api::{
        endpoint::{Body, Query},
        handlers::PageQuery,
        reply::{Created, Done, List, NoContent, Versioned},
    },
    http::{page::Page, problem::Result},
    kernel::values::InvitationId,
    repository::{
        invitations::{Acceptance, Invitation, Invitations, Joining, MadeInvitation, NewInvitation},
        tenants::Tenant,
    },
};

pub(crate) async fn list(
    scope: TenantScope,
    Query(page): Query<PageQuery>,
) -> Result<List<Page<Invitation>>> {
    scope.invitations().list(page.limit, page.cursor).await.map(List)
}

pub(crate) async fn create(
    scope: TenantScope,
    Body(new): Body<NewInvitation>,
) -> Result<Created<MadeInvitation>> {
    scope.invitations().create(new).await.map(Created)
}

pub(crate) async fn get(scope: TenantScope, id: InvitationId) -> Result<Versioned<Invitation>> {
    scope.invitations().get(id).await.map(Versioned)
}

pub(crate) async fn revoke(scope: TenantScope, id: InvitationId) -> Result<NoContent> {
    scope.invitations().revoke(id).await.map(|()| NoContent)
}

pub(crate) async fn accept(
    account: AccountScope,
    Body(acceptance): Body<Acceptance>,
) -> Result<Done<Tenant>> {
    account.accept(acceptance).await.map(Done)
}
