//! Tokens that say nothing to whoever has them: those of invitations and those that renew sessions. Each is 32 bytes of
//! ids and 32 bytes of a MAC, and the database keeps nothing but its digest.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    input::{Fault, FaultCode, Leaf},
    values::{InvitationId, SessionId, TenantId, string},
};

fn text(one: [u8; 16], two: [u8; 16], mac: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode([&one[..], &two, &mac].concat())
}

fn bytes(text: &str) -> Option<[u8; 64]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// What opens an invitation: it names the tenant and the invitation, and has a secret part.
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

    /// The text, for whoever is invited.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }

    /// What the database keeps of it: SHA-256, in hexadecimal. The token is random enough to need no salt.
    pub(crate) fn digest(&self) -> String {
        sha256_hex(&self.text)
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256_hex(text: &str) -> String {
    let mut hexadecimal = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        for digit in [byte >> 4, byte & 15] {
            hexadecimal.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    hexadecimal
}

/// What renews a session's tokens: it names the session, and has a secret part.
#[derive(Clone)]
pub(crate) struct RefreshToken {
    text: String,
    pub(crate) session: SessionId,
}

impl RefreshToken {
    pub(super) fn new(session: SessionId, nonce: [u8; 16], mac: [u8; 32]) -> Self {
        Self { text: text(session.0.into_bytes(), nonce, mac), session }
    }

    /// What makes it another one than the session's others.
    pub(super) fn nonce(&self) -> Option<[u8; 16]> {
        bytes(&self.text)?.get(16..32)?.try_into().ok()
    }

    /// The text, for whoever has logged in.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }

    /// What the database keeps of it: SHA-256, in hexadecimal.
    pub(crate) fn digest(&self) -> String {
        sha256_hex(&self.text)
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

impl Leaf for RefreshToken {
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
        opaque_schema()
    }
}

#[cfg(feature = "openapi")]
fn opaque_schema() -> schemars::Schema {
    schemars::json_schema!({
        "type": "string", "minLength": 86, "maxLength": 86, "pattern": "^[A-Za-z0-9_-]{86}$"
    })
}

impl std::fmt::Debug for InvitationToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InvitationToken(..)")
    }
}

impl Leaf for InvitationToken {
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
        opaque_schema()
    }
}
