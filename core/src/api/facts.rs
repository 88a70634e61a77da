//! What the types of a handler say of an operation: plain facts, out of which `openapi/` writes the document.

use http::StatusCode;
use schemars::{Schema, SchemaGenerator};

/// A schema, made when it is asked for.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One thing that an argument or a reply says.
pub(crate) enum Fact {
    /// The body, which may be absent unless it is required.
    Body { required: bool, schema: SchemaOf },
    /// The query; its members are the parameters.
    Query { schema: SchemaOf },
    /// It is about a tenant, even though nobody has to be a member of it.
    NamesATenant,
    /// A place of the path that does not hold an id, but one of some texts.
    NamedInPath { name: &'static str, description: &'static str, texts: Vec<&'static str> },
    /// An answer with JSON.
    Answer { status: StatusCode, schema: SchemaOf },
    /// Headers of an answer that was told of.
    Headers { status: StatusCode, names: &'static [&'static str] },
    /// Another media type of an answer; a text if it is not JSON.
    Text { status: StatusCode, media_type: &'static str, description: &'static str, example: &'static str },
    /// An answer without a body.
    Nothing { status: StatusCode },
}
