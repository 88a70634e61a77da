//! The caller of a request: what its `Authorization` header says, by one of our own tokens, an API key, or a token of
//! the identity provider.

use std::sync::Arc;

use http::{HeaderMap, header};

use crate::{
    access::{context::Context, named::NamedTenant, scopes::anonymous::AnonymousScope},
    auth::{
        identity::{
            Provider,
            jwt::{Subject, is_external},
        },
        token::{Bearer, Credential, opaque::ApiKeyToken},
    },
    dispatch::App,
    http::problem::{Code, Problem, Result},
    ports::meter::Meter,
    repository::identities::{self, Known},
};

/// The caller of a request.
pub(crate) enum Caller {
    /// A user known by our token or key.
    Ours(Bearer),
    /// A person known to the identity provider.
    External(Subject),
}

impl Caller {
    /// The kind of credential, for the log.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Ours(_) if self.api_key().is_some() => "api_key",
            Self::Ours(_) => "session",
            Self::External(_) => "identity",
        }
    }

    /// The API key, if the credential is one.
    pub(super) fn api_key(&self) -> Option<&ApiKeyToken> {
        match self {
            Self::Ours(bearer) => match bearer.credential() {
                Credential::Key(key) => Some(key),
                Credential::Session(_) | Credential::Identity(_) => None,
            },
            Self::External(_) => None,
        }
    }
}

impl App {
    /// Reads the caller's credential (RFC 6750, section 2.1).
    pub(super) async fn caller(&self, headers: &HeaderMap, meter: &Meter) -> Result<Caller> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Err(Problem::new(Code::AuthenticationRequired));
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer") && values.next().is_none())
            .map(|(_, token)| token.trim_start());
        let Some(token) = token else { return Err(Problem::new(Code::InvalidToken)) };
        match self.services.provider.as_ref().filter(|_| is_external(token)) {
            Some(provider) => provider.verify(&self.services.ports, meter, token).await.map(Caller::External),
            None => Bearer::read(token, &self.services.tokens, self.services.now())
                .map(Caller::Ours)
                .ok_or_else(|| Problem::new(Code::InvalidToken)),
        }
    }

    /// The account of a subject of the identity provider, and whether it came out of the cache. A new subject gets an
    /// account, and joins the tenant that the request names if that is open to everybody.
    pub(super) async fn account_of(
        &self,
        context: &Arc<Context>,
        subject: &Subject,
        named: &NamedTenant,
    ) -> Result<(Bearer, bool)> {
        let bearer = |known: Known| Bearer::of_verified(subject, known.user, known.id);
        if let Some(known) = self.identities.get(subject.id()) {
            return Ok((bearer(known), true));
        }
        let issuer = self.services.provider.as_ref().map_or("", Provider::issuer);
        let anonymous = AnonymousScope::open(context.clone());
        let known = identities::admit(&anonymous, issuer, subject, named).await?;
        self.identities.remember(subject.id(), known);
        Ok((bearer(known), false))
    }
}
