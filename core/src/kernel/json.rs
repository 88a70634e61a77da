//! JSON as it comes from clients: parsed strictly. A name that occurs twice in an object is an error, because two
//! programs would read two different values.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::kernel::limits;

/// Whether a media type is that of JSON (RFC 8259) or of a merge patch (RFC 7396). Both are UTF-8: no parameter says
/// anything else.
pub(crate) fn is_media_type(text: &str) -> bool {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let known = ["application/json", "application/merge-patch+json"];
    known.iter().any(|known| name.eq_ignore_ascii_case(known))
        && parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
            let utf8 =
                ["utf-8", "utf8"].iter().any(|utf8| value.trim_matches('"').eq_ignore_ascii_case(utf8));
            !name.eq_ignore_ascii_case("charset") || utf8
        })
}

/// Parses a document; objects and arrays may stand [`limits::JSON_DEPTH`] deep within each other.
///
/// # Errors
/// What is wrong and where, for the client.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err("The body is empty.".to_owned());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { left: limits::JSON_DEPTH }.deserialize(&mut deserializer);
    let whole = value.and_then(|value| deserializer.end().map(|()| value));
    whole.map_err(|error| format!("{error}."))
}

/// The largest whole number up to which a float, and so every engine, has all whole numbers.
pub(crate) const EXACT: i64 = (1 << 53) - 1;

/// A number without a fraction, as an integer is for JSON Schema (2020-12, section 6.1.1): also one written as `100.0`
/// or `1e2`, if it is exact.
#[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
#[expect(clippy::cast_precision_loss, reason = "this limit has an exact value")]
pub(crate) fn whole(number: &Number) -> Option<i64> {
    let float = || number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0);
    let exact = || float().filter(|float| float.abs() <= EXACT as f64).map(|float| float as i64);
    number.as_i64().or_else(exact)
}

/// Makes an object. Unlike `json!`, it adds little code at each place of use.
pub(crate) fn object(members: Vec<(&str, Value)>) -> Value {
    let mut object = Map::new();
    for (name, value) in members {
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

/// Reads a value in which this many more may be nested.
#[derive(Clone, Copy)]
struct Strict {
    left: usize,
}

impl Strict {
    /// The reader of the values in an object or an array.
    fn within<E: de::Error>(self) -> Result<Self, E> {
        let too_deep = || E::custom(format!("it is nested more than {} levels deep", limits::JSON_DEPTH));
        self.left.checked_sub(1).map(|left| Self { left }).ok_or_else(too_deep)
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.within()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.within()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(de::Error::custom(format!("the name {name:?} stands twice in one object")));
            }
            object.insert(name, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn media_types() {
        for good in [
            "application/json",
            "Application/JSON ; Charset=UTF-8",
            "application/merge-patch+json;charset=\"utf-8\";x=1",
        ] {
            assert!(is_media_type(good), "{good:?}");
        }
        for bad in [
            "",
            "text/json",
            "application/json, text/plain",
            "application/json; charset=utf-16",
            "application/json;charset=\"\"",
        ] {
            assert!(!is_media_type(bad), "{bad:?}");
        }
    }

    #[test]
    fn parses_what_serde_json_parses_except_for_repeated_names() {
        let text = r#"{"a": [1, -2, 3.5, null, true, "x\u0041"], "b": {"c": {}}}"#;
        assert_eq!(
            parse(text.as_bytes()).unwrap(),
            json!({"a": [1, -2, 3.5, null, true, "xA"], "b": {"c": {}}})
        );
        for bad in
            ["", "  ", "{", "{\"a\":1,\"a\":2}", "[{\"a\":{\"b\":1,\"b\":1}}]", "{} {}", "nope", "\u{feff}{}"]
        {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(limits::JSON_DEPTH).as_bytes()).is_ok());
        assert!(parse(nested(limits::JSON_DEPTH + 1).as_bytes()).is_err());
        assert!(parse(b"\"\xff\"").is_err());
    }
}
