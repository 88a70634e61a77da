//! The small types that a client sends and gets: ids, names, enumerations. Each is parsed once, at the edge, and
//! valid from then on.

pub(crate) mod count;
pub(crate) mod email;
pub(crate) mod enumerations;
pub(crate) mod several;

use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

pub use crate::kernel::values::{count::Count, email::AccountEmail, enumerations::*, several::Several};
use crate::kernel::{
    decode::{Fault, FaultCode, Scalar},
    limits,
    password::{NewPassword, Password, common::is_common},
    sql::{
        Value,
        rows::{Cell, DecodeError, FromCell},
    },
    unicode,
};

/// The slug of the tenant for requests that name none.
pub const DEFAULT_SLUG: &str = "default";

macro_rules! id {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub(crate) Uuid);

        impl $name {
            /// Reads the hyphenated form, in either case; no other form is taken.
            pub fn parse(text: &str) -> Option<Self> {
                uuid(text).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for Value {
            fn from(id: $name) -> Self {
                Self::Uuid(Some(id.0))
            }
        }

        impl From<Option<$name>> for Value {
            fn from(id: Option<$name>) -> Self {
                Self::Uuid(id.map(|id| id.0))
            }
        }

        impl From<$name> for Json {
            fn from(id: $name) -> Self {
                id.to_string().into()
            }
        }

        impl FromCell for $name {
            fn from_cell(cell: Cell) -> Result<Self, DecodeError> {
                Uuid::from_cell(cell).map(Self)
            }
        }

        impl Scalar for $name {
            fn from_value(value: Json) -> Result<Self, Fault> {
                let found = uuid(&string(value)?).map(Self);
                found.ok_or_else(|| Fault::new(FaultCode::Format, "Expected a UUID."))
            }
        }

        #[cfg(feature = "openapi")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let schema = schemars::json_schema!({ "type": "string", "format": "uuid" });
                crate::kernel::schema::described(schema, concat!($($doc),+))
            }
        }
    )+};
}

id! {
    /// The id of a user.
    UserId,
    /// The id of a tenant.
    TenantId,
    /// The id of a membership.
    MembershipId,
    /// The id of a project.
    ProjectId,
    /// The id of an entry of the activity log.
    ActivityId,
    /// The id of an invitation.
    InvitationId,
    /// The id of a task.
    TaskId,
    /// The id of a comment.
    CommentId,
    /// The id of a notification.
    NotificationId,
    /// The id of a delivery.
    DeliveryId,
    /// The id of a session.
    SessionId,
    /// The id of a password reset.
    ResetId,
    /// The id of an API key.
    ApiKeyId,
    /// The id of an identity.
    IdentityId,
    /// The id of an entity in the activity log.
    EntityId,
}

/// Reads the hyphenated form of an id.
pub(crate) fn uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

/// Takes a string out of a JSON value.
pub(crate) fn string(value: Json) -> Result<String, Fault> {
    match value {
        Json::String(text) => Ok(text),
        other => Err(Fault::wrong_type("a string", &other)),
    }
}

/// Text that people write: bounded, without control characters, not blank if it must not be empty.
pub(crate) fn prose(text: String, min: usize, max: usize, lines: bool) -> Result<String, Fault> {
    let length = text.chars().count();
    if length > max {
        return Err(Fault::new(
            FaultCode::TooLong,
            format!("Expected at most {max} characters, got {length}."),
        ));
    }
    if length < min || (min > 0 && !text.chars().any(unicode::is_visible)) {
        return Err(Fault::new(FaultCode::TooShort, format!("Expected at least {min} visible character.")));
    }
    let allowed = |c: char| !c.is_control() || (lines && matches!(c, '\n' | '\r' | '\t'));
    if !text.chars().all(allowed) {
        return Err(Fault::new(FaultCode::Characters, "Control characters are not allowed here."));
    }
    Ok(text)
}

/// A newtype over checked text.
macro_rules! text {
    ($($(#[doc = $doc:literal])+ $name:ident = $check:expr, $schema:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Reads it from text that a person or a program gave.
            ///
            /// # Errors
            /// The fault, for the author of the text.
            pub fn parse(text: &str) -> Result<Self, Fault> {
                let check: fn(String) -> Result<String, Fault> = $check;
                check(text.to_owned()).map(Self)
            }
        }

        impl Scalar for $name {
            fn from_value(value: Json) -> Result<Self, Fault> {
                let check: fn(String) -> Result<String, Fault> = $check;
                check(string(value)?).map(Self)
            }
        }

        impl FromCell for $name {
            fn from_cell(cell: Cell) -> Result<Self, DecodeError> {
                String::from_cell(cell).map(Self)
            }
        }

        impl From<$name> for Json {
            fn from(text: $name) -> Self {
                text.0.into()
            }
        }

        impl From<$name> for Value {
            fn from(text: $name) -> Self {
                Self::Text(Some(text.0))
            }
        }

        impl From<Option<$name>> for Value {
            fn from(text: Option<$name>) -> Self {
                Self::Text(text.map(|text| text.0))
            }
        }

        #[cfg(feature = "openapi")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                crate::kernel::schema::described($schema, concat!($($doc),+))
            }
        }
    )+};
}

text! {
    /// An email address that mail can be sent to. Addresses that differ in case, in the spelling of their domain (`münchen.de` or
    /// `xn--mnchen-3ya.de`) or in how accents are encoded are the same account; they are shown in lower case, with the domain as
    /// people read it.
    Email = |text| email::canonical(&text), schemars::json_schema!({
        "type": "string", "format": "email", "maxLength": limits::EMAIL
    });
    /// The name of a person or a tenant, in one line.
    Name = |text| prose(text, 1, limits::NAME, false), line_schema(limits::NAME);
    /// A tenant's name in URLs and headers. It never changes.
    Slug = slug, schemars::json_schema!({
        "type": "string", "pattern": "^[a-z0-9-]{2,63}$",
        "minLength": limits::SLUG_MIN, "maxLength": limits::SLUG_MAX
    });
    /// The name of a project, in one line.
    ProjectName = |text| prose(text, 1, limits::PROJECT_NAME, false), line_schema(limits::PROJECT_NAME);
    /// The description of a project or a task: any number of lines, or none.
    Description = |text| prose(text, 0, limits::DESCRIPTION, true), lines_schema(0, limits::DESCRIPTION);
    /// The title of a task, in one line.
    TaskTitle = |text| prose(text, 1, limits::TASK_TITLE, false), line_schema(limits::TASK_TITLE);
    /// A comment on a task: any number of lines. `@` before the local part of a member's address, or before their id,
    /// mentions them.
    CommentBody = |text| prose(text, 1, limits::COMMENT_BODY, true), lines_schema(1, limits::COMMENT_BODY);
    /// The name of an action or of a type of entity in the activity log.
    ActionName = term, schemars::json_schema!({
        "type": "string", "pattern": "^[a-z_.]{1,64}$", "minLength": 1, "maxLength": limits::TERM
    });
    /// A name for programs, such as that of a workflow or a status. It never changes.
    Key = key, schemars::json_schema!({
        "type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$", "minLength": 1, "maxLength": limits::KEY
    });
    /// The reason for a transition: any number of lines.
    TransitionComment = |text| prose(text, 1, limits::COMMENT, true), lines_schema(1, limits::COMMENT);
}

/// The schema of [`prose`] in one line: no control characters, and not only blanks (of Unicode's `White_Space`, which
/// regular expressions' `\s` is not everywhere).
#[cfg(feature = "openapi")]
fn line_schema(max: usize) -> schemars::Schema {
    const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f";
    let pattern = format!("^[^{CONTROL}]*[^{CONTROL}{BLANK}][^{CONTROL}]*$");
    schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": max, "pattern": pattern })
}

/// The schema of [`prose`] in any number of lines.
#[cfg(feature = "openapi")]
fn lines_schema(min: usize, max: usize) -> schemars::Schema {
    const CONTROL: &str = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f";
    if min == 0 {
        let pattern = format!("^[^{CONTROL}]*$");
        return schemars::json_schema!({ "type": "string", "maxLength": max, "pattern": pattern });
    }
    let pattern = format!(r"^[^{CONTROL}]*[^{CONTROL}\t\n\r{BLANK}][^{CONTROL}]*$");
    schemars::json_schema!({ "type": "string", "minLength": min, "maxLength": max, "pattern": pattern })
}

/// Characters that are invisible to [`unicode::is_visible`] but no control characters, as a class of a regular
/// expression. Those beyond U+FFFF are left out: not every client's expressions have them.
#[cfg(feature = "openapi")]
const BLANK: &str = concat!(
    r" \u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f",
    r"\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
);

fn slug(text: String) -> Result<String, Fault> {
    let fits = (limits::SLUG_MIN..=limits::SLUG_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    fits.then_some(text).ok_or_else(|| {
        Fault::new(FaultCode::Format, "Expected 2 to 63 characters out of a to z, 0 to 9 and the hyphen.")
    })
}

fn term(text: String) -> Result<String, Fault> {
    let fits = (1..=limits::TERM).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'.'));
    fits.then_some(text).ok_or_else(|| {
        Fault::new(
            FaultCode::Format,
            "Expected 1 to 64 characters out of a to z, the underscore and the full stop.",
        )
    })
}

fn key(text: String) -> Result<String, Fault> {
    let fits = text.len() <= limits::KEY
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    fits.then_some(text).ok_or_else(|| {
        let detail =
            "Expected 1 to 40 characters out of a to z, 0 to 9 and the underscore, beginning with a letter.";
        Fault::new(FaultCode::Format, detail)
    })
}

impl Scalar for Password {
    fn from_value(value: Json) -> Result<Self, Fault> {
        let text = string(value)?;
        if text.len() < limits::PASSWORD_MIN_BYTES {
            let detail = format!("A password has at least {} bytes.", limits::PASSWORD_MIN_BYTES);
            return Err(Fault::new(FaultCode::TooShort, detail));
        }
        if text.len() > limits::PASSWORD_MAX_BYTES {
            let detail = format!(
                "A password has at most {} bytes (of UTF-8), got {}; it would be cut off.",
                limits::PASSWORD_MAX_BYTES,
                text.len()
            );
            return Err(Fault::new(FaultCode::TooLong, detail));
        }
        if text.contains('\0') {
            return Err(Fault::new(FaultCode::Characters, "A password has no NUL byte."));
        }
        Ok(Self(text))
    }
}

impl Scalar for NewPassword {
    fn from_value(value: Json) -> Result<Self, Fault> {
        let password = Password::from_value(value)?;
        if is_common(&password.0) {
            let detail = "This is one of the most common passwords, which are guessed first.";
            return Err(Fault::new(FaultCode::NotAllowed, detail));
        }
        Ok(Self(password))
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for NewPassword {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NewPassword".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        password_schema("8 to 72 bytes of UTF-8, and none of the 1000 most common passwords.")
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for Password {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        password_schema("8 to 72 bytes of UTF-8.")
    }
}

#[cfg(feature = "openapi")]
fn password_schema(description: &str) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string",
        "format": "password",
        "minLength": 2,
        "maxLength": limits::PASSWORD_MAX_BYTES,
        "writeOnly": true,
        "description": description,
    })
}

impl Default for Description {
    /// Nothing.
    fn default() -> Self {
        Self(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails() {
        for good in ["a@b.c", "Ada.Lovelace+x@example.com", "ü@exämple.org", "root@localhost"] {
            assert_eq!(Email::parse(good).unwrap().as_str(), good.to_lowercase());
        }
        for bad in ["", "a", "@b.c", "a@", "a@b..c", "a b@c.d", "a@b.c\n", "a@-b.c", "<a@b.c>", "a@b@c.d"] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Email::parse(&format!("a@{}.org", "x".repeat(250))).is_err());
        for nobodys in ["a@unclaimed.invalid", "a@b.c.INVALID", "a@invalid"] {
            assert_eq!(Email::parse(nobodys).unwrap_err().code, FaultCode::NotAllowed, "{nobodys}");
        }
        assert!(Email::parse("invalid@invalid.org").is_ok());
    }

    #[test]
    fn slugs() {
        for good in ["ab", "a-1", &"x".repeat(63)] {
            assert!(Slug::parse(good).is_ok(), "{good:?}");
        }
        for bad in ["", "a", "Ab", "a_b", "a b", "ä-b", &"x".repeat(64)] {
            assert!(Slug::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys() {
        for good in ["a", "in_progress", "r2", &"x".repeat(40)] {
            assert!(Key::parse(good).is_ok(), "{good:?}");
        }
        for bad in ["", "A", "aB", "2a", "_a", "a-b", "a b", "ä", "a\u{200b}", &"x".repeat(41)] {
            assert!(Key::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn text_is_bounded_in_characters_and_kept_as_sent() {
        assert!(ProjectName::parse(&"ü".repeat(200)).is_ok());
        assert!(ProjectName::parse(&"ü".repeat(201)).is_err());
        assert!(ProjectName::parse("  \t ").is_err());
        assert!(ProjectName::parse("two\nlines").is_err());
        assert_eq!(Description::parse(" two\nlines \u{1F9ED}").unwrap().as_str(), " two\nlines \u{1F9ED}");
        assert!(Description::parse("bell \u{7}").is_err());
    }

    #[test]
    fn passwords_are_bounded_in_bytes() {
        let read = |text: String| Password::from_value(Json::String(text)).map_err(|fault| fault.code);
        assert!(read("x".repeat(72)).is_ok());
        assert_eq!(read("ü".repeat(37)).unwrap_err(), FaultCode::TooLong);
        assert_eq!(read("x".repeat(7)).unwrap_err(), FaultCode::TooShort);
    }

    #[test]
    fn ids_take_the_hyphenated_form_only() {
        assert!(ProjectId::parse("0196a2b4-0000-7000-8000-00000000000A").is_some());
        assert!(ProjectId::parse("0196a2b4000070008000000000000000").is_none());
        assert!(ProjectId::parse("{0196a2b4-0000-7000-8000-00000000000a}").is_none());
    }

    #[test]
    fn ranks_follow_the_order() {
        assert!(Role::ALL.windows(2).all(|pair| pair[0] < pair[1] && pair[0].rank() < pair[1].rank()));
    }
}
