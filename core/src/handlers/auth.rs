//! Registration and login.

use serde::Serialize;

use crate::{
    dispatch::{Lobby, NamedTenant},
    endpoint::{Body, Created, Json},
    problem::{Problem, Result},
    repository::users::{Accounts, Login, Registration, User},
};

/// A token, as OAuth 2.0 answers with one (RFC 6749, section 5.1).
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct AccessToken {
    /// For `Authorization: Bearer`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds for which it is valid.
    expires_in: i64,
}

pub(crate) async fn register(
    lobby: Lobby,
    named: NamedTenant,
    Body(registration): Body<Registration>,
) -> Result<Created<User>> {
    let body = lobby.register(named, registration).await?;
    Ok(Created { location: "/v1/me".to_owned(), body })
}

pub(crate) async fn login(lobby: Lobby, Body(login): Body<Login>) -> Result<Json<AccessToken>> {
    let user = lobby.authenticate(login).await?;
    let app = lobby.app();
    let access_token = app
        .tokens
        .issue(user, app.new_id()?, app.now())
        .map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(AccessToken { access_token, token_type: "Bearer", expires_in: app.tokens.ttl_seconds() }))
}
