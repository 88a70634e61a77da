//! Rules that need no port: nothing asynchronous.

pub(crate) mod chain;
pub mod definition;
pub(crate) mod notice;
pub mod tenant_config;
pub mod workflow;
