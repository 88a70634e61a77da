//! The OpenAPI 3.1 document, generated from the route table and the handlers' types. Its product,
//! `core/openapi.json`, is checked in, and served without its blanks (build.rs); a test holds it to this generator.

use http::StatusCode;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    input::{FaultCode, Input},
    problem::Code,
    routes::{Access, ROUTES, Route},
    values::Role,
};

/// An operation while its handler's types describe it.
pub(crate) struct Operation<'a> {
    generator: &'a mut SchemaGenerator,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: Map<String, Value>,
    problems: Vec<Code>,
}

impl Operation<'_> {
    pub(crate) fn body<T: Input>(&mut self) {
        let schema = T::schema(self.generator);
        self.body =
            Some(json!({ "required": true, "content": { "application/json": { "schema": schema } } }));
        self.problems.extend([
            Code::MalformedJson,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
            Code::ValidationFailed,
        ]);
    }

    pub(crate) fn query<T: Input>(&mut self) {
        let name = reference_name(T::schema(self.generator).as_value());
        // The parameters are listed one by one; the type itself is nobody's schema.
        let schema = self.generator.definitions_mut().remove(&name).unwrap_or_default();
        let required: Vec<_> = schema["required"].as_array().cloned().unwrap_or_default();
        for (parameter, schema) in schema["properties"].as_object().cloned().unwrap_or_default() {
            let mut schema = without_null(schema);
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            self.parameters.push(json!({
                "name": parameter,
                "in": "query",
                "required": required.contains(&Value::String(parameter.clone())),
                "description": description,
                "schema": schema,
            }));
        }
    }

    pub(crate) fn tenant_headers(&mut self) {
        self.parameters.extend(tenant_headers());
    }

    pub(crate) fn response<T: JsonSchema>(&mut self, status: StatusCode) {
        let schema = self.generator.subschema_for::<T>();
        let mut response = json!({
            "description": status.canonical_reason(),
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestId" } },
            "content": { "application/json": { "schema": schema } },
        });
        if status == StatusCode::CREATED {
            response["headers"]["Location"] = json!({ "$ref": "#/components/headers/Location" });
        }
        self.responses.insert(status.as_str().to_owned(), response);
    }

    pub(crate) fn list_response<T: JsonSchema>(&mut self) {
        self.response::<T>(StatusCode::OK);
        self.responses[StatusCode::OK.as_str()]["headers"]["Link"] =
            json!({ "$ref": "#/components/headers/Link" });
    }

    pub(crate) fn empty_response(&mut self, status: StatusCode) {
        let response = json!({
            "description": status.canonical_reason(),
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestId" } },
        });
        self.responses.insert(status.as_str().to_owned(), response);
    }
}

fn tenant_headers() -> [Value; 2] {
    ["TenantId", "TenantSlug"].map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }))
}

/// `#/components/schemas/X` refers to `X`.
fn reference_name(schema: &Value) -> String {
    schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()).unwrap_or_default().to_owned()
}

/// In a query, absent is the only way to say nothing.
fn without_null(mut schema: Value) -> Value {
    if let Some(any_of) = schema["anyOf"].as_array() {
        let mut rest: Vec<_> = any_of.iter().filter(|schema| schema["type"] != "null").cloned().collect();
        if let (1, Some(only)) = (rest.len(), rest.pop()) {
            let description = schema["description"].take();
            schema = only;
            if description.is_string() {
                schema["description"] = description;
            }
        }
    }
    schema
}

/// The document.
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let operation = operation(route, &mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation;
    }
    let fault_code = generator.subschema_for::<FaultCode>();
    let mut schemas = Value::Object(generator.take_definitions(true));
    mark_optional(&mut schemas);
    schemas["Problem"] = problem_schema(&fault_code);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bailiwick",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Multi-tenant project management with an approval workflow.",
            "description": "A tenant is named by `X-Tenant-ID` or `X-Tenant-Slug`, else it is the tenant `default`. Errors are problems (RFC 9457).",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": {
                "RequestId": { "description": "The id under which this request was logged.", "schema": { "type": "string" } },
                "Link": { "description": "How the next page is asked for (RFC 8288), if there is one: `<reference>; rel=\"next\"`, relative to the request.", "schema": { "type": "string", "examples": ["</v1/projects?limit=20&cursor=..>; rel=\"next\""] } },
                "Location": { "description": "Where what was created can be read.", "schema": { "type": "string", "format": "uri-reference" } },
                "Allow": { "description": "The methods that there are.", "schema": { "type": "string" } },
                "RateLimit": { "description": "Which limit was met, and seconds until there is room again.", "schema": { "type": "string", "examples": ["\"requests\";r=0;t=7"] } },
                "RateLimitPolicy": { "description": "How many a limit admits, in how many seconds.", "schema": { "type": "string", "examples": ["\"requests\";q=1200;w=60"] } },
                "RetryAfter": { "description": "Seconds to wait before trying again.", "schema": { "type": "integer" } },
                "WwwAuthenticate": { "description": "How to authenticate.", "schema": { "type": "string" } },
            },
            "parameters": {
                "TenantId": {
                    "name": "X-Tenant-ID", "in": "header", "required": false,
                    "description": "The tenant, by its id.",
                    "schema": { "type": "string", "format": "uuid" },
                },
                "TenantSlug": {
                    "name": "X-Tenant-Slug", "in": "header", "required": false,
                    "description": "The tenant, by its slug.",
                    "schema": { "$ref": "#/components/schemas/Slug" },
                },
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "The access token of a login, or an API key (`bwk_...`), which opens its own tenant and needs no tenant header; or, if the operator has named an identity provider, a JWT of its, to which a request may also be answered 403 `email_not_verified` or `identity_not_linked` and 503 `identity_provider_unavailable`.",
                },
            },
        },
    })
}

fn module(route: &Route) -> &'static str {
    route.name.split("::").next().unwrap_or(route.name)
}

fn tags() -> Vec<Value> {
    let mut names: Vec<_> = ROUTES.iter().map(module).collect();
    names.dedup();
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut operation = Operation {
        generator,
        parameters: Vec::new(),
        body: None,
        responses: Map::new(),
        // No route without a database, but for the few that say so, is spared its absence.
        problems: vec![
            Code::InvalidTenantHeader,
            Code::InvalidParameter,
            Code::TargetTooLong,
            Code::InternalError,
        ],
    };
    route.endpoint.describe(&mut operation);
    let Operation { mut parameters, body, mut responses, mut problems, .. } = operation;
    if route.batches > 0 {
        problems.push(Code::Unavailable);
    }
    let keys = match route.access {
        Access::InPerson(role) if role < Role::Owner => "; of API keys only those of the role owner",
        _ => "",
    };
    let (who, security) = match route.access {
        Access::Public => ("Anybody may call it.".to_owned(), json!([])),
        Access::AnyoneInTenant => ("Anybody may call it, for any tenant.".to_owned(), json!([])),
        Access::SignedIn => {
            problems.push(Code::SessionRequired);
            ("Whoever is logged in may call it.".to_owned(), json!([{ "bearer": [] }]))
        }
        Access::Member(role) | Access::InPerson(role) => {
            problems.extend([Code::NotAMember, Code::InsufficientRole]);
            (
                format!("Members of the tenant from the role {} up may call it{}.", role.as_str(), keys),
                json!([{ "bearer": [] }]),
            )
        }
    };
    if matches!(route.access, Access::AnyoneInTenant | Access::Member(_) | Access::InPerson(_)) {
        parameters.extend(tenant_headers());
        problems.extend([Code::TenantConflict, Code::TenantSuspended]);
    }
    match route.access {
        Access::Public => {}
        Access::AnyoneInTenant => problems.extend([Code::TenantNotFound, Code::TooManyRequests]),
        Access::SignedIn | Access::Member(_) | Access::InPerson(_) => {
            // What the identity provider's tokens can meet is said once, of all routes (`bearer`).
            problems.extend([Code::AuthenticationRequired, Code::InvalidToken, Code::TooManyRequests]);
        }
    }
    for placeholder in route.path.split(['{', '}']).skip(1).step_by(2) {
        problems.push(Code::NotFound);
        parameters.push(json!({
            "name": placeholder, "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" },
        }));
    }
    problems.extend(route.problems);
    add_problems(&mut responses, problems);
    let mut described = json!({
        "operationId": route.name.replace("::", "_"),
        "tags": [module(route)],
        "summary": route.summary.trim().trim_end_matches('.'),
        "description": format!("{} {who}", route.summary.trim()),
        "security": security,
        "responses": responses,
    });
    if !parameters.is_empty() {
        described["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = body {
        described["requestBody"] = body;
    }
    described
}

fn add_problems(responses: &mut Map<String, Value>, mut problems: Vec<Code>) {
    problems.sort_by_key(|code| (code.status(), code.as_str()));
    problems.dedup();
    for same in problems.chunk_by(|one, other| one.status() == other.status()) {
        let description: Vec<_> =
            same.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning().trim())).collect();
        let mut headers = json!({ "X-Request-Id": { "$ref": "#/components/headers/RequestId" } });
        match same[0].status() {
            401 => headers["WWW-Authenticate"] = json!({ "$ref": "#/components/headers/WwwAuthenticate" }),
            429 => {
                headers["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" });
                headers["RateLimit"] = json!({ "$ref": "#/components/headers/RateLimit" });
                headers["RateLimit-Policy"] = json!({ "$ref": "#/components/headers/RateLimitPolicy" });
            }
            503 => headers["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" }),
            _ => {}
        }
        let response = json!({
            "description": description.join("\n\n"),
            "headers": headers,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        responses.insert(same[0].status().to_string(), response);
    }
}

/// A member of a merge patch may be absent, which its type alone cannot tell schemars.
fn mark_optional(schemas: &mut Value) {
    for schema in schemas.as_object_mut().into_iter().flat_map(|schemas| schemas.values_mut()) {
        let mut optional = Vec::new();
        for (name, property) in schema["properties"].as_object_mut().into_iter().flatten() {
            if property.as_object_mut().and_then(|property| property.remove("x-optional")).is_some() {
                optional.push(Value::String(name.clone()));
            }
        }
        if let Some(required) = schema["required"].as_array_mut() {
            required.retain(|name| !optional.contains(name));
            if required.is_empty() {
                schema.as_object_mut().map(|schema| schema.remove("required"));
            }
        }
    }
}

fn problem_schema(fault_code: &schemars::Schema) -> Value {
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "type": "object",
        "description": "An error (RFC 9457). Some codes have members of their own.",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference", "description": "Identifies the kind of problem." },
            "title": { "type": "string", "description": "The kind of problem, for people." },
            "status": { "type": "integer", "description": "The status of the response." },
            "code": { "type": "string", "enum": codes, "description": "The kind of problem, for programs." },
            "detail": { "type": "string", "description": "This occurrence of it, for people." },
            "request_id": { "type": "string", "description": "The id under which this request was logged." },
            "errors": {
                "type": "array",
                "description": "Each fault of the body or the query.",
                "items": {
                    "type": "object",
                    "required": ["pointer", "code", "detail"],
                    "properties": {
                        "pointer": { "type": "string", "description": "A JSON pointer (RFC 6901), or `/name` of a parameter." },
                        "code": fault_code,
                        "detail": { "type": "string" },
                    },
                },
            },
            "required_role": { "$ref": "#/components/schemas/Role" },
            "reason": { "type": "string", "description": "Why an invitation cannot be accepted or revoked." },
            "allowed": { "type": "array", "items": { "$ref": "#/components/schemas/ProjectStatus" } },
        },
    })
}
