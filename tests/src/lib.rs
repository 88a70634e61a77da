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
pub mod instance;
pub mod outbox;
pub mod provider;
pub mod random;
pub mod receivers;
pub mod targets;

use std::time::Duration;

/// How long it may take for something to happen that happens in the background.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks again and again, until there is something to see.
pub async fn until<T, F>(what: &str, look: impl Fn() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, looking).await;
    seen.unwrap_or_else(|_| panic!("this did not happen within {PATIENCE:?}: {what}"))
}
