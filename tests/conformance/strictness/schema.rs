//! The description, as far as it tells what fields there are.

use serde_json::{Map, Value, json};

/// A field of a body.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Where it is; of alternatives in a list, the place is that of the alternative.
    pub(super) pointer: String,
    /// What it is, without references and without `null`.
    pub(super) schema: Value,
    /// Whether it may be `null`.
    pub(super) nullable: bool,
    /// Whether it must be there.
    pub(super) required: bool,
}

impl Field {
    pub(super) fn kind(&self) -> &str {
        self.schema["type"].as_str().unwrap_or_else(|| panic!("no type: {self:?}"))
    }

    pub(super) fn name(&self) -> &str {
        self.pointer.rsplit('/').next().unwrap_or_default()
    }

    /// Whether people write it as they like, within a pattern that says which characters.
    pub(super) fn is_prose(&self) -> bool {
        self.kind() == "string" && self.schema["pattern"].as_str().is_some_and(|text| text.starts_with("^[^"))
    }

    /// What it can be, if that is a short list.
    pub(super) fn choices(&self) -> Vec<Value> {
        let one = self.schema.get("const").cloned();
        one.into_iter().chain(self.schema["enum"].as_array().into_iter().flatten().cloned()).collect()
    }
}

/// What a schema stands for, and whether it may be `null`.
pub(super) fn resolve(document: &Value, schema: &Value) -> (Value, bool) {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = document.pointer(reference.trim_start_matches('#'));
        return resolve(document, found.unwrap_or_else(|| panic!("{reference} leads nowhere")));
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let rest: Vec<_> = any.iter().filter(|schema| schema["type"] != "null").collect();
        assert!(rest.len() == 1 && any.len() == 2, "the tests do not know {schema}");
        return (resolve(document, rest[0]).0, true);
    }
    let mut schema = schema.clone();
    let mut nullable = false;
    if let Some(types) = schema["type"].as_array().cloned() {
        let rest: Vec<_> = types.iter().filter(|name| *name != "null").cloned().collect();
        nullable = rest.len() < types.len();
        assert_eq!(rest.len(), 1, "the tests do not know {schema}");
        schema["type"] = rest[0].clone();
    }
    (schema, nullable)
}

/// All fields of an object, at any depth.
pub(super) fn fields(document: &Value, schema: &Value) -> Vec<Field> {
    let mut all = Vec::new();
    within(document, &resolve(document, schema).0, "", &mut all);
    all
}

fn within(document: &Value, schema: &Value, at: &str, all: &mut Vec<Field>) {
    assert_eq!(schema["additionalProperties"], false, "what else may be there? {schema}");
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let required = required.contains(&json!(name));
        field(document, property, &format!("{at}/{name}"), required, all);
    }
}

fn field(document: &Value, schema: &Value, pointer: &str, required: bool, all: &mut Vec<Field>) {
    let (schema, nullable) = resolve(document, schema);
    all.push(Field { pointer: pointer.to_owned(), schema: schema.clone(), nullable, required });
    if schema["properties"].is_object() {
        within(document, &schema, pointer, all);
    }
    match schema["items"]["oneOf"].as_array() {
        Some(alternatives) => {
            for (place, alternative) in alternatives.iter().enumerate() {
                field(document, alternative, &format!("{pointer}/{place}"), true, all);
            }
        }
        None if schema["items"].is_object() => {
            field(document, &schema["items"], &format!("{pointer}/0"), true, all);
        }
        None => {}
    }
}

/// Puts a value into a document, and around it what it takes for that.
pub(super) fn plant(document: &mut Value, pointer: &str, value: Value) {
    let mut place = document;
    for part in pointer.split('/').skip(1) {
        place = if let Ok(index) = part.parse::<usize>() {
            if !place.is_array() {
                *place = json!([]);
            }
            let items = place.as_array_mut().expect("it is one");
            if items.len() <= index {
                items.resize(index + 1, Value::Null);
            }
            &mut items[index]
        } else {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            &mut place[part.replace("~1", "/").replace("~0", "~")]
        };
    }
    *place = value;
}

/// Takes a member out of a document.
pub(super) fn uproot(document: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    parent.remove(name).expect("the member");
}
