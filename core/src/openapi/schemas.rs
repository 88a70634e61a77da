//! Schemas: corrections of those that schemars derives from the types.

use serde_json::{Map, Value};

use crate::kernel::{limits, schema::enumeration};

/// Lists within a body have a maximum number of items.
pub(super) fn limit_lists(inputs: &mut Map<String, Value>) {
    for schema in inputs.values_mut() {
        walk(schema, &mut |schema| {
            if schema.contains_key("items") {
                schema.insert("maxItems".to_owned(), limits::LIST_ITEMS.into());
            }
        });
    }
}

/// Corrects schemars' schemas to the intended ones.
pub(super) fn tidy(schemas: &mut Map<String, Value>) {
    for schema in schemas.values_mut() {
        walk(schema, &mut |schema| {
            optional_members(schema);
            one_of_constants(schema);
            default_of_what_may_be_null(schema);
            flow(schema);
        });
    }
}

fn walk(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            change(members);
            members.values_mut().for_each(|value| walk(value, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| walk(value, change)),
        _ => {}
    }
}

/// A member of a merge patch may be absent, which its type alone cannot tell schemars.
fn optional_members(schema: &mut Map<String, Value>) {
    let mut optional = Vec::new();
    for (name, property) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
    {
        if property.as_object_mut().and_then(|property| property.remove("x-optional")).is_some() {
            optional.push(Value::String(name.clone()));
        }
    }
    let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) else { return };
    required.retain(|name| !optional.contains(name));
    if required.is_empty() {
        schema.remove("required");
    }
}

/// An enumeration that schemars has described variant by variant is one `enum`, as others are.
fn one_of_constants(schema: &mut Map<String, Value>) {
    let Some(variants) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let variant =
        |variant: &Value| Some((variant["const"].as_str()?.to_owned(), variant["description"].clone()));
    let Some(variants) = variants.iter().map(variant).collect::<Option<Vec<_>>>() else { return };
    let variants: Vec<_> =
        variants.iter().map(|(name, docs)| (name.as_str(), docs.as_str().unwrap_or_default())).collect();
    let docs = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    *schema = enumeration(&docs, &variants).as_object().cloned().unwrap_or_default();
}

/// A default belongs to the values beside which there is `null`. If it stands beside them, generators of clients take
/// the member for one that is always there.
fn default_of_what_may_be_null(schema: &mut Map<String, Value>) {
    if schema.contains_key("anyOf")
        && let Some(default) = schema.remove("default")
    {
        schema["anyOf"][0]["default"] = default;
    }
}

/// A docstring is broken into lines; a description is not, but for its paragraphs and lists.
fn flow(schema: &mut Map<String, Value>) {
    let Some(Value::String(text)) = schema.get_mut("description") else { return };
    let mut flowing = String::new();
    for line in text.lines() {
        let apart = line.is_empty() || line.starts_with("- ") || flowing.ends_with('\n');
        if !flowing.is_empty() {
            flowing.push(if apart { '\n' } else { ' ' });
        }
        flowing.push_str(line);
    }
    *text = flowing;
}

/// In a query, absent is the only way to say nothing.
pub(super) fn without_null(schema: &mut Value) {
    let null = Value::from("null");
    let Some(schema) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| *kind != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let any_of = schema.get_mut("anyOf").and_then(Value::as_array_mut);
    if let Some([Value::Object(only), other]) = any_of.map(Vec::as_mut_slice)
        && other["type"] == null
    {
        let mut only = std::mem::take(only);
        schema.remove("anyOf");
        only.append(schema);
        *schema = only;
    }
}
