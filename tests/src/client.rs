//! A small HTTP client whose answers are easy to make statements about.

use std::fmt;

use reqwest::{Method, header::HeaderMap};
use serde_json::Value;

/// An answer, read to its end.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; `null` if it is none.
    pub body: Value,
}

impl Answer {
    /// A header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `code` of the problem that this is.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    /// Asserts the status, and hands on.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Asserts that it is a problem of this status and code, complete and with the right media type.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code()), (status, code), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["type"], format!("/problems/{code}"));
        assert!(self.body["title"].is_string() && self.body["detail"].is_string(), "{self:?}");
        assert_eq!(self.body["request_id"].as_str(), self.header("x-request-id"), "{self:?}");
        assert_eq!(self.header("www-authenticate").is_some(), status == 401, "{self:?}");
        assert_eq!(self.header("retry-after").is_some(), matches!(status, 429 | 503), "{self:?}");
        assert_eq!(self.header("allow").is_some(), status == 405, "{self:?}");
        self
    }

    /// The pointers of a validation problem, in order.
    pub fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }

    /// The string at a JSON pointer.
    #[track_caller]
    pub fn text_at(&self, pointer: &str) -> String {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no {pointer} in {self:?}"))
            .to_owned()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.text)
    }
}

/// A request that is being put together.
#[must_use = "nothing is sent before `send`"]
pub struct Ask {
    http: reqwest::Client,
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<(String, Vec<u8>)>,
}

impl Ask {
    /// A request to a path.
    pub fn new(http: &reqwest::Client, method: Method, base: &str, path: &str) -> Self {
        Self { http: http.clone(), method, url: format!("{base}{path}"), headers: Vec::new(), body: None }
    }

    /// Adds a header; repeated names are sent repeatedly.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Asks by another method.
    pub fn method(&mut self, method: Method) {
        self.method = method;
    }

    /// Names the tenant by its id.
    pub fn tenant(self, id: &str) -> Self {
        self.header("x-tenant-id", id)
    }

    /// Names the tenant by its slug.
    pub fn slug(self, slug: &str) -> Self {
        self.header("x-tenant-slug", slug)
    }

    /// Sends JSON.
    pub fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string().into_bytes())
    }

    /// Sends JSON, if there is any.
    pub fn maybe(self, body: Option<&Value>) -> Self {
        match body {
            Some(body) => self.json(body),
            None => self,
        }
    }

    /// Sends bytes of a media type.
    pub fn raw(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some((media_type.to_owned(), body.into()));
        self
    }

    /// Sends it. Fails only if there is no answer at all.
    ///
    /// # Errors
    /// The transport failed.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(self.method, self.url);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some((media_type, body)) = self.body {
            if !media_type.is_empty() {
                request = request.header("content-type", media_type);
            }
            request = request.body(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, headers, text, body })
    }

    /// Sends it.
    pub async fn send(self) -> Answer {
        self.try_send().await.expect("an answer")
    }
}
