//! A tenant as a file: one line of JSON for each of its rows, between a head that identifies it and totals that show
//! whether it is complete. docs/MOVING.md describes the format.
//!
//! The tables of a tenant are listed in [`crate::repository::transfer`].

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::kernel::{
    canonical,
    decode::{Fault, FaultCode, Input, Object, Scalar, input},
    digest::sha256_hex,
    json,
    time::Timestamp,
    values::{Slug, TenantId, count::Count, string},
};

/// The version of the format.
pub const FORM: i64 = 1;

/// The digest of the lines of an export file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The text: SHA-256, in lower-case hexadecimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digest of a file which has only its head yet.
    pub fn of_head(head: &Json) -> Self {
        Self(sha256_hex(&canonical(head)))
    }

    /// The digest with one more line.
    #[must_use]
    pub fn and(&self, line: &str) -> Self {
        Self(sha256_hex(&format!("{}{line}", self.0)))
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }
}

impl Scalar for Digest {
    fn from_value(value: Json) -> Result<Self, Fault> {
        let text = string(value)?;
        let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let fits = text.len() == 64 && text.bytes().all(hexadecimal);
        fits.then_some(Self(text))
            .ok_or_else(|| Fault::new(FaultCode::Format, "Expected 64 hexadecimal digits."))
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[0-9a-f]{64}$", "minLength": 64, "maxLength": 64,
            "description": "The digest of a file, line by line."
        })
    }
}

/// A value in the one form in which lines are written and digested (RFC 8785).
pub fn canonical(value: &Json) -> String {
    canonical::canonical(value)
}

/// A line of a file.
pub fn record(table: &str, row: Json) -> Json {
    json::object(vec![("table", table.into()), ("row", row)])
}

/// The start of a page in an export: a table, and the row after which the page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(crate) table: usize,
    pub(crate) after: Option<String>,
}

/// Rows of a file; their tables define their columns.
#[derive(Clone, Debug)]
pub struct RawRows(pub(crate) Vec<Map<String, Json>>);

impl Scalar for RawRows {
    fn from_value(value: Json) -> Result<Self, Fault> {
        let Json::Array(items) = value else { return Err(Fault::wrong_type("an array", &value)) };
        let most = crate::kernel::limits::MOVED_ROWS as usize;
        if items.is_empty() {
            return Err(Fault::new(FaultCode::TooShort, "Expected at least 1 item, got 0."));
        }
        if items.len() > most {
            let detail = format!("Expected at most {most} items, got {}.", items.len());
            return Err(Fault::new(FaultCode::TooLong, detail));
        }
        let mut rows = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Json::Object(row) => rows.push(row),
                other => return Err(Fault::wrong_type("an object", &other).within(&index.to_string())),
            }
        }
        Ok(Self(rows))
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for RawRows {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RawRows".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let tables = crate::repository::transfer::tables();
        let item = schemars::json_schema!({
            "type": "object",
            "properties": {
                "table": { "type": "string", "enum": tables, "description": "What it is a row of." },
                "row": { "type": "object", "description": "Its columns, all of them." },
            },
            "required": ["table", "row"],
            "additionalProperties": false,
        });
        schemars::json_schema!({
            "type": "array", "items": item, "minItems": 1, "maxItems": crate::kernel::limits::MOVED_ROWS
        })
    }
}

/// A row of an exported tenant.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Record {
    /// The table of the row: `users`, `projects` and so on.
    pub table: String,
    /// The columns of the row.
    #[cfg_attr(feature = "openapi", schemars(with = "Map<String, Json>"))]
    pub row: Json,
}

/// The first line of an export file.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Head {
    /// The version of the file format.
    pub bailiwick_export: Count,
    /// The version of the database schema that the rows belong to.
    pub schema_version: Count,
    /// The id of the tenant.
    pub tenant_id: TenantId,
    /// The tenant's name in URLs and headers.
    pub slug: Slug,
    /// The time of the export.
    pub exported_at: Timestamp,
    /// Whether the file contains secrets.
    pub secrets: bool,
}

/// A part of an exported tenant.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Export {
    /// The first line of the file; `null` in all parts but the first.
    pub head: Option<Head>,
    /// A mark of the tenant's state, in the first part. Read the first part again after the last one: if the mark is the same,
    /// all parts fit together. Otherwise start the export again.
    pub mark: Option<String>,
    /// The number of entries of the activity log that are not sealed yet, in the first part. While there are any, start again.
    pub pending: Option<Count>,
    /// The rows of this part.
    pub rows: Vec<Record>,
    /// The `from` of the next part; `null` in the last one.
    pub next: Option<String>,
}

input! {
    /// The part of the tenant to export.
    pub struct ExportQuery {
        /// The `next` of the previous part; absent for the first.
        pub from: Option<Place>,
        /// Whether the export includes secrets: the addresses of webhooks.
        pub secrets: Option<bool>,
    }

    /// A new import: the first line of the file, and options.
    pub struct NewImport {
        /// The version of the file format.
        pub bailiwick_export: Count,
        /// The version of the database schema that the rows belong to.
        pub schema_version: Count,
        /// The id of the tenant.
        pub tenant_id: TenantId,
        /// The tenant's name in URLs and headers.
        pub slug: Slug,
        /// The time of the export.
        pub exported_at: Timestamp,
        /// Whether the file contains secrets.
        pub secrets: bool,
        /// Another slug for the tenant in this deployment.
        pub as_slug: Option<Slug>,
        /// Whether the tenant and everything in it get new ids.
        pub new_ids: Option<bool>,
    }

    /// Rows of an export file.
    pub struct Rows {
        /// The number of the first of these rows in the file, from 0.
        pub first: Count,
        /// The rows, in the order of the file.
        pub rows: RawRows,
    }

    /// The totals of the file.
    pub struct Totals {
        /// The number of rows in the file.
        pub rows: Count,
        /// The SHA-256 of the lines before this one, in hexadecimal.
        pub sha256: Digest,
    }
}

/// Reads the body of a request.
///
/// # Errors
/// All faults of the body.
pub fn decode<T: Input>(body: Json) -> Result<T, Vec<Fault>> {
    match body {
        Json::Object(members) => T::decode(Object::new(members)),
        other => Err(vec![Fault::wrong_type("an object", &other)]),
    }
}

impl NewImport {
    /// The head of the file from which it was made.
    pub(crate) fn head(&self) -> Json {
        json::object(vec![
            ("bailiwick_export", self.bailiwick_export.into()),
            ("schema_version", self.schema_version.into()),
            ("tenant_id", self.tenant_id.into()),
            ("slug", self.slug.clone().into()),
            ("exported_at", self.exported_at.to_string().into()),
            ("secrets", self.secrets.into()),
        ])
    }
}

/// How far an import is.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Import {
    /// The id that the tenant will have.
    pub tenant_id: TenantId,
    /// The tenant's name in URLs and headers.
    pub slug: Slug,
    /// The number of the row that comes next.
    pub next: Count,
}
