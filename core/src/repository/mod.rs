//! The repositories, and their statements. A repository is a view of a scope (of a tenant, of an account, the anonymous
//! one), so every call says on whose behalf it is made.
//!
//! Statements are private to this module; only the scope binds `?1` of a tenant's statement.

pub(crate) mod account_deletion;
pub(crate) mod activity;
pub mod admin;
pub mod api_keys;
pub(crate) mod audience;
pub mod catalogue;
pub mod chain;
pub mod comments;
pub mod config;
pub(crate) mod content;
pub mod deliveries;
pub(crate) mod identities;
pub mod included;
pub mod invitations;
pub mod members;
pub(crate) mod memberships;
pub(crate) mod mentions;
pub mod notifications;
pub mod operator;
pub mod people;
pub(crate) mod placeholders;
pub(crate) mod project_lists;
pub mod projects;
pub mod quotas;
pub(crate) mod removal;
pub(crate) mod resets;
pub(crate) mod retention;
pub mod search;
pub(crate) mod service;
pub(crate) mod sessions;
pub(crate) mod sizes;
pub mod tasks;
pub mod tenants;
pub mod transfer;
pub mod transitions;
pub mod users;

use serde_json::Value as Json;

use crate::{
    access::{batch::Batch, checks, paging::Paging, scopes::tenant::TenantScope, stored_answers},
    http::{
        page::{Cursor, PageSize},
        problem::{Code, Result},
    },
    kernel::sql::Sql,
    repository::activity::Event,
};

/// Every statement of the product.
pub const CATALOGUE: &[&[&Sql]] = &[
    checks::ALL,
    stored_answers::ALL,
    account_deletion::ALL,
    activity::ALL,
    admin::ALL,
    api_keys::ALL,
    catalogue::ALL,
    chain::ALL,
    comments::ALL,
    config::ALL,
    deliveries::ALL,
    identities::ALL,
    invitations::ALL,
    memberships::ALL,
    members::ALL,
    notifications::ALL,
    operator::ALL,
    removal::ALL,
    operator::users::ALL,
    people::ALL,
    placeholders::ALL,
    projects::ALL,
    project_lists::ALL,
    quotas::ALL,
    resets::ALL,
    retention::ALL,
    search::ALL,
    service::ALL,
    sessions::ALL,
    sizes::ALL,
    tasks::ALL,
    tasks::bulk::ALL,
    tasks::lists::ALL,
    tenants::ALL,
    transitions::ALL,
    users::ALL,
    transfer::import::ALL,
    transfer::finish::ALL,
    transfer::giving_up::ALL,
    transfer::tables::ALL,
];

/// Decides and writes again, a few times, if a concurrent change has made the decision outdated. An attempt that fails
/// with a conflict has written nothing. If several clients change different fields of one resource at the same time,
/// each succeeds after at most as many attempts as there are clients.
async fn repeat<T, F: Future<Output = Result<T>>>(attempt: impl Fn() -> F) -> Result<T> {
    let mut left = 6;
    loop {
        left -= 1;
        match attempt().await {
            Err(problem) if problem.code == Code::Conflict && left > 0 => {}
            outcome => return outcome,
        }
    }
}

/// The one implementation of a tenant's repositories.
#[derive(Clone, Copy)]
pub(crate) struct Repository<'a> {
    scope: &'a TenantScope,
}

impl<'a> Repository<'a> {
    /// Adds the entry of the activity log about a change to its batch.
    fn record(self, batch: &mut Batch<'_>, mut event: Event) -> Result<()> {
        self.note_key(&mut event);
        activity::record(batch, self.scope.services(), self.scope.user(), event)
    }

    /// Adds the entries about several changes to their batch, in this order.
    fn record_each(self, batch: &mut Batch<'_>, mut events: Vec<Event>) -> Result<()> {
        for event in &mut events {
            self.note_key(event);
        }
        activity::record_each(batch, self.scope.services(), self.scope.user(), events)
    }

    fn note_key(self, event: &mut Event) {
        if let (Some(key), Json::Object(detail)) = (self.scope.key(), &mut event.detail) {
            detail.insert("api_key_id".to_owned(), key.into());
        }
    }

    /// Reads the parameters of a page. A cursor is valid only for its owner.
    fn paging(
        self,
        list: &'static str,
        filters: &[Option<&str>],
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> Result<Paging<'a>> {
        let user = self.scope.user().to_string();
        let filters = [filters, &[Some(user.as_str())]].concat();
        Paging::new(self.scope.services(), list, self.scope.tenant().0, &filters, size, cursor)
    }
}

macro_rules! repositories {
    ($($(#[$meta:meta])* $name:ident: $repository:path;)+) => {
        impl TenantScope {
            $($(#[$meta])* pub fn $name(&self) -> impl $repository + '_ {
                Repository { scope: self }
            })+
        }
    };
}

repositories! {
    /// The owners' view of the tenant as a whole.
    admin: admin::Admin;
    /// The API keys.
    api_keys: api_keys::ApiKeys;
    /// The chain of the tenant's activity.
    chain: chain::Chain;
    /// The comments on tasks.
    comments: comments::Comments;
    /// The tenant's configuration.
    config: config::Configuration;
    /// The limits of the tenant.
    quotas: quotas::Quotas;
    /// The deliveries of the tenant.
    deliveries: deliveries::Deliveries;
    /// The invitations.
    invitations: invitations::Invitations;
    /// The members.
    members: members::Members;
    /// The notifications of the user.
    notifications: notifications::Notifications;
    /// The current and former members.
    people: people::People;
    /// The projects.
    projects: projects::Projects;
    /// The tenant itself.
    settings: tenants::Settings;
    /// The tasks.
    tasks: tasks::Tasks;
    /// The export of the tenant.
    transfer: transfer::export::Exporting;
    /// The transitions of projects.
    transitions: transitions::Transitions;
}
