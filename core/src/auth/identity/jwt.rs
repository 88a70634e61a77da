//! Tokens of an identity provider (RFC 7519), as far as they can be read without a key: their header, their claims.
//!
//! Clients are shown the reasons of a refusal: these say nothing that is not in the token or known.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::{
    auth::token::{Bearer, numeric_date},
    kernel::{
        json, limits,
        time::Timestamp,
        values::{Email, IdentityId, Name, UserId},
    },
};

/// The algorithms of providers. None of them is one that this service signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// Its names; the second is that of RFC 9864.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Rs256 => &["RS256"],
            Self::Es256 => &["ES256"],
            Self::EdDsa => &["EdDSA", "Ed25519"],
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Es256, Self::EdDsa].into_iter().find(|one| one.names().contains(&name))
    }
}

/// Why a token is refused, in a sentence.
pub(super) type Refusal = &'static str;

/// A token that is well-formed. None of its claims has been verified.
pub(super) struct Unverified<'a> {
    pub(super) algorithm: Algorithm,
    /// The name of the key.
    pub(super) key: Option<String>,
    /// The signed bytes.
    pub(super) message: &'a [u8],
    pub(super) signature: Vec<u8>,
    claims: Map<String, Value>,
}

/// The person that a verified token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The provider's name for them, which never changes.
    subject: String,
    /// Their address, if the provider has verified it.
    pub(crate) email: Option<Email>,
    /// Their name.
    pub(crate) name: Option<Name>,
}

impl Subject {
    /// The provider's name for them.
    pub(crate) fn id(&self) -> &str {
        &self.subject
    }
}

impl Bearer {
    /// The bearer of a verified token, whose subject has this account by this link: the caller has looked it up.
    pub(crate) fn of_verified(_subject: &Subject, user: UserId, identity: IdentityId) -> Self {
        Self::identity(user, identity)
    }
}

/// Whether a token is to be verified by a provider's key. This alone decides: a token signed with HS256 is never shown
/// to a provider's key, and a token signed by a provider never to ours.
pub(crate) fn is_external(token: &str) -> bool {
    let header = token.split('.').next().and_then(part);
    header.is_some_and(|header| algorithm(&header).is_some())
}

fn algorithm(header: &Map<String, Value>) -> Option<Algorithm> {
    Algorithm::of(header.get("alg")?.as_str()?)
}

fn part(text: &str) -> Option<Map<String, Value>> {
    if text.len() > limits::EXTERNAL_TOKEN_BYTES {
        return None;
    }
    match json::parse(&URL_SAFE_NO_PAD.decode(text).ok()?) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// Takes a token apart.
pub(super) fn read(token: &str) -> Result<Unverified<'_>, Refusal> {
    if token.len() > limits::EXTERNAL_TOKEN_BYTES {
        return Err("The token is too large.");
    }
    let malformed = "The token is malformed.";
    let (message, signature) = token.rsplit_once('.').ok_or(malformed)?;
    let (header, claims) = message.split_once('.').ok_or(malformed)?;
    let header = part(header).ok_or(malformed)?;
    let claims = part(claims).ok_or(malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed)?;
    let algorithm = algorithm(&header).ok_or("The token's algorithm is not taken here.")?;
    // `crit` names extensions that must be understood (RFC 7515, section 4.1.11); none is.
    if header.contains_key("crit") {
        return Err("The token asks for an extension.");
    }
    // A provider signs other things, too, with the same key (RFC 8725, section 3.11), such as logout tokens.
    let plain = match header.get("typ") {
        None => true,
        Some(kind) => kind.as_str().is_some_and(|kind| {
            let kind = kind.to_ascii_lowercase();
            matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
        }),
    };
    if !plain || claims.contains_key("events") {
        return Err("The token is of another type.");
    }
    // It is valid only together with a key of its holder (RFC 7800), which a bearer does not show.
    if claims.contains_key("cnf") {
        return Err("The token is bound to a key of its holder.");
    }
    let key = match header.get("kid") {
        None => None,
        Some(key) => Some(key.as_str().ok_or(malformed)?.to_owned()),
    };
    Ok(Unverified { algorithm, key, message: message.as_bytes(), signature, claims })
}

impl Unverified<'_> {
    /// The token's subject, if the token is meant for us and valid now.
    pub(super) fn subject(&self, issuer: &str, audience: &str, now: Timestamp) -> Result<Subject, Refusal> {
        let text = |name: &str| self.claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(issuer) {
            return Err("The token is another issuer's.");
        }
        let meant = match self.claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(all)) => all.iter().any(|one| one == audience),
            _ => false,
        };
        if !meant {
            return Err("The token is for another audience.");
        }
        let now = now.unix_seconds();
        let untimely = "The token says in no proper way when it is good.";
        if self.date("exp").map_err(|()| untimely)?.ok_or(untimely)? <= now {
            return Err("The token has expired.");
        }
        for name in ["nbf", "iat"] {
            if self
                .date(name)
                .map_err(|()| untimely)?
                .is_some_and(|date| date > now + limits::TOKEN_LEEWAY_SECONDS)
            {
                return Err("The token is not good yet.");
            }
        }
        let subject = text("sub").filter(|subject| {
            (1..=limits::SUBJECT_BYTES).contains(&subject.len()) && !subject.contains(char::is_control)
        });
        let email = text("email").filter(|_| self.claims.get("email_verified") == Some(&Value::Bool(true)));
        Ok(Subject {
            subject: subject.ok_or("The token names nobody.")?.to_owned(),
            email: email.and_then(|email| Email::parse(email).ok()),
            name: text("name").and_then(|name| Name::parse(name).ok()),
        })
    }

    /// A point in time. A claim that is not a number is an error.
    fn date(&self, name: &str) -> Result<Option<i64>, ()> {
        self.claims.get(name).map(|date| numeric_date(date).ok_or(())).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_795_512_600_000);
    const ISSUER: &str = "https://id.example.com";

    fn signed(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    fn header() -> Value {
        json!({ "alg": "ES256", "kid": "k", "typ": "JWT" })
    }

    fn claims() -> Value {
        json!({
            "iss": ISSUER, "aud": "bailiwick", "sub": "7", "exp": NOW.unix_seconds() + 60, "iat": NOW.unix_seconds(),
            "email": "Ada@Example.com", "email_verified": true, "name": "Ada",
        })
    }

    fn outcome(token: &str) -> Result<Subject, Refusal> {
        read(token)?.subject(ISSUER, "bailiwick", NOW)
    }

    fn changed(name: &str, value: &Value) -> Result<Subject, Refusal> {
        let mut claims = claims();
        claims[name] = value.clone();
        outcome(&signed(&header(), &claims))
    }

    #[test]
    fn a_good_one_names_its_subject() {
        let token = signed(&header(), &claims());
        let read = read(&token).unwrap();
        assert_eq!((read.algorithm, read.key.as_deref()), (Algorithm::Es256, Some("k")));
        assert_eq!(
            (read.message, read.signature.as_slice()),
            (token.rsplit_once('.').unwrap().0.as_bytes(), &b"sig"[..])
        );
        let subject = outcome(&token).unwrap();
        assert_eq!(subject.email.unwrap().as_str(), "ada@example.com");
        assert_eq!((subject.subject.as_str(), subject.name.unwrap().as_str()), ("7", "Ada"));
        for (name, value) in [
            ("aud", json!(["another", "bailiwick"])),
            ("exp", json!(1_795_512_601.5)),
            ("exp", json!(u64::MAX)),
            ("nbf", json!(NOW.unix_seconds() + limits::TOKEN_LEEWAY_SECONDS)),
            ("iat", json!(NOW.unix_seconds() + limits::TOKEN_LEEWAY_SECONDS)),
            ("name", json!(7)),
            ("anything", json!({ "else": [] })),
        ] {
            assert!(changed(name, &value).is_ok(), "{name} {value}");
        }
        for header in [
            json!({ "alg": "RS256", "kid": "k" }),
            json!({ "alg": "EdDSA", "typ": "at+jwt" }),
            json!({ "alg": "Ed25519", "typ": "application/AT+JWT", "jku": "https://evil.example.com" }),
        ] {
            assert!(outcome(&signed(&header, &claims())).is_ok(), "{header}");
        }
    }

    #[test]
    fn headers_that_are_refused() {
        for header in [
            json!({}),
            json!({ "alg": "none" }),
            json!({ "alg": "None" }),
            json!({ "alg": "" }),
            json!({ "alg": null }),
            json!({ "alg": ["RS256"] }),
            json!({ "alg": "HS256", "kid": "k" }),
            json!({ "alg": "HS512" }),
            json!({ "alg": "RS384" }),
            json!({ "alg": "RS512" }),
            json!({ "alg": "PS256" }),
            json!({ "alg": "ES384" }),
            json!({ "alg": "ES256K" }),
            json!({ "alg": "rs256" }),
            json!({ "alg": "ES256", "kid": 7 }),
            json!({ "alg": "ES256", "kid": null }),
            json!({ "alg": "ES256", "crit": ["b64"], "b64": false }),
            json!({ "alg": "ES256", "crit": [] }),
            json!({ "alg": "ES256", "crit": null }),
            json!({ "alg": "ES256", "typ": "logout+jwt" }),
            json!({ "alg": "ES256", "typ": "dpop+jwt" }),
            json!({ "alg": "ES256", "typ": "secevent+jwt" }),
            json!({ "alg": "ES256", "typ": 7 }),
        ] {
            assert!(read(&signed(&header, &claims())).is_err(), "{header}");
        }
    }

    #[test]
    fn claims_that_are_refused() {
        let now = NOW.unix_seconds();
        for (name, value) in [
            ("iss", json!("https://id.example.com/")),
            ("iss", json!("bailiwick")),
            ("iss", json!([ISSUER])),
            ("aud", json!("another")),
            ("aud", json!(["another"])),
            ("aud", json!([["bailiwick"]])),
            ("aud", json!({ "bailiwick": true })),
            ("aud", json!("bailiwick ")),
            ("exp", json!(now)),
            ("exp", json!(1_795_512_600.5)),
            ("exp", json!(-1)),
            ("exp", json!(format!("{}", now + 60))),
            ("exp", json!("tomorrow")),
            ("exp", json!(true)),
            ("exp", json!(null)),
            ("exp", json!([now + 60])),
            ("nbf", json!(now + limits::TOKEN_LEEWAY_SECONDS + 1)),
            ("nbf", json!("0")),
            ("nbf", json!(null)),
            ("iat", json!(now + limits::TOKEN_LEEWAY_SECONDS + 1)),
            ("iat", json!("0")),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("sub", json!(null)),
            ("sub", json!("a\nb")),
            ("sub", json!("x".repeat(limits::SUBJECT_BYTES + 1))),
            ("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} })),
            ("cnf", json!({ "jkt": "x" })),
        ] {
            assert!(changed(name, &value).is_err(), "{name} {value}");
        }
        for name in ["iss", "aud", "exp", "sub"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            assert!(outcome(&signed(&header(), &claims)).is_err(), "without {name}");
        }
    }

    #[test]
    fn an_address_counts_only_if_it_is_verified() {
        for (name, value) in [
            ("email_verified", json!(false)),
            ("email_verified", json!("true")),
            ("email_verified", json!(1)),
            ("email_verified", json!(null)),
            ("email", json!("nonsense")),
            ("email", json!(["ada@example.com"])),
        ] {
            assert_eq!(changed(name, &value).unwrap().email, None, "{name} {value}");
        }
    }

    #[test]
    fn what_is_no_token() {
        let good = signed(&header(), &claims());
        let twice = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","alg":"none"}"#);
        let rest = good.split_once('.').unwrap().1;
        for bad in [
            "",
            ".",
            "..",
            "...",
            "a.b.c",
            &format!("{good}."),
            &format!("{good}.e30"),
            &format!("{good}="),
            &good.replace('.', " "),
            &format!("{twice}.{rest}"),
            &format!("W10.{rest}"),
            &format!("{good}{}", "A".repeat(limits::EXTERNAL_TOKEN_BYTES)),
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let oversized = signed(&header(), &json!({ "x": "x".repeat(limits::EXTERNAL_TOKEN_BYTES) }));
        assert_eq!(read(&oversized).err(), Some("The token is too large."));
    }

    #[test]
    fn who_verifies_is_decided_by_the_algorithm() {
        let with = |alg: &str| signed(&json!({ "alg": alg }), &claims());
        for external in ["RS256", "ES256", "EdDSA", "Ed25519"] {
            assert!(is_external(&with(external)), "{external}");
        }
        for other in ["HS256", "HS384", "none", "PS256", ""] {
            assert!(!is_external(&with(other)), "{other}");
        }
        assert!(!is_external("") && !is_external("bwk_x") && !is_external("a.b.c"));
    }
}
