//! The client's address of a request: that of the connection, or the one that trusted proxies report.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bailiwick_core::{Config, config::ForwardedHeader, throttle::ClientAddress};
use http::HeaderMap;
use ipnet::IpNet;

/// The proxies whose `FORWARDED_HEADER` is trusted.
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
    header: ForwardedHeader,
}

impl TrustedProxies {
    /// Reads `TRUSTED_PROXIES` and `FORWARDED_HEADER`.
    ///
    /// # Errors
    /// A sentence about their fault.
    pub fn of(config: &Config) -> Result<Self, String> {
        Self::parse(&config.trusted_proxies, config.forwarded_header)
    }

    fn parse(text: &str, header: ForwardedHeader) -> Result<Self, String> {
        let network = |text: &str| {
            text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                format!("TRUSTED_PROXIES: {text:?} is no address and no network such as 10.0.0.0/8.")
            })
        };
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(Self { networks: items.map(network).collect::<Result<_, _>>()?, header })
    }

    /// Whether an address is one of theirs.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The client's address of a request from `peer`: the last address of the header that belongs to no trusted proxy.
    /// Addresses before it may be made up.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let name = match self.header {
            ForwardedHeader::XForwardedFor => "x-forwarded-for",
            ForwardedHeader::Forwarded => "forwarded",
        };
        let mut client = peer;
        let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
        let hops = values.flat_map(|value| match self.header {
            ForwardedHeader::XForwardedFor => value.split(',').map(address).collect(),
            ForwardedHeader::Forwarded => forwarded_for(value).unwrap_or_else(|| vec![None]),
        });
        for hop in hops.collect::<Vec<_>>().into_iter().rev() {
            // An entry that a trusted proxy has not understood itself is not believed.
            let Some(address) = hop.filter(|_| self.trusts(client)) else { break };
            client = address;
        }
        ClientAddress::new(client)
    }
}

/// The addresses of the elements of `Forwarded` (RFC 7239, section 4), `None` for an element with none or several; no
/// list at all if the header is malformed. Text between quotes may be anything that a client sent, such as its `Host`.
fn forwarded_for(value: &str) -> Option<Vec<Option<IpAddr>>> {
    let mut hops = Vec::new();
    for element in unquoted(value, ',')? {
        let mut nodes = Vec::new();
        for pair in unquoted(element, ';')? {
            let Some((name, node)) = pair.split_once('=') else { continue };
            if name.trim().eq_ignore_ascii_case("for") {
                nodes.push(node.trim());
            }
        }
        hops.push(match nodes[..] {
            [node] => {
                let quoted = node.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                address(quoted.unwrap_or(node))
            }
            _ => None,
        });
    }
    Some(hops)
}

/// The parts between separators outside of quotes; `None` if a quote does not end.
fn unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// An address as proxies write it: with or without a port, an IPv6 address with or without brackets.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    let bare = || node.parse().ok();
    let bracketed = || node.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || node.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare().or_else(bracketed).or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(
        trusted: &str,
        peer: &str,
        by: ForwardedHeader,
        name: &'static str,
        values: &[&str],
    ) -> ClientAddress {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        TrustedProxies::parse(trusted, by).unwrap().client(peer.parse().unwrap(), &headers)
    }

    fn client(trusted: &str, peer: &str, forwarded: &[&str]) -> ClientAddress {
        sent(trusted, peer, ForwardedHeader::XForwardedFor, "x-forwarded-for", forwarded)
    }

    fn by_forwarded(values: &[&str]) -> ClientAddress {
        sent("10.0.0.0/8", "10.0.0.1", ForwardedHeader::Forwarded, "forwarded", values)
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
    fn a_port_is_no_part_of_an_address() {
        for (written, meant) in [
            ("203.0.113.2:4001", "203.0.113.2"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            (" 203.0.113.2:4001 , 10.0.0.9:80", "203.0.113.2"),
        ] {
            assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[written]), address(meant), "{written}");
        }
        for nonsense in
            ["203.0.113.2:", "203.0.113.2:x", "[203.0.113.2]", "[2001:db8::1", "unknown", "_hidden", ""]
        {
            assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[nonsense]), address("10.0.0.1"), "{nonsense}");
        }
    }

    #[test]
    fn the_standards_header_is_read_where_the_proxies_write_it() {
        for written in [
            "for=203.0.113.2",
            "For=\"203.0.113.2:4001\";proto=https;by=10.0.0.1",
            "proto=https; for=203.0.113.2 , for=10.0.0.3",
            "for=192.0.2.1, for=\"203.0.113.2\"",
        ] {
            assert_eq!(by_forwarded(&[written]), address("203.0.113.2"), "{written}");
        }
        assert_eq!(by_forwarded(&["for=\"[2001:db8::1]:443\""]), address("2001:db8::1"));
        assert_eq!(by_forwarded(&["for=192.0.2.1", "for=203.0.113.2"]), address("203.0.113.2"));
        for nothing in ["for=unknown", "for=_secret", "proto=https", "", "203.0.113.2"] {
            assert_eq!(by_forwarded(&["for=203.0.113.2", nothing]), address("10.0.0.1"), "{nothing}");
        }
        // A proxy may copy the host that the client sent.
        for written in [
            "proto=http;host=\"a;for=6.6.6.6\";for=203.0.113.2",
            "for=203.0.113.2;host=\"x,for=6.6.6.6\"",
            "for=203.0.113.2;host=\"x\\\",for=6.6.6.6\"",
        ] {
            assert_eq!(by_forwarded(&[written]), address("203.0.113.2"), "{written}");
        }
        for nothing in ["for=203.0.113.2;for=6.6.6.6", "for=203.0.113.2;host=\"x", "for=\"203.0.113.2"] {
            assert_eq!(by_forwarded(&[nothing]), address("10.0.0.1"), "{nothing}");
        }
        // The header that they do not write may be made up.
        let other =
            sent("10.0.0.0/8", "10.0.0.1", ForwardedHeader::Forwarded, "x-forwarded-for", &["203.0.113.2"]);
        assert_eq!(other, address("10.0.0.1"));
        let other =
            sent("10.0.0.0/8", "10.0.0.1", ForwardedHeader::XForwardedFor, "forwarded", &["for=203.0.113.2"]);
        assert_eq!(other, address("10.0.0.1"));
    }

    #[test]
    fn what_is_no_network_is_said() {
        let refused = TrustedProxies::parse("10.0.0.0/8,proxy.example.com", ForwardedHeader::Forwarded);
        assert!(refused.unwrap_err().contains("proxy.example.com"));
    }
}
