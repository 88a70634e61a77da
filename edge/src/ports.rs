//! The clock, the randomness and the processor of a Worker.

use bailiwick_core::{
    password::{HashJob, HashOutcome},
    ports::{Clock, Entropy, EntropyError, Hasher, Overloaded},
    time::Timestamp,
};
use worker::Date;

/// `Date.now()`. It stands still between I/O, by design of the platform.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DateClock;

impl Clock for DateClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX))
    }
}

/// Web Crypto.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WebCrypto;

impl Entropy for WebCrypto {
    #[expect(clippy::disallowed_methods, reason = "this is the Entropy port")]
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(buffer).map_err(|_| EntropyError)
    }
}

/// Hashes where it stands: an isolate has one thread, and the platform starts more isolates under load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inline;

impl Hasher for Inline {
    async fn run(&self, job: HashJob) -> Result<HashOutcome, Overloaded> {
        Ok(job.execute())
    }
}
