//! What linters do not ask: everything is described, and has an example that is one.

use bailiwick_core::{openapi, problem::Code};
use bailiwick_tests::targets::root;
use serde_json::{Map, Value};
use tokio::process::Command;

use crate::run;

/// Where a reference leads, or the value itself.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => value,
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Each operation, and what it is called.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let operations = members(&document["paths"]).flat_map(|(path, methods)| {
        members(methods).map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    operations.collect()
}

fn is_described(value: &Value) -> bool {
    value["description"].as_str().is_some_and(|text| text.len() > 3 && !text.starts_with(' '))
}

/// Properties without a description, of this schema and of those within it.
fn silent(schema: &Value, at: &str, found: &mut Vec<String>) {
    for (name, property) in members(&schema["properties"]) {
        if !is_described(property) && property["$ref"].is_null() {
            found.push(format!("{at}.{name}"));
        }
        silent(property, &format!("{at}.{name}"), found);
    }
    if schema["items"].is_object() {
        silent(&schema["items"], at, found);
    }
}

#[test]
fn everything_is_described() {
    let document = openapi::document();
    let mut found = Vec::new();
    for (name, schema) in members(&document["components"]["schemas"]) {
        if !is_described(schema) {
            found.push(name.clone());
        }
        silent(schema, name, &mut found);
    }
    for (name, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let responses = members(&operation["responses"]).map(|(_, response)| response);
        let body = operation.get("requestBody");
        let parts = parameters.chain(responses).chain(body).map(|part| resolve(&document, part));
        if !parts.chain([operation]).all(is_described) {
            found.push(name);
        }
    }
    for (name, header) in members(&document["components"]["headers"]) {
        if !is_described(header) {
            found.push(name.clone());
        }
    }
    assert!(found.is_empty(), "without description: {found:#?}");
}

#[test]
fn everything_that_is_sent_and_answered_has_an_example() {
    let document = openapi::document();
    let has_example = |value: &Value| {
        let named = members(&value["examples"]).map(|(_, example)| &resolve(&document, example)["value"]);
        value.get("example").into_iter().chain(named).next().is_some_and(|example| !example.is_null())
    };
    let mut found = Vec::new();
    for (name, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolve(&document, parameter);
            // What has an example is sent by importers.
            if has_example(parameter) != (parameter["required"] == true) {
                found.push(format!("{name}: {parameter}"));
            }
        }
        let responses = members(&operation["responses"]).map(|(_, response)| resolve(&document, response));
        for part in responses.chain(operation.get("requestBody")) {
            for (media_type, content) in members(&part["content"]) {
                if !has_example(content) {
                    found.push(format!("{name}: {media_type} of {part}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "without example, or with one that would be sent: {found:#?}");
}

/// Importers (Postman, Bruno) send every header that is a parameter: two tenants that are nobody's, and the same `Idempotency-Key`
/// each time. What all requests have in common is a security scheme, and the rest is told in the text.
#[test]
fn no_header_is_a_parameter() {
    let document = openapi::document();
    for (name, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert_ne!(resolve(&document, parameter)["in"], "header", "{name}");
        }
        let rule = operation["x-access"]["rule"].as_str().unwrap_or_default();
        // One who registers may do so for a tenant.
        let about_a_tenant = !["public", "signed_in"].contains(&rule) || name == "post /v1/auth/register";
        assert_eq!(operation["security"].to_string().contains("\"tenant\""), about_a_tenant, "{name}");
    }
}

/// The examples are checked by an implementation of JSON Schema that has nothing to do with the linters' one.
#[tokio::test]
async fn examples_fit_their_schemas() {
    let mut command = Command::new(root().join(".tools/venv/bin/python"));
    let printed = run(command.current_dir(root()).arg("tests/contract/examples.py")).await;
    let checked: usize =
        printed.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default();
    assert!(checked > 300, "{printed}");
}

#[test]
fn operations_are_named_once_and_their_problems_are_known() {
    let document = openapi::document();
    let mut names = Map::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an operationId").to_owned();
        assert_eq!(names.insert(id, Value::Null), None, "{name}");
    }
    let told: Vec<_> = members(&document["components"]["examples"]).map(|(name, _)| name.as_str()).collect();
    // What a route cannot meet, or the identity provider's tokens only, is told in the text.
    let elsewhere = [
        Code::RouteNotFound,
        Code::MethodNotAllowed,
        Code::InvalidHost,
        Code::EmailNotVerified,
        Code::IdentityNotLinked,
        Code::ProviderUnavailable,
    ];
    for code in Code::ALL {
        let in_text = document.to_string().contains(&format!("`{}`", code.as_str()));
        assert!(in_text && (told.contains(&code.as_str()) != elsewhere.contains(code)), "{code:?}");
    }
}
