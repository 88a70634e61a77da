//! The source or target of a move: a database, or a deployment over HTTP. Both take and return the same JSON.

use std::{sync::Arc, time::Duration};

use bailiwick_core::{
    App,
    input::Fault,
    problem::Problem,
    repository::transfer::import::Importing,
    transfer::decode,
    values::{Slug, TenantId},
};
use http::Method;
use serde_json::{Value, json};

use crate::client::{Ask, Client};

/// The number of attempts of a request without an answer.
const ATTEMPTS: u32 = 5;
/// Batches in which activity is sealed at once.
const BATCHES: u32 = 50;

/// The reason why something was not done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The code of the problem; empty if there was no answer.
    pub code: String,
    /// The fault, in a sentence.
    pub sentence: String,
    /// The rows of a part of a file that have faults, each with its fault.
    pub faults: Vec<(usize, String)>,
}

impl Failure {
    /// A failure without a code.
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self { code: "refused".to_owned(), sentence: sentence.into(), faults: Vec::new() }
    }
}

impl From<Box<Problem>> for Failure {
    fn from(problem: Box<Problem>) -> Self {
        let sentence = problem.sentence();
        let response = problem.into_response("");
        Self { sentence, ..Self::read(&serde_json::from_slice(response.body()).unwrap_or_default()) }
    }
}

impl Failure {
    /// Reads a problem.
    fn read(problem: &Value) -> Self {
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let fault = |error: &Value| {
            let (pointer, detail) = (text(error, "pointer"), text(error, "detail"));
            let mut parts = pointer.splitn(4, '/').skip(2);
            let row = parts.next().and_then(|row| row.parse().ok()).unwrap_or_default();
            let place = parts.next().unwrap_or_default().trim_start_matches("row/").to_owned();
            let place = if pointer.starts_with("/rows/") {
                place
            } else {
                pointer.trim_start_matches('/').to_owned()
            };
            (row, if place.is_empty() { detail } else { format!("{place}: {detail}") })
        };
        let faults = problem["errors"].as_array().into_iter().flatten().map(fault).collect();
        Self { code: text(problem, "code"), sentence: text(problem, "detail"), faults }
    }
}

fn refused(faults: Vec<Fault>) -> Failure {
    let errors: Vec<_> =
        faults.into_iter().map(|fault| json!({ "pointer": fault.pointer, "detail": fault.detail })).collect();
    Failure::read(&json!({ "code": "validation_failed", "detail": "It is not valid.", "errors": errors }))
}

/// A database or a deployment.
pub enum Side {
    /// A database, at which the operator works.
    Direct(Arc<App>),
    /// A deployment, and the token of a user with the rights.
    Remote {
        /// The client.
        client: Remote,
        /// That user's token.
        token: String,
    },
}

/// A client of a deployment.
pub struct Remote(Client);

impl std::fmt::Debug for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::Direct(_)) { "Direct" } else { "Remote" })
    }
}

impl Side {
    /// The deployment at a URL.
    ///
    /// # Errors
    /// A sentence about the URL.
    pub fn remote(url: &str, token: String) -> Result<Self, String> {
        Ok(Self::Remote { client: Remote(Client::new(url)?), token })
    }

    async fn ask(
        client: &Remote,
        token: &str,
        method: Method,
        path: &str,
        slug: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let ask = Ask { body, tenant_slug: slug, ..Ask::new(&method, path) };
        let mut left = ATTEMPTS;
        loop {
            match client.0.send(Some(token), &ask).await {
                Ok(reply) if (200..300).contains(&reply.status) => return Ok(reply.body),
                Ok(reply) => {
                    let mut failure = Failure::read(&reply.body);
                    if failure.sentence.is_empty() {
                        failure.sentence = format!("{method} {path} was answered {}.", reply.summary());
                    }
                    if failure.code == "invalid_token" {
                        "The token in BAILIWICK_TOKEN is not valid, or not any more (that of a \
                             login is good for 15 minutes). With another one, the same command goes on where it was."
                            .clone_into(&mut failure.sentence);
                    }
                    return Err(failure);
                }
                Err(sentence) if left == 0 => return Err(Failure { sentence, ..Failure::default() }),
                // Repeating it is safe, whether it was done or not.
                Err(_) => {
                    left -= 1;
                    tokio::time::sleep(Duration::from_secs(u64::from(ATTEMPTS - left))).await;
                }
            }
        }
    }

    /// A part of the tenant of a slug.
    ///
    /// # Errors
    /// The reason why there is none.
    pub(super) async fn part(&self, slug: &str, from: Option<&str>, secrets: bool) -> Result<Value, Failure> {
        match self {
            Self::Direct(app) => {
                let operator = app.operator();
                let slug = Slug::parse(slug).map_err(|fault| Failure::new(fault.detail))?;
                let tenant = operator.find(&slug).await?;
                Ok(json!(operator.export(tenant, from, secrets).await?))
            }
            Self::Remote { client, token } => {
                let from = from.map(|from| format!("&from={}", from.replace(':', "%3A"))).unwrap_or_default();
                let path = format!("/v1/admin/export?secrets={secrets}{from}");
                Self::ask(client, token, Method::GET, &path, Some(slug), None).await
            }
        }
    }

    /// Seals the entries of the activity, or waits for the deployment to do so.
    pub(super) async fn seal(&self) -> Result<(), Failure> {
        match self {
            Self::Direct(app) => app.seal_activity(BATCHES).await.map(drop)?,
            Self::Remote { .. } => tokio::time::sleep(Duration::from_millis(500)).await,
        }
        Ok(())
    }

    pub(super) async fn begin(&self, body: Value) -> Result<Value, Failure> {
        match self {
            Self::Direct(app) => {
                let new = decode(body).map_err(refused)?;
                Ok(json!(app.operator().begin_import(new).await?))
            }
            Self::Remote { client, token } => {
                Self::ask(client, token, Method::POST, "/v1/imports", None, Some(&body)).await
            }
        }
    }

    pub(super) async fn add(&self, tenant: &str, body: Value) -> Result<Value, Failure> {
        match self {
            Self::Direct(app) => {
                let rows = decode(body).map_err(refused)?;
                Ok(json!(app.operator().add_rows(id(tenant)?, rows).await?))
            }
            Self::Remote { client, token } => {
                let path = format!("/v1/imports/{tenant}/rows");
                Self::ask(client, token, Method::POST, &path, None, Some(&body)).await
            }
        }
    }

    pub(super) async fn finish(&self, tenant: &str, body: Value) -> Result<(), Failure> {
        match self {
            Self::Direct(app) => {
                let totals = decode(body).map_err(refused)?;
                app.operator().finish_import(id(tenant)?, totals).await?;
                // The work that a server does in the background.
                while app.seal_activity(BATCHES).await?.more {}
                while app.index(BATCHES).await?.more {}
                Ok(())
            }
            Self::Remote { client, token } => {
                let path = format!("/v1/imports/{tenant}/finish");
                match Self::ask(client, token, Method::POST, &path, None, Some(&body)).await {
                    // It may have been done, and the answer lost.
                    Err(failure) if failure.code == "not_found" => {
                        let ask = Ask::new(&Method::GET, "/v1/tenant").tenant(tenant);
                        match client.0.send(Some(token), &ask).await {
                            Ok(reply) if reply.status == 200 => Ok(()),
                            _ => Err(failure),
                        }
                    }
                    answer => answer.map(drop),
                }
            }
        }
    }

    pub(super) async fn abort(&self, tenant: &str) -> Result<(), Failure> {
        match self {
            Self::Direct(app) => Ok(app.operator().abort_import(id(tenant)?).await?),
            Self::Remote { client, token } => {
                let path = format!("/v1/imports/{tenant}");
                Self::ask(client, token, Method::DELETE, &path, None, None).await.map(drop)
            }
        }
    }
}

fn id(text: &str) -> Result<TenantId, Failure> {
    TenantId::parse(text).ok_or_else(|| Failure::new("The answer has no id of a tenant."))
}
