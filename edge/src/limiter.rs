//! Counting requests by the platform's rate limits, which are bindings with limits of their own: `wrangler.toml` has them.
//! Each place of the platform's counts apart.

use std::time::Duration;

use bailiwick_core::{
    ports::{RateLimiter, Wait},
    throttle::Limit,
};
use worker::{
    Env, console_error,
    js_sys::{Object, Reflect},
    send::{SendFuture, SendWrapper},
    wasm_bindgen::{JsCast, JsValue},
    wasm_bindgen_futures::JsFuture,
    worker_sys::RateLimiter as Binding,
};

/// The bindings, one for each limit.
#[derive(Debug)]
pub(crate) struct Bindings {
    each: SendWrapper<[Binding; Limit::ALL.len()]>,
    period: Duration,
}

impl Bindings {
    /// Takes them out of the environment. They count for the period that `wrangler.toml` says, which they do not tell.
    ///
    /// # Errors
    /// A sentence about the one that is missing.
    pub(crate) fn new(env: &Env, period: Duration) -> Result<Self, String> {
        let binding = |limit| {
            let name = name(limit);
            let found = env.rate_limiter(name);
            found
                .map(|found| JsValue::from(found).unchecked_into())
                .map_err(|error| format!("The binding {name} is missing: {error}."))
        };
        let [requests, account, address] = Limit::ALL.map(binding);
        Ok(Self { each: SendWrapper::new([requests?, account?, address?]), period })
    }

    async fn ask(&self, limit: Limit, key: &str) -> Result<bool, JsValue> {
        let question = Object::new();
        Reflect::set(&question, &"key".into(), &key.into())?;
        let answer = JsFuture::from(self.each[limit as usize].limit(question)?).await?;
        Ok(Reflect::get(&answer, &"success".into())?.is_truthy())
    }
}

const fn name(limit: Limit) -> &'static str {
    match limit {
        Limit::Requests => "RATE_LIMIT_BY_REQUESTS",
        Limit::Account => "RATE_LIMIT_BY_ACCOUNT",
        Limit::Address => "RATE_LIMIT_BY_ADDRESS",
    }
}

impl RateLimiter for Bindings {
    async fn take(&self, limit: Limit, key: &str) -> Result<(), Wait> {
        match SendFuture::new(self.ask(limit, key)).await {
            Ok(true) => Ok(()),
            // When there is room again is not told.
            Ok(false) => Err(Wait(self.period.as_secs())),
            // That it cannot be counted is no reason to be closed.
            Err(error) => {
                console_error!("a request could not be counted: {error:?}");
                Ok(())
            }
        }
    }
}
