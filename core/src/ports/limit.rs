//! The limits of requests, and the clients' addresses.

use std::net::IpAddr;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Requests of one user or API key; without a user, of one address.
    Requests,
    /// Attempts to log in, with one account.
    Account,
    /// Attempts to log in, from one address.
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
}

/// The address that a request comes from, as its adapter knows it; among the extensions of the request.
///
/// Of IPv6 only the first 64 bits count, which is what one subscriber has.
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

impl std::fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
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
