//! A client within the process, for the command line: it sends the requests of any client, through the same scopes.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, header};
use serde_json::Value;

use crate::dispatch::App;

/// A person in a tenant.
#[derive(Clone, Debug)]
pub struct Inside {
    app: Arc<App>,
    token: String,
    tenant: String,
}

impl Inside {
    /// The person with the access token, in the tenant of this slug.
    pub fn new(app: &Arc<App>, token: impl Into<String>, tenant: impl Into<String>) -> Self {
        Self { app: app.clone(), token: token.into(), tenant: tenant.into() }
    }

    /// Sends a request, and returns the body of the answer.
    ///
    /// # Errors
    /// The problem of the answer, with its status.
    pub async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, (u16, String)> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-tenant-slug", &self.tenant);
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = request.body(body).map_err(|error| (400, error.to_string()))?;
        let response = self.app.handle(request).await;
        let status = response.status();
        let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let faults = answer["errors"].as_array().into_iter().flatten();
        let details = std::iter::once(&answer["detail"]).chain(faults.map(|fault| &fault["detail"]));
        let said: Vec<_> = details.filter_map(Value::as_str).collect();
        Err((status.as_u16(), said.join(" ")))
    }
}
