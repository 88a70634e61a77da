//! Values for a field: what it takes, and what it does not.

use bailiwick_tests::actors::unique;
use serde_json::{Value, json};

use super::schema::Field;

/// Text in which all is kept as it is: composed and decomposed, beyond the basic plane, from right to left, joined
/// without width, with blanks around it, and with what JSON escapes.
pub(super) const TEXT: &str =
    " \u{e9}|e\u{301}|\u{1F469}\u{200D}\u{1F680}|\u{202B}\u{5E9}\u{5DC}\u{202C}|\u{FEFF}|\"\\/<&>%'| ";

/// A text of so many characters that fits but for its length.
pub(super) fn text_of(field: &Field, length: usize) -> String {
    let suffix = unique("").replace('-', "");
    let filled = |start: &str, end: &str, with: &str| {
        let rest = length.saturating_sub(start.len() + end.len());
        format!("{start}{}{end}", with.repeat(rest))
    };
    match (field.schema["format"].as_str(), field.schema["pattern"].as_str()) {
        (Some("email"), _) if length > 100 => filled(&format!("{suffix}@"), ".com", "a"),
        (Some("uri"), _) => filled("https://hooks.slack.com/", "", "a"),
        _ if field.schema["writeOnly"] == true => "x".repeat(length),
        (Some("email"), _) => "x".repeat(length),
        (None, Some(pattern)) if !pattern.starts_with("^[^") => {
            filled("", &suffix[suffix.len().saturating_sub(length)..], "a")
        }
        _ => "\u{1F680}".repeat(length),
    }
}

/// JSON of other types than the field's.
pub(super) fn of_other_types(field: &Field) -> Vec<Value> {
    [json!(null), json!(true), json!(7), json!(-1.5), json!("text"), json!([]), json!({})]
        .into_iter()
        .filter(|value| match (value, field.kind()) {
            (Value::Null, _) => !field.nullable,
            (Value::String(_), kind) => kind != "string",
            (Value::Array(_), kind) => kind != "array",
            (Value::Object(_), kind) => kind != "object",
            (Value::Bool(_), kind) => kind != "boolean",
            (Value::Number(number), kind) => kind != "integer" || number.is_f64(),
        })
        .collect()
}

/// Numbers, as they are written, that the field does not take. For JSON Schema `-0`, `1.0` and `1e2` are integers.
pub(super) fn numbers(field: &Field) -> [&'static str; 4] {
    match field.kind() {
        "integer" => ["-1", "-1.0", "1e300", "123456789012345678901234567890"],
        _ => ["-0", "1.0", "1e2", "123456789012345678901234567890"],
    }
}

/// Texts that are not of the field's form.
pub(super) fn of_other_forms(field: &Field) -> Vec<String> {
    if field.kind() != "string" {
        return Vec::new();
    }
    let choices = field.choices();
    if let Some(choice) = choices.iter().find_map(Value::as_str) {
        return vec![String::new(), choice.to_uppercase(), format!("{choice} "), "nonsense\0".to_owned()];
    }
    let forms: &[&str] = match field.schema["format"].as_str() {
        Some("uuid") => &[
            "",
            "me",
            "0196a2b4000070008000000000000000",
            "{0196a2b4-0000-7000-8000-000000000000}",
            "urn:uuid:0196a2b4-0000-7000-8000-000000000000",
            "0196a2b4-0000-7000-8000-00000000000g",
            "0196a2b4-0000-7000-8000-00000000000\0",
        ],
        Some("date") => &[
            "",
            "soon",
            "2026-02-30",
            "2026-2-3",
            "2026-02-03T00:00:00Z",
            "0000-01-01",
            "10000-01-01",
            "+026-01-01",
            "\u{ff12}026-01-01",
        ],
        Some("date-time") => &["", "soon", "2026-02-30T00:00:00Z", "2026-02-03", "1969-12-31T23:59:59Z"],
        Some("email") => {
            &["", "x", "@x", "x@", "a@b@c", "a b@c.d", "a@b..c", "a\0@b.c", "a@b\n.c", "\u{202E}@-x"]
        }
        Some("uri") => &[
            "",
            "x",
            "ftp://hooks.slack.com/x",
            "https://hooks.slack.com/\0",
            "https://hooks.slack.com/\u{e9}",
        ],
        Some("password") => &["", "short", "long enough\0"],
        Some(other) => panic!("the tests do not know the format {other}"),
        None => &[],
    };
    forms.iter().map(|&form| form.to_owned()).collect()
}
