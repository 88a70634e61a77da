//! Schemas of types for the description of the API.

use schemars::{Schema, json_schema};

/// A schema with the docstring of its type.
pub(crate) fn described(mut schema: Schema, docs: &str) -> Schema {
    schema.insert("description".to_owned(), docs.trim().into());
    schema
}

/// The schema of an enumeration, whose description explains each variant: JSON Schema has no place for that.
pub(crate) fn enumeration(docs: &str, variants: &[(&str, &str)]) -> Schema {
    let names: Vec<_> = variants.iter().map(|(name, _)| *name).collect();
    let lines: String =
        variants.iter().map(|(name, docs)| format!("\n- `{name}`: {}", docs.trim())).collect();
    json_schema!({ "type": "string", "enum": names, "description": format!("{}\n{lines}", docs.trim()) })
}
