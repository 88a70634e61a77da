//! The account of the caller, its sessions, and its linked identities.

use crate::{
    cursor::Page,
    dispatch::Account,
    endpoint::{Body, Query},
    handlers::PageQuery,
    problem::Result,
    reply::{Created, List, NoContent, Versioned},
    repository::{
        account_deletion::Deletion,
        identities::{Identities, Identity, Link},
        sessions::{PasswordChange, Session, Sessions},
        users::{Profile, ProfilePatch, User},
    },
    values::{IdentityId, SessionId},
};

pub(crate) async fn get(account: Account) -> Result<Versioned<User>> {
    Profile::get(&account).await.map(Versioned)
}

pub(crate) async fn update(account: Account, Body(patch): Body<ProfilePatch>) -> Result<Versioned<User>> {
    account.update(patch).await.map(Versioned)
}

pub(crate) async fn delete(account: Account) -> Result<NoContent> {
    account.delete().await.map(|()| NoContent)
}

pub(crate) async fn change_password(
    account: Account,
    Body(change): Body<PasswordChange>,
) -> Result<NoContent> {
    account.change_password(change).await.map(|()| NoContent)
}

pub(crate) async fn sessions(account: Account, Query(page): Query<PageQuery>) -> Result<List<Page<Session>>> {
    account.sessions(page.limit, page.cursor).await.map(List)
}

pub(crate) async fn revoke_session(account: Account, id: SessionId) -> Result<NoContent> {
    account.revoke(id).await.map(|()| NoContent)
}

pub(crate) async fn revoke_sessions(account: Account) -> Result<NoContent> {
    account.revoke_all().await.map(|()| NoContent)
}

pub(crate) async fn identities(
    account: Account,
    Query(page): Query<PageQuery>,
) -> Result<List<Page<Identity>>> {
    account.identities(page.limit, page.cursor).await.map(List)
}

pub(crate) async fn link_identity(account: Account, Body(link): Body<Link>) -> Result<Created<Identity>> {
    account.link(link).await.map(Created)
}

pub(crate) async fn unlink_identity(account: Account, id: IdentityId) -> Result<NoContent> {
    account.unlink(id).await.map(|()| NoContent)
}
