//! Components: parts that many operations have in common are described once, because every page of documentation loads
//! the whole document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::openapi::{examples, operations, pascal};

pub(super) fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "The id of this request. The operator finds the request in the log by it.",
            "schema": { "type": "string" },
            "example": examples::REQUEST_ID,
        },
        "ContentLocation": {
            "description": "The path of the changed resource.",
            "schema": { "type": "string", "format": "uri-reference" },
            "example": "/v1/tenant",
        },
        "ETag": {
            "description": "The entity tag. It identifies this version of the resource. Send it back as `If-None-Match` to read the resource only if it has changed, or as `If-Match` to change it only if it has not changed.",
            "schema": { "type": "string" },
            "example": examples::ETAG,
        },
        "IdempotencyReplayed": {
            "description": "`true` if this is the answer to an earlier request with the same `Idempotency-Key`.",
            "schema": { "type": "string", "enum": ["true"] },
            "example": "true",
        },
        "Link": {
            "description": "The link to the next page (RFC 8288), relative to the URL of the request: `<reference>; rel=\"next\"`. The last page has none.",
            "schema": { "type": "string" },
            "example": "</v1/projects?limit=20&cursor=..>; rel=\"next\"",
        },
        "Location": {
            "description": "The path at which the new resource can be read.",
            "schema": { "type": "string", "format": "uri-reference" },
            "example": "/v1/tenant",
        },
        "RateLimit": {
            "description": "The limit that was reached: its name, the number of requests that remain (`r`), and the seconds until another request is accepted (`t`).",
            "schema": { "type": "string" },
            "example": "\"requests\";r=0;t=7",
        },
        "RateLimitPolicy": {
            "description": "The definition of the limit: its name, and the number of requests (`q`) that it allows in a window of seconds (`w`).",
            "schema": { "type": "string" },
            "example": "\"requests\";q=1200;w=60",
        },
        "RetryAfter": {
            "description": "The number of seconds to wait before the next attempt.",
            "schema": { "type": "integer", "minimum": 0 },
            "example": 7,
        },
        "WwwAuthenticate": {
            "description": "The required authentication scheme (RFC 6750).",
            "schema": { "type": "string" },
            "example": "Bearer realm=\"bailiwick\"",
        },
    })
}

pub(super) fn security_schemes() -> Value {
    json!({
        "session": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "The access token of a login. If the operator has configured an identity provider, a JWT of that provider works too; then the answer can also be 403 `email_not_verified`, 403 `identity_not_linked` or 503 `identity_provider_unavailable`.",
        },
        "api_key": {
            "type": "http", "scheme": "bearer", "bearerFormat": "bwk_...",
            "description": "An API key. It works only for the tenant in which it was created, and needs no tenant header.",
        },
        // No parameter: importers send every parameter that has an example, and the tenant is the same in all requests.
        "tenant": {
            "type": "apiKey", "in": "header", "name": "X-Tenant-Slug",
            "description": "The slug of the tenant, sent beside the access token; it is not a secret. `X-Tenant-ID` with the id of the tenant means the same. Without either, the request is for the tenant `default`.",
        },
    })
}

/// The answer if the client has the current version already.
pub(super) fn not_modified() -> Value {
    json!({
        "description": "The resource has not changed. The response has no body.",
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

/// The name is that of the response's problems, or of its schema.
fn response_name(response: &Value) -> String {
    let content = &response["content"];
    if let Some(codes) = content["application/problem+json"]["examples"].as_object() {
        return codes.keys().map(|code| pascal(code)).collect::<Vec<_>>().join("Or");
    }
    if content.is_null() && response["headers"]["ETag"].is_object() {
        return "NotModified".to_owned();
    }
    let schema = &content["application/json"]["schema"];
    let name = crate::openapi::reference_name(schema).unwrap_or("NoContent").to_owned();
    if response["headers"]["Location"].is_object() { format!("{name}Created") } else { name }
}

/// Replaces, in all operations, each of these parts that occurs more than once by a reference to a component. The most
/// frequent one of several with the same name gets that name, and the others stay where they are.
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
