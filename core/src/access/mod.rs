//! Access: the scopes through which all data is reached, their check, and their transaction.

pub(crate) mod batch;
pub(crate) mod checks;
pub(crate) mod context;
pub(crate) mod ids;
pub(crate) mod named;
pub(crate) mod paging;
pub(crate) mod pending;
pub(crate) mod rule;
pub(crate) mod scopes;
pub(crate) mod services;
pub(crate) mod stored_answers;
pub(crate) mod throttle;
pub(crate) mod turns;
