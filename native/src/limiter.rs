//! Counting requests in this process, by the generic cell rate algorithm: as many as a limit says at once, and from then
//! on evenly. Several instances count apart.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

use bailiwick_core::{
    Config,
    ports::{RateLimiter, Wait},
    throttle::Limit,
};
use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock, DefaultClock},
};

/// So many requests later it is looked for keys whose allowance is whole again, which need not be remembered.
const FORGET_EVERY: u32 = 10_000;

/// The counters of this process.
pub struct Limiter {
    requests: Option<Counter>,
    account: Option<Counter>,
    address: Option<Counter>,
}

struct Counter {
    keys: DefaultKeyedRateLimiter<String>,
    taken: AtomicU32,
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Limiter")
    }
}

impl Limiter {
    /// With the limits of the configuration.
    pub fn new(config: &Config) -> Self {
        let counter = |quota: u32| {
            let quota = NonZeroU32::new(quota)?;
            let each = config.rate_limit_period / quota.get();
            let quota = Quota::with_period(each)?.allow_burst(quota);
            Some(Counter { keys: DefaultKeyedRateLimiter::keyed(quota), taken: AtomicU32::new(0) })
        };
        Self {
            requests: counter(config.rate_limit),
            account: counter(config.rate_limit_account),
            address: counter(config.rate_limit_address),
        }
    }

    fn counter(&self, limit: Limit) -> Option<&Counter> {
        match limit {
            Limit::Requests => self.requests.as_ref(),
            Limit::Account => self.account.as_ref(),
            Limit::Address => self.address.as_ref(),
        }
    }
}

impl RateLimiter for Limiter {
    async fn take(&self, limit: Limit, key: &str) -> Result<(), Wait> {
        let Some(counter) = self.counter(limit) else { return Ok(()) };
        if counter.taken.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            counter.keys.retain_recent();
            counter.keys.shrink_to_fit();
        }
        counter.keys.check_key(&key.to_owned()).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            // A second that has begun is waited for.
            Wait(wait.as_secs() + 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(quota: u32) -> Limiter {
        let quota = quota.to_string();
        let config =
            Config::read(|name| matches!(name, "RATE_LIMIT" | "RATE_LIMIT_ACCOUNT").then(|| quota.clone()));
        Limiter::new(&config.unwrap())
    }

    #[tokio::test]
    async fn keys_and_limits_are_counted_apart() {
        let limiter = limiter(2);
        for key in ["a", "b"] {
            for limit in [Limit::Requests, Limit::Account] {
                assert_eq!(limiter.take(limit, key).await, Ok(()));
                assert_eq!(limiter.take(limit, key).await, Ok(()));
                let wait = limiter.take(limit, key).await.unwrap_err();
                assert!((1..=31).contains(&wait.0), "{wait:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_whole_again_is_forgotten() {
        // A million a minute: the allowance of a key is whole again after 60 µs.
        let limiter = limiter(1_000_000);
        for key in 0..4 * FORGET_EVERY {
            limiter.take(Limit::Requests, &key.to_string()).await.unwrap();
        }
        assert!(limiter.requests.unwrap().keys.len() < 2 * FORGET_EVERY as usize);
    }
}
