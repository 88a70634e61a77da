//! The protocol as clients see it.

pub(crate) mod answer;
pub(crate) mod conditional;
pub(crate) mod cors;
pub(crate) mod idempotency;
pub(crate) mod page;
pub mod problem;
