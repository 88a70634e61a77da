//! Throttling: who asks too often is asked to wait. What counts is the [`RateLimiter`](crate::ports::RateLimiter) port's
//! business; here is whose requests are counted together, and what the refusal says.

use std::net::IpAddr;

use http::{HeaderName, header};

use crate::{
    dispatch::{App, Caller},
    problem::{Code, Problem, Result},
    routes::{Access, Route},
    token::{Bearer, Credential},
};

// draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Requests of one user or API key; where nobody is known, of one address.
    Requests,
    /// Attempts to get in, with one account.
    Account,
    /// Attempts to get in, from one address.
    Address,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Requests, Self::Account, Self::Address];

    /// Its name in the headers of a refusal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Account => "account",
            Self::Address => "address",
        }
    }

    const fn code(self) -> Code {
        match self {
            Self::Requests => Code::TooManyRequests,
            Self::Account | Self::Address => Code::TooManyAttempts,
        }
    }
}

/// The address that a request comes from, as its adapter knows it; among the extensions of the request.
///
/// Of IPv6 the first 64 bits, which is what one subscriber has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// Takes an address.
    pub fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (u128::MAX << 64)).into()),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl App {
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
        Err(Problem::new(limit.code())
            .header(header::RETRY_AFTER, wait.to_string())
            .header(RATE_LIMIT_POLICY, format!("\"{name}\";q={quota};w={period}"))
            .header(RATE_LIMIT, format!("\"{name}\";r=0;t={wait}")))
    }

    /// Counts a request by whom it comes from. Who tries to get in is counted by their address, too; their account is
    /// counted where it is known.
    pub(crate) async fn throttle(
        &self,
        route: &Route,
        caller: Option<&Caller>,
        address: Option<ClientAddress>,
    ) -> Result<()> {
        // Without an adapter that knows better, all come from the same place.
        let address = || address.map_or_else(String::new, |address| address.0.to_string());
        if route.problems.contains(&Code::TooManyAttempts) {
            self.count(Limit::Address, &address()).await?;
        }
        match caller {
            Some(Caller::External(subject)) => {
                // No user's id looks so.
                self.count(Limit::Requests, &format!("subject {}", subject.subject)).await
            }
            // By its digest, so that nobody else can use it up; and by the address, so that keys cannot be tried out.
            Some(Caller::Ours(Bearer { credential: Credential::Key(key), .. })) => {
                self.count(Limit::Requests, key.digest()).await?;
                self.count(Limit::Requests, &address()).await
            }
            Some(Caller::Ours(Bearer { user, .. })) => self.count(Limit::Requests, &user.to_string()).await,
            None if route.access == Access::AnyoneInTenant => self.count(Limit::Requests, &address()).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_subscriber_has_is_one_address() {
        let of = |text: &str| ClientAddress::new(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
        assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
        assert_ne!(of("203.0.113.7"), of("203.0.113.8"));
    }
}
