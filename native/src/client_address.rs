//! Where a request comes from: the connection says so, and proxies that are trusted to.

use std::{net::IpAddr, sync::Arc};

use bailiwick_core::throttle::ClientAddress;
use http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// Reads `TRUSTED_PROXIES`.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let network = |text: &str| {
            text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                format!("TRUSTED_PROXIES: {text:?} is no address and no network such as 10.0.0.0/8.")
            })
        };
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(network).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address is one of theirs.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Where a request comes from that came by a connection from `peer`: the last address of `X-Forwarded-For` that no
    /// trusted proxy has. What stands before it may be made up.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = peer;
        let values: Vec<&str> =
            headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or_default()).collect();
        for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            if !self.trusts(client) {
                break;
            }
            // What a trusted proxy has not understood itself is not believed.
            let Ok(address) = hop.trim().parse() else { break };
            client = address;
        }
        ClientAddress::new(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &str, peer: &str, forwarded: &[&str]) -> ClientAddress {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        TrustedProxies::parse(trusted).unwrap().client(peer.parse().unwrap(), &headers)
    }

    fn address(text: &str) -> ClientAddress {
        ClientAddress::new(text.parse().unwrap())
    }

    #[test]
    fn nobody_is_believed_unless_trusted() {
        assert_eq!(client("", "203.0.113.7", &["198.51.100.1"]), address("203.0.113.7"));
        assert_eq!(client("10.0.0.0/8", "203.0.113.7", &["198.51.100.1"]), address("203.0.113.7"));
    }

    #[test]
    fn the_last_address_that_is_no_proxys_counts() {
        let trusted = "10.0.0.0/8, ::1";
        assert_eq!(client(trusted, "10.0.0.1", &[]), address("10.0.0.1"));
        assert_eq!(client(trusted, "10.0.0.1", &["198.51.100.1"]), address("198.51.100.1"));
        assert_eq!(client(trusted, "::ffff:10.0.0.1", &["198.51.100.1"]), address("198.51.100.1"));
        assert_eq!(client(trusted, "::1", &["198.51.100.1, 10.1.2.3"]), address("198.51.100.1"));
        // The client sent the first of them itself.
        assert_eq!(client(trusted, "10.0.0.1", &["192.0.2.1, 198.51.100.1"]), address("198.51.100.1"));
        assert_eq!(client(trusted, "10.0.0.1", &["192.0.2.1", "198.51.100.1"]), address("198.51.100.1"));
        assert_eq!(client(trusted, "10.0.0.1", &["198.51.100.1, nonsense"]), address("10.0.0.1"));
    }

    #[test]
    fn what_is_no_network_is_said() {
        assert!(
            TrustedProxies::parse("10.0.0.0/8,proxy.example.com").unwrap_err().contains("proxy.example.com")
        );
    }
}
