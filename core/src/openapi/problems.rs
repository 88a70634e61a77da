//! Problems: their schema, the responses that carry them, and an example of each.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::{
    input::FaultCode,
    limits,
    problem::Code,
    values::{ProjectStatus, Role},
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
        "description": "An error. Some codes have members of their own.",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference", "description": "Identifies the kind of problem." },
            "title": { "type": "string", "description": "The kind of problem, for people." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599, "description": "The status of the response." },
            "code": code,
            "detail": { "type": "string", "description": "This occurrence of it, for people." },
            "request_id": { "type": "string", "description": "The id under which this request was logged." },
            "errors": {
                "type": "array",
                "description": "The faults of the body or the query; of more than a hundred the first.",
                "maxItems": limits::FAULTS,
                "items": {
                    "type": "object",
                    "required": ["pointer", "code", "detail"],
                    "properties": {
                        "pointer": { "type": "string", "description": "A JSON pointer (RFC 6901), or `/name` of a parameter." },
                        "code": fault,
                        "detail": { "type": "string", "description": "What is wrong, for people." },
                    },
                },
            },
            "required_role": with(role, "The least role that may do it."),
            "reason": {
                "type": "string", "enum": ["accepted", "revoked", "expired", "other_email"],
                "description": "Why an invitation cannot be accepted or revoked.",
            },
            "allowed": {
                "type": "array", "items": status,
                "description": "The statuses that the project can be moved to.",
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
        "request_id": super::examples::REQUEST_ID,
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
