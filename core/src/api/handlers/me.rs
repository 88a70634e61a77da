//! The account of the caller, its sessions, and its linked identities.

use crate::{
    access::scopes::account::AccountScope,
    api::{
        endpoint::{Body, Query},
        handlers::PageQuery,
        reply::{Created, List, NoContent, Versioned},
    },
    http::{page::Page, problem::Result},
    kernel::values::{IdentityId, SessionId},
    repository::{
        account_deletion::Deletion,
        identities::{Identities, Identity, Link},
        sessions::{PasswordChange, Session, Sessions},
        users::{Profile, ProfilePatch, User},
    },
};

pub(crate) async fn get(account: AccountScope) -> Result<Versioned<User>> {
    Profile::get(&account).await.map(Versioned)
}

pub(crate) async fn update(
    account: AccountScope,
    Body(patch): Body<ProfilePatch>,
) -> Result<Versioned<User>> {
    account.update(patch).await.map(Versioned)
}

pub(crate) async fn delete(account: AccountScope) -> Result<NoContent> {
    account.delete().await.map(|()| NoContent)
}

pub(crate) async fn change_password(
    account: AccountScope,
    Body(change): Body<PasswordChange>,
) -> Result<NoContent> {
    account.change_password(change).await.map(|()| NoContent)
}

pub(crate) async fn sessions(
    account: AccountScope,
    Query(page): Query<PageQuery>,
) -> Result<List<Page<Session>>> {
    account.sessions(page.limit, page.cursor).await.map(List)
}

pub(crate) async fn revoke_session(account: AccountScope, id: SessionId) -> Result<NoContent> {
    account.revoke(id).await.map(|()| NoContent)
}

pub(crate) async fn revoke_sessions(account: AccountScope) -> Result<NoContent> {
    account.revoke_all().await.map(|()| NoContent)
}

pub(crate) async fn identities(
    account: AccountScope,
    Query(page): Query<PageQuery>,
) -> Result<List<Page<Identity>>> {
    account.identities(page.limit, page.cursor).await.map(List)
}

pub(crate) async fn link_identity(
    account: AccountScope,
    Body(link): Body<Link>,
) -> Result<Created<Identity>> {
    account.link(link).await.map(Created)
}

pub(crate) async fn unlink_identity(account: AccountScope, id: IdentityId) -> Result<NoContent> {
    account.unlink(id).await.map(|()| NoContent)
}
