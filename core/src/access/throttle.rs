//! Counting: a caller above a limit has to wait. The [`RateLimiter`](crate::ports::RateLimiter) port does the counting.

use http::HeaderName;

use crate::{
    access::services::Services,
    http::problem::{Code, Problem, Result},
    ports::limit::Limit,
};

// draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The code of a refusal by this limit.
const fn code(limit: Limit) -> Code {
    match limit {
        Limit::Requests => Code::TooManyRequests,
        Limit::Account | Limit::Address => Code::TooManyAttempts,
    }
}

impl Services {
    /// How many requests a limit admits in a period; `None` if it is switched off.
    fn quota(&self, limit: Limit) -> Option<u32> {
        let quota = match limit {
            Limit::Requests => self.config.rate_limit,
            Limit::Account => self.config.rate_limit_account,
            Limit::Address => self.config.rate_limit_address,
        };
        (quota > 0).then_some(quota)
    }

    /// Counts a request, and refuses it if there were too many.
    pub(crate) async fn count(&self, limit: Limit, key: &str) -> Result<()> {
        let Some(quota) = self.quota(limit) else { return Ok(()) };
        let Err(wait) = self.ports.limiter.take(limit, key).await else { return Ok(()) };
        let (name, wait, period) = (limit.as_str(), wait.0.max(1), self.config.rate_limit_period.as_secs());
        Err(Problem::new(code(limit))
            .retry_after(wait)
            .header(RATE_LIMIT_POLICY, format!("\"{name}\";q={quota};w={period}"))
            .header(RATE_LIMIT, format!("\"{name}\";r=0;t={wait}")))
    }
}
