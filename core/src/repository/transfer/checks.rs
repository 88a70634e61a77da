//! The checks of arriving values: of the same types as those of requests, where there is one, and in the one form in
//! which they are kept.

use serde_json::Value as Json;

use crate::{
    domain::tenant_config::TenantConfig,
    http::problem::{Code, Problem},
    kernel::{
        canonical::canonical,
        decode::{Fault, FaultCode, Scalar},
        json::EXACT,
        limits,
        time::{Date, Timestamp},
        values::{
            enumerations::{Enumeration, NotificationKind},
            prose, string,
        },
    },
};

/// More changes of one resource than there will ever be.
const VERSION_MAX: i64 = 100_000_000;

/// The fault of a row, at its place in the body.
pub(super) fn of_row(fault: Fault, index: usize) -> Fault {
    fault.within(&index.to_string()).within("rows")
}

/// Refuses a body with faults.
pub(super) fn refuse(faults: Vec<Fault>) -> crate::http::problem::Result<()> {
    if faults.is_empty() { Ok(()) } else { Err(Problem::faults(Code::ValidationFailed, faults)) }
}

/// A value of a type that requests have.
pub(super) fn leaf<T: Scalar>(value: Json) -> Result<Json, Fault>
where
    Json: From<T>,
{
    T::from_value(value).map(Json::from)
}

/// A point in time.
pub(super) fn time(value: Json) -> Result<Json, Fault> {
    Timestamp::from_value(value).map(|time| time.to_string().into())
}

/// A day.
pub(super) fn date(value: Json) -> Result<Json, Fault> {
    Date::from_value(value).map(|date| date.to_string().into())
}

/// The number of changes. Their sum must be a number that all engines represent exactly.
pub(super) fn version(value: Json) -> Result<Json, Fault> {
    within(value, VERSION_MAX)
}

/// The number of an entry.
pub(super) fn seq(value: Json) -> Result<Json, Fault> {
    within(value, EXACT)
}

fn within(value: Json, most: i64) -> Result<Json, Fault> {
    match value.as_i64() {
        Some(number) if (1..=most).contains(&number) => Ok(value),
        _ => Err(Fault::new(FaultCode::Format, format!("Expected a whole number from 1 to {most}."))),
    }
}

/// One line that the service wrote.
pub(super) fn line(value: Json) -> Result<Json, Fault> {
    prose(string(value)?, 0, limits::MOVED_LINE, false).map(Json::from)
}

/// Lines that the service wrote.
pub(super) fn lines(value: Json) -> Result<Json, Fault> {
    prose(string(value)?, 0, limits::MOVED_TEXT, true).map(Json::from)
}

fn matching(value: Json, wanted: &str, fits: impl Fn(&str) -> bool) -> Result<Json, Fault> {
    let text = string(value)?;
    if fits(&text) {
        Ok(text.into())
    } else {
        Err(Fault::new(FaultCode::Format, format!("Expected {wanted}.")))
    }
}

/// SHA-256, in lower-case hexadecimal.
pub(super) fn digest(value: Json) -> Result<Json, Fault> {
    let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    matching(value, "64 hexadecimal digits", |text| text.len() == 64 && text.bytes().all(hexadecimal))
}

/// The beginning of an API key.
pub(super) fn prefix(value: Json) -> Result<Json, Fault> {
    matching(value, "how an API key begins", |text| {
        text.starts_with("bwk_") && text.len() == 12 && text.is_ascii()
    })
}

/// A bcrypt hash; empty for an account without a password.
pub(super) fn hash_of_password(value: Json) -> Result<Json, Fault> {
    let fits =
        |text: &str| text.is_empty() || (text.starts_with("$2") && text.len() == 60 && text.is_ascii());
    matching(value, "what bcrypt makes of a password", fits)
}

/// A tenant's configuration: unknown members would be lost, so they are refused.
pub(super) fn config(value: Json) -> Result<Json, Fault> {
    let Json::Object(given) = &value else { return Err(Fault::wrong_type("an object", &value)) };
    let read = TenantConfig::read(value.clone()).store();
    match given.iter().find(|(name, value)| read.get(name) != Some(value)) {
        Some((name, _)) => Err(Fault::new(FaultCode::Format, "This is not understood here.").within(name)),
        None => Ok(value),
    }
}

/// The kinds of notifications that a member has muted.
pub(super) fn muted(value: Json) -> Result<Json, Fault> {
    let kinds: Vec<NotificationKind> = Scalar::from_value(value)?;
    Ok(NotificationKind::set(&kinds).into_iter().map(|kind| Json::from(kind.as_str())).collect())
}

/// The detail of an entry of the activity. Every engine must keep its form.
pub(super) fn detail(value: Json) -> Result<Json, Fault> {
    if !value.is_object() {
        return Err(Fault::wrong_type("an object", &value));
    }
    if !plain(&value) {
        return Err(Fault::new(FaultCode::Format, "Expected whole numbers, and text without NUL."));
    }
    if members(&value) > limits::DETAIL_MEMBERS || canonical(&value).len() > limits::DETAIL_BYTES {
        let (most, bytes) = (limits::DETAIL_MEMBERS, limits::DETAIL_BYTES);
        return Err(Fault::new(
            FaultCode::TooLong,
            format!("Expected at most {most} names and items, and {bytes} bytes."),
        ));
    }
    Ok(value)
}

/// The number of names and items in a value, at any depth.
fn members(value: &Json) -> usize {
    match value {
        Json::Array(items) => items.len() + items.iter().map(members).sum::<usize>(),
        Json::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        _ => 0,
    }
}

/// Whether all engines keep the same form of it.
fn plain(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(_) => true,
        Json::Number(number) => number.as_i64().is_some_and(|number| number.abs() <= EXACT),
        Json::String(text) => !text.contains('\0'),
        Json::Array(items) => items.iter().all(plain),
        Json::Object(members) => members
            .iter()
            .all(|(name, value)| name.bytes().all(|b| (b' '..=b'~').contains(&b)) && plain(value)),
    }
}
