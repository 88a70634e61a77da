//! The other origins whose pages may read answers in a browser (the Fetch standard, section 3.3): none, unless it is
//! configured. There are no cookies here: a page needs a token in any case.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// Headers that a page may send, beside those that every page may.
const SENT: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, if-none-match, traceparent, x-request-id, x-tenant-id, x-tenant-slug",
);
/// Headers that a page may read, beside those that every page may.
const READ: HeaderValue = HeaderValue::from_static(
    "content-location, etag, idempotency-replayed, link, location, ratelimit, ratelimit-policy, retry-after, x-request-id",
);
/// Seconds for which a browser remembers the answer.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// The allowed origins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    any: bool,
    origins: Vec<String>,
}

/// What a request from another origin asks for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    origin: Option<HeaderValue>,
    /// Whether it is a preflight, which asks what a page may send.
    preflight: bool,
}

impl Cors {
    /// Reads a list of origins that is separated by commas, or `*`.
    ///
    /// # Errors
    /// A sentence about the text that is not an origin.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut this = Self::default();
        for origin in text.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b);
            match host {
                _ if origin == "*" => this.any = true,
                Some(host) if !host.is_empty() && host.bytes().all(plain) => {
                    this.origins.push(origin.to_owned());
                }
                _ => {
                    return Err(format!(
                        "expected * or origins in lower case such as https://app.example.com, not {origin}."
                    ));
                }
            }
        }
        Ok(this)
    }

    /// Reads the request's headers.
    pub(crate) fn ask(&self, method: &Method, headers: &HeaderMap) -> Asked {
        if !self.any && self.origins.is_empty() {
            return Asked::default();
        }
        let preflight =
            method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let known =
            |origin: &&HeaderValue| self.origins.iter().any(|known| known.as_bytes() == origin.as_bytes());
        let origin = match headers.get(header::ORIGIN) {
            Some(_) if self.any => Some(HeaderValue::from_static("*")),
            origin => origin.filter(known).cloned(),
        };
        Asked { origin, preflight }
    }

    /// Writes the response's headers; the methods are those that its `Allow` lists.
    pub(crate) fn answer(&self, Asked { origin, preflight }: Asked, headers: &mut HeaderMap) {
        if !self.any && !self.origins.is_empty() {
            // A cache must not give one origin the answer to another.
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = origin else { return };
        let mut say = |name: HeaderName, value| headers.insert(name, value);
        say(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        say(header::ACCESS_CONTROL_EXPOSE_HEADERS, READ);
        if preflight {
            say(header::ACCESS_CONTROL_ALLOW_HEADERS, SENT);
            say(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
            if let Some(methods) = headers.get(header::ALLOW).cloned() {
                headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(configured: &str, origin: &str) -> Option<String> {
        let cors = Cors::parse(configured).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        let mut answer = HeaderMap::new();
        cors.answer(cors.ask(&Method::GET, &headers), &mut answer);
        let allowed = answer.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        allowed.map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_whole_origins_are_let_in() {
        let configured = "https://app.example.com, http://localhost:5173";
        for good in ["https://app.example.com", "http://localhost:5173"] {
            assert_eq!(asked(configured, good).as_deref(), Some(good));
        }
        for bad in [
            "null",
            "http://app.example.com",
            "https://app.example.com.evil.example",
            "https://app.example.com:8443",
            "https://evil.example/https://app.example.com",
            "https://example.com",
        ] {
            assert_eq!(asked(configured, bad), None, "{bad}");
        }
        assert_eq!(asked("*", "https://anything.example").as_deref(), Some("*"));
        assert_eq!(asked("", "https://app.example.com"), None);
    }

    #[test]
    fn what_is_no_origin_is_said() {
        for bad in
            ["app.example.com", "https://", "https://app.example.com/", "https://App.example.com", "null"]
        {
            assert!(Cors::parse(bad).is_err(), "{bad}");
        }
    }
}
