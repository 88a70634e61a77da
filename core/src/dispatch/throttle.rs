//! Throttling: a caller above a limit has to wait. The [`RateLimiter`](crate::ports::RateLimiter) port does the
//! counting; this module decides which requests are counted together.

use crate::{
    access::rule::Access,
    auth::token::Credential,
    dispatch::{App, authentication::Caller},
    http::problem::{Code, Result},
    ports::limit::{ClientAddress, Limit},
    routes::Route,
};

impl App {
    /// Counts a request by its caller. Attempts to log in are counted by the client's address, too; their account is
    /// counted where it is known.
    pub(crate) async fn throttle(
        &self,
        route: &Route,
        caller: Option<&Caller>,
        address: Option<ClientAddress>,
    ) -> Result<()> {
        // Without an adapter that knows addresses, all requests come from the same place.
        let address = || address.map_or_else(String::new, |address| address.to_string());
        if route.problems.contains(&Code::TooManyAttempts) {
            self.services.count(Limit::Address, &address()).await?;
        }
        match caller {
            Some(Caller::External(subject)) => {
                // No user's id has this form.
                self.services.count(Limit::Requests, &format!("subject {}", subject.id())).await
            }
            Some(Caller::Ours(bearer)) => match bearer.credential() {
                // By its digest, so that nobody else can use it up; and by the address, so that keys cannot be tried
                // out.
                Credential::Key(key) => {
                    self.services.count(Limit::Requests, key.digest()).await?;
                    self.services.count(Limit::Requests, &address()).await
                }
                Credential::Session(_) | Credential::Identity(_) => {
                    self.services.count(Limit::Requests, &bearer.user().to_string()).await
                }
            },
            None if route.access == Access::AnyoneInTenant => {
                self.services.count(Limit::Requests, &address()).await
            }
            None => Ok(()),
        }
    }
}
