//! What the suites share: starting the targets, speaking HTTP as actors, and a back door to each database for
//! arranging and for looking.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    reason = "a test that cannot go on says so and ends there"
)]

pub mod actors;
pub mod backdoor;
pub mod client;
pub mod targets;
