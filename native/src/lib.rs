//! Bailiwick as a native server: the ports on sqlx and the operating system, and axum in front.

pub mod admin;
pub mod assets;
pub mod background;
pub mod client_address;
mod compression;
pub mod connections;
pub mod database;
pub mod hasher;
pub mod http_client;
pub mod isolation;
pub mod limiter;
pub mod mailer;
pub mod metrics;
pub mod ports;
pub mod server;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
pub mod transfer;
pub mod turns;
pub mod verifier;
