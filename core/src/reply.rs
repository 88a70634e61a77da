//! What handlers reply, as types: each comes to an answer, says how it is described, and which request headers it
//! depends on.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, Uri, header};
use serde::Serialize;
use serde_json::Value;

use crate::{
    conditional::{self, Placed, Resource, Version},
    cursor::{Listing, next_link},
    idempotency::REPLAYED,
    problem::{Problem, Result},
    site::Streamed,
    values,
};

/// What a handler can return.
pub(crate) trait Reply: Send {
    /// Whether the answer is kept, for when it is asked for again under the same `Idempotency-Key`.
    const KEPT: bool = false;
    /// Whether it is of something that was changed on the condition of `If-Match`.
    const CONDITIONAL: bool = false;

    fn reply(self) -> Result<Answer>;

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>);
}

/// 200 with a JSON body.
pub(crate) struct Json<T>(pub(crate) T);

/// 200 with a page of a list, and a link to the next one.
pub(crate) struct List<T>(pub(crate) T);

/// 200 with something that can be read by itself, and changed.
pub(crate) struct Versioned<T>(pub(crate) T);

/// 201 with something that was created.
pub(crate) struct Created<T>(pub(crate) T);

/// 200 with what came of something that was done.
pub(crate) struct Done<T>(pub(crate) T);

/// 200 with something that was moved to another state.
pub(crate) struct Transitioned<T>(pub(crate) T);

/// 204.
pub(crate) struct NoContent;

/// What a handler's reply comes to: JSON, unless it is empty, and headers that say more about it.
pub(crate) struct Answer {
    status: StatusCode,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Of a resource: which state of it this is.
    version: Option<Version>,
    /// Where the next page starts, of a list that has one.
    next: Option<String>,
    /// What the adapter sends in place of the body.
    file: Option<Streamed>,
}

impl Answer {
    fn new(status: StatusCode, body: Bytes) -> Self {
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

    #[inline(never)]
    fn json(status: StatusCode, value: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(value).map_err(|error| Problem::internal(error.to_string()))?;
        Ok(Self::new(status, body.into()))
    }

    /// 200 with what came of something.
    pub(crate) fn done(value: &impl Serialize) -> Result<Self> {
        Self::json(StatusCode::OK, value)
    }

    /// 201 with something that was created, and the place where it can be read.
    pub(crate) fn created(made: &(impl Serialize + Placed)) -> Result<Self> {
        Ok(Self::json(StatusCode::CREATED, made)?.of(made).header(header::LOCATION, &made.location()))
    }

    /// 200 with something that was moved, and the place where it can be read.
    pub(crate) fn moved(moved: &(impl Serialize + Placed)) -> Result<Self> {
        Ok(Self::done(moved)?.of(moved).header(header::CONTENT_LOCATION, &moved.location()))
    }

    /// Adds, of a page that has a next one, how that is asked for (RFC 8288), given what was asked.
    pub(crate) fn linked(mut self, asked: &Uri) -> Self {
        let link = self.next.take().and_then(|cursor| next_link(asked, &cursor));
        self.headers.extend(link.map(|link| (header::LINK, link)));
        self
    }

    fn of(mut self, resource: &impl Resource) -> Self {
        self.version = resource.version();
        self
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    /// The same without a member of its body.
    pub(crate) fn without(mut self, name: &str) -> Self {
        if let Ok(Value::Object(mut body)) = serde_json::from_slice(&self.body)
            && let Some(member) = body.get_mut(name)
        {
            *member = Value::Null;
            self.body = Value::Object(body).to_string().into();
        }
        self
    }

    /// The response to send. What was read has a tag, and so has what can be read again in the state that it is in now.
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

    /// As it is kept: status, body, place, and version.
    pub(crate) fn keep(&self) -> Vec<u8> {
        let place = self.headers.first().and_then(|(_, place)| place.to_str().ok());
        let (id, number) = self.version.map(|version| (version.id.to_string(), version.number)).unzip();
        let kept: [Value; 5] = [
            self.status.as_u16().into(),
            String::from_utf8_lossy(&self.body).into(),
            place.into(),
            id.into(),
            number.into(),
        ];
        Value::from_iter(kept).to_string().into_bytes()
    }

    /// What was kept, and says so.
    pub(crate) fn recall(kept: &[u8]) -> Option<Self> {
        let Ok(Value::Array(kept)) = serde_json::from_slice(kept) else { return None };
        let [status, body, place, id, number] = &kept[..] else { return None };
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

/// The types of response bodies: they serialise, and they have a schema.
#[cfg(feature = "openapi")]
pub(crate) trait Output: Serialize + schemars::JsonSchema + Send {}
#[cfg(feature = "openapi")]
impl<T: Serialize + schemars::JsonSchema + Send> Output for T {}
/// The types of response bodies.
#[cfg(not(feature = "openapi"))]
pub(crate) trait Output: Serialize + Send {}
#[cfg(not(feature = "openapi"))]
impl<T: Serialize + Send> Output for T {}

/// A reply: what it comes to, which headers it may have, and how it is described.
macro_rules! reply {
    ($name:ident<$type:ident $(: $bound:ident)?>, $status:ident, $headers:expr, kept $kept:literal, conditional $conditional:literal, $answer:expr) => {
        impl<$type: Output $(+ $bound)?> Reply for $name<$type> {
            const KEPT: bool = $kept;
            const CONDITIONAL: bool = $conditional;

            fn reply(self) -> Result<Answer> {
                $answer(&self.0)
            }

            #[cfg(feature = "openapi")]
            fn describe(operation: &mut crate::openapi::Operation<'_>) {
                operation.response::<$type>(StatusCode::$status);
                operation.response_headers(StatusCode::$status, &$headers);
            }
        }
    };
}

reply!(Json<T>, OK, [], kept false, conditional false, Answer::done);
reply!(Versioned<T: Resource>, OK, ["ETag"], kept false, conditional false, |read: &T| Ok(Answer::done(read)?.of(read)));
reply!(Created<T: Placed>, CREATED, ["ETag", "Location"], kept true, conditional false, Answer::created);
reply!(Done<T>, OK, [], kept true, conditional false, Answer::done);
reply!(Transitioned<T: Placed>, OK, ["ETag", "Content-Location"], kept true, conditional true, Answer::moved);

impl<T: Output + Listing> Reply for List<T> {
    fn reply(self) -> Result<Answer> {
        let next = self.0.next_cursor().map(str::to_owned);
        Ok(Answer { next, ..Answer::done(&self.0)? })
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.response::<T>(StatusCode::OK);
        operation.response_headers(StatusCode::OK, &["Link"]);
    }
}

impl Reply for NoContent {
    fn reply(self) -> Result<Answer> {
        Ok(Answer::new(StatusCode::NO_CONTENT, Bytes::new()))
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.empty_response(StatusCode::NO_CONTENT);
    }
}
