//! Counting requests in this process, by the generic cell rate algorithm: as many as a limit allows at once, and from
//! then on at an even rate. Several instances count separately.

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
    Quota, RateLimiter as Keys,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

/// The number of requests after which keys are forgotten whose allowance is whole again.
const FORGET_EVERY: u32 = 10_000;

/// The counters of this process.
pub struct Limiter<C: Clock = DefaultClock> {
    requests: Option<Counter<C>>,
    account: Option<Counter<C>>,
    address: Option<Counter<C>>,
}

struct Counter<C: Clock> {
    keys: Keys<String, DefaultKeyedStateStore<String>, C, NoOpMiddleware<C::Instant>>,
    taken: AtomicU32,
}

impl<C: Clock> std::fmt::Debug for Limiter<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Limiter")
    }
}

impl Limiter {
    /// The counters for the limits of the configuration.
    pub fn new(config: &Config) -> Self {
        Self::by(config, &DefaultClock::default())
    }
}

impl<C: Clock + Clone> Limiter<C> {
    /// The same, by a clock.
    fn by(config: &Config, clock: &C) -> Self {
        let counter = |quota: u32| {
            let quota = NonZeroU32::new(quota)?;
            let each = config.rate_limit_period / quota.get();
            let quota = Quota::with_period(each)?.allow_burst(quota);
            let keys = Keys::new(quota, DefaultKeyedStateStore::default(), clock.clone());
            Some(Counter { keys, taken: AtomicU32::new(0) })
        };
        Self {
            requests: counter(config.rate_limit),
            account: counter(config.rate_limit_account),
            address: counter(config.rate_limit_address),
        }
    }

    fn counter(&self, limit: Limit) -> Option<&Counter<C>> {
        match limit {
            Limit::Requests => self.requests.as_ref(),
            Limit::Account => self.account.as_ref(),
            Limit::Address => self.address.as_ref(),
        }
    }
}

impl<C: Clock + Clone + Send + Sync + 'static> RateLimiter for Limiter<C> {
    async fn take(&self, limit: Limit, key: &str) -> Result<(), Wait> {
        let Some(counter) = self.counter(limit) else { return Ok(()) };
        if counter.taken.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            counter.keys.retain_recent();
            counter.keys.shrink_to_fit();
        }
        counter.keys.check_key(&key.to_owned()).map_err(|until| {
            let wait = until.wait_time_from(counter.keys.clock().now());
            // A part of a second counts as a whole one.
            Wait(wait.as_secs() + 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    /// `RATE_LIMIT_PERIOD` unless it is set: seconds.
    const PERIOD_SECONDS: u64 = 60;

    fn config(quota: u32) -> Config {
        let quota = quota.to_string();
        let limits = ["RATE_LIMIT", "RATE_LIMIT_ACCOUNT", "RATE_LIMIT_ADDRESS"];
        Config::read(|name| limits.contains(&name).then(|| quota.clone())).unwrap()
    }

    fn limiter(quota: u32) -> Limiter {
        Limiter::new(&config(quota))
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
    async fn who_waits_as_told_is_not_refused_again() {
        // The cost of one request: a part of a second, a whole second, some seconds and a part, and a period.
        for quota in [1_000, 60, 7, 1] {
            for limit in Limit::ALL {
                let clock = FakeRelativeClock::default();
                let limiter = Limiter::by(&config(quota), &clock);
                for _ in 0..quota {
                    limiter.take(limit, "a").await.unwrap();
                }
                for millis in (0..2_000).step_by(37) {
                    clock.advance(Duration::from_millis(millis));
                    let wait = loop {
                        if let Err(wait) = limiter.take(limit, "a").await {
                            break wait.0;
                        }
                    };
                    assert!((1..=PERIOD_SECONDS / u64::from(quota) + 1).contains(&wait), "{quota}: {wait}");
                    clock.advance(Duration::from_secs(wait));
                    assert_eq!(limiter.take(limit, "a").await, Ok(()), "{quota} {limit:?} {wait}");
                }
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
