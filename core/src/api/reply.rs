//! The replies of handlers, as types: each becomes an answer, describes itself, and says on which request headers it
//! depends.

use std::any::Any;

use bytes::Bytes;
use http::{StatusCode, header};
use serde::Serialize;

#[cfg(feature = "openapi")]
use crate::api::facts::Fact;
use crate::{
    access::context::AnswerOf,
    api::places::Placed,
    http::{
        answer::Answer,
        conditional::Resource,
        page::Listing,
        problem::{Problem, Result},
    },
};

/// A type that a handler can return.
pub(crate) trait Reply: Send {
    /// Makes the answer of the value that the handler is going to return, which the batch that makes the change stores
    /// for repetitions of the request under the same `Idempotency-Key`; `None` if none is stored.
    const ANSWER_TO_STORE: Option<AnswerOf> = None;
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
pub(crate) trait Output: Serialize + schemars::JsonSchema + Send + 'static {}
#[cfg(feature = "openapi")]
impl<T: Serialize + schemars::JsonSchema + Send + 'static> Output for T {}
/// The types of response bodies.
#[cfg(not(feature = "openapi"))]
pub(crate) trait Output: Serialize + Send + 'static {}
#[cfg(not(feature = "openapi"))]
impl<T: Serialize + Send + 'static> Output for T {}

/// Makes the answer of a value that is passed as `dyn Any`. That a repository stores what its handler returns is not for
/// the compiler to see: another type is an internal error, for requests with a key only.
fn answer_of_any<T: 'static>(value: &dyn Any, answer: impl Fn(&T) -> Result<Answer>) -> Result<Answer> {
    let value = value.downcast_ref();
    answer(
        value
            .ok_or_else(|| Problem::internal("the answer to be stored is of another type than the reply"))?,
    )
}

/// A reply: its answer, the headers that it may have, and its description.
macro_rules! reply {
    ($name:ident<$type:ident $(: $bound:ident)?>, $status:ident, $headers:expr, stored $stored:expr, conditional $conditional:literal, $answer:expr) => {
        impl<$type: Output $(+ $bound)?> Reply for $name<$type> {
            const ANSWER_TO_STORE: Option<AnswerOf> = $stored;
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

reply!(Json<T>, OK, [], stored None, conditional false, done);
reply!(Versioned<T: Resource>, OK, ["ETag"], stored None, conditional false, |read: &T| Ok(done(read)?.of(read)));
reply!(Created<T: Placed>, CREATED, ["ETag", "Location"], stored Some(|made| answer_of_any(made, created::<T>)), conditional false, created);
reply!(Done<T>, OK, [], stored Some(|result| answer_of_any(result, done::<T>)), conditional false, done);
reply!(Transitioned<T: Placed>, OK, ["ETag", "Content-Location"], stored Some(|moved| answer_of_any(moved, transitioned::<T>)), conditional true, transitioned);

fn done<T: Serialize>(value: &T) -> Result<Answer> {
    Answer::json(StatusCode::OK, value)
}

fn created<T: Serialize + Placed>(made: &T) -> Result<Answer> {
    Ok(Answer::json(StatusCode::CREATED, made)?.of(made).header(header::LOCATION, &made.location()))
}

fn transitioned<T: Serialize + Placed>(moved: &T) -> Result<Answer> {
    Ok(done(moved)?.of(moved).header(header::CONTENT_LOCATION, &moved.location()))
}

impl<T: Output + Listing> Reply for List<T> {
    fn reply(self) -> Result<Answer> {
        let next = self.0.next_cursor().map(str::to_owned);
        Ok(done(&self.0)?.followed_by(next))
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
