//! The OpenAPI 3.1 document, generated from the route table and the handlers' types. Its product,
//! `core/openapi.json`, is checked in, and without its blanks as `site/openapi.json`, which is served. A test holds both
//! to this generator.

mod components;
mod examples;
mod links;
mod operation;
mod problems;
mod schemas;

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

pub(crate) use self::{
    operation::Operation,
    schemas::{described, enumeration},
};
use crate::routes::{ROUTES, Route};

/// The groups of operations, in the order in which to read them: the modules of their handlers.
const TAGS: &[(&str, &str)] = &[
    ("auth", "Registering, logging in, renewing a session's tokens, logging out."),
    ("me", "One's own account: its name and password, its sessions, the identities that lead to it."),
    ("tenants", "The tenants that one is in, and the settings of one."),
    ("transfer", "Moving a tenant from one deployment to another."),
    ("members", "Who is in the tenant, and what they may do."),
    ("invitations", "Asking somebody to join the tenant."),
    ("api_keys", "Keys by which machines act for a member."),
    ("projects", "Projects, and their way through the approval workflow."),
    ("tasks", "What is to be done in a project."),
    ("comments", "What is said about a task."),
    ("catalogue", "What a tenant shows to everybody."),
    ("notifications", "What one is told, and what one does not want to be told."),
    ("admin", "The tenant as its owners see it: numbers, activity, deliveries to the outside."),
    ("pages", "Pages for people, and what they load; programs get the same facts as JSON."),
    ("service", "The service itself: its health, its workflow, its description."),
];

/// What describes the types: they may read differently as they are sent and as they are answered.
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

    /// What both have described, by name.
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
            "description": include_str!("about.md"),
            "contact": { "name": "Whoever runs this deployment" },
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/", "description": "Where this document comes from." }],
        "externalDocs": { "description": "Problem details, as which errors are told (RFC 9457).", "url": "https://www.rfc-editor.org/rfc/rfc9457" },
        "tags": TAGS.iter().map(|(name, about)| json!({ "name": name, "description": about })).collect::<Vec<_>>(),
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

/// The module of a route's handler.
fn module(route: &Route) -> &'static str {
    route.name.split("::").next().unwrap_or(route.name)
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
