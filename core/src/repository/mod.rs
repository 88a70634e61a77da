//! What the database is asked, and the repositories that ask it. A repository is a view of a door (a tenant's scope,
//! an account, the lobby), so no call can be written that does not say on whose behalf.
//!
//! Statements are private to this module; `?1` of a tenant's statement is bound by its scope and by nothing else.

pub(crate) mod activity;
pub mod members;
pub(crate) mod memberships;
pub mod projects;
pub(crate) mod service;
pub mod tenants;
pub mod users;

pub use self::service::NEEDED_SCHEMA_VERSION;
use crate::{dispatch::TenantScope, sql::Sql};

/// Every statement there is.
pub const CATALOGUE: &[&[&Sql]] =
    &[activity::ALL, memberships::ALL, members::ALL, projects::ALL, service::ALL, tenants::ALL, users::ALL];

/// The one implementation of a tenant's repositories.
#[derive(Clone, Copy)]
pub(crate) struct Repository<'a> {
    scope: &'a TenantScope,
}

impl TenantScope {
    /// The tenant's projects.
    pub fn projects(&self) -> impl projects::Projects + '_ {
        Repository { scope: self }
    }

    /// The tenant's members.
    pub fn members(&self) -> impl members::Members + '_ {
        Repository { scope: self }
    }

    /// The tenant itself.
    pub fn settings(&self) -> impl tenants::Settings + '_ {
        Repository { scope: self }
    }
}
