//! The types that settings have.

use std::{fmt, ops::RangeInclusive, time::Duration};

use crate::config::Parse;

/// How emails are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailProvider {
    /// They are written into the log.
    Console,
    /// By SMTP; natively only.
    Smtp,
    /// By an HTTP API.
    Http,
}

impl Parse for EmailProvider {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "console" => Ok(Self::Console),
            "smtp" => Ok(Self::Smtp),
            "http" => Ok(Self::Http),
            _ => Err("expected console, smtp or http.".to_owned()),
        }
    }
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anybody.
    Open,
    /// People with an invitation.
    Invited,
    /// Nobody.
    Closed,
}

impl Registration {
    /// As the setting has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invited => "invited",
            Self::Closed => "closed",
        }
    }
}

impl Parse for Registration {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "open" => Ok(Self::Open),
            "invited" => Ok(Self::Invited),
            "closed" => Ok(Self::Closed),
            _ => Err("expected open, invited or closed.".to_owned()),
        }
    }
}

/// The address of a page, with a place for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageUrl(String);

impl PageUrl {
    /// The place of the token. It needs no escape: tokens are of letters, digits, `-` and `_`.
    const PLACE: &str = "{token}";

    /// The address of the page for this token.
    pub(crate) fn with(&self, token: &str) -> String {
        self.0.replace(Self::PLACE, token)
    }
}

impl Parse for PageUrl {
    fn parse(text: &str) -> Result<Self, String> {
        let page = Self(text.to_owned());
        let url: Option<http::Uri> = page.with("t").parse().ok();
        let sound =
            url.is_some_and(|url| matches!(url.scheme_str(), Some("https" | "http")) && url.host().is_some());
        if sound && text.matches(Self::PLACE).count() == 1 {
            return Ok(page);
        }
        Err("expected the address of a page with {token} in it, such as https://app.example.com/join#{token}."
            .to_owned())
    }
}

/// A time that may be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace(pub(crate) Duration);

impl Parse for Grace {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "0" { Ok(Self(Duration::ZERO)) } else { Duration::parse(text).map(Self) }
    }
}

/// The work factor of bcrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BcryptCost(pub(crate) u32);

impl BcryptCost {
    /// Whether it is for tests only: passwords could be guessed from the stored hashes.
    pub fn is_low(self) -> bool {
        self.0 < 10
    }
}

/// A maximum: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most(pub i64);

impl Most {
    /// The possible values.
    pub const RANGE: RangeInclusive<i64> = 1..=1_000_000_000_000_000;
}

impl Parse for Most {
    fn parse(text: &str) -> Result<Self, String> {
        let most = text.parse().ok().filter(|most| Self::RANGE.contains(most));
        most.map(Self).ok_or_else(|| {
            format!("expected a number from {} to {}.", Self::RANGE.start(), Self::RANGE.end())
        })
    }
}

impl Parse for BcryptCost {
    fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(cost @ 4..=16) => Ok(Self(cost)),
            _ => Err("expected a number from 4 to 16.".to_owned()),
        }
    }
}

/// Text that may hold a password. Does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for its user.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Parse for Secret {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

/// A key for HS256 of at least 32 bytes (RFC 7518, section 3.2). Does not print.
#[derive(Clone)]
pub struct JwtSecret(String);

impl JwtSecret {
    /// Takes the text of a key.
    ///
    /// # Errors
    /// It is too short; the sentence says so.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        if text.len() < 32 {
            return Err(format!(
                "expected at least 32 bytes, got {}; `openssl rand -base64 48` makes one.",
                text.len()
            ));
        }
        Ok(Self(text))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Keys with names, the one that signs first. They do not print.
#[derive(Clone, Default)]
pub struct JwtKeys(pub(super) Vec<JwtKey>);

/// A key, by the name (`kid`, RFC 7515, section 4.1.4) that its tokens carry, if it has one.
#[derive(Clone)]
pub(crate) struct JwtKey {
    pub(crate) id: Option<String>,
    pub(crate) secret: JwtSecret,
}

impl fmt::Debug for JwtKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtKeys(..)")
    }
}

impl Parse for JwtKeys {
    fn parse(text: &str) -> Result<Self, String> {
        let mut keys: Vec<JwtKey> = Vec::new();
        for key in text.split(',').map(str::trim).filter(|key| !key.is_empty()) {
            let fault =
                || "expected NAME:SECRET,NAME:SECRET, with names of letters, digits, . _ and -.".to_owned();
            let (id, secret) = key.split_once(':').ok_or_else(fault)?;
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            if !(1..=64).contains(&id.len()) || !id.bytes().all(plain) {
                return Err(fault());
            }
            let id = Some(id.to_owned());
            if keys.iter().any(|key| key.id == id) {
                return Err("a name stands twice.".to_owned());
            }
            keys.push(JwtKey { id, secret: JwtSecret::new(secret)? });
        }
        Ok(Self(keys))
    }
}

impl fmt::Debug for JwtSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtSecret(..)")
    }
}

impl Parse for JwtSecret {
    fn parse(text: &str) -> Result<Self, String> {
        Self::new(text)
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Parse for LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err("expected pretty or json.".to_owned()),
        }
    }
}

/// The header in which the proxies in front name the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Parse for ForwardedHeader {
    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Ok(Self::XForwardedFor),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err("expected x-forwarded-for or forwarded.".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_one_place_for_a_token() {
        for (page, with) in [
            ("https://app.example.com/join#{token}", "https://app.example.com/join#a-b_c"),
            ("http://localhost:3000/?t={token}&x=y", "http://localhost:3000/?t=a-b_c&x=y"),
            ("https://app.example.com/reset/{token}", "https://app.example.com/reset/a-b_c"),
        ] {
            assert_eq!(PageUrl::parse(page).unwrap().with("a-b_c"), with);
        }
        for bad in [
            "https://app.example.com/join",
            "https://app.example.com/{token}/{token}",
            "app.example.com/{token}",
            "mailto:{token}",
            "javascript:alert({token})",
            "https://app.example.com/a b#{token}",
            "https://app.example.com/\n#{token}",
            "/join#{token}",
            "{token}",
        ] {
            assert!(PageUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_grace_may_be_none() {
        assert_eq!(Grace::parse("0"), Ok(Grace(Duration::ZERO)));
        assert_eq!(Grace::parse("10s"), Ok(Grace(Duration::from_secs(10))));
        assert!(Grace::parse("10").is_err() && Grace::parse("").is_err());
    }

    #[test]
    fn keys_have_names_and_are_long_enough() {
        let long = "x".repeat(32);
        let read = |text: &str| JwtKeys::parse(text).map(|keys| keys.0.len());
        assert_eq!(read(&format!("a:{long}, b:{long}:y,")), Ok(2));
        for bad in [
            "a",
            "a:short",
            &long,
            &format!(":{long}"),
            &format!("a b:{long}"),
            &format!("a:{long},a:{long}"),
        ] {
            let fault = read(bad).unwrap_err();
            assert!(!fault.contains(&long) && !fault.contains("short"), "{fault}");
        }
    }
}
