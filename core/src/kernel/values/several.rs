//! Several values of an enumeration, in a query separated by commas.

use std::marker::PhantomData;

use serde_json::Value as Json;

use crate::kernel::{
    decode::{Fault, FaultCode, Scalar},
    values::{enumerations::Enumeration, string},
};

/// One or more values of an enumeration, each once, separated by commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Several<T> {
    /// A bit for each variant, the lowest for the first.
    bits: i64,
    of: PhantomData<T>,
}

impl<T: Enumeration> Several<T> {
    /// The argument of a statement: a bit for each variant that is wanted, and all of them without a choice.
    pub(crate) fn bits(wanted: Option<Self>) -> i64 {
        wanted.map_or((1 << T::ALL.len()) - 1, |wanted| wanted.bits)
    }

    /// The same, with none of them without a choice.
    pub(crate) fn chosen(wanted: Option<Self>) -> i64 {
        wanted.map_or(0, |wanted| wanted.bits)
    }

    /// The chosen variants, in the order of the enumeration.
    pub(crate) fn text(self) -> String {
        let wanted = T::ALL.iter().enumerate().filter(|(place, _)| self.bits & (1 << place) != 0);
        wanted.map(|(_, variant)| variant.as_str()).collect::<Vec<_>>().join(",")
    }
}

impl<T: Enumeration> Scalar for Several<T> {
    fn from_value(value: Json) -> Result<Self, Fault> {
        let mut bits = 0;
        for name in string(value)?.split(',') {
            let Some(place) = T::ALL.iter().position(|variant| variant.as_str() == name) else {
                let all: Vec<_> = T::ALL.iter().map(|variant| variant.as_str()).collect();
                let detail =
                    format!("Expected one or more of these, with commas between: {}.", all.join(", "));
                return Err(Fault::new(FaultCode::NotAllowed, detail));
            };
            if bits & (1 << place) != 0 {
                let detail = format!("`{name}` is given more than once.");
                return Err(Fault::new(FaultCode::Repeated, detail));
            }
            bits |= 1 << place;
        }
        Ok(Self { bits, of: PhantomData })
    }
}

#[cfg(feature = "openapi")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Several<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("SeveralOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let item = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "array", "items": item, "minItems": 1, "uniqueItems": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::values::enumerations::TaskStatus;

    #[test]
    fn several_values_are_read_strictly() {
        let read = |text: &str| <Several<TaskStatus>>::from_value(text.into()).map_err(|fault| fault.code);
        let both = read("blocked,todo").unwrap();
        assert_eq!((both.text().as_str(), Several::bits(Some(both))), ("todo,blocked", 5));
        assert_eq!(Several::bits(read("done").ok()), 8);
        assert_eq!(<Several<TaskStatus>>::bits(None), 15);
        for text in ["", ",", "todo,", ",todo", "todo,,done", "todo, done", "Todo", "todo;done"] {
            assert_eq!(read(text), Err(FaultCode::NotAllowed), "{text}");
        }
        assert_eq!(read("todo,done,todo"), Err(FaultCode::Repeated));
    }
}
