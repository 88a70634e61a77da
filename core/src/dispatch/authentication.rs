//! Whom a request stands for: what its `Authorization` header says, by our own tokens, by an API key, or by a token of the
//! identity provider.

use std::sync::Arc;

use http::{HeaderMap, header};

use crate::{
    access::{context::Context, named::NamedTenant, scopes::anonymous::AnonymousScope},
    auth::{
        identity::{
            Provider,
            jwt::{Subject, is_external},
        },
        token::{Bearer, Credential},
    },
    dispatch::App,
    http::problem::{Code, Problem, Result},
    ports::meter::Meter,
    repository::identities::{self, Known},
};

/// Whom a request stands for.
pub(crate) enum Caller {
    /// Somebody whom we know by their token or key.
    Ours(Bearer),
    /// Somebody whom the provider knows.
    External(Subject),
}

impl Caller {
    /// By what they have shown who they are.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Ours(Bearer { credential: Credential::Key(_), .. }) => "api_key",
            Self::Ours(_) => "session",
            Self::External(_) => "identity",
        }
    }
}

impl App {
    /// Reads who calls (RFC 6750, section 2.1).
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

    /// Whose account it is that somebody of the provider's asks for, and whether that came out of memory. Who comes for
    /// the first time gets one, and joins the tenant that the request names if that is open to all.
    pub(super) async fn account_of(
        &self,
        context: &Arc<Context>,
        subject: &Subject,
        named: &NamedTenant,
    ) -> Result<(Bearer, bool)> {
        let bearer = |known: Known| Bearer { user: known.user, credential: Credential::Identity(known.id) };
        if let Some(known) = self.identities.get(&subject.subject) {
            return Ok((bearer(known), true));
        }
        let issuer = self.services.provider.as_ref().map_or("", Provider::issuer);
        let anonymous = AnonymousScope::open(context.clone());
        let known = identities::admit(&anonymous, issuer, subject, named).await?;
        self.identities.remember(&subject.subject, known);
        Ok((bearer(known), false))
    }
}
