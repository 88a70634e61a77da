//! Pages of lists: by keyset on the id, newest or oldest first, or on another key and then the id; with an opaque
//! cursor that is valid for one list of one owner with one set of filters.

use http::{HeaderValue, Uri};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    http::problem::Result,
    kernel::{
        decode::{Fault, FaultCode, Scalar, query_pairs, query_text},
        limits,
        sql::rows::record,
        values::string,
    },
};

/// How many items a client wants on a page.
#[derive(Clone, Copy, Debug)]
pub struct PageSize(u32);

impl PageSize {
    /// The number.
    pub(crate) fn get(self) -> u32 {
        self.0
    }
}

impl Scalar for PageSize {
    fn from_value(value: Json) -> Result<Self, Fault> {
        let text = string(value)?;
        // `parse` alone would take a sign, too.
        match text.parse() {
            Ok(size @ 1..=limits::PAGE_MAX) if !text.starts_with('+') => Ok(Self(size)),
            _ => Err(Fault::new(
                FaultCode::NotAllowed,
                format!("Expected a number from 1 to {}.", limits::PAGE_MAX),
            )),
        }
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for PageSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PageSize".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer", "minimum": 1, "maximum": limits::PAGE_MAX, "default": limits::PAGE_DEFAULT,
            "description": "How many items a page has at the most. There are fewer where they are long: together they have 1 MiB \
                at the most, unless it is a single one."
        })
    }
}

/// Where a page starts: the `next_cursor` of the page before it.
#[derive(Clone, Debug)]
pub struct Cursor(String);

impl Cursor {
    /// The text, which may be anything.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for Cursor {
    fn from_value(value: Json) -> Result<Self, Fault> {
        string(value).map(Self)
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for Cursor {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cursor".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "maxLength": limits::CURSOR, "pattern": "^[A-Za-z0-9_-]*$",
            "description": "Where a page starts. What it is made of may change; it fits the list and the filters that it \
                came with, and no others.",
        })
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(rename = "PageOf{T}"))]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub data: Vec<T>,
    /// The `cursor` of the next page; `null` on the last one.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<Cursor>"))]
    pub next_cursor: Option<String>,
}

/// The number of items on all pages of a list together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Total {
    /// The number of items, up to 10,000.
    #[cfg_attr(feature = "openapi", schemars(range(min = 0, max = 10_000)))]
    pub count: i64,
    /// Whether there may be more. A request looks through at most 10,000 items to count.
    pub at_least: bool,
}

record! {
    /// The number of items that a counting statement has looked through, and how many of them are counted.
    pub(crate) struct Looked {
        looked: i64,
        fitting: i64,
    }
}

impl From<Looked> for Total {
    fn from(Looked { looked, fitting }: Looked) -> Self {
        Self { count: fitting.min(limits::TOTAL), at_least: looked > limits::TOTAL }
    }
}

/// A page of a list whose items can be counted.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(rename = "PageOf{T}"))]
pub struct CountedPage<T> {
    /// The items, in the order of the list.
    pub data: Vec<T>,
    /// The `cursor` of the next page; `null` on the last one.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<Cursor>"))]
    pub next_cursor: Option<String>,
    /// The number of items on all pages together; absent without `count=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "Total", extend("x-optional" = true)))]
    pub total: Option<Total>,
}

impl<T> Page<T> {
    /// The same with other items made from these.
    pub(crate) fn map<U>(self, make: impl Fn(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(make).collect(), next_cursor: self.next_cursor }
    }

    /// The same with a total, if there is one.
    pub(crate) fn counted(self, total: Option<Looked>) -> CountedPage<T> {
        CountedPage { data: self.data, next_cursor: self.next_cursor, total: total.map(Total::from) }
    }
}

impl<T> Listing for CountedPage<T> {
    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }
}

/// A body that is a page of a list.
pub(crate) trait Listing {
    /// The cursor of the next page.
    fn next_cursor(&self) -> Option<&str>;
}

impl<T> Listing for Page<T> {
    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }
}

/// The value of a `Link` header (RFC 8288) to the next page: the target of this request, with the new cursor.
pub(crate) fn next_link(asked: &Uri, cursor: &str) -> Option<HeaderValue> {
    let mut link = format!("<{}?", asked.path());
    // The first page has counted already.
    let left_out = |name: &str| ["cursor", "count"].contains(&name);
    for (name, value) in query_pairs(asked.query().unwrap_or_default()).filter(|(name, _)| !left_out(name)) {
        // Encoded again: the original may have characters that end the reference in a header.
        let [name, value] = [name, value].map(|text| query_text(&text));
        link += &[&name, "=", &value, "&"].concat();
    }
    HeaderValue::try_from(link + &format!("cursor={cursor}>; rel=\"next\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_asks_the_same_with_the_new_cursor() {
        for (asked, link) in [
            ("/v1/tasks", "</v1/tasks?cursor=new>"),
            ("https://api.example/v1/tasks?limit=2", "</v1/tasks?limit=2&cursor=new>"),
            ("/v1/tasks?cursor=old&limit=2&q=a+b", "</v1/tasks?limit=2&q=a+b&cursor=new>"),
            ("/v1/tasks?%63ursor=old&&q=%3E%3b%20rel%C3%A9", "</v1/tasks?q=%3E%3B+rel%C3%A9&cursor=new>"),
            ("/v1/tasks?q=%22%c3%a9", "</v1/tasks?q=%22%C3%A9&cursor=new>"),
        ] {
            let value = next_link(&asked.parse().unwrap(), "new").unwrap();
            assert_eq!(value.to_str().unwrap(), format!("{link}; rel=\"next\""), "{asked}");
        }
    }
}
