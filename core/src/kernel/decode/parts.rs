//! Parts of a document that may be left out: lists, flags and objects within it.

use serde_json::Value;

use crate::kernel::decode::{Fault, Field, Input, Scalar, list, object, required};

/// A list of up to `MAX` values; absent is an empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T, const MAX: usize>(pub Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Scalar, const MAX: usize> Field for List<T, MAX> {
    fn from_field(value: Option<Value>) -> Result<Self, Vec<Fault>> {
        match value {
            None => Ok(Self::default()),
            Some(value) => list(value, (0, MAX), T::with_all_faults).map(Self),
        }
    }
}

/// An object in a list, or one that is a member of another.
#[derive(Clone, Debug)]
pub struct Nested<T>(pub T);

impl<T: Input> Scalar for Nested<T> {
    fn from_value(value: Value) -> Result<Self, Fault> {
        Self::with_all_faults(value).map_err(|faults| faults.into_iter().next().unwrap_or_else(required))
    }

    fn with_all_faults(value: Value) -> Result<Self, Vec<Fault>> {
        object(value).map(Self)
    }
}

/// Whether something is so; absent is no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

impl Field for Flag {
    fn from_field(value: Option<Value>) -> Result<Self, Vec<Fault>> {
        match value {
            None => Ok(Self(false)),
            Some(Value::Bool(given)) => Ok(Self(given)),
            Some(other) => Err(vec![Fault::wrong_type("true or false", &other)]),
        }
    }
}

#[cfg(feature = "openapi")]
mod schemas {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Flag, List, Nested};
    use crate::kernel::decode::Input;

    impl<T: JsonSchema, const MAX: usize> JsonSchema for List<T, MAX> {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "List".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let items = generator.subschema_for::<T>();
            json_schema!({ "type": "array", "items": items, "maxItems": MAX, "default": [], "x-optional": true })
        }
    }

    impl<T: Input> JsonSchema for Nested<T> {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Nested".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            T::schema(generator)
        }
    }

    impl JsonSchema for Flag {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Flag".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "boolean", "default": false, "x-optional": true })
        }
    }
}
