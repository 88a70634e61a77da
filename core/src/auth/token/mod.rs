//! Access tokens: JWT (RFC 7519) signed with HS256, through `jsonwebtoken`; and the other uses of the keys. The first
//! key signs, all of them verify, so that keys can be changed while tokens are in use.

pub(crate) mod hs256;
pub(crate) mod opaque;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::Result as JwtResult};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    auth::token::{
        hs256::{PROVIDER, hmac_sha256},
        opaque::{ApiKeyToken, InvitationToken, RefreshToken, ResetToken},
    },
    config::{Config, values::JwtKey},
    kernel::{
        limits,
        time::Timestamp,
        values::{ApiKeyId, IdentityId, InvitationId, ResetId, SessionId, TenantId, UserId},
    },
};

const ISSUER: &str = "bailiwick";
const AUDIENCE: &str = "bailiwick";

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    exp: i64,
    iat: i64,
    /// Tokens that are made here have no such claim.
    #[serde(default, deserialize_with = "date_claim", skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    jti: String,
    iss: String,
    aud: String,
}

/// A point in time in whole seconds since the Unix epoch, which a token may give with a fraction (RFC 7519, section 2);
/// `None` for a value that is not a number.
pub(crate) fn numeric_date(date: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "it saturates, which is as well for a date")]
    let whole = |fraction: f64| fraction.floor() as i64;
    date.as_i64().or_else(|| date.as_f64().map(whole))
}

/// A claim that is absent or a point in time, and not `null`.
fn date_claim<'de, D: Deserializer<'de>>(claim: D) -> Result<Option<i64>, D::Error> {
    let date = Value::deserialize(claim)?;
    numeric_date(&date).map(Some).ok_or_else(|| D::Error::custom("it is no point in time"))
}

/// The user that a bearer token stands for, and the credential. Scopes of users are opened for a bearer, which only
/// `auth/` can make: from a token that it has read, or from a verified token of an identity provider and the account to
/// which the database links its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    user: UserId,
    credential: Credential,
}

/// The credential of a request. Whether it is still valid is for the database to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A login.
    Session(SessionId),
    /// A token of an identity provider.
    Identity(IdentityId),
    /// An API key, which is valid for one tenant only.
    Key(ApiKeyToken),
}

impl Bearer {
    /// A person who is logged in.
    fn session(user: UserId, session: SessionId) -> Self {
        Self { user, credential: Credential::Session(session) }
    }

    /// A person whom the identity provider knows.
    pub(in crate::auth) fn identity(user: UserId, identity: IdentityId) -> Self {
        Self { user, credential: Credential::Identity(identity) }
    }

    /// The user.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// The credential.
    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The API key, if it is one.
    pub(crate) fn key(&self) -> Option<ApiKeyId> {
        match &self.credential {
            Credential::Session(_) | Credential::Identity(_) => None,
            Credential::Key(key) => Some(key.id),
        }
    }

    /// Reads the token of a request: an API key or an access token.
    pub(crate) fn read(text: &str, tokens: &Tokens, now: Timestamp) -> Option<Self> {
        if !ApiKeyToken::is(text) {
            return tokens.verify(text, now);
        }
        let key = ApiKeyToken::parse(text)?;
        Some(Self { user: key.user, credential: Credential::Key(key) })
    }
}

/// A key, and the keys that are derived from it.
struct Key {
    id: Option<String>,
    encoding: EncodingKey,
    decoding: DecodingKey,
    cursor: [u8; 32],
    invitation: [u8; 32],
    refresh: [u8; 32],
    reset: [u8; 32],
    answer: [u8; 32],
}

impl Key {
    fn new(JwtKey { id, secret }: &JwtKey) -> Self {
        let secret = secret.as_bytes();
        Self {
            id: id.clone(),
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            cursor: hmac_sha256(secret, &[b"bailiwick cursor"]),
            invitation: hmac_sha256(secret, &[b"bailiwick invitation"]),
            refresh: hmac_sha256(secret, &[b"bailiwick refresh"]),
            reset: hmac_sha256(secret, &[b"bailiwick reset"]),
            answer: hmac_sha256(secret, &[b"bailiwick answer"]),
        }
    }

    fn invitation(&self, tenant: TenantId, id: InvitationId) -> InvitationToken {
        let mac = hmac_sha256(&self.invitation, &[tenant.0.as_bytes(), id.0.as_bytes()]);
        InvitationToken::new(tenant, id, mac)
    }

    fn refresh(&self, session: SessionId, nonce: [u8; 16]) -> RefreshToken {
        let mac = hmac_sha256(&self.refresh, &[session.0.as_bytes(), &nonce]);
        RefreshToken::new(session, nonce, mac)
    }

    /// The token that replaces this one.
    fn successor(&self, token: &RefreshToken, nonce: [u8; 16]) -> RefreshToken {
        let parts: [&[u8]; 3] = [b"successor", token.session.0.as_bytes(), &nonce];
        let mut next = [0; 16];
        next.copy_from_slice(&hmac_sha256(&self.refresh, &parts)[..16]);
        self.refresh(token.session, next)
    }

    fn reset(&self, id: ResetId) -> ResetToken {
        ResetToken::new(id, hmac_sha256(&self.reset, &[id.0.as_bytes()]))
    }
}

/// The keys: the one that signs, and those that only verify.
pub(crate) struct Tokens {
    first: Key,
    others: Vec<Key>,
    validation: Validation,
    ttl_seconds: i64,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// `None` without a key.
    pub(crate) fn new(config: &Config) -> Option<Self> {
        // Fails if it is installed already, which does no harm.
        let _ = PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
        // The time of day comes from the clock port; `verify` compares.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let mut keys = config.keys().map(|key| Key::new(&key));
        let ttl_seconds = i64::try_from(config.token_ttl.as_secs()).unwrap_or(i64::MAX);
        Some(Self { first: keys.next()?, others: keys.collect(), validation, ttl_seconds })
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Seconds for which a token is valid.
    pub(crate) fn ttl_seconds(&self) -> i64 {
        self.ttl_seconds
    }

    /// Makes an access token.
    pub(crate) fn issue(
        &self,
        user: UserId,
        session: SessionId,
        id: Uuid,
        now: Timestamp,
    ) -> JwtResult<String> {
        let claims = Claims {
            sub: user.to_string(),
            sid: session.to_string(),
            exp: now.unix_seconds().saturating_add(self.ttl_seconds),
            iat: now.unix_seconds(),
            nbf: None,
            jti: id.to_string(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
        };
        let header = Header { kid: self.first.id.clone(), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &self.first.encoding)
    }

    /// The bearer of a valid access token; `None` for any other text. Whether the session is still valid is for the
    /// database to say.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Option<Bearer> {
        if token.len() > limits::TOKEN_BYTES {
            return None;
        }
        let id = jsonwebtoken::decode_header(token).ok()?.kid;
        let key = self.keys().find(|key| key.id == id)?;
        let data = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation).ok()?;
        let now = now.unix_seconds();
        // The time of issue (`iat`) comes from our own clock, which may have been set back since: it is no reason to
        // refuse a token.
        let early =
            data.claims.nbf.is_some_and(|date| date > now.saturating_add(limits::TOKEN_LEEWAY_SECONDS));
        // `crit` names extensions that must be understood (RFC 7515, section 4.1.11); none is.
        if data.header.crit.is_some() || data.claims.exp <= now || early {
            return None;
        }
        Some(Bearer::session(UserId::parse(&data.claims.sub)?, SessionId::parse(&data.claims.sid)?))
    }

    /// The token of a new invitation. It can be made again from the ids, so that nothing but its digest is kept.
    pub(crate) fn invitation(&self, tenant: TenantId, id: InvitationId) -> InvitationToken {
        self.first.invitation(tenant, id)
    }

    /// The token of an invitation that was made before, by its digest; `None` if its key is gone.
    pub(crate) fn invitation_again(
        &self,
        tenant: TenantId,
        id: InvitationId,
        digest: &str,
    ) -> Option<InvitationToken> {
        let same = |token: &InvitationToken| token.digest().as_bytes().ct_eq(digest.as_bytes()).into();
        self.keys().map(|key| key.invitation(tenant, id)).find(same)
    }

    /// The token of a new password reset. It can be made again from the id, as that of an invitation can.
    pub(crate) fn reset(&self, id: ResetId) -> ResetToken {
        self.first.reset(id)
    }

    /// The token of a reset that was made before, by its digest; `None` if its key is gone.
    pub(crate) fn reset_again(&self, id: ResetId, digest: &str) -> Option<ResetToken> {
        let same = |token: &ResetToken| token.digest().as_bytes().ct_eq(digest.as_bytes()).into();
        self.keys().map(|key| key.reset(id)).find(same)
    }

    /// The first refresh token of a session.
    pub(crate) fn refresh(&self, session: SessionId, nonce: [u8; 16]) -> RefreshToken {
        self.first.refresh(session, nonce)
    }

    /// Whether a refresh token was made here, and not made up.
    fn made(&self, token: &RefreshToken) -> bool {
        let Some(nonce) = token.nonce() else { return false };
        let made = |key: &Key| key.refresh(token.session, nonce);
        self.keys().any(|key| made(key).expose().as_bytes().ct_eq(token.expose().as_bytes()).into())
    }

    /// The token that replaces a refresh token when that is used. It can be made again from that one, so that a
    /// repeated request is answered the same; `None` if that one was not made here.
    pub(crate) fn successor(&self, token: &RefreshToken) -> Option<RefreshToken> {
        let nonce = token.nonce().filter(|_| self.made(token))?;
        Some(self.first.successor(token, nonce))
    }

    /// The token that replaced a refresh token, by its digest; `None` if another one has that digest.
    pub(crate) fn successor_again(&self, token: &RefreshToken, digest: &str) -> Option<RefreshToken> {
        let nonce = token.nonce()?;
        let same = |token: &RefreshToken| token.digest().as_bytes().ct_eq(digest.as_bytes()).into();
        self.keys().map(|key| key.successor(token, nonce)).find(same)
    }

    /// The keys for the stored answers of the owner that these parts name: the first one encrypts, and answers that the
    /// others have encrypted can still be read.
    pub(crate) fn answer_keys(&self, parts: &[&[u8]]) -> Vec<[u8; 32]> {
        self.keys().map(|key| hmac_sha256(&key.answer, parts)).collect()
    }

    /// The MAC of a cursor, so that one made up or used elsewhere is refused.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        hmac_sha256(&self.first.cursor, parts)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    use signature::Signer;

    use super::{hs256::Hs256, *};
    use crate::kernel::decode::Scalar;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_unix_millis(1_795_512_600_000);

    fn configured(keys: Option<&str>, secret: Option<&str>) -> Tokens {
        let config = Config::read(|name| match name {
            "JWT_KEYS" => keys.map(str::to_owned),
            "JWT_SECRET" => secret.map(str::to_owned),
            _ => None,
        });
        Tokens::new(&config.unwrap()).unwrap()
    }

    fn tokens(secret: &str) -> Tokens {
        configured(None, Some(secret))
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
        let (user, session) = (UserId(Uuid::from_u128(7)), SessionId(Uuid::from_u128(8)));
        let bearer = Bearer::session(user, session);
        let token = tokens.issue(user, session, Uuid::nil(), NOW).unwrap();
        let later = |seconds: i64| Timestamp::from_unix_millis(NOW.unix_millis() + seconds * 1000);
        assert_eq!(tokens.verify(&token, NOW), Some(bearer.clone()));
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
            (changed("nbf", json!(NOW.unix_seconds() + 61)), "not good yet".to_owned()),
            (changed("nbf", json!(1_795_512_661.5)), "not good yet, by a fraction".to_owned()),
            (changed("nbf", json!(u64::MAX)), "not good in our days".to_owned()),
            (changed("nbf", json!(null)), "nbf is null".to_owned()),
            (changed("nbf", json!("0")), "nbf of the wrong type".to_owned()),
            (changed("nbf", json!(true)), "nbf of another wrong type".to_owned()),
            (changed("nbf", json!([0])), "nbf is a list".to_owned()),
            (changed("nbf", json!({})), "nbf is an object".to_owned()),
            (changed("iat", json!(null)), "iat is null".to_owned()),
            (changed("iat", json!("0")), "iat of the wrong type".to_owned()),
            (changed("iss", json!("somebody")), "another issuer".to_owned()),
            (changed("aud", json!("somebody")), "another audience".to_owned()),
            (changed("sub", json!("root")), "sub is no id".to_owned()),
            (changed("sid", json!("root")), "sid is no id".to_owned()),
            (
                tokens("another secret, also 32 bytes long")
                    .issue(UserId(Uuid::nil()), SessionId(Uuid::nil()), Uuid::nil(), NOW)
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
    fn a_token_is_good_from_when_it_says() {
        let now = NOW.unix_seconds();
        for (name, value) in [
            ("nbf", json!(0)),
            ("nbf", json!(-1.5)),
            ("nbf", json!(now)),
            // As far as the clock of the issuer may be ahead.
            ("nbf", json!(now + 60)),
            ("nbf", json!(1_795_512_660.5)),
            // Our own clock may have been set back since it was made.
            ("iat", json!(now + 86_400)),
        ] {
            let (header, mut claims) = good();
            claims[name] = value.clone();
            assert!(tokens(SECRET).verify(&signed(&header, &claims), NOW).is_some(), "{name} {value}");
        }
    }

    #[test]
    fn the_first_key_signs_and_all_verify() {
        let (old, new) = ("o".repeat(32), "n".repeat(32));
        let (user, session) = (UserId(Uuid::from_u128(7)), SessionId(Uuid::from_u128(8)));
        let bearer = Bearer::session(user, session);
        let before = tokens(&old);
        let both = configured(Some(&format!("2026-11:{new}")), Some(&old));
        let after = configured(Some(&format!("2026-12:{}, 2026-11:{new}", "x".repeat(32))), None);
        let by_old = before.issue(user, session, Uuid::nil(), NOW).unwrap();
        let by_new = both.issue(user, session, Uuid::nil(), NOW).unwrap();
        assert_eq!(jsonwebtoken::decode_header(&by_new).unwrap().kid.as_deref(), Some("2026-11"));
        assert_eq!(
            (both.verify(&by_old, NOW), both.verify(&by_new, NOW)),
            (Some(bearer.clone()), Some(bearer.clone()))
        );
        assert_eq!((after.verify(&by_old, NOW), after.verify(&by_new, NOW)), (None, Some(bearer)));
        assert_eq!(before.verify(&by_new, NOW), None, "an unknown key");
        let renews = before.refresh(session, [1; 16]);
        assert_eq!((both.made(&renews), after.made(&renews)), (true, false));
        let (tenant, id) = (TenantId(Uuid::from_u128(1)), InvitationId(Uuid::from_u128(2)));
        let digest = before.invitation(tenant, id).digest();
        assert!(both.invitation_again(tenant, id, &digest).is_some());
        assert!(after.invitation_again(tenant, id, &digest).is_none());
        // The name of a key without its secret is worth nothing.
        let claims = good().1;
        let forged = signed(&json!({ "alg": "HS256", "kid": "2026-11" }), &claims);
        assert_eq!(both.verify(&forged, NOW), None);
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
    fn a_mac_depends_on_every_part_and_on_where_parts_end() {
        let tokens = tokens(SECRET);
        assert_ne!(tokens.mac(&[b"ab", b"c"]), tokens.mac(&[b"a", b"bc"]));
        assert_eq!(tokens.mac(&[b"ab", b"c"]), tokens.mac(&[b"ab", b"c"]));
    }
}
