//! Credentials: who the caller is.

pub mod identity;
pub(crate) mod token;
