//! Pages of lists: by keyset on the id, newest or oldest first, or on another key and then the id; with an opaque cursor that
//! fits one list of one owner with one set of filters.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, Uri};
use serde::Serialize;
use serde_json::Value as Json;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    dispatch::App,
    input::{Fault, FaultCode, Leaf, query_pairs, query_text},
    limits,
    problem::{Code, Problem, Result},
    sql::{Value, record},
    values::string,
};

/// How many items a client wants on a page.
#[derive(Clone, Copy, Debug)]
pub struct PageSize(u32);

impl Leaf for PageSize {
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

impl Leaf for Cursor {
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
    /// What a statement that counts has looked through, and how many of that are counted.
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
    /// The same of what the items are made into.
    pub(crate) fn map<U>(self, make: impl Fn(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(make).collect(), next_cursor: self.next_cursor }
    }

    /// The same beside a total, if it was asked for.
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
    /// Where the next page starts.
    fn next_cursor(&self) -> Option<&str>;
}

impl<T> Listing for Page<T> {
    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }
}

/// The value of a `Link` header (RFC 8288) that leads to the next page: what was asked for this one, with the new cursor.
pub(crate) fn next_link(asked: &Uri, cursor: &str) -> Option<HeaderValue> {
    let mut link = format!("<{}?", asked.path());
    // What was counted with the first page is known.
    let left_out = |name: &str| ["cursor", "count"].contains(&name);
    for (name, value) in query_pairs(asked.query().unwrap_or_default()).filter(|(name, _)| !left_out(name)) {
        // Written anew: what stood there may have characters that end the reference in a header.
        let [name, value] = [name, value].map(|text| query_text(&text));
        link += &[&name, "=", &value, "&"].concat();
    }
    HeaderValue::try_from(link + &format!("cursor={cursor}>; rel=\"next\"")).ok()
}

/// What a page was asked for, and what seals its cursors.
pub(crate) struct Paging<'a> {
    app: &'a App,
    list: &'static str,
    owner: Uuid,
    filters: String,
    size: u32,
    before: Option<Position>,
}

/// The last item of a page: its key, empty where a list goes by the id alone, and its id.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    key: String,
    id: Uuid,
}

impl<'a> Paging<'a> {
    /// Reads the cursor, which must be one of this list, of this owner (a tenant or a user), with these filters.
    pub(crate) fn new(
        app: &'a App,
        list: &'static str,
        owner: Uuid,
        filters: &[Option<&str>],
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> Result<Self> {
        let filters = filters.iter().map(|filter| filter.unwrap_or("*")).collect::<Vec<_>>().join("&");
        let size = size.map_or(limits::PAGE_DEFAULT, |size| size.0);
        let mut paging = Self { app, list, owner, filters, size, before: None };
        if let Some(Cursor(text)) = cursor {
            paging.before = Some(paging.open(&text).ok_or_else(|| Problem::new(Code::InvalidCursor))?);
        }
        Ok(paging)
    }

    /// The id below which the page starts.
    pub(crate) fn before(&self) -> Value {
        self.before.as_ref().map_or(Uuid::max(), |before| before.id).into()
    }

    /// The id above which the page starts, of a list that begins with the oldest.
    pub(crate) fn after(&self) -> Value {
        self.before.as_ref().map_or(Uuid::nil(), |before| before.id).into()
    }

    /// The key at which the page starts, of a list that has one; `None` for the first page.
    pub(crate) fn key(&self) -> Option<&str> {
        self.before.as_ref().map(|before| before.key.as_str())
    }

    /// The rows to ask for: one more than the page has, to know whether there is another page.
    pub(crate) fn fetch(&self) -> Value {
        i64::from(self.size + 1).into()
    }

    /// Makes the page out of the rows that came: those that it has room for.
    pub(crate) fn page<T: Serialize>(&self, rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> Page<T> {
        self.page_within(rows, None, id)
    }

    /// The same where a filter looked through the items, and the last of them is this one, if it could not go through all. A
    /// page that is short goes on behind it.
    pub(crate) fn page_within<T: Serialize>(
        &self,
        rows: Vec<T>,
        looked: Option<Uuid>,
        id: impl Fn(&T) -> Uuid,
    ) -> Page<T> {
        self.page_by(rows, looked, |row| (String::new(), id(row)))
    }

    /// The same for a list that may go by a key and then by the id.
    pub(crate) fn page_by<T: Serialize>(
        &self,
        mut rows: Vec<T>,
        looked: Option<Uuid>,
        key: impl Fn(&T) -> (String, Uuid),
    ) -> Page<T> {
        let room = room(&rows, self.size as usize);
        let more = rows.len() > room;
        rows.truncate(room);
        let last = rows.last().filter(|_| more).map(key).or(looked.map(|id| (String::new(), id)));
        Page { data: rows, next_cursor: last.map(|(key, id)| self.cursor(&Position { key, id })) }
    }

    fn cursor(&self, last: &Position) -> String {
        let mut bytes = self.seal(last).to_vec();
        bytes.extend(last.id.as_bytes());
        bytes.extend(last.key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(&self, text: &str) -> Option<Position> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (seal, rest) = bytes.split_at_checked(16)?;
        let (id, key) = rest.split_at_checked(16)?;
        let key = std::str::from_utf8(key).ok()?.to_owned();
        let last = Position { key, id: Uuid::from_slice(id).ok()? };
        bool::from(self.seal(&last).ct_eq(seal)).then_some(last)
    }

    fn seal(&self, last: &Position) -> [u8; 16] {
        let whole = self.app.tokens.seal(&[
            self.list.as_bytes(),
            self.owner.as_bytes(),
            self.filters.as_bytes(),
            last.id.as_bytes(),
            last.key.as_bytes(),
        ]);
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        half
    }
}

/// How many of the items a page has room for: as many as were asked for, or as have so many bytes; one at the least.
fn room(items: &[impl Serialize], most: usize) -> usize {
    let (mut bytes, mut written) = (0, Vec::new());
    for (count, item) in items.iter().take(most).enumerate() {
        written.clear();
        // What cannot be written will be told when the page is.
        let _ = serde_json::to_writer(&mut written, item);
        bytes += written.len();
        if bytes > limits::PAGE_BYTES && count > 0 {
            return count;
        }
    }
    items.len().min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_at_its_size_or_at_its_bytes() {
        let items = |count, bytes: usize| vec!["x".repeat(bytes - 2); count];
        let quarter = limits::PAGE_BYTES / 4;
        for (count, bytes, most, fit) in [
            (0, 10, 3, 0),
            (2, 10, 3, 2),
            (4, 10, 3, 3),
            (5, quarter, 100, 4),
            (5, quarter + 1, 100, 3),
            (5, quarter, 2, 2),
            (2, 2 * limits::PAGE_BYTES, 100, 1),
        ] {
            assert_eq!(room(&items(count, bytes), most), fit, "{count} of {bytes}");
        }
    }

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
