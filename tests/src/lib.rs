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
pub mod log;
pub mod outbox;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod provider;
pub mod random;
pub mod receivers;
pub mod secrets;
pub mod targets;

use std::{fmt::Debug, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use libtest_mimic::Failed;

/// How long a test waits for something before it takes it for something that never happens. It measures nothing: a
/// machine on which all takes a hundred times as long as on a good one gets there, too.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// Looks again and again, until there is what is waited for. A look that does not find it returns what is there instead,
/// which is told if it never comes.
pub async fn until<T, S, F>(what: &str, look: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, S>>,
    S: Debug,
{
    let mut instead = None;
    let looking = async {
        loop {
            match look().await {
                Ok(seen) => return seen,
                Err(other) => instead = Some(other),
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, looking).await;
    seen.unwrap_or_else(|_| match instead {
        Some(instead) => {
            panic!("this did not happen within {PATIENCE:?}: {what}; instead there is {instead:?}")
        }
        None => panic!("this did not happen within {PATIENCE:?}: {what}; no look at it came to an end"),
    })
}

/// For a look: what was seen, if it is as expected, and else what is there instead.
///
/// # Errors
/// It is not as expected.
pub fn provided<T>(seen: T, expected: impl FnOnce(&T) -> bool) -> Result<T, T> {
    if expected(&seen) { Ok(seen) } else { Err(seen) }
}

/// Waits for the end of something; if it never comes, what there is instead is told.
pub async fn ended<F: Future>(what: &str, work: F, instead: impl FnOnce() -> String) -> F::Output {
    let ended = tokio::time::timeout(PATIENCE, work).await;
    ended.unwrap_or_else(|_| panic!("this did not end within {PATIENCE:?}: {what}; instead: {}", instead()))
}

/// Runs a case to its end, and has the report at the end of its suite say what it panicked with, which stands far from
/// there among what servers print.
///
/// # Errors
/// It panicked.
pub async fn concluded(case: impl Future<Output = ()>) -> Result<(), Failed> {
    AssertUnwindSafe(case).catch_unwind().await.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref().cloned())
            .unwrap_or_else(|| "it panicked without words".to_owned())
            .into()
    })
}
