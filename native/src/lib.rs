//! Bailiwick as a native server: the ports on sqlx and the operating system, and axum in front.

pub mod database;
pub mod hasher;
pub mod ports;
pub mod server;
