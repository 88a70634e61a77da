//! Requests of clients, decoded strictly: every fault of a body or a query is found and pointed at, nothing unknown is
//! ignored.
//!
//! # Example
//! `input!` declares what clients send. This is `decode/example.rs`, which the unit tests run (files elsewhere
//! import the macro):
#![doc = concat!("```ignore\n", include_str!("decode/example.rs"), "```")]

use std::{borrow::Cow, str::Utf8Error};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::kernel::{limits, sql};

pub(crate) mod parts;

/// What is wrong with one value of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: a JSON pointer into the body (RFC 6901), or `/name` for a query parameter.
    pub pointer: String,
    /// What, for programs.
    pub code: FaultCode,
    /// What, for people.
    pub detail: String,
}

impl Fault {
    /// A fault of the value at hand; the holder of the value adds where it is.
    pub(crate) fn new(code: FaultCode, detail: impl Into<String>) -> Self {
        Self { pointer: String::new(), code, detail: detail.into() }
    }

    pub(crate) fn wrong_type(wanted: &str, found: &Value) -> Self {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        Self::new(FaultCode::WrongType, format!("Expected {wanted}, got {found}."))
    }

    pub(crate) fn within(mut self, member: &str) -> Self {
        self.pointer = format!("/{}{}", member.replace('~', "~0").replace('/', "~1"), self.pointer);
        self
    }
}

/// The kinds of faults; clients may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// A value that must be given is not.
    Required,
    /// A name that nothing here has.
    Unknown,
    /// A parameter that was given more than once, or something that another part of the request is about, too.
    Repeated,
    /// A JSON value of another type.
    WrongType,
    /// Fewer characters, bytes or items than needed.
    TooShort,
    /// More characters, bytes or items than allowed.
    TooLong,
    /// Characters that are not allowed.
    Characters,
    /// Not of the form that is wanted.
    Format,
    /// Not among the values that are allowed.
    NotAllowed,
}

/// A type made of a single JSON value that is not `null`.
pub trait Scalar: Sized {
    /// Reads and checks the value.
    ///
    /// # Errors
    /// The fault; of a value with parts, the first one.
    fn from_value(value: Value) -> Result<Self, Fault>;

    /// The same, with the faults of all its parts.
    ///
    /// # Errors
    /// All faults.
    fn with_all_faults(value: Value) -> Result<Self, Vec<Fault>> {
        Self::from_value(value).map_err(|fault| vec![fault])
    }
}

/// A list of values.
impl<T: Scalar> Scalar for Vec<T> {
    fn from_value(value: Value) -> Result<Self, Fault> {
        Self::with_all_faults(value).map_err(|faults| faults.into_iter().next().unwrap_or_else(required))
    }

    fn with_all_faults(value: Value) -> Result<Self, Vec<Fault>> {
        list(value, (0, limits::LIST_ITEMS), T::with_all_faults)
    }
}

/// Reads a list of `least` to `most` items with `read`.
fn list<T>(
    value: Value,
    (least, most): (usize, usize),
    read: impl Fn(Value) -> Result<T, Vec<Fault>>,
) -> Result<Vec<T>, Vec<Fault>> {
    let Value::Array(items) = value else { return Err(vec![Fault::wrong_type("an array", &value)]) };
    let count = items.len();
    if count < least {
        let detail = format!("Expected at least {least} items, got {count}.");
        return Err(vec![Fault::new(FaultCode::TooShort, detail)]);
    }
    if count > most {
        let detail = format!("Expected at most {most} items, got {count}.");
        return Err(vec![Fault::new(FaultCode::TooLong, detail)]);
    }
    let (mut all, mut faults) = (Vec::with_capacity(count), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        match read(item) {
            Ok(item) => all.push(item),
            Err(found) => faults.extend(found.into_iter().map(|fault| fault.within(&index.to_string()))),
        }
    }
    if faults.is_empty() { Ok(all) } else { Err(faults) }
}

/// A boolean in a body, a word in a query.
impl Scalar for bool {
    fn from_value(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Bool(value) => Ok(value),
            Value::String(text) if text == "true" => Ok(true),
            Value::String(text) if text == "false" => Ok(false),
            other => Err(Fault::wrong_type("true or false", &other)),
        }
    }
}

/// A field of an object: its type decides how it reads when it is absent.
pub trait Field: Sized {
    /// Reads the field; `None` if it is absent.
    ///
    /// # Errors
    /// The faults of the value.
    fn from_field(value: Option<Value>) -> Result<Self, Vec<Fault>>;
}

fn required() -> Fault {
    Fault::new(FaultCode::Required, "This value is required.")
}

/// Required.
impl<T: Scalar> Field for T {
    fn from_field(value: Option<Value>) -> Result<Self, Vec<Fault>> {
        match value {
            Some(value) => T::with_all_faults(value),
            None => Err(vec![required()]),
        }
    }
}

/// Optional; `null` is the same as absent.
impl<T: Scalar> Field for Option<T> {
    fn from_field(value: Option<Value>) -> Result<Self, Vec<Fault>> {
        match value {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::with_all_faults(value).map(Some),
        }
    }
}

/// A field of a merge patch (RFC 7396) that cannot be cleared: absent leaves it as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch<T>(pub Option<T>);

impl<T: Scalar> Field for Patch<T> {
    fn from_field(value: Option<Value>) -> Result<Self, Vec<Fault>> {
        value.map(T::with_all_faults).transpose().map(Self)
    }
}

/// A field of a merge patch (RFC 7396) that can be cleared: absent leaves it as it is, `null` clears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clearable<T>(pub Option<Option<T>>);

impl<T> Clearable<T> {
    /// For `CASE WHEN ?1 = 1 THEN ?2 ELSE column END`: whether it is given, and its value.
    pub(crate) fn arguments(self) -> [sql::Value; 2]
    where
        sql::Value: From<Option<T>>,
    {
        let given = i64::from(self.0.is_some());
        [given.into(), self.0.flatten().into()]
    }
}

impl<T: Scalar> Field for Clearable<T> {
    fn from_field(value: Option<Value>) -> Result<Self, Vec<Fault>> {
        value.map(|value| <Option<T>>::from_field(Some(value))).transpose().map(Self)
    }
}

#[cfg(feature = "openapi")]
macro_rules! optional_schema {
    ($type:ident, $inner:ty) => {
        impl<T: schemars::JsonSchema> schemars::JsonSchema for $type<T> {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                T::schema_name()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut schema = generator.subschema_for::<$inner>();
                // The generator of the OpenAPI document removes it again, and makes the member optional.
                schema.insert("x-optional".to_owned(), true.into());
                schema
            }
        }
    };
}

#[cfg(feature = "openapi")]
optional_schema!(Patch, T);
#[cfg(feature = "openapi")]
optional_schema!(Clearable, Option<T>);

/// An object whose members are taken out one by one, while faults are collected.
#[derive(Debug)]
pub struct Object {
    members: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Object {
    pub(crate) fn new(members: Map<String, Value>) -> Self {
        Self { members, faults: Vec::new() }
    }

    /// Takes the member of that name; `None` if it has a fault, which is noted.
    pub(crate) fn take<T: Field>(&mut self, name: &str) -> Option<T> {
        match T::from_field(self.members.remove(name)) {
            Ok(member) => Some(member),
            Err(faults) => {
                self.note(name, faults);
                None
            }
        }
    }

    fn note(&mut self, name: &str, faults: Vec<Fault>) {
        self.faults.extend(faults.into_iter().map(|fault| fault.within(name)));
    }

    /// The faults that were noted so far.
    pub(crate) fn into_noted(self) -> Vec<Fault> {
        self.faults
    }

    /// All faults, with one for every member that was not taken.
    pub(crate) fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults;
        faults.extend(
            self.members.keys().map(|name| {
                Fault::new(FaultCode::Unknown, "Nothing of this name is known here.").within(name)
            }),
        );
        faults
    }
}

/// A type that is decoded from an object: a JSON body or a query.
pub trait Input: Sized + Send {
    /// Decodes it.
    ///
    /// # Errors
    /// Every fault that was found.
    fn decode(object: Object) -> Result<Self, Vec<Fault>>;

    /// Its schema.
    #[cfg(feature = "openapi")]
    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema;
}

/// Required: a list of objects, from `MIN` to `MAX` of them.
#[derive(Clone, Debug)]
pub struct Items<T, const MIN: usize, const MAX: usize>(pub Vec<T>);

impl<T: Input, const MIN: usize, const MAX: usize> Field for Items<T, MIN, MAX> {
    fn from_field(value: Option<Value>) -> Result<Self, Vec<Fault>> {
        let Some(value) = value else { return Err(vec![required()]) };
        list(value, (MIN, MAX), object).map(Self)
    }
}

/// Reads an object within a value.
fn object<T: Input>(value: Value) -> Result<T, Vec<Fault>> {
    match value {
        Value::Object(members) => T::decode(Object::new(members)),
        other => Err(vec![Fault::wrong_type("an object", &other)]),
    }
}

#[cfg(feature = "openapi")]
impl<T: Input, const MIN: usize, const MAX: usize> schemars::JsonSchema for Items<T, MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Items".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let item = T::schema(generator);
        schemars::json_schema!({ "type": "array", "items": item, "minItems": MIN, "maxItems": MAX })
    }
}

/// Declares a struct that clients send.
macro_rules! input {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)*
    })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug)]
        #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $type,)* }

        impl $crate::kernel::decode::Input for $name {
            fn decode(mut object: $crate::kernel::decode::Object) -> Result<Self, Vec<$crate::kernel::decode::Fault>> {
                $(let $field = object.take::<$type>(stringify!($field));)*
                let faults = object.into_faults();
                match ($($field,)*) {
                    ($(Some($field),)*) if faults.is_empty() => Ok(Self { $($field,)* }),
                    _ => Err(faults),
                }
            }

            #[cfg(feature = "openapi")]
            fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                generator.subschema_for::<Self>()
            }
        }
    )+};
}
pub(crate) use input;

/// Reads a query string (`application/x-www-form-urlencoded`) into an object of strings.
pub(crate) fn query_object(query: &str) -> Object {
    let mut object = Object::new(Map::new());
    for (name, value) in raw_pairs(query) {
        // Bytes that are not UTF-8 must not become other text that is.
        let (Ok(name), Ok(value)) = (decoded(name), decoded(value)) else {
            let fault = Fault::new(FaultCode::Characters, "Expected percent-encoded UTF-8.");
            object.faults.push(fault.within(&percent_decode_str(name).decode_utf8_lossy()));
            continue;
        };
        if object.members.contains_key(&name) {
            object.faults.push(
                Fault::new(
                    FaultCode::Repeated,
                    "Given more than once. Where several values are allowed, commas separate them.",
                )
                .within(&name),
            );
        } else {
            object.members.insert(name, Value::String(value));
        }
    }
    object
}

/// The pairs of a query, as they are encoded.
fn raw_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The pairs of a valid query, decoded.
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    raw_pairs(query).filter_map(|(name, value)| Some((decoded(name).ok()?, decoded(value).ok()?)))
}

/// A name or value, encoded for a query.
pub(crate) fn query_text(text: &str) -> String {
    const ENCODED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b' ').remove(b'-').remove(b'.').remove(b'_').remove(b'*');
    utf8_percent_encode(text, ENCODED).to_string().replace(' ', "+")
}

fn decoded(text: &str) -> Result<String, Utf8Error> {
    percent_decode_str(&text.replace('+', " ")).decode_utf8().map(Cow::into_owned)
}

#[cfg(test)]
mod example;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kernel::values::{Description, ProjectName, Visibility};

    input! {
        struct Sample {
            name: ProjectName,
            about: Option<Description>,
            visibility: Patch<Visibility>,
        }
    }

    fn decode(value: Value) -> Result<Sample, Vec<(String, FaultCode)>> {
        let Value::Object(members) = value else { panic!("an object") };
        Sample::decode(Object::new(members))
            .map_err(|faults| faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect())
    }

    #[test]
    fn absent_null_and_given_are_told_apart() {
        let sample = decode(json!({ "name": "n" })).unwrap();
        assert_eq!((sample.name.as_str(), sample.about, sample.visibility), ("n", None, Patch(None)));
        let sample = decode(json!({ "name": "n", "about": null, "visibility": "public" })).unwrap();
        assert_eq!((sample.about, sample.visibility), (None, Patch(Some(Visibility::Public))));
        let faults = decode(json!({ "name": "n", "visibility": null })).unwrap_err();
        assert_eq!(faults, [("/visibility".to_owned(), FaultCode::WrongType)]);
    }

    #[test]
    fn all_faults_are_found_at_once() {
        let faults = decode(json!({ "about": 7, "visibility": "secret", "a/b~c": 1 })).unwrap_err();
        assert_eq!(
            faults,
            [
                ("/name".to_owned(), FaultCode::Required),
                ("/about".to_owned(), FaultCode::WrongType),
                ("/visibility".to_owned(), FaultCode::NotAllowed),
                ("/a~1b~0c".to_owned(), FaultCode::Unknown),
            ]
        );
    }

    #[test]
    fn queries_are_read_strictly() {
        let read = |query| {
            let Object { members, faults } = query_object(query);
            let faults: Vec<_> = faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect();
            (Value::Object(members), faults)
        };
        assert_eq!(read("&a=1+%2B%C3%BC&&b&c=="), (json!({ "a": "1 +ü", "b": "", "c": "=" }), vec![]));
        let fault = |pointer: &str, code| vec![(pointer.to_owned(), code)];
        assert_eq!(read("a=1&a=3"), (json!({ "a": "1" }), fault("/a", FaultCode::Repeated)));
        assert_eq!(read("a=%ff"), (json!({}), fault("/a", FaultCode::Characters)));
        assert_eq!(read("%C3=1"), (json!({}), fault("/\u{fffd}", FaultCode::Characters)));
    }
}
