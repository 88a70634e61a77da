//! What handlers reply, as types: each comes to an answer, says how it is described, and which request headers it
//! depends on.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    conditional::{self, Resource, Version},
    idempotency::REPLAYED,
    problem::{Problem, Result},
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

/// 200 with a JSON document that was made when this was compiled.
pub(crate) struct Document(pub(crate) &'static str);

/// What a handler's reply comes to: JSON, unless it is empty, and headers that say more about it.
pub(crate) struct Answer {
    status: StatusCode,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Of a resource: which state of it this is.
    version: Option<Version>,
}

impl Answer {
    fn new(status: StatusCode, body: Bytes) -> Self {
        Self { status, body, headers: Vec::new(), version: None }
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
    pub(crate) fn created(made: &(impl Serialize + Resource)) -> Result<Self> {
        Ok(Self::json(StatusCode::CREATED, made)?.of(made).header(header::LOCATION, made.location()))
    }

    /// 200 with something that was moved, and the place where it can be read.
    pub(crate) fn moved(moved: &(impl Serialize + Resource)) -> Result<Self> {
        Ok(Self::done(moved)?.of(moved).header(header::CONTENT_LOCATION, moved.location()))
    }

    fn of(mut self, resource: &impl Resource) -> Self {
        self.version = resource.version();
        self
    }

    fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        self.headers.extend(value.try_into().ok().map(|value| (name, value)));
        self
    }

    /// The response to send. What was read has a tag, and so has what can be read again in the state that it is in now.
    pub(crate) fn into_response(self, read: bool) -> Response<Bytes> {
        let etag = (read && self.status == StatusCode::OK || self.version.is_some())
            .then(|| conditional::etag(self.version, &self.body))
            .flatten();
        let json = !self.body.is_empty();
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if json {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.extend(etag.map(|etag| (header::ETAG, etag)));
        headers.extend(self.headers);
        response
    }

    /// As it is kept.
    pub(crate) fn keep(&self) -> Result<Vec<u8>> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().ok()));
        let kept = Kept {
            status: self.status.as_u16(),
            body: String::from_utf8_lossy(&self.body).into_owned(),
            headers: headers.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect(),
            version: self.version.map(|version| (version.id, version.number)),
        };
        serde_json::to_vec(&kept).map_err(|error| Problem::internal(error.to_string()))
    }

    /// What was kept, and says so.
    pub(crate) fn recall(kept: &[u8]) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(kept).ok()?;
        let mut answer = Self::new(StatusCode::from_u16(kept.status).ok()?, kept.body.into());
        answer.version = kept.version.map(|(id, number)| Version { id, number });
        for (name, value) in kept.headers {
            answer = answer.header(name.parse().ok()?, value);
        }
        Some(answer.header(REPLAYED, "true"))
    }
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    body: String,
    headers: Vec<(String, String)>,
    version: Option<(Uuid, i64)>,
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

/// A reply: what it comes to, and how it is described.
macro_rules! reply {
    ($name:ident<$type:ident $(: $bound:ident)?>, $status:ident, kept $kept:literal, conditional $conditional:literal, $answer:expr) => {
        impl<$type: Output $(+ $bound)?> Reply for $name<$type> {
            const KEPT: bool = $kept;
            const CONDITIONAL: bool = $conditional;

            fn reply(self) -> Result<Answer> {
                $answer(&self.0)
            }

            #[cfg(feature = "openapi")]
            fn describe(operation: &mut crate::openapi::Operation<'_>) {
                operation.response::<$type>(StatusCode::$status);
            }
        }
    };
}

reply!(Json<T>, OK, kept false, conditional false, Answer::done);
reply!(Versioned<T: Resource>, OK, kept false, conditional false, |read: &T| Ok(Answer::done(read)?.of(read)));
reply!(Created<T: Resource>, CREATED, kept true, conditional false, Answer::created);
reply!(Done<T>, OK, kept true, conditional false, Answer::done);
reply!(Transitioned<T: Resource>, OK, kept true, conditional true, Answer::moved);

impl Reply for NoContent {
    fn reply(self) -> Result<Answer> {
        Ok(Answer::new(StatusCode::NO_CONTENT, Bytes::new()))
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.empty_response(StatusCode::NO_CONTENT);
    }
}

impl Reply for Document {
    fn reply(self) -> Result<Answer> {
        Ok(Answer::new(StatusCode::OK, Bytes::from_static(self.0.as_bytes()))
            .header(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")))
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.response::<serde_json::Map<String, Value>>(StatusCode::OK);
    }
}
