//! A number of things, and the model of a number that clients send.

use serde::Serialize;
use serde_json::Value as Json;

use crate::kernel::{
    decode::{Fault, FaultCode, Scalar},
    json,
};

/// A whole number from 0 to 1,000,000,000,000: of rows, of a line, of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Count(pub i64);

impl Scalar for Count {
    fn from_value(value: Json) -> Result<Self, Fault> {
        match value.as_number().and_then(json::whole) {
            Some(number @ 0..=1_000_000_000_000) => Ok(Self(number)),
            Some(_) => Err(Fault::new(FaultCode::NotAllowed, "Expected a number from 0 to 1000000000000.")),
            None => Err(Fault::wrong_type("a whole number", &value)),
        }
    }
}

impl From<Count> for Json {
    fn from(count: Count) -> Self {
        count.0.into()
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for Count {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer", "minimum": 0, "maximum": 1_000_000_000_000_i64, "description": "A whole number, from 0."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_be_written_with_a_fraction_that_is_none() {
        for (given, read) in
            [("0", 0), ("417", 417), ("417.0", 417), ("4e2", 400), ("1e12", 1_000_000_000_000)]
        {
            let value = json::parse(given.as_bytes()).expect("a number");
            assert_eq!(Count::from_value(value), Ok(Count(read)), "{given}");
        }
        for given in
            ["-1", "-1.0", "0.5", "417.5", "1e13", "1e300", "9223372036854775808", "\"1\"", "null", "true"]
        {
            let value = json::parse(given.as_bytes()).expect("a value");
            assert!(Count::from_value(value).is_err(), "{given}");
        }
    }
}
