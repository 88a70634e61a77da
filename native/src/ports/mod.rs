//! The ports on the operating system: databases by sqlx, bcrypt on threads, reqwest, lettre.

pub mod assets;
pub mod database;
pub mod hasher;
pub mod http_client;
pub mod limiter;
pub mod mailer;
pub mod system;
pub mod tls;
pub mod turns;
pub mod verifier;
