//! The replies of handlers, as types: each becomes an answer, describes itself, and says on which request headers it
//! depends.

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

#[cfg(feature = "openapi")]
use crate::api::facts::Fact;
use crate::http::{
    answer::Answer,
    conditional::{Placed, Resource},
    page::Listing,
    problem::Result,
};

/// A type that a handler can return.
pub(crate) trait Reply: Send {
    /// Whether the answer is kept for repetitions of the request under the same `Idempotency-Key`.
    const KEPT: bool = false;
    /// Whether the request changes a resource under the condition of `If-Match`.
    const CONDITIONAL: bool = false;

    fn reply(self) -> Result<Answer>;

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact>;
}

/// 200 with a JSON body.
pub(crate) struct Json<T>(pub(crate) T);

/// 200 with a page of a list, and a link to the next one.
pub(crate) struct List<T>(pub(crate) T);

/// 200 with something that can be read by itself, and changed.
pub(crate) struct Versioned<T>(pub(crate) T);

/// 201 with something that was created.
pub(crate) struct Created<T>(pub(crate) T);

/// 200 with the result of an action.
pub(crate) struct Done<T>(pub(crate) T);

/// 200 with something that was moved to another state.
pub(crate) struct Transitioned<T>(pub(crate) T);

/// 204.
pub(crate) struct NoContent;

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

/// A reply: its answer, the headers that it may have, and its description.
macro_rules! reply {
    ($name:ident<$type:ident $(: $bound:ident)?>, $status:ident, $headers:expr, kept $kept:literal, conditional $conditional:literal, $answer:expr) => {
        impl<$type: Output $(+ $bound)?> Reply for $name<$type> {
            const KEPT: bool = $kept;
            const CONDITIONAL: bool = $conditional;

            fn reply(self) -> Result<Answer> {
                $answer(&self.0)
            }

            #[cfg(feature = "openapi")]
            fn facts() -> Vec<Fact> {
                let schema = |generator: &mut schemars::SchemaGenerator| generator.subschema_for::<$type>();
                vec![
                    Fact::Answer { status: StatusCode::$status, schema },
                    Fact::Headers { status: StatusCode::$status, names: &$headers },
                ]
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
        Ok(Answer::done(&self.0)?.followed_by(next))
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        let schema = |generator: &mut schemars::SchemaGenerator| generator.subschema_for::<T>();
        vec![
            Fact::Answer { status: StatusCode::OK, schema },
            Fact::Headers { status: StatusCode::OK, names: &["Link"] },
        ]
    }
}

impl Reply for NoContent {
    fn reply(self) -> Result<Answer> {
        Ok(Answer::new(StatusCode::NO_CONTENT, Bytes::new()))
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        vec![Fact::Nothing { status: StatusCode::NO_CONTENT }]
    }
}
