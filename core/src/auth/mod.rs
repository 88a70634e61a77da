//! Credentials: who somebody is.

pub mod identity;
pub(crate) mod token;
