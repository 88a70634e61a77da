//! JSON in one form only (RFC 8785), so that equal values always have the same digest.

use serde_json::{Map, Value};

use crate::kernel::json;

/// A value in that form.
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = String::with_capacity(512);
    write(value, &mut text);
    text
}

/// JSON in one form only, as RFC 8785 defines it, for the contents of entries: names are sorted, whole numbers have no
/// fraction. It does not rely on the order of a `Map`, which another crate could change by a feature.
fn write(value: &Value, into: &mut String) {
    match value {
        Value::Object(members) => write_object(members, into),
        Value::Array(items) => {
            into.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    into.push(',');
                }
                write(item, into);
            }
            into.push(']');
        }
        Value::Number(number) => {
            // A database may write `100` as `100.0` or `1e2`.
            into.push_str(&json::whole(number).map_or_else(|| number.to_string(), |whole| whole.to_string()));
        }
        other => into.push_str(&other.to_string()),
    }
}

/// The same of an object.
pub(crate) fn write_object(members: &Map<String, Value>, into: &mut String) {
    // A `Map` has this order already, unless a feature of its crate says otherwise; then sorting takes one step each.
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    into.push('{');
    for (index, (name, value)) in members.into_iter().enumerate() {
        if index > 0 {
            into.push(',');
        }
        into.push_str(&Value::String(name.clone()).to_string());
        into.push(':');
        write(value, into);
    }
    into.push('}');
}
