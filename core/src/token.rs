//! Access tokens: JWT (RFC 7519) signed with HS256, through `jsonwebtoken` with a provider that knows this one
//! algorithm, so that no other can be asked for and the edge carries no other's code.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result as JwtResult},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use signature::{Signer, Verifier};
use uuid::Uuid;

use crate::{
    config::{Config, JwtSecret},
    input::{Fault, FaultCode, Leaf},
    limits,
    time::Timestamp,
    values::{InvitationId, SessionId, TenantId, UserId, string},
};

const ISSUER: &str = "bailiwick";
const AUDIENCE: &str = "bailiwick";

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    exp: i64,
    iat: i64,
    jti: String,
    iss: String,
    aud: String,
}

/// Who a bearer token stands for, and by which session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
}

/// The keys, and what is derived from them.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    cursor_key: [u8; 32],
    invitation_key: [u8; 32],
    refresh_key: [u8; 32],
    ttl_seconds: i64,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    pub(crate) fn new(secret: &JwtSecret, config: &Config) -> Self {
        // Errs if it is installed already, which is as well.
        let _ = PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
        // The time of day comes from the clock port; `verify` compares.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
            validation,
            cursor_key: hmac_sha256(secret.as_bytes(), &[b"bailiwick cursor"]),
            invitation_key: hmac_sha256(secret.as_bytes(), &[b"bailiwick invitation"]),
            refresh_key: hmac_sha256(secret.as_bytes(), &[b"bailiwick refresh"]),
            ttl_seconds: i64::try_from(config.token_ttl.as_secs()).unwrap_or(i64::MAX),
        }
    }

    /// Seconds for which a token is valid.
    pub(crate) fn ttl_seconds(&self) -> i64 {
        self.ttl_seconds
    }

    /// Makes an access token.
    pub(crate) fn issue(&self, bearer: Bearer, id: Uuid, now: Timestamp) -> JwtResult<String> {
        let claims = Claims {
            sub: bearer.user.to_string(),
            sid: bearer.session.to_string(),
            exp: now.unix_seconds().saturating_add(self.ttl_seconds),
            iat: now.unix_seconds(),
            jti: id.to_string(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
    }

    /// Who a valid access token stands for; `None` for any other text. Whether the session is still good is for the
    /// database to say.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Option<Bearer> {
        if token.len() > limits::TOKEN_BYTES {
            return None;
        }
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        // `crit` names extensions that must be understood (RFC 7515, section 4.1.11); none is.
        if data.header.crit.is_some() || data.claims.exp <= now.unix_seconds() {
            return None;
        }
        Some(Bearer { user: UserId::parse(&data.claims.sub)?, session: SessionId::parse(&data.claims.sid)? })
    }

    /// The token of an invitation. It can be made again from the ids, so that nothing but its digest is kept.
    pub(crate) fn invitation(&self, tenant: TenantId, id: InvitationId) -> InvitationToken {
        let mut bytes = [0; 64];
        bytes[..16].copy_from_slice(tenant.0.as_bytes());
        bytes[16..32].copy_from_slice(id.0.as_bytes());
        bytes[32..]
            .copy_from_slice(&hmac_sha256(&self.invitation_key, &[tenant.0.as_bytes(), id.0.as_bytes()]));
        InvitationToken { text: URL_SAFE_NO_PAD.encode(bytes), tenant, id }
    }

    /// A refresh token of a session.
    pub(crate) fn refresh(&self, session: SessionId, nonce: [u8; 16]) -> RefreshToken {
        let mut bytes = [0; 64];
        bytes[..16].copy_from_slice(session.0.as_bytes());
        bytes[16..32].copy_from_slice(&nonce);
        bytes[32..].copy_from_slice(&hmac_sha256(&self.refresh_key, &[session.0.as_bytes(), &nonce]));
        RefreshToken { text: URL_SAFE_NO_PAD.encode(bytes), session }
    }

    /// Whether a refresh token was made here, and not made up. Compared are digests, so that the time tells nothing.
    pub(crate) fn made(&self, token: &RefreshToken) -> bool {
        let nonce =
            URL_SAFE_NO_PAD.decode(&token.text).ok().and_then(|bytes| bytes.get(16..32)?.try_into().ok());
        nonce.is_some_and(|nonce| self.refresh(token.session, nonce).digest() == token.digest())
    }

    /// Seals what a cursor says, so that one made up or used elsewhere is known.
    pub(crate) fn seal(&self, parts: &[&[u8]]) -> [u8; 32] {
        hmac_sha256(&self.cursor_key, parts)
    }
}

/// What opens an invitation: it names the tenant and the invitation, and has a secret part.
#[derive(Clone)]
pub struct InvitationToken {
    text: String,
    pub(crate) tenant: TenantId,
    pub(crate) id: InvitationId,
}

impl InvitationToken {
    /// The text, for whoever is invited.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }

    /// What the database keeps of it: SHA-256, in hexadecimal. The token is random enough to need no salt.
    pub(crate) fn digest(&self) -> String {
        sha256_hex(&self.text)
    }
}

fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What renews a session's tokens: it names the session, and has a secret part.
#[derive(Clone)]
pub(crate) struct RefreshToken {
    text: String,
    pub(crate) session: SessionId,
}

impl RefreshToken {
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
        let bytes = URL_SAFE_NO_PAD.decode(&text).ok().filter(|bytes| bytes.len() == 64);
        let session = bytes.and_then(|bytes| Uuid::from_slice(&bytes[..16]).ok());
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
        let bytes = URL_SAFE_NO_PAD.decode(&text).ok().filter(|bytes| bytes.len() == 64).ok_or_else(fault)?;
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

/// HMAC-SHA-256 over the parts, each preceded by its length so that no two lists collide.
fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?)),
    verifier_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.try_get_as_bytes()?)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: Algorithm, key: &[u8]) -> JwtResult<Self> {
        if algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Hmac::new_from_slice(key).map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(signature::Error::from_source)
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_unix_millis(1_795_512_600_000);

    fn tokens(secret: &str) -> Tokens {
        Tokens::new(&JwtSecret::new(secret).unwrap(), &Config::read(|_| None).unwrap())
    }

    fn signed(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature =
            Hs256::new(Algorithm::HS256, SECRET.as_bytes()).unwrap().try_sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn good() -> (Value, Value) {
        let claims = json!({
            "sub": "0196a2b4-0000-7000-8000-00000000000a", "sid": "0196a2b4-0000-7000-8000-00000000000b", "exp": NOW.unix_seconds() + 60, "iat": NOW.unix_seconds(),
            "jti": "j", "iss": ISSUER, "aud": AUDIENCE,
        });
        (json!({ "alg": "HS256", "typ": "JWT" }), claims)
    }

    #[test]
    fn a_token_names_its_user_until_it_expires() {
        let tokens = tokens(SECRET);
        let bearer = Bearer { user: UserId(Uuid::from_u128(7)), session: SessionId(Uuid::from_u128(8)) };
        let token = tokens.issue(bearer, Uuid::nil(), NOW).unwrap();
        let later = |seconds: i64| Timestamp::from_unix_millis(NOW.unix_millis() + seconds * 1000);
        assert_eq!(tokens.verify(&token, NOW), Some(bearer));
        assert_eq!(tokens.verify(&token, later(899)), Some(bearer));
        assert_eq!(tokens.verify(&token, later(900)), None);
    }

    #[test]
    fn tokens_that_are_refused() {
        let (header, claims) = good();
        let tokens_ = tokens(SECRET);
        assert!(tokens_.verify(&signed(&header, &claims), NOW).is_some(), "the sample itself is good");

        let changed = |name: &str, value: Value| {
            let mut claims = claims.clone();
            claims[name] = value;
            signed(&header, &claims)
        };
        let without = |name: &str| {
            let mut claims = claims.clone();
            claims.as_object_mut().unwrap().remove(name);
            signed(&header, &claims)
        };
        let mut bad = vec![
            (String::new(), "empty".to_owned()),
            ("a.b.c".to_owned(), "not a token".to_owned()),
            ("x".repeat(limits::TOKEN_BYTES + 1), "oversized".to_owned()),
            (signed(&json!({ "alg": "HS384" }), &claims), "another algorithm".to_owned()),
            (signed(&json!({ "alg": "none" }), &claims), "no algorithm".to_owned()),
            (signed(&json!({ "alg": "RS256" }), &claims), "an asymmetric algorithm".to_owned()),
            (signed(&json!({ "alg": "HS256", "crit": ["b64"] }), &claims), "crit".to_owned()),
            (changed("exp", json!("tomorrow")), "exp of the wrong type".to_owned()),
            (changed("exp", json!(NOW.unix_seconds())), "expired".to_owned()),
            (changed("iss", json!("somebody")), "another issuer".to_owned()),
            (changed("aud", json!("somebody")), "another audience".to_owned()),
            (changed("sub", json!("root")), "sub is no id".to_owned()),
            (changed("sid", json!("root")), "sid is no id".to_owned()),
            (
                tokens("another secret, also 32 bytes long")
                    .issue(
                        Bearer { user: UserId(Uuid::nil()), session: SessionId(Uuid::nil()) },
                        Uuid::nil(),
                        NOW,
                    )
                    .unwrap(),
                "another key".to_owned(),
            ),
        ];
        bad.extend(
            ["sub", "sid", "exp", "iss", "aud"].map(|name| (without(name), format!("without {name}"))),
        );
        let unsigned = signed(&header, &claims).rsplit_once('.').unwrap().0.to_owned() + ".";
        bad.push((unsigned, "no signature".to_owned()));
        for (token, why) in bad {
            assert_eq!(tokens_.verify(&token, NOW), None, "{why}");
        }
    }

    #[test]
    fn a_refresh_token_is_known_as_one_of_ours() {
        let session = SessionId(Uuid::from_u128(9));
        let token = tokens(SECRET).refresh(session, [7; 16]);
        let read = RefreshToken::from_value(json!(token.expose())).unwrap();
        assert_eq!((read.session, tokens(SECRET).made(&read)), (session, true));
        assert!(!tokens("another secret, also 32 bytes long").made(&read));
        let invitation = tokens(SECRET).invitation(TenantId(session.0), InvitationId(Uuid::from_u128(7)));
        let other = RefreshToken::from_value(json!(invitation.expose())).unwrap();
        assert!(!tokens(SECRET).made(&other), "one kind of token does not pass for another");
    }

    #[test]
    fn a_seal_depends_on_every_part_and_on_where_parts_end() {
        let tokens = tokens(SECRET);
        assert_ne!(tokens.seal(&[b"ab", b"c"]), tokens.seal(&[b"a", b"bc"]));
        assert_eq!(tokens.seal(&[b"ab", b"c"]), tokens.seal(&[b"ab", b"c"]));
    }
}
