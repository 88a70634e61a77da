//! Registration, forgotten passwords, and sessions: logging in, renewing tokens, logging out.

use serde::Serialize;

#[cfg(feature = "openapi")]
use crate::auth::token::opaque::RefreshToken;
use crate::{
    access::{
        named::NamedTenant,
        scopes::{account::AccountScope, anonymous::AnonymousScope},
        services::Services,
    },
    api::{
        endpoint::Body,
        reply::{Created, Json, NoContent},
    },
    http::problem::{Code, Problem, Result},
    repository::{
        resets::{PasswordReset, PasswordResetRequest, Resets},
        sessions::{Refresh, Sessions, SignIn, Tokens},
        users::{Accounts, Login, Registration, User},
    },
};

/// The tokens of a session, in the format of OAuth 2.0 (RFC 6749, section 5.1).
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct SessionTokens {
    /// The access token, for `Authorization: Bearer`.
    access_token: String,
    /// The type of the access token, always `Bearer`.
    #[cfg_attr(feature = "openapi", schemars(extend("const" = "Bearer")))]
    token_type: &'static str,
    /// The number of seconds for which the access token is valid.
    expires_in: i64,
    /// The refresh token, which renews both tokens. It works once; within `REFRESH_GRACE`, a repetition returns the same tokens again.
    #[cfg_attr(feature = "openapi", schemars(with = "RefreshToken"))]
    refresh_token: String,
    /// The number of seconds for which the refresh token is valid.
    refresh_expires_in: u64,
}

fn tokens(services: &Services, Tokens { user, session, refresh }: Tokens) -> Result<Json<SessionTokens>> {
    let access_token = services
        .tokens
        .issue(user, session, services.new_id()?, services.now())
        .map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(SessionTokens {
        access_token,
        token_type: "Bearer",
        expires_in: services.tokens.ttl_seconds(),
        refresh_token: refresh.expose().to_owned(),
        refresh_expires_in: services.config.refresh_ttl.as_secs(),
    }))
}

pub(crate) async fn register(
    anonymous: AnonymousScope,
    named: NamedTenant,
    Body(registration): Body<Registration>,
) -> Result<Created<User>> {
    anonymous.register(named, registration).await.map(Created)
}

pub(crate) async fn login(
    anonymous: AnonymousScope,
    Body(login): Body<Login>,
) -> Result<Json<SessionTokens>> {
    let verified = anonymous.authenticate(login).await?;
    tokens(anonymous.services(), anonymous.begin(verified).await?)
}

pub(crate) async fn refresh(
    anonymous: AnonymousScope,
    Body(refresh): Body<Refresh>,
) -> Result<Json<SessionTokens>> {
    tokens(anonymous.services(), anonymous.refresh(refresh).await?)
}

pub(crate) async fn logout(account: AccountScope) -> Result<NoContent> {
    let elsewhere = "There is no session to end: you have logged in at the identity provider.";
    let session = account.session().ok_or_else(|| Problem::with(Code::SessionRequired, elsewhere))?;
    account.revoke(session).await.map(|()| NoContent)
}

pub(crate) async fn forgot_password(
    anonymous: AnonymousScope,
    Body(request): Body<PasswordResetRequest>,
) -> Result<NoContent> {
    anonymous.ask(request).await.map(|()| NoContent)
}

pub(crate) async fn reset_password(
    anonymous: AnonymousScope,
    Body(reset): Body<PasswordReset>,
) -> Result<NoContent> {
    anonymous.reset(reset).await.map(|()| NoContent)
}
