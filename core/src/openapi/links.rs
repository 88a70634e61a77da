//! Links: from a created resource, or from the first item of a list, to further operations, so that tools can follow.

use serde_json::{Map, Value, json};

use crate::openapi::{operations, pascal, reference_name};

/// An operation that others lead to.
struct Target {
    operation: String,
    placeholders: Vec<String>,
    security: Value,
}

/// Adds links to every answer that contains the ids of another operation's path. No link leads to a body: generators of
/// clients refuse a link whose `requestBody` is an object.
pub(super) fn add(document: &mut Value) {
    let targets = targets(document);
    let schemas = document["components"]["schemas"].take();
    let mut links = Map::new();
    for operation in operations(document) {
        let from = operation["operationId"].as_str().unwrap_or_default().to_owned();
        let security = operation["security"].clone();
        for status in ["200", "201"] {
            let Some(response) = operation["responses"].get_mut(status) else { continue };
            let Some(name) = reference_name(&response["content"]["application/json"]["schema"]) else {
                continue;
            };
            let source = Source::new(&schemas, name);
            let found: Vec<_> = if status == "201" || source.is_page {
                // Links stay within one kind of access: public data never links to members' operations, or back.
                let same = |target: &&Target| target.security == security;
                targets.iter().filter(same).filter_map(|target| source.lead_to(target)).collect()
            } else {
                Vec::new()
            };
            let mut of_response = Map::new();
            for (operation, link) in found {
                let key = format!("{from}.{operation}");
                of_response.insert(operation, json!({ "$ref": format!("#/components/links/{key}") }));
                links.insert(key, link);
            }
            if !of_response.is_empty() {
                response["links"] = of_response.into();
            }
        }
    }
    document["components"]["schemas"] = schemas;
    document["components"]["links"] = links.into();
}

fn targets(document: &Value) -> Vec<Target> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, operations)| {
        let placeholders: Vec<_> = path.split(['{', '}']).skip(1).step_by(2).map(str::to_owned).collect();
        let operations = operations.as_object().into_iter().flat_map(Map::values);
        operations.filter_map(move |operation| {
            Some(Target {
                operation: operation["operationId"].as_str()?.to_owned(),
                placeholders: placeholders.clone(),
                security: operation["security"].clone(),
            })
        })
    });
    operations.collect()
}

/// The ids in an answer: of its own members, or of the first item of its page.
struct Source<'a> {
    is_page: bool,
    at: &'static str,
    members: &'a Value,
}

impl<'a> Source<'a> {
    fn new(schemas: &'a Value, name: &str) -> Self {
        let members = &schemas[name]["properties"];
        let items = if name.starts_with("PageOf") { reference_name(&members["data"]["items"]) } else { None };
        match items {
            Some(item) => Self { is_page: true, at: "/data/0", members: &schemas[item]["properties"] },
            None => Self { is_page: false, at: "", members },
        }
    }

    /// The place of the id for a placeholder of a path.
    fn place(&self, placeholder: &str) -> Option<String> {
        let id = pascal(placeholder);
        let is_it = |member: &str| reference_name(&self.members[member]) == Some(&id);
        let member = [placeholder, "id"].into_iter().find(|member| is_it(member))?;
        Some(format!("$response.body#{}/{member}", self.at))
    }

    fn lead_to(&self, Target { operation, placeholders, .. }: &Target) -> Option<(String, Value)> {
        let place = |placeholder: &String| Some((placeholder.clone(), self.place(placeholder)?));
        let places = placeholders.iter().map(place).collect::<Option<Vec<_>>>()?;
        // It leads to operations on its own id, and not back to the parent that it names.
        let own = places.last().is_some_and(|(name, _)| {
            reference_name(&self.members["id"]) == Some(&pascal(name))
                || name == "user_id" && self.is_member()
        });
        let parameters: Map<_, _> = places.into_iter().map(|(name, place)| (name, place.into())).collect();
        own.then(|| (operation.clone(), json!({ "operationId": operation, "parameters": parameters })))
    }

    /// Members are identified by the user's id.
    fn is_member(&self) -> bool {
        reference_name(&self.members["id"]) == Some("MembershipId")
    }
}
