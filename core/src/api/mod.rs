//! The handlers, their arguments and their replies.

pub(crate) mod endpoint;
#[cfg(feature = "openapi")]
pub(crate) mod facts;
pub(crate) mod handlers;
pub(crate) mod negotiation;
pub(crate) mod places;
pub(crate) mod reply;
pub mod site;
