//! What only the native binary has: its drivers, its start and its end, its command line, what it tells of itself; and the
//! tour of the README.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so and ends there")]

mod audit;
mod cli;
mod demo;
mod drivers;
mod http;
mod idempotency;
mod logs;
mod metrics;
mod migrations;
mod moments;
mod operator;
mod outbox;
mod pgbouncer;
mod process;
mod prometheus;
mod provider;
mod registration;
mod retention;
mod row_security;
mod shares;
mod surroundings;
mod tour;
mod traces;
mod under_way;
mod verify;

use bailiwick_tests::instance;
