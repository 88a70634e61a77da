//! Addresses of email: which ones mail can be sent to, in one spelling, so that one mailbox is one account.

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde_json::Value as Json;

use crate::kernel::{
    decode::{Fault, FaultCode, Scalar},
    limits,
    unicode::{composed, is_ignorable, is_visible, plain},
    values::{Email, string},
};

/// The address of an account that may exist. Some accounts are from before addresses had one spelling, and some have an
/// address that would be refused today: they are found by that, as it was typed first.
#[derive(Clone, Debug)]
pub struct AccountEmail {
    /// In its one spelling, if it has one.
    pub(crate) address: String,
    /// As it was typed, in lower case.
    pub(crate) typed: String,
    /// With its domain in A-labels, if those differ.
    pub(crate) other: Option<String>,
}

impl AccountEmail {
    /// Reads it from text that a person or a program gave.
    ///
    /// # Errors
    /// No account can have it. The fault is for the author of the text.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let typed = text.to_lowercase();
        match Email::parse(text) {
            Ok(address) => {
                let other = other_spelling(&address);
                Ok(Self { address: address.as_str().to_owned(), typed, other })
            }
            Err(_) if was_taken(&typed) => Ok(Self { address: typed.clone(), typed, other: None }),
            Err(fault) => Err(fault),
        }
    }

    /// The address in its one spelling, if it has one.
    pub fn as_str(&self) -> &str {
        &self.address
    }
}

impl From<&Email> for AccountEmail {
    fn from(email: &Email) -> Self {
        let address = email.as_str().to_owned();
        Self { typed: address.clone(), address, other: other_spelling(email) }
    }
}

impl Scalar for AccountEmail {
    fn from_value(value: Json) -> Result<Self, Fault> {
        Self::parse(&string(value)?)
    }
}

/// Whether it was valid before addresses had to be reachable.
fn was_taken(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain =
        |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '@' | '<' | '>' | ',' | ';' | '"');
    let label = |label: &str| {
        let hyphens = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && !hyphens && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let local_fits = !local.is_empty() && local.len() <= LOCAL_BYTES && local.chars().all(plain);
    let domain_fits = domain.split('.').all(label) && domain.rsplit('.').next() != Some("invalid");
    text.chars().count() <= limits::EMAIL && local_fits && domain_fits
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for AccountEmail {
    fn schema_name() -> Cow<'static, str> {
        Email::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Email::json_schema(generator)
    }
}

/// Bytes of a local part at the most (RFC 5321, section 4.5.3.1.1).
const LOCAL_BYTES: usize = 64;

/// The one spelling of an address: its local part composed (NFC) and in lower case, its domain as people read it (the
/// U-labels of IDNA 2008, RFC 5890).
///
/// The local part is a `Dot-string` of RFC 5321, section 4.1.2, with the letters of other scripts that RFC 6531 adds; quoted ones
/// are not supported, and neither are addresses of hosts in brackets.
///
/// # Errors
/// It is not an address, is too long, or has a domain that no mail reaches.
pub(super) fn canonical(text: &str) -> Result<String, Fault> {
    let fault = |detail: &'static str| Fault::new(FaultCode::Format, detail);
    let too_long = || {
        let detail = format!("Expected at most {} characters.", limits::EMAIL);
        Fault::new(FaultCode::TooLong, detail)
    };
    if text.chars().count() > limits::EMAIL {
        return Err(too_long());
    }
    let (local, domain) = text.rsplit_once('@').ok_or_else(|| fault("Expected an email address."))?;
    if local.chars().any(is_ignorable) || domain.chars().any(|c| is_ignorable(c) && !joins(c)) {
        return Err(fault("Expected an email address without characters that cannot be seen."));
    }
    let local = composed(&composed(local).to_lowercase());
    // Nobody could distinguish it from the address with the plain letters (RFC 8265, section 3.3, excludes them, too).
    if plain(&local) != local {
        return Err(fault(
            "Expected an email address: what stands before the @ has full-width or joined letters.",
        ));
    }
    if local.len() > LOCAL_BYTES || !local.split('.').all(is_atom) {
        return Err(fault(
            "Expected an email address: what stands before the @ is none that mail can be sent to.",
        ));
    }
    let domain = self::domain(domain)
        .ok_or_else(|| fault("Expected an email address: what stands behind the @ is no domain name."))?;
    // RFC 2606, section 2: no such domain exists. The service itself makes such addresses, for people whose address it
    // does not know, so nobody may register one.
    if domain.rsplit('.').next() == Some("invalid") {
        return Err(Fault::new(FaultCode::NotAllowed, "No mail can reach this address."));
    }
    let address = format!("{local}@{domain}");
    if address.chars().count() > limits::EMAIL || sendable(&address).len() > limits::EMAIL {
        return Err(too_long());
    }
    Ok(address)
}

/// Some scripts need joiners; for domains, IDNA checks their position.
fn joins(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether it is an `Atom` of RFC 5321, which are the `atext` of RFC 5322, section 3.2.3, and what RFC 6531 adds.
fn is_atom(text: &str) -> bool {
    let fits = |c: char| {
        let ascii = c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        ascii || (!c.is_ascii() && is_visible(c))
    };
    !text.is_empty() && text.chars().all(fits)
}

/// The one spelling of a public domain name: with at least two labels, the last one not of digits alone, as no
/// top-level domain is (RFC 3696, section 2). `localhost` is accepted, too: there is mail within a machine.
fn domain(text: &str) -> Option<String> {
    let (hyphens, length) = (Hyphens::CheckFirstLast, DnsLength::Verify);
    let ascii = Uts46::new().to_ascii(text.as_bytes(), AsciiDenyList::STD3, hyphens, length).ok()?;
    let (domain, valid) = Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, hyphens);
    valid.ok()?;
    let last = domain.rsplit_once('.').map(|(_, last)| last);
    let public = last.is_some_and(|last| !last.bytes().all(|byte| byte.is_ascii_digit()));
    let seen = domain.chars().all(|c| is_visible(c) || joins(c));
    (seen && (public || matches!(&*domain, "localhost" | "invalid"))).then(|| domain.into_owned())
}

/// The other spelling that an address may have had before there was only one: with its domain in A-labels.
pub(crate) fn other_spelling(address: &Email) -> Option<String> {
    let (local, domain) = address.as_str().rsplit_once('@').filter(|(_, domain)| !domain.is_ascii())?;
    idna::domain_to_ascii(domain).ok().map(|domain| format!("{local}@{domain}"))
}

/// An address in the form for sending: if its local part is ASCII, its domain is as well (A-labels), so that every
/// server accepts it and not only one with SMTPUTF8.
pub(crate) fn sendable(address: &str) -> Cow<'_, str> {
    match address.rsplit_once('@') {
        Some((local, domain)) if local.is_ascii() && !domain.is_ascii() => {
            idna::domain_to_ascii(domain).map_or(address.into(), |domain| format!("{local}@{domain}").into())
        }
        _ => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_mail_can_be_sent_to_have_one_spelling() {
        for (text, expected) in [
            ("Ada@Example.COM", "ada@example.com"),
            ("o'brien+x_{y}@a-b.example", "o'brien+x_{y}@a-b.example"),
            ("k@xn--mnchen-3ya.de", "k@münchen.de"),
            ("k@MU\u{308}NCHEN.de", "k@münchen.de"),
            ("JOSE\u{301}@example.com", "josé@example.com"),
            ("x@उदाहरण.परीक्षा", "x@उदाहरण.परीक्षा"),
            ("用户@例え。テスト", "用户@例え.テスト"),
            ("a@ｅｘａｍｐｌｅ.com", "a@example.com"),
            ("a@straße.de", "a@straße.de"),
            ("a@1.2.example", "a@1.2.example"),
            ("bailiwick@localhost", "bailiwick@localhost"),
        ] {
            assert_eq!(
                canonical(text).as_deref().map_err(|fault| fault.detail.clone()),
                Ok(expected),
                "{text}"
            );
            assert_eq!(canonical(expected).unwrap(), expected);
        }
    }

    #[test]
    fn addresses_that_no_mail_can_be_sent_to_are_refused() {
        let long_label = format!("a@{}.example", "x".repeat(64));
        let long_local = format!("{}@example.com", "x".repeat(65));
        // It fits as it is written, but not as it is sent.
        let long_domain = format!("a@{}example", "ü.".repeat(110));
        for text in [
            "a",
            "@",
            "a@",
            "@b.example",
            "a..b@x.example",
            ".x@x.example",
            "x.@x.example",
            "x\\@x.example",
            "(x)@x.example",
            "[x]@x.example",
            "x:y@x.example",
            "x@y@z.example",
            "\"x\"@x.example",
            "a b@x.example",
            "a,b@x.example",
            "<a@x.example>",
            "a@b",
            "a@x..example",
            "a@x.example.",
            "a@.example",
            "a@-x.example",
            "a@x-.example",
            "a@x_y.example",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@xn--a.example",
            "a@x y.example",
            "a@x\u{200b}.example",
            "a\u{ad}@x.example",
            "\u{3164}@x.example",
            "a\u{200d}@x.example",
            "ｌｉ@x.example",
            "ﬁn@x.example",
            "a@x.example\n",
            "a@\u{2800}.example",
            "\u{2800}@x.example",
            "a@x.invalid",
            &long_label,
            &long_local,
            &long_domain,
        ] {
            assert!(canonical(text).is_err(), "{text}");
        }
        let fits = format!("{}@{}.example", "x".repeat(64), "y".repeat(63));
        assert!(canonical(&fits).is_ok());
    }

    #[test]
    fn mail_is_sent_to_a_domain_in_ascii_where_that_is_enough() {
        for (address, expected) in [
            ("k@münchen.de", "k@xn--mnchen-3ya.de"),
            ("josé@münchen.de", "josé@münchen.de"),
            ("a@example.com", "a@example.com"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(sendable(address), expected);
        }
    }
}
