//! Tokens of the operator's identity provider: OpenID Connect's ID tokens, or JWT access tokens (RFC 9068), signed with
//! RS256, ES256 or EdDSA by a key of the provider's published set.

pub(crate) mod jwk;
pub(crate) mod jwt;
pub(crate) mod keys;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Method;

pub use crate::ports::public_key::PublicKey;
use crate::{
    auth::identity::{
        jwk::Jwk,
        jwt::Subject,
        keys::{Keys, Next, Pace},
    },
    config::Config,
    http::problem::{Code, Problem, Result},
    kernel::{
        decode::{Fault, FaultCode, Scalar},
        limits,
        values::string,
    },
    ports::{BoxFuture, HttpRequest, Platform, meter::Meter},
};

/// How long a request with an old but known key waits for newer keys: a provider that hangs delays one request in a
/// cooldown, and not for longer than this.
const FOR_NEWER: Duration = Duration::from_secs(1);

/// A token that a client sent in a body. Does not print.
#[derive(Clone)]
pub(crate) struct ExternalToken(String);

impl ExternalToken {
    /// The text, for the verifier.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ExternalToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ExternalToken(..)")
    }
}

impl Scalar for ExternalToken {
    fn from_value(value: serde_json::Value) -> Result<Self, Fault> {
        let text = string(value)?;
        if text.len() > limits::EXTERNAL_TOKEN_BYTES {
            let detail = format!("Expected at most {} bytes.", limits::EXTERNAL_TOKEN_BYTES);
            return Err(Fault::new(FaultCode::TooLong, detail));
        }
        Ok(Self(text))
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for ExternalToken {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ExternalToken".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "maxLength": limits::EXTERNAL_TOKEN_BYTES, "writeOnly": true,
            "description": "A JWT of the identity provider.",
        })
    }
}

/// The identity provider: its names, and its keys.
#[derive(Debug)]
pub(crate) struct Provider {
    url: String,
    issuer: String,
    audience: String,
    pace: Pace,
    keys: Mutex<Keys>,
}

impl Provider {
    /// `None` if none is configured.
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let pace = Pace {
            max_age: config.jwks_max_age,
            cooldown: config.jwks_cooldown,
            timeout: config.outbound_timeout,
        };
        Some(Self {
            url: config.jwks_url.clone()?,
            issuer: config.jwt_issuer.clone()?,
            audience: config.jwt_audience.clone()?,
            pace,
            keys: Mutex::default(),
        })
    }

    /// The provider's name for itself, as its tokens have it.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The subject of a token.
    ///
    /// # Errors
    /// The token is refused (`invalid_token`), or the provider's keys cannot be fetched.
    pub(crate) fn verify<'a>(
        &'a self,
        ports: &'a Platform,
        meter: &'a Meter,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Subject>> {
        // Boxed, so that neither of the two callers carries a copy of it.
        Box::pin(self.verified(ports, meter, token))
    }

    async fn verified(&self, ports: &Platform, meter: &Meter, token: &str) -> Result<Subject> {
        let refuse = |why| Problem::with(Code::InvalidToken, why);
        let token = jwt::read(token).map_err(refuse)?;
        // Checked before anything is fetched because of the token.
        let subject = token.subject(&self.issuer, &self.audience, ports.clock.now()).map_err(refuse)?;
        let id = token.key.as_deref();
        let mut next = self.keys().next(token.algorithm, id, ports.clock.elapsed(), self.pace);
        if next == Next::Fetch {
            let old = self.keys().find(token.algorithm, id).is_some();
            let timeout = if old { self.pace.timeout.min(FOR_NEWER) } else { self.pace.timeout };
            let failure = match self.fetch(ports, timeout, meter).await {
                Ok(keys) => {
                    self.keys().took(keys, ports.clock.elapsed());
                    None
                }
                Err(failure) => {
                    self.keys().failed();
                    Some(failure)
                }
            };
            next = match (self.keys().find(token.algorithm, id), failure) {
                (Some(key), _) => Next::Verify(key),
                (None, None) => Next::Unknown,
                (None, Some(failure)) => return Err(Problem::new(Code::ProviderUnavailable).because(failure)),
            };
        }
        let key = match next {
            Next::Verify(key) => key,
            Next::Unknown => return Err(refuse("The token's key is not one of the identity provider.")),
            Next::Later | Next::Fetch => return Err(Problem::new(Code::ProviderUnavailable)),
        };
        if ports.verifier.verify(&key, token.message, &token.signature).await {
            Ok(subject)
        } else {
            Err(refuse("The token's signature is wrong."))
        }
    }

    /// Asks the provider for its keys.
    async fn fetch(&self, ports: &Platform, timeout: Duration, meter: &Meter) -> Result<Vec<Jwk>, String> {
        let request = HttpRequest {
            to: "jwks",
            method: Method::GET,
            url: self.url.clone(),
            headers: vec![("accept", "application/jwk-set+json, application/json".to_owned())],
            body: Bytes::new(),
            timeout,
            // The operator has configured the URL.
            trusted: true,
            read: limits::JWKS_BYTES,
        };
        let failed = |why: String| format!("the keys at JWKS_URL cannot be had: {why}");
        let response = meter.send(ports, request).await.map_err(|failure| failed(failure.0))?;
        if response.status != 200 {
            return Err(failed(format!("it was answered {}", response.status)));
        }
        jwk::read_set(&response.body).ok_or_else(|| failed("it is no JWK set".to_owned()))
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
