//! The schema of the operations: one for each kind, distinguished by `op`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    kernel::values::TaskId,
    repository::tasks::{
        bulk::TaskOperationKind,
        task::{NewTask, TaskPatch},
    },
};

pub(super) fn operation(generator: &mut SchemaGenerator) -> Schema {
    let schemas = [
        generator.subschema_for::<CreateTask>(),
        generator.subschema_for::<UpdateTask>(),
        generator.subschema_for::<DeleteTask>(),
    ];
    let mapping: serde_json::Map<_, _> = TaskOperationKind::ALL
        .iter()
        .zip(&schemas)
        .map(|(kind, schema)| (kind.as_str().to_owned(), schema.as_value()["$ref"].clone()))
        .collect();
    json_schema!({ "oneOf": schemas, "discriminator": { "propertyName": "op", "mapping": mapping } })
}

/// An object with the members of another, and those that identify the operation.
fn with_op(of: Schema, kind: TaskOperationKind, id: Option<Schema>) -> Schema {
    let mut schema = of.to_value();
    schema["properties"]["op"] = serde_json::json!({
        "type": "string", "const": kind.as_str(), "description": "What is done with the task.",
    });
    let mut required = vec!["op".into()];
    if let Some(id) = id {
        schema["properties"]["id"] = id.to_value();
        required.push("id".into());
    }
    required.extend(schema["required"].as_array().cloned().unwrap_or_default());
    schema["required"] = required.into();
    Schema::try_from(schema).unwrap_or_default()
}

macro_rules! described {
    ($name:ident, $kind:ident, $text:literal, $id:literal, $members:expr) => {
        struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let members: fn(&mut SchemaGenerator) -> Schema = $members;
                let id = $id.then(|| generator.subschema_for::<TaskId>());
                let mut schema = with_op(members(generator), TaskOperationKind::$kind, id);
                schema.insert("description".to_owned(), $text.into());
                schema
            }
        }
    };
}

described!(CreateTask, Create, "Creates a task.", false, NewTask::json_schema);
described!(
    UpdateTask,
    Update,
    "Changes a task; what is absent stays as it is.",
    true,
    TaskPatch::json_schema
);
described!(DeleteTask, Delete, "Deletes a task.", true, |_| {
    json_schema!({ "type": "object", "properties": {}, "additionalProperties": false })
});
