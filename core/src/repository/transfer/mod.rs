//! Tenants that are moved from one database to another: on their way out ([`export`]) and in ([`import`]). What one
//! consists of is said in one table ([`tables`]).

mod arrival;
mod checks;
pub mod export;
mod finish;
mod giving_up;
pub mod import;
mod tables;

use crate::sql::Sql;

pub(super) use self::giving_up::{FORGET, IMPORTS, ROWS};
#[cfg(feature = "openapi")]
pub use self::tables::{LEFT, moved, tables};

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
