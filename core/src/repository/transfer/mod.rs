//! Tenants that are moved from one database to another: by an export ([`export`]) and an import ([`import`]). One table
//! lists their parts ([`tables`]).

pub(crate) mod arrival;
pub(crate) mod checks;
pub mod export;
pub mod file;
pub(crate) mod finish;
pub(crate) mod giving_up;
pub mod import;
pub(crate) mod tables;

use crate::kernel::sql::Sql;
#[cfg(feature = "openapi")]
pub use crate::repository::transfer::tables::{LEFT, moved, tables};

/// The statements of each table.
pub(super) const ALL: [&[&Sql]; 13] = [
    import::ALL,
    finish::ALL,
    giving_up::ALL,
    tables::users::ALL,
    tables::tenants::ALL,
    tables::memberships::ALL,
    tables::projects::ALL,
    tables::tasks::ALL,
    tables::comments::ALL,
    tables::invitations::ALL,
    tables::notifications::ALL,
    tables::activity::ALL,
    tables::api_keys::ALL,
];
