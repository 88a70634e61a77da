//! Tenants that are moved from one database to another: by an export ([`export`]) and an import ([`import`]). One table
//! lists their parts (`tables.rs`).

pub(crate) mod arrival;
pub(crate) mod checks;
pub mod export;
pub mod file;
pub(crate) mod finish;
pub(crate) mod giving_up;
pub mod import;
pub(crate) mod tables;

#[cfg(feature = "openapi")]
pub use crate::repository::transfer::tables::{LEFT, moved, tables};
