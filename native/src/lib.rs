//! Bailiwick as a native server: the ports on sqlx and the operating system, and axum in front.

pub mod client;
pub mod ports;
pub mod server;
pub mod telemetry;
pub mod transfer;
pub mod verify;
