//! Bailiwick's product, independent of where it runs: routes with their access rules, the approval workflow,
//! tenancy, and the SQL. An adapter implements [`ports`], makes an [`App`] and passes requests to
//! [`App::handle`].
//!
//! Three tables carry what matters for safety: [`routes::ROUTES`] (who may call what),
//! [`workflow::TRANSITIONS`] (who may move a project where) and [`repository::CATALOGUE`] (what the database is
//! asked).
//!
//! The folders are layers: each uses the ones before it, in the order in which they stand here.

mod kernel;

pub mod ports;

mod http;

pub mod config;
mod domain;

mod auth;

mod access;

pub mod repository;

mod api;
mod delivery;

pub mod routes;

mod dispatch;
#[cfg(feature = "openapi")]
pub mod openapi;

pub mod seed;

pub use access::{
    rule::Access,
    scopes::{
        account::AccountScope, anonymous::AnonymousScope, operator::OperatorScope,
        public_tenant::PublicTenantScope, tenant::TenantScope,
    },
    turns::Turned,
};
pub use api::site;
pub use auth::identity;
pub use config::Config;
pub use delivery::outbox::{Attempt, Round};
pub use dispatch::{App, REQUEST_HEADERS, response::RequestOutcome};
pub use domain::{
    chain::{Breach, BreachKind, Head},
    definition, tenant_config, workflow,
};
pub use http::answer::Streamed;
pub use http::{
    page::{Cursor, Page, PageSize},
    problem,
};
pub use kernel::{decode as input, limits, outbound, password, sql, time, values, words as search};
#[cfg(feature = "openapi")]
pub use openapi::diagram;
pub use ports::{Ports, limit as throttle, trace};
pub use repository::{
    chain::Verification, deliveries::Depth, service::NEEDED_SCHEMA_VERSION, transfer::file as transfer,
};
pub use seed::client as inside;
