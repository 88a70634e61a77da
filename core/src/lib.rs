//! Bailiwick's product, independent of where it runs: routes with their access rules, the approval workflow,
//! tenancy, and the SQL. An adapter implements [`ports`], makes an [`App`] and passes requests to
//! [`App::handle`].
//!
//! Three tables carry what matters for safety: [`routes::ROUTES`] (who may call what),
//! [`workflow::TRANSITIONS`] (who may move a project where) and [`repository::CATALOGUE`] (what the database is
//! asked).

mod chain;
mod conditional;
mod cors;
mod cursor;
mod dispatch;
mod endpoint;
mod handlers;
mod idempotency;
mod json;
mod negotiation;
mod notify;
mod reply;
mod token;
mod unicode;

pub mod config;
#[cfg(feature = "openapi")]
pub mod diagram;
pub mod identity;
pub mod input;
pub mod inside;
pub mod limits;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod outbound;
pub mod password;
pub mod ports;
pub mod problem;
pub mod repository;
pub mod routes;
pub mod search;
pub mod seed;
pub mod site;
pub mod sql;
pub mod tenant_config;
pub mod throttle;
pub mod time;
pub mod trace;
pub mod transfer;
pub mod values;
pub mod workflow;

pub use chain::{Breach, BreachKind, Head};
pub use config::Config;
pub use cursor::{Cursor, Page, PageSize};
pub use dispatch::{Account, App, Lobby, Operator, REQUEST_HEADERS, Served, TenantScope, Turned, Visitor};
pub use notify::outbox::{Attempt, Round};
pub use ports::Ports;
pub use repository::{chain::Verification, deliveries::Depth};
