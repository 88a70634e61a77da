//! Tenants that are moved: between databases of every kind, over HTTP and directly, whole or not at all.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so and ends there")]

mod file;
mod hostile;
mod ids;
mod pairs;
mod people;
mod place;
mod resume;
