//! Outgoing HTTP requests, and the guard in front of them: a URL that a tenant gave must not reach hosts that only the
//! server can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

/// Origins (`https://host:port`) that the operator allows tenants to use in addition to those that the guard permits.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<Origin>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

/// The permission to request a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Whether the operator named its origin: then its host may have a private address.
    pub trusted: bool,
}

/// Whether a URL that the operator configured has a plain form. It is trusted: no tenant can change it.
pub(crate) fn is_plain(url: &str) -> bool {
    Origin::of(url).is_some()
}

/// Whether nobody on the way can change the answers of a URL that the operator configured: by https, or on this machine
/// itself.
pub(crate) fn is_private_way(url: &str) -> bool {
    Origin::of(url).is_some_and(|origin| {
        origin.secure || origin.is_local() || origin.address().is_some_and(|address| address.is_loopback())
    })
}

impl Origins {
    /// Reads a list that is separated by commas.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let given = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let read = |text: &str| {
            let origin = Origin::of(text).filter(|_| text.matches('/').count() == 2);
            origin.ok_or_else(|| format!("expected origins such as https://mail.internal:8443, not {text}."))
        };
        given.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a URL may be requested: https, one of these hosts if a list is given, and no private address; or an
    /// origin that the operator allows.
    ///
    /// # Errors
    /// The reason why not, without the URL.
    pub fn permit(&self, url: &str, hosts: Option<&[&str]>) -> Result<Permit, &'static str> {
        let origin = Origin::of(url).ok_or("it is no URL of a plain form")?;
        if self.0.contains(&origin) {
            return Ok(Permit { trusted: true });
        }
        if !origin.secure {
            return Err("it is not https");
        }
        if hosts.is_some_and(|hosts| !hosts.contains(&origin.host.as_str())) {
            return Err("its host is not among those that are allowed");
        }
        if origin.address().is_some_and(|address| !is_public(address)) || origin.is_local() {
            return Err("its address is private");
        }
        Ok(Permit { trusted: false })
    }
}

impl Origin {
    /// The origin of a URL; `None` for any form that two parsers might read differently.
    fn of(url: &str) -> Option<Self> {
        if !url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"' | b'<' | b'>')) {
            return None;
        }
        let uri: Uri = url.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = uri.host()?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        // The rest of the authority is a port or nothing: no user, no password, no invalid port.
        let rest = authority.as_str().get(host.len()..)?;
        let plain_port = rest.is_empty()
            || rest.strip_prefix(':').is_some_and(|port| {
                port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
            });
        let origin = Self { secure, host, port };
        (plain_port && authority.as_str().to_ascii_lowercase().starts_with(&origin.host) && origin.is_plain())
            .then_some(origin)
    }

    /// A name of plain labels, or an address in its usual form. Other texts that end in a number (`127.1`,
    /// `0x7f000001`) would be an address to some programs.
    fn is_plain(&self) -> bool {
        if self.address().is_some() {
            return true;
        }
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        let last = self.host.rsplit('.').next().unwrap_or_default();
        self.host.split('.').all(label) && !last.starts_with(|c: char| c.is_ascii_digit())
    }

    fn address(&self) -> Option<IpAddr> {
        match self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => self.host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        }
    }

    fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.ends_with(".localhost")
    }
}

/// Whether an address belongs to the public Internet (IANA's registries of special-purpose addresses).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(v6) => {
            let embedded = |high: u16, low: u16| {
                let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
                is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
            };
            match v6.segments() {
                // IPv4-mapped, NAT64, 6to4: an IPv4 address in another form.
                [0, 0, 0, 0, 0, 0xffff, high, low]
                | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
                | [0x2002, high, low, ..] => embedded(high, low),
                // Documentation, Teredo.
                [0x2001, 0xdb8 | 0, ..] => false,
                // Only 2000::/3 of IPv6 is assigned.
                [first, ..] => (0x2000..0x4000).contains(&first),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLACK: &[&str] = &["hooks.slack.com"];

    #[test]
    fn only_plain_public_https_passes() {
        let none = Origins::default();
        for good in [
            "https://hooks.slack.com/services/T/B/x",
            "https://api.example.com:8443/v1?x=1",
            "https://93.184.216.34/",
            "https://[2606:4700::1111]/",
        ] {
            assert_eq!(none.permit(good, None), Ok(Permit { trusted: false }), "{good}");
        }
        for bad in [
            "http://example.com/",
            "ftp://example.com/",
            "https:///x",
            "example.com",
            "",
            "https://user@example.com/",
            "https://user:password@example.com/",
            "https://example.com:/",
            "https://example.com:0/",
            "https://example.com:99999/",
            "https://example.com\\@127.0.0.1/",
            "https://localhost/",
            "https://a.localhost/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://example.0x1/",
            "https://10.0.0.1/",
            "https://192.168.1.1/",
            "https://172.16.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::7f00:1]/",
            "https://[64:ff9b::10.0.0.1]/",
            "https://[2002:7f00:1::]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://exa mple.com/",
            "https://ex\u{e4}mple.com/",
            "https://example..com/",
        ] {
            assert!(none.permit(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_of_hosts_is_kept_to() {
        let none = Origins::default();
        assert!(none.permit("https://HOOKS.slack.com/x", Some(SLACK)).is_ok());
        for bad in ["https://example.com/", "https://hooks.slack.com.example.com/", "https://slack.com/"] {
            assert!(none.permit(bad, Some(SLACK)).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_operator_may_allow_an_origin() {
        let allowed = Origins::parse("http://127.0.0.1:9000, https://mail.internal").unwrap();
        assert_eq!(allowed.permit("http://127.0.0.1:9000/x", Some(SLACK)), Ok(Permit { trusted: true }));
        assert_eq!(allowed.permit("https://mail.internal:443/", None), Ok(Permit { trusted: true }));
        for bad in ["http://127.0.0.1:9001/", "https://127.0.0.1:9000/", "http://mail.internal/"] {
            assert!(allowed.permit(bad, None).is_err(), "{bad}");
        }
        for bad in ["nonsense", "http://host/path", "ftp://host"] {
            assert!(Origins::parse(bad).is_err(), "{bad}");
        }
        assert!(Origins::parse("").unwrap().0.is_empty());
    }
}
