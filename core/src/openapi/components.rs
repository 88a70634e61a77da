//! Components: what many operations have in common is said once, because every page of documentation loads all of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{examples, operations, pascal};
use crate::limits;

pub(super) fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "The id under which this request was logged.",
            "schema": { "type": "string" },
            "example": examples::REQUEST_ID,
        },
        "ContentLocation": {
            "description": "Where what was changed can be read.",
            "schema": { "type": "string", "format": "uri-reference" },
            "example": "/v1/tenant",
        },
        "ETag": {
            "description": "Tells this state of what was read from every other one: for `If-None-Match`, and of what can be changed for `If-Match`.",
            "schema": { "type": "string" },
            "example": examples::ETAG,
        },
        "IdempotencyReplayed": {
            "description": "`true` if this is the answer to an earlier request with the same `Idempotency-Key`.",
            "schema": { "type": "string", "enum": ["true"] },
            "example": "true",
        },
        "Link": {
            "description": "How the next page is asked for (RFC 8288), if there is one: `<reference>; rel=\"next\"`, relative to the request.",
            "schema": { "type": "string" },
            "example": "</v1/projects?limit=20&cursor=..>; rel=\"next\"",
        },
        "Location": {
            "description": "Where what was created can be read.",
            "schema": { "type": "string", "format": "uri-reference" },
            "example": "/v1/tenant",
        },
        "RateLimit": {
            "description": "Which limit was met, and seconds until there is room again.",
            "schema": { "type": "string" },
            "example": "\"requests\";r=0;t=7",
        },
        "RateLimitPolicy": {
            "description": "How many a limit admits, in how many seconds.",
            "schema": { "type": "string" },
            "example": "\"requests\";q=1200;w=60",
        },
        "RetryAfter": {
            "description": "Seconds to wait before trying again.",
            "schema": { "type": "integer", "minimum": 0 },
            "example": 7,
        },
        "WwwAuthenticate": {
            "description": "How to authenticate (RFC 6750).",
            "schema": { "type": "string" },
            "example": "Bearer realm=\"bailiwick\"",
        },
    })
}

pub(super) fn security_schemes() -> Value {
    json!({
        "session": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "The access token of a login; or, if the operator has named an identity provider, a JWT of its, to which a request may also be answered 403 `email_not_verified` or `identity_not_linked` and 503 `identity_provider_unavailable`.",
        },
        "api_key": {
            "type": "http", "scheme": "bearer", "bearerFormat": "bwk_...",
            "description": "An API key. It opens the tenant that it was made in and no other, and needs no tenant header.",
        },
    })
}

/// The parameters that name the tenant of a request.
pub(super) fn tenant_headers() -> [Value; 2] {
    [
        json!({
            "name": "X-Tenant-ID", "in": "header", "required": false,
            "description": "The tenant, by its id.",
            "schema": { "$ref": "#/components/schemas/TenantId" },
        }),
        json!({
            "name": "X-Tenant-Slug", "in": "header", "required": false,
            "description": "The tenant, by its slug.",
            "schema": { "$ref": "#/components/schemas/Slug" },
        }),
    ]
}

/// The parameter of what is not to be done twice.
pub(super) fn idempotency_key() -> Value {
    let hours = limits::IDEMPOTENCY_HOURS;
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": format!("A text of the client's own, a new one for each thing that is to be done. Sent again within {hours} hours by the same user or API key, nothing is done a second time, and the answer is the one that was given then."),
        "schema": { "type": "string", "minLength": 1, "maxLength": limits::IDEMPOTENCY_KEY, "pattern": "^[!-+\\--~]+$" },
        "example": "0196a2b4-7c1e-7f3a-9d2b-5e8f1a6c4d30",
    })
}

/// A list of entity tags.
const TAGS: &str = r#"^(\*|(W/)?"[!#-+\--~]*"( *, *(W/)?"[!#-+\--~]*")*)?$"#;

/// The parameter of what is changed in a certain state only.
pub(super) fn if_match() -> Value {
    json!({
        "name": "If-Match", "in": "header", "required": false,
        "description": "Entity tags that were read before: nothing is done unless what is to be changed is still in one of these states.",
        "schema": { "type": "string", "pattern": TAGS },
        "example": "*",
    })
}

/// The parameter of what may be known already.
pub(super) fn if_none_match() -> Value {
    json!({
        "name": "If-None-Match", "in": "header", "required": false,
        "description": "Entity tags that were read before: if what is read has one of them still, the answer is 304.",
        "schema": { "type": "string" },
        "example": examples::ETAG,
    })
}

/// The answer of what is known already.
pub(super) fn not_modified() -> Value {
    json!({
        "description": "It is what the client has already.",
        "headers": {
            "X-Request-Id": { "$ref": "#/components/headers/RequestId" },
            "ETag": { "$ref": "#/components/headers/ETag" },
        },
    })
}

/// Moves every parameter and response that comes again to the components, and refers to it.
pub(super) fn share(document: &mut Value) {
    share_parts(document, "parameters", each_parameter, |parameter| {
        parameter["name"].as_str().map(pascal).unwrap_or_default()
    });
    share_parts(document, "responses", each_response, response_name);
}

fn each_parameter(operation: &mut Value) -> Vec<&mut Value> {
    operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten().collect()
}

fn each_response(operation: &mut Value) -> Vec<&mut Value> {
    operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut).collect()
}

/// After the problems that a response tells of, or the schema that it has.
fn response_name(response: &Value) -> String {
    let content = &response["content"];
    if let Some(codes) = content["application/problem+json"]["examples"].as_object() {
        return codes.keys().map(|code| pascal(code)).collect::<Vec<_>>().join("Or");
    }
    if content.is_null() && response["headers"]["ETag"].is_object() {
        return "NotModified".to_owned();
    }
    let schema = &content["application/json"]["schema"];
    let name = super::reference_name(schema).unwrap_or("NoContent").to_owned();
    if response["headers"]["Location"].is_object() { format!("{name}Created") } else { name }
}

/// Replaces, in all operations, each of these parts that there is more than once by a reference to a component. Of
/// different ones with the same name the most frequent gets it, and the others stay where they are.
fn share_parts(
    document: &mut Value,
    kind: &str,
    parts: fn(&mut Value) -> Vec<&mut Value>,
    name: impl Fn(&Value) -> String,
) {
    let mut counts: BTreeMap<String, (usize, Value)> = BTreeMap::new();
    for operation in operations(document) {
        for part in parts(operation) {
            counts.entry(part.to_string()).or_insert_with(|| (0, part.clone())).0 += 1;
        }
    }
    let mut shared: BTreeMap<String, (usize, Value)> = BTreeMap::new();
    for (count, part) in counts.into_values().filter(|(count, _)| *count > 1) {
        let best = shared.entry(name(&part)).or_default();
        if count > best.0 {
            *best = (count, part);
        }
    }
    for operation in operations(document) {
        for part in parts(operation) {
            let name = name(part);
            if shared.get(&name).is_some_and(|(_, shared)| shared == part) {
                *part = json!({ "$ref": format!("#/components/{kind}/{name}") });
            }
        }
    }
    document["components"][kind] = shared.into_iter().map(|(name, (_, part))| (name, part)).collect();
}
