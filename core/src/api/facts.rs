//! The facts about an operation that the types of its handler state; `openapi/` writes the document from them.

use http::StatusCode;
use schemars::{Schema, SchemaGenerator};

/// A schema, made on demand.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One fact that an argument or a reply states.
pub(crate) enum Fact {
    /// The body, which may be absent unless it is required.
    Body { required: bool, schema: SchemaOf },
    /// The query; its members are the parameters.
    Query { schema: SchemaOf },
    /// The operation is about a tenant, even though its caller need not be a member.
    NamesATenant,
    /// A placeholder of the path that holds one of a few texts and not an id.
    NamedInPath { name: &'static str, description: &'static str, texts: Vec<&'static str> },
    /// An answer with JSON.
    Answer { status: StatusCode, schema: SchemaOf },
    /// Headers of an answer that another fact describes.
    Headers { status: StatusCode, names: &'static [&'static str] },
    /// Another media type of an answer; a text if it is not JSON.
    Text { status: StatusCode, media_type: &'static str, description: &'static str, example: &'static str },
    /// An answer without a body.
    Nothing { status: StatusCode },
}
