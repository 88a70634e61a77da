//! The OpenAPI 3.1 document, generated from the route table and the handlers' types. The result, `core/openapi.json`,
//! is checked in, and without blanks as `site/openapi.json`, which is served. A test compares both with this generator.

pub(crate) mod components;
pub mod diagram;
pub(crate) mod examples;
pub(crate) mod links;
pub(crate) mod operation;
pub(crate) mod problems;
pub(crate) mod schemas;

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    domain::definition::document::Definition,
    kernel::limits,
    routes::{ROUTES, Route},
};

/// The groups of operations, in the order in which to read them: the modules of their handlers.
const TAGS: &[(&str, &str)] = &[
    ("auth", "Register, log in, renew the tokens of a session, log out, and reset a forgotten password."),
    ("me", "Your account: its name, its password, its sessions and its linked identities."),
    ("tenants", "Your tenants, and the settings of one tenant."),
    ("transfer", "Export a tenant from one deployment, and import it into another."),
    ("members", "The members of the tenant, and their roles."),
    ("invitations", "Invitations to join the tenant."),
    ("api_keys", "Keys with which programs act for a member."),
    ("projects", "Projects, and their transitions through the approval workflow."),
    ("tasks", "The tasks of projects."),
    ("comments", "The comments on tasks."),
    ("catalogue", "The public projects of a tenant, readable without authentication."),
    ("notifications", "Your notifications in the tenant, and your preferences for them."),
    ("admin", "The tenant for its owners: statistics, usage, the activity log, and the deliveries."),
    ("pages", "Pages for people, and the files that the pages load. Programs get the same facts as JSON."),
    ("service", "The service itself: its health, its workflow and its OpenAPI description."),
];

/// The generators of schemas: a type may look different in requests and in answers.
struct Generators {
    inputs: SchemaGenerator,
    outputs: SchemaGenerator,
}

impl Generators {
    fn new() -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        let inputs = settings.clone().into_generator();
        Self { inputs, outputs: settings.for_serialize().into_generator() }
    }

    /// The definitions of both, by name.
    fn definitions(mut self) -> Map<String, Value> {
        let mut all = self.inputs.take_definitions(true);
        schemas::limit_lists(&mut all);
        all.extend(self.outputs.take_definitions(true));
        all
    }
}

/// The document.
pub fn document() -> Value {
    let mut generators = Generators::new();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let operation = operation::describe(route, &mut generators);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation;
    }
    let problem = problems::schema(&mut generators.outputs);
    let mut schemas = generators.definitions();
    schemas.insert("Problem".to_owned(), problem);
    schemas::tidy(&mut schemas);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bailiwick",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Multi-tenant project management with an approval workflow.",
            "description": about(),
            "contact": { "name": "The operator of this deployment" },
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/", "description": "The server of this document." }],
        "externalDocs": { "description": "Problem Details (RFC 9457), the format of all errors.", "url": "https://www.rfc-editor.org/rfc/rfc9457" },
        "tags": TAGS.iter().map(|(name, about)| json!({ "name": name, "description": about, "x-displayName": shown(name) })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": components::headers(),
            "securitySchemes": components::security_schemes(),
        },
    });
    links::add(&mut document);
    examples::add(&mut document);
    components::share(&mut document);
    document
}

/// The JSON Schema (2020-12) of the document of a workflow.
pub fn workflow_schema() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Definition>();
    let mut whole = Map::from_iter([("schema".to_owned(), schema.into())]);
    schemas::tidy(&mut whole);
    whole.remove("schema").unwrap_or_default()
}

/// The description of the whole document.
fn about() -> String {
    include_str!("about.md").replace("{idempotency_hours}", &limits::IDEMPOTENCY_HOURS.to_string())
}

/// The module of a route's handler.
fn module(route: &Route) -> &'static str {
    route.name.split("::").next().unwrap_or(route.name)
}

/// A tag as people read it.
fn shown(name: &str) -> String {
    let words = name.replace('_', " ").replace("api", "API");
    let first: String = words.chars().take(1).map(|letter| letter.to_ascii_uppercase()).collect();
    first + &words[1..]
}

/// `PascalCase` out of `snake_case` and `Kebab-Case`.
fn pascal(name: &str) -> String {
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split(['_', '-']).map(capitalised).collect()
}

/// `#/components/schemas/X` refers to `X`.
fn reference_name(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next())
}

/// Every operation of the document.
fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_group_of_operations_is_described() {
        let described: BTreeSet<_> = TAGS.iter().map(|(name, _)| *name).collect();
        assert_eq!(described, ROUTES.iter().map(module).collect());
    }
}
