//! The result of a handler's reply, before it is a response.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, Uri, header};
use serde::Serialize;
use serde_json::Value;

use crate::{
    http::{
        conditional::{self, Resource, Version},
        idempotency::REPLAYED,
        page::next_link,
        problem::{Problem, Result},
    },
    kernel::values,
};

/// A file that is too large to pass through here with every request. The adapter sends it as the body of a response
/// that has this among its extensions, compressed if it likes.
#[derive(Clone, Copy, Debug)]
pub struct Streamed {
    /// The name of the file.
    pub name: &'static str,
}

/// The result of a handler's reply: JSON, unless it is empty, and headers that say more about it.
pub(crate) struct Answer {
    status: StatusCode,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The version, if it is a resource.
    version: Option<Version>,
    /// The cursor of the next page, if it is a page that has one.
    next: Option<String>,
    /// The file that the adapter sends as the body.
    file: Option<Streamed>,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, body: Bytes) -> Self {
        Self { status, body, headers: Vec::new(), version: None, next: None, file: None }
    }

    /// 200 with bytes, and headers that say what they are.
    pub(crate) fn of_bytes(body: Bytes, headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self { headers, ..Self::new(StatusCode::OK, body) }
    }

    /// 200 with a file that the adapter sends, and headers that say what it is, its tag among them.
    pub(crate) fn of_file(file: Streamed, headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self { file: Some(file), ..Self::of_bytes(Bytes::new(), headers) }
    }

    /// A value as JSON.
    #[inline(never)]
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(value).map_err(|error| Problem::internal(error.to_string()))?;
        Ok(Self::new(status, body.into()))
    }

    /// The same for a page of a list, with the cursor of the next page.
    pub(crate) fn followed_by(self, next: Option<String>) -> Self {
        Self { next, ..self }
    }

    /// Adds the link to the next page (RFC 8288), if there is one, given the request's own target.
    pub(crate) fn linked(mut self, asked: &Uri) -> Self {
        let link = self.next.take().and_then(|cursor| next_link(asked, &cursor));
        self.headers.extend(link.map(|link| (header::LINK, link)));
        self
    }

    pub(crate) fn of(mut self, resource: &impl Resource) -> Self {
        self.version = resource.version();
        self
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    /// The same with a member of its body set to `null`.
    pub(crate) fn without(mut self, name: &str) -> Self {
        if let Ok(Value::Object(mut body)) = serde_json::from_slice(&self.body)
            && let Some(member) = body.get_mut(name)
        {
            *member = Value::Null;
            self.body = Value::Object(body).to_string().into();
        }
        self
    }

    /// The response to send. An answer to a read has a tag, and so has a resource in the version that it has now.
    pub(crate) fn into_response(self, read: bool) -> Response<Bytes> {
        let etag = (read && self.status == StatusCode::OK && self.file.is_none() || self.version.is_some())
            .then(|| conditional::etag(self.version, &self.body))
            .flatten();
        let json = !self.body.is_empty();
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        self.file.map(|file| response.extensions_mut().insert(file));
        let headers = response.headers_mut();
        headers.extend(etag.map(|etag| (header::ETAG, etag)));
        headers.extend(self.headers);
        if json {
            headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        }
        response
    }

    /// The form in which it is stored: status, body, place, and version.
    pub(crate) fn to_stored(&self) -> Vec<u8> {
        let place = self.headers.first().and_then(|(_, place)| place.to_str().ok());
        let (id, number) = self.version.map(|version| (version.id.to_string(), version.number)).unzip();
        let stored: [Value; 5] = [
            self.status.as_u16().into(),
            String::from_utf8_lossy(&self.body).into(),
            place.into(),
            id.into(),
            number.into(),
        ];
        Value::from_iter(stored).to_string().into_bytes()
    }

    /// Reads a stored answer, and marks it as such.
    pub(crate) fn from_stored(stored: &[u8]) -> Option<Self> {
        let Ok(Value::Array(stored)) = serde_json::from_slice(stored) else { return None };
        let [status, body, place, id, number] = &stored[..] else { return None };
        let status = StatusCode::from_u16(u16::try_from(status.as_u64()?).ok()?).ok()?;
        let mut answer = Self::new(status, body.as_str()?.to_owned().into());
        if let Some(place) = place.as_str() {
            let name =
                if status == StatusCode::CREATED { header::LOCATION } else { header::CONTENT_LOCATION };
            answer = answer.header(name, place);
        }
        answer.version = id
            .as_str()
            .and_then(values::uuid)
            .zip(number.as_i64())
            .map(|(id, number)| Version { id, number });
        Some(answer.header(REPLAYED, "true"))
    }
}
