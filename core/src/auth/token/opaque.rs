//! Tokens that are opaque to clients: those of invitations, those that renew sessions, those that reset passwords, and
//! API keys. The database keeps nothing but their digests. All but the last are ids and 32 bytes of a MAC; an API key
//! is 32 random bytes before its ids, and so outlives the keys of the service.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::kernel::{
    decode::{Fault, FaultCode, Scalar},
    digest::sha256_hex,
    values::{ApiKeyId, InvitationId, ResetId, SessionId, TenantId, UserId, string},
};

fn text(one: [u8; 16], two: [u8; 16], mac: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode([&one[..], &two, &mac].concat())
}

fn bytes(text: &str) -> Option<[u8; 64]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// The token of an invitation: it names the tenant and the invitation, and has a secret part.
#[derive(Clone)]
pub struct InvitationToken {
    text: String,
    pub(crate) tenant: TenantId,
    pub(crate) id: InvitationId,
}

impl InvitationToken {
    pub(super) fn new(tenant: TenantId, id: InvitationId, mac: [u8; 32]) -> Self {
        Self { text: text(tenant.0.into_bytes(), id.0.into_bytes(), mac), tenant, id }
    }
}

/// The common part of tokens that are made from ids and a MAC.
macro_rules! tokens {
    ($($name:ident),+) => {$(
        impl $name {
            /// The text, for the recipient of the token.
            pub(crate) fn expose(&self) -> &str {
                &self.text
            }

            /// The digest that the database keeps: SHA-256, in hexadecimal. The token is random enough to need no salt.
            pub(crate) fn digest(&self) -> String {
                sha256_hex(&self.text)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )+};
}

tokens!(InvitationToken, RefreshToken, ResetToken);

/// An API key: it names its tenant, its user and itself, and has a secret part.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ApiKeyToken {
    text: String,
    /// The digest that the database keeps: SHA-256, in hexadecimal. Each request with the key needs it more than once.
    digest: String,
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) id: ApiKeyId,
}

impl ApiKeyToken {
    /// The beginning of every key, by which people and secret scanners recognise one.
    const MARK: &str = "bwk_";
    /// The length of the part by which people recognise a key later: the mark, and 48 of the secret's 256 bits.
    const PREFIX: usize = Self::MARK.len() + 8;

    /// Whether a bearer token has the form of an API key.
    pub(crate) fn is(text: &str) -> bool {
        text.starts_with(Self::MARK)
    }

    pub(crate) fn new(secret: [u8; 32], tenant: TenantId, user: UserId, id: ApiKeyId) -> Self {
        let bytes = [&secret[..], tenant.0.as_bytes(), user.0.as_bytes(), id.0.as_bytes()].concat();
        let text = Self::MARK.to_owned() + &URL_SAFE_NO_PAD.encode(bytes);
        Self { digest: sha256_hex(&text), text, tenant, user, id }
    }

    /// Reads one. Whether there is such a key is for the database to say.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(Self::MARK)?).ok()?;
        let bytes: [u8; 80] = bytes.try_into().ok()?;
        let id = |at: usize| Uuid::from_slice(&bytes[at..at + 16]).ok();
        Some(Self {
            digest: sha256_hex(text),
            text: text.to_owned(),
            tenant: TenantId(id(32)?),
            user: UserId(id(48)?),
            id: ApiKeyId(id(64)?),
        })
    }

    /// The text, for the member who has created it.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }

    /// The part that may be shown later.
    pub(crate) fn prefix(&self) -> &str {
        &self.text[..Self::PREFIX]
    }

    /// The digest that the database keeps.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }
}

impl std::fmt::Debug for ApiKeyToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKeyToken(..)")
    }
}

/// The token that renews a session's tokens: it names the session, and has a secret part.
#[derive(Clone)]
pub(crate) struct RefreshToken {
    text: String,
    pub(crate) session: SessionId,
}

impl RefreshToken {
    pub(super) fn new(session: SessionId, nonce: [u8; 16], mac: [u8; 32]) -> Self {
        Self { text: text(session.0.into_bytes(), nonce, mac), session }
    }

    /// The part that distinguishes it from the session's other tokens.
    pub(super) fn nonce(&self) -> Option<[u8; 16]> {
        bytes(&self.text)?.get(16..32)?.try_into().ok()
    }
}

impl Scalar for RefreshToken {
    fn from_value(value: serde_json::Value) -> Result<Self, Fault> {
        let text = string(value)?;
        let session = bytes(&text).and_then(|bytes| Uuid::from_slice(&bytes[..16]).ok());
        let fault = || Fault::new(FaultCode::Format, "Expected a refresh token.");
        session.map(|session| Self { text, session: SessionId(session) }).ok_or_else(fault)
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for RefreshToken {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RefreshToken".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        opaque_schema("What renews a session's tokens, once.")
    }
}

/// The token that sets a new password: it names the reset, and has a secret part.
#[derive(Clone)]
pub(crate) struct ResetToken {
    text: String,
    pub(crate) id: ResetId,
}

impl ResetToken {
    pub(super) fn new(id: ResetId, mac: [u8; 32]) -> Self {
        Self { text: URL_SAFE_NO_PAD.encode([&id.0.into_bytes()[..], &mac].concat()), id }
    }
}

impl Scalar for ResetToken {
    fn from_value(value: serde_json::Value) -> Result<Self, Fault> {
        let text = string(value)?;
        let bytes = URL_SAFE_NO_PAD.decode(&text).ok().filter(|bytes| bytes.len() == 48);
        let id = bytes.and_then(|bytes| Uuid::from_slice(&bytes[..16]).ok());
        let fault =
            || Fault::new(FaultCode::Format, "Expected the token of a mail about a forgotten password.");
        id.map(|id| Self { text, id: ResetId(id) }).ok_or_else(fault)
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for ResetToken {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ResetToken".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "minLength": 64, "maxLength": 64, "pattern": "^[A-Za-z0-9_-]{64}$",
            "description": "What sets a new password, once.",
        })
    }
}

#[cfg(feature = "openapi")]
fn opaque_schema(description: &str) -> schemars::Schema {
    // Four bits of the last character belong to no byte.
    schemars::json_schema!({
        "type": "string", "minLength": 86, "maxLength": 86, "pattern": "^[A-Za-z0-9_-]{85}[AQgw]$",
        "description": description,
    })
}

impl Scalar for InvitationToken {
    fn from_value(value: serde_json::Value) -> Result<Self, Fault> {
        let text = string(value)?;
        let fault = || Fault::new(FaultCode::Format, "Expected the token of an invitation.");
        let bytes = bytes(&text).ok_or_else(fault)?;
        let id = |range: std::ops::Range<usize>| Uuid::from_slice(&bytes[range]).map_err(|_| fault());
        Ok(Self { tenant: TenantId(id(0..16)?), id: InvitationId(id(16..32)?), text })
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for InvitationToken {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "InvitationToken".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        opaque_schema("What accepts an invitation.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_key_is_read_as_it_was_made_and_in_no_other_form() {
        let ids = (TenantId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)), ApiKeyId(Uuid::from_u128(3)));
        let key = ApiKeyToken::new([7; 32], ids.0, ids.1, ids.2);
        let text = key.expose();
        assert_eq!((text.len(), key.prefix().len()), (111, 12));
        assert_eq!(ApiKeyToken::parse(text), Some(key.clone()));
        assert_eq!(format!("{key:?}"), "ApiKeyToken(..)");
        // The last character carries bits that belong to no byte: none of its siblings passes for it.
        let others = ["B", "C", "D"].map(|last| format!("{}{last}", &text[..110]));
        for bad in ["", "bwk_", "bwk_x", &text[4..], &text[..110], &format!("{text}="), &format!("{text}A")]
            .into_iter()
            .chain(others.iter().map(String::as_str))
        {
            assert!(bad == text || ApiKeyToken::parse(bad).is_none(), "{bad}");
        }
    }
}
