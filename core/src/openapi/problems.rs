//! Problems: their schema, the responses that carry them, and an example of each.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::{
    http::problem::Code,
    kernel::{
        decode::FaultCode,
        limits,
        values::enumerations::{ProjectStatus, Role},
    },
};

/// The responses of an operation that can meet these problems: one for each status.
pub(super) fn add(responses: &mut Map<String, Value>, mut problems: Vec<Code>) {
    problems.sort_by_key(|code| (code.status(), code.as_str()));
    problems.dedup();
    for same in problems.chunk_by(|one, other| one.status() == other.status()) {
        let description: Vec<_> =
            same.iter().map(|code| format!("`{}`: {}", code.as_str(), code.explained().meaning)).collect();
        let example = |code: &Code| (code.as_str().to_owned(), reference(*code));
        let examples: Map<_, _> = same.iter().map(example).collect();
        let response = json!({
            "description": description.join("\n\n"),
            "headers": headers(same[0].status()),
            "content": { "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" },
                "examples": examples,
            } },
        });
        responses.insert(same[0].status().to_string(), response);
    }
}

fn reference(code: Code) -> Value {
    json!({ "$ref": format!("#/components/examples/{}", code.as_str()) })
}

fn headers(status: u16) -> Value {
    let more: &[(&str, &str)] = match status {
        401 => &[("WWW-Authenticate", "WwwAuthenticate")],
        429 => &[
            ("Retry-After", "RetryAfter"),
            ("RateLimit", "RateLimit"),
            ("RateLimit-Policy", "RateLimitPolicy"),
        ],
        503 => &[("Retry-After", "RetryAfter")],
        _ => &[],
    };
    let header = |(name, component): &(&str, &str)| {
        ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{component}") }))
    };
    [("X-Request-Id", "RequestId")].iter().chain(more).map(header).collect::<Map<_, _>>().into()
}

/// The schema of all problems.
pub(super) fn schema(generator: &mut SchemaGenerator) -> Value {
    let [code, fault, role, status] = [
        generator.subschema_for::<Code>(),
        generator.subschema_for::<FaultCode>(),
        generator.subschema_for::<Role>(),
        generator.subschema_for::<ProjectStatus>(),
    ];
    json!({
        "type": "object",
        "description": "An error. Some codes have additional fields.",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference", "description": "The kind of the problem, as a path at which it is explained." },
            "title": { "type": "string", "description": "The kind of the problem, for people." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status of the response." },
            "code": code,
            "detail": { "type": "string", "description": "The explanation of this occurrence, for people." },
            "request_id": { "type": "string", "description": "The id of this request. The operator finds the request in the log by it." },
            "errors": {
                "type": "array",
                "description": "The faults of the request body or the query: all of them, or the first hundred.",
                "maxItems": limits::FAULTS,
                "items": {
                    "type": "object",
                    "required": ["pointer", "code", "detail"],
                    "properties": {
                        "pointer": { "type": "string", "description": "The place of the fault: a JSON pointer into the body (RFC 6901), or `/name` for a query parameter." },
                        "code": fault,
                        "detail": { "type": "string", "description": "The explanation of the fault, for people." },
                    },
                },
            },
            "required_role": with(role, "The lowest sufficient role."),
            "reason": {
                "type": "string", "enum": ["accepted", "revoked", "expired", "other_email"],
                "description": "The reason why an invitation cannot be accepted or revoked.",
            },
            "allowed": {
                "type": "array", "items": status,
                "description": "The statuses to which the project can move from its current status.",
            },
        },
    })
}

fn with(mut schema: schemars::Schema, description: &str) -> schemars::Schema {
    schema.insert("description".to_owned(), description.into());
    schema
}

/// An example of a problem of this kind.
pub(super) fn example(code: Code) -> Value {
    let mut problem = json!({
        "type": format!("/problems/{}", code.as_str()),
        "title": code.title(),
        "status": code.status(),
        "code": code.as_str(),
        "detail": code.explained().meaning,
        "request_id": crate::openapi::examples::REQUEST_ID,
    });
    let fault = |pointer, code, detail| json!([{ "pointer": pointer, "code": code, "detail": detail }]);
    match code {
        Code::InvalidParameter => {
            problem["errors"] = fault("/limit", "not_allowed", "Expected a number from 1 to 100.");
        }
        Code::ValidationFailed => {
            problem["errors"] = fault("/name", "required", "This value is required.");
        }
        Code::InsufficientRole => problem["required_role"] = "manager".into(),
        Code::InvitationUnusable => problem["reason"] = "expired".into(),
        Code::TransitionNotAllowed => problem["allowed"] = json!(["submitted", "archived"]),
        _ => {}
    }
    problem
}
