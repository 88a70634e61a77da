//! An operation: the inputs and outputs of its handler's types, and what its access rule adds to them.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::{
    access::rule::Access,
    api::facts::{Fact, SchemaOf},
    http::problem::Code,
    kernel::values::enumerations::Role,
    openapi::{Generators, components, module, pascal, problems, reference_name, schemas::without_null},
    routes::Route,
};

/// An operation while its handler's types describe it.
struct Operation<'a> {
    generators: &'a mut Generators,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: Map<String, Value>,
    problems: Vec<Code>,
    names_a_tenant: bool,
}

impl Operation<'_> {
    fn learn(&mut self, fact: Fact) {
        match fact {
            Fact::Body { required, schema } => self.body(required, schema),
            Fact::Query { schema } => self.query(schema),
            Fact::NamesATenant => self.names_a_tenant = true,
            Fact::NamedInPath { name, description, texts } => self.named_in_path(name, description, &texts),
            Fact::Answer { status, schema } => self.response(status, schema),
            Fact::Headers { status, names } => self.response_headers(status, names),
            Fact::Text { status, media_type, description, example } => {
                self.text_response(status, media_type, description, example);
            }
            Fact::Nothing { status } => self.empty_response(status),
        }
    }

    fn body(&mut self, required: bool, schema: SchemaOf) {
        let schema = schema(&mut self.generators.inputs);
        let name = reference_name(schema.as_value()).unwrap_or_default();
        let definition = self.generators.inputs.definitions().get(name);
        let description = definition.and_then(|schema| schema.get("description")).cloned();
        self.body = Some(json!({
            "description": description,
            "required": required,
            "content": { "application/json": { "schema": schema } },
        }));
        self.problems.extend([
            Code::MalformedJson,
            Code::IncompleteBody,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
            Code::ValidationFailed,
        ]);
    }

    fn query(&mut self, schema: SchemaOf) {
        let generator = &mut self.generators.inputs;
        let schema = schema(generator);
        // The parameters are listed one by one; the schema of the type itself is not used.
        let name = reference_name(schema.as_value()).unwrap_or_default();
        let schema = generator.definitions_mut().remove(name).unwrap_or_default();
        let required: Vec<_> = schema["required"].as_array().cloned().unwrap_or_default();
        for (parameter, mut schema) in schema["properties"].as_object().cloned().unwrap_or_default() {
            without_null(&mut schema);
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut described = json!({
                "name": parameter,
                "in": "query",
                "required": required.contains(&Value::String(parameter.clone())),
                "description": description,
            });
            // A list is one parameter, with commas between its items.
            if schema["type"] == "array" {
                described["style"] = "form".into();
                described["explode"] = false.into();
            }
            described["schema"] = schema;
            self.parameters.push(described);
        }
    }

    fn response(&mut self, status: StatusCode, schema: SchemaOf) {
        let generator = &mut self.generators.outputs;
        let schema = schema(generator);
        let name = reference_name(schema.as_value()).unwrap_or_default();
        let definition = generator.definitions().get(name);
        let description = definition.and_then(|schema| schema.get("description")).cloned();
        let response = json!({
            "description": description.unwrap_or_else(|| "The OpenAPI description of this service.".into()),
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestId" } },
            "content": { "application/json": { "schema": schema } },
        });
        self.responses.insert(status.as_str().to_owned(), response);
    }

    /// Headers of a response that was described.
    fn response_headers(&mut self, status: StatusCode, names: &[&str]) {
        for name in names {
            add_header(&mut self.responses[status.as_str()], name);
        }
    }

    /// Another media type of a response; a text if it is not JSON.
    fn text_response(&mut self, status: StatusCode, media_type: &str, description: &str, example: &str) {
        if !self.responses.contains_key(status.as_str()) {
            self.empty_response(status);
            self.responses[status.as_str()]["description"] = description.into();
        }
        self.responses[status.as_str()]["content"][media_type] =
            json!({ "schema": { "type": "string" }, "example": example });
    }

    /// A placeholder of the path that holds one of a few texts and not an id.
    fn named_in_path(&mut self, name: &str, description: &str, texts: &[&str]) {
        self.parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": description,
            "schema": { "type": "string", "enum": texts },
        }));
    }

    fn empty_response(&mut self, status: StatusCode) {
        let response = json!({
            "description": "The request succeeded. The response has no body.",
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestId" } },
        });
        self.responses.insert(status.as_str().to_owned(), response);
    }
}

/// A header of a response, which is one of the components.
fn add_header(response: &mut Value, name: &str) {
    response["headers"][name] = json!({ "$ref": format!("#/components/headers/{}", pascal(name)) });
}

/// The description of a route.
pub(super) fn describe(route: &Route, generators: &mut Generators) -> Value {
    let mut operation = Operation {
        generators,
        parameters: Vec::new(),
        body: None,
        responses: Map::new(),
        problems: vec![
            Code::InvalidTenantHeader,
            Code::InvalidParameter,
            Code::TargetTooLong,
            Code::InternalError,
        ],
        names_a_tenant: names_a_tenant(route.access),
    };
    for fact in route.endpoint.facts() {
        operation.learn(fact);
    }
    let Operation { mut parameters, body, mut responses, mut problems, names_a_tenant, .. } = operation;
    // Every route can meet a missing database, except the few that use none.
    if route.batches > 0 {
        problems.extend([Code::Unavailable, Code::Timeout]);
    }
    problems.extend(of_access(route.access));
    if body.is_none() {
        problems.push(Code::UnexpectedBody);
    }
    let stored = route.answer_to_store().is_some();
    if stored {
        problems.extend([Code::InvalidHeader, Code::IdempotencyKeyReused]);
    }
    if route.is_conditional() {
        problems.extend([Code::InvalidHeader, Code::PreconditionFailed]);
    }
    if route.method == Method::GET {
        responses.insert("304".to_owned(), components::not_modified());
    }
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
        if stored {
            add_header(response, "Idempotency-Replayed");
        }
        if route.method == Method::GET {
            add_header(response, "ETag");
        }
    }
    for placeholder in route.path.split(['{', '}']).skip(1).step_by(2) {
        problems.push(Code::NotFound);
        if parameters.iter().any(|parameter| parameter["name"] == placeholder) {
            continue;
        }
        let schema = json!({ "$ref": format!("#/components/schemas/{}", pascal(placeholder)) });
        let thing = placeholder.trim_end_matches("_id").replace('_', " ").replace("api", "API");
        let description = format!("The id of the {thing}, a UUID.");
        parameters.push(json!({
            "name": placeholder, "in": "path", "required": true, "description": description, "schema": schema,
        }));
    }
    problems.extend(route.problems);
    problems::add(&mut responses, problems);
    let mut described = json!({
        "operationId": route.name.replace("::", "_"),
        "tags": [module(route)],
        "summary": route.summary.trim().trim_end_matches('.'),
        "description": description(route),
        "security": security(route.access, names_a_tenant),
        "x-access": access(route.access),
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

fn names_a_tenant(access: Access) -> bool {
    matches!(access, Access::AnyoneInTenant | Access::Member(_) | Access::InPerson(_))
}

/// The problems that an access rule implies.
fn of_access(access: Access) -> Vec<Code> {
    let mut problems = match access {
        Access::Public => return Vec::new(),
        Access::AnyoneInTenant => vec![Code::TenantNotFound],
        // Problems of the identity provider's tokens are described once (`components::security_schemes`).
        Access::SignedIn => vec![Code::AuthenticationRequired, Code::InvalidToken, Code::SessionRequired],
        Access::Member(_) | Access::InPerson(_) => {
            vec![Code::AuthenticationRequired, Code::InvalidToken, Code::NotAMember, Code::InsufficientRole]
        }
    };
    problems.push(Code::TooManyRequests);
    if names_a_tenant(access) {
        problems.extend([Code::TenantConflict, Code::TenantSuspended]);
    }
    problems
}

/// The documentation of a route from the table, with a sentence about who can call it, and its headers. These are no
/// parameters, because importers send every parameter that has an example: a constant `Idempotency-Key`, for one.
fn description(route: &Route) -> String {
    let details = route.details.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let conditional = route.is_conditional().then_some(" `If-Match` makes it conditional.");
    let stored = route.answer_to_store().map(|_| " An `Idempotency-Key` makes it safe to repeat.");
    [&details, " ", &who(route.access), conditional.unwrap_or_default(), stored.unwrap_or_default()].concat()
}

/// A sentence about who can call a route.
fn who(access: Access) -> String {
    match access {
        Access::Public => "Anyone can call this.".to_owned(),
        Access::AnyoneInTenant => "Anyone can call this, for any tenant.".to_owned(),
        Access::SignedIn => "Any authenticated user can call this; an API key cannot.".to_owned(),
        Access::Member(role) | Access::InPerson(role) => {
            let keys = match access {
                Access::InPerson(role) if role < Role::Owner => "; an API key needs the role owner",
                _ => "",
            };
            format!("Members of the tenant with at least the role {} can call this{keys}.", role.as_str())
        }
    }
}

/// The access rule, for programs.
fn access(access: Access) -> Value {
    match access {
        Access::Public => json!({ "rule": "public" }),
        Access::AnyoneInTenant => json!({ "rule": "anyone_in_tenant" }),
        Access::SignedIn => json!({ "rule": "signed_in" }),
        Access::Member(role) => json!({ "rule": "member", "role": role.as_str() }),
        Access::InPerson(role) => json!({ "rule": "in_person", "role": role.as_str() }),
    }
}

/// The credentials that are accepted. Tools take the first one, which needs no tenant to begin with.
fn security(access: Access, names_a_tenant: bool) -> Value {
    match access {
        Access::Public | Access::AnyoneInTenant if names_a_tenant => json!([{}, { "tenant": [] }]),
        Access::Public | Access::AnyoneInTenant => json!([]),
        Access::SignedIn => json!([{ "session": [] }]),
        Access::Member(_) | Access::InPerson(_) => {
            json!([{ "session": [] }, { "session": [], "tenant": [] }, { "api_key": [] }])
        }
    }
}
