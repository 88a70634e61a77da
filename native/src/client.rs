//! A client that calls a deployment as its users do.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Method;
use reqwest::{Client as Http, Url, redirect::Policy};
use serde_json::{Value, json};

use crate::ports::tls;

/// The time that an answer may take.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Seconds to wait if the deployment asks to wait and does not say how long.
const PAUSE: u64 = 1;
/// The maximum number of seconds of one wait.
const LONGEST_PAUSE: u64 = 120;
/// The maximum number of seconds of all waits, before the client gives up.
const PATIENCE: u64 = 30 * 60;

/// A deployment.
#[derive(Debug)]
pub(crate) struct Client {
    http: Http,
    base: String,
    waited: AtomicU64,
    sent: AtomicU64,
}

/// A request that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) body: Option<&'a Value>,
    pub(crate) tenant_id: Option<&'a str>,
    pub(crate) tenant_slug: Option<&'a str>,
}

impl<'a> Ask<'a> {
    /// A request without a body that names no tenant.
    pub(crate) fn new(method: &'a Method, path: &'a str) -> Self {
        Self { method, path, body: None, tenant_id: None, tenant_slug: None }
    }

    pub(crate) fn body(self, body: &'a Value) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(crate) fn tenant(self, id: &'a str) -> Self {
        Self { tenant_id: Some(id), ..self }
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// All of its headers and its body, to be searched.
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Reply {
    /// The `code` of the problem, if it is one.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A summary.
    pub(crate) fn summary(&self) -> String {
        format!("{} {}", self.status, self.code()).trim_end().to_owned()
    }

    /// A text of the body.
    ///
    /// # Errors
    /// A sentence if there is none.
    pub(crate) fn text_at(&self, name: &str) -> Result<String, String> {
        let found = self.body[name].as_str().map(str::to_owned);
        found.ok_or_else(|| format!("An answer has no {name}: {}.", self.summary()))
    }
}

/// What a person logs in with.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) email: String,
    pub(crate) password: String,
}

/// A person with an account.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) password: String,
    token: Mutex<String>,
}

impl Person {
    /// Whether they use an API key, which is valid for its tenant only.
    pub(crate) fn has_key(&self) -> bool {
        locked(&self.token).starts_with("bwk_")
    }

    /// The same, with another token.
    pub(crate) fn with(&self, token: String) -> Self {
        let (id, email, password) = (self.id.clone(), self.email.clone(), self.password.clone());
        Self { id, email, password, token: Mutex::new(token) }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// A client for the deployment at a URL. Nothing is sent yet.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn new(url: &str) -> Result<Self, String> {
        let refused = || format!("--url: expected http or https, a host, and at most a path, got {url}.");
        let parsed: Url = url.parse().map_err(|_| refused())?;
        let plain = parsed.query().is_none() && parsed.fragment().is_none() && parsed.has_host();
        if !plain || !matches!(parsed.scheme(), "http" | "https") {
            return Err(refused());
        }
        let tls =
            tls::client_config().map_err(|error| format!("The HTTP client cannot be made: {error}."))?;
        let http = Http::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("bailiwick-verify/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("The HTTP client cannot be made: {error}."))?;
        let base = parsed.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, base, waited: AtomicU64::new(0), sent: AtomicU64::new(0) })
    }

    /// The URL of the deployment.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Seconds that were waited because the deployment asked for it.
    pub(crate) fn waited(&self) -> u64 {
        self.waited.load(Ordering::Relaxed)
    }

    /// Requests that were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends a request with a token, or with none. If the deployment asks to wait, it is sent again after that.
    ///
    /// # Errors
    /// A sentence if there is no answer.
    pub(crate) async fn send(&self, token: Option<&str>, ask: &Ask<'_>) -> Result<Reply, String> {
        loop {
            let (reply, later) = self.once(token, ask).await?;
            let Some(seconds) = later else { return Ok(reply) };
            self.wait(seconds, &reply).await?;
        }
    }

    /// Waits as long as an answer asks for.
    ///
    /// # Errors
    /// A sentence once the client has waited too long.
    pub(crate) async fn wait(&self, seconds: u64, reply: &Reply) -> Result<(), String> {
        let seconds = seconds.clamp(PAUSE, LONGEST_PAUSE);
        if self.waited.fetch_add(seconds, Ordering::Relaxed) + seconds > PATIENCE {
            return Err(format!(
                "{} asks again and again to come later ({}); raise its limits for this, or try another time.",
                self.base,
                reply.summary()
            ));
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(())
    }

    /// Sends a request as a person, once: the answer, and the seconds that it asks to wait, if it does.
    ///
    /// # Errors
    /// A sentence if there is no answer.
    pub(crate) async fn at_once(
        &self,
        person: &Person,
        ask: &Ask<'_>,
    ) -> Result<(Reply, Option<u64>), String> {
        let token = locked(&person.token).clone();
        self.once(Some(&token), ask).await
    }

    async fn once(&self, token: Option<&str>, ask: &Ask<'_>) -> Result<(Reply, Option<u64>), String> {
        let mut request = self.http.request(ask.method.clone(), format!("{}{}", self.base, ask.path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        for (name, value) in [("x-tenant-id", ask.tenant_id), ("x-tenant-slug", ask.tenant_slug)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        if let Some(body) = ask.body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let silent = |error: reqwest::Error| {
            let why = if error.is_timeout() { "in time" } else { "at all" };
            format!("{} did not answer {} {} {why}.", self.base, ask.method, ask.path)
        };
        self.sent.fetch_add(1, Ordering::Relaxed);
        let response = request.send().await.map_err(silent)?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let later = matches!(status, 429 | 503)
            .then(|| header("retry-after").and_then(|seconds| seconds.trim().parse().ok()).unwrap_or(PAUSE));
        let mut text = format!("{:?}\n", response.headers());
        let body = response.text().await.map_err(silent)?;
        text += &body;
        Ok((Reply { status, text, body: serde_json::from_str(&body).unwrap_or_default() }, later))
    }

    /// Registers a person with these credentials for the tenant of a slug, and logs them in.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) async fn register(
        &self,
        Credentials { email, password }: Credentials,
        name: &str,
        slug: &str,
    ) -> Result<Person, String> {
        let account = json!({ "email": email, "name": name, "password": password });
        let ask = Ask::new(&Method::POST, "/v1/auth/register").body(&account);
        let reply = self.send(None, &Ask { tenant_slug: Some(slug), ..ask }).await?;
        if reply.status != 201 {
            return Err(format!(
                "{} registers nobody ({}); this needs accounts of its own.",
                self.base,
                reply.summary()
            ));
        }
        let person = Person { id: reply.text_at("id")?, email, password, token: Mutex::default() };
        self.log_in(&person).await?;
        Ok(person)
    }

    /// Logs a person in, and uses that session from then on; returns the answer.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) async fn log_in(&self, person: &Person) -> Result<Reply, String> {
        let reply = self.session(person).await?;
        *locked(&person.token) = reply.text_at("access_token")?;
        Ok(reply)
    }

    /// Logs a person in once more.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) async fn session(&self, person: &Person) -> Result<Reply, String> {
        let credentials = json!({ "email": person.email, "password": person.password });
        let reply = self.send(None, &Ask::new(&Method::POST, "/v1/auth/login").body(&credentials)).await?;
        if reply.status == 200 {
            return Ok(reply);
        }
        Err(format!("{} cannot log in, who has just registered ({}).", person.email, reply.summary()))
    }

    /// Sends a request as a person. If the session has ended, the person logs in again.
    ///
    /// # Errors
    /// A sentence if there is no answer.
    pub(crate) async fn ask(&self, person: Option<&Person>, ask: &Ask<'_>) -> Result<Reply, String> {
        let Some(person) = person else { return self.send(None, ask).await };
        let token = locked(&person.token).clone();
        let reply = self.send(Some(&token), ask).await?;
        if (reply.status, reply.code()) != (401, "invalid_token") {
            return Ok(reply);
        }
        self.log_in(person).await?;
        let token = locked(&person.token).clone();
        self.send(Some(&token), ask).await
    }

    /// The same, for a request that must succeed.
    ///
    /// # Errors
    /// A sentence if it does not.
    pub(crate) async fn must(&self, person: &Person, ask: &Ask<'_>) -> Result<Reply, String> {
        let reply = self.ask(Some(person), ask).await?;
        if (200..300).contains(&reply.status) {
            return Ok(reply);
        }
        Err(format!(
            "{} {} in the caller's own tenant is refused: {}.",
            ask.method,
            ask.path,
            reply.summary()
        ))
    }
}
