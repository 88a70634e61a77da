//! Checks of the house itself: its rules, its generated files, its schema, its statements, and what a request costs.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so and ends there")]

mod budget;
mod claims;
mod cost;
mod generated;
mod layers;
mod migrations;
mod moved;
mod pieces;
mod plans;
mod retention;
mod schema;
mod statements;
mod tidy;
mod timing;
mod types;
