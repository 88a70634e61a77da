//! Pages of lists: the client's parameters, and the cursors, each of which is valid for one owner only.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    access::services::Services,
    http::{
        page::{Cursor, Page, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{limits, sql::Value},
};

/// The parameters of a page, and what authenticates its cursors.
pub(crate) struct Paging<'a> {
    services: &'a Services,
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
        services: &'a Services,
        list: &'static str,
        owner: Uuid,
        filters: &[Option<&str>],
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> Result<Self> {
        let filters = filters.iter().map(|filter| filter.unwrap_or("*")).collect::<Vec<_>>().join("&");
        let size = size.map_or(limits::PAGE_DEFAULT, PageSize::get);
        let mut paging = Self { services, list, owner, filters, size, before: None };
        if let Some(cursor) = cursor {
            paging.before =
                Some(paging.open(cursor.as_str()).ok_or_else(|| Problem::new(Code::InvalidCursor))?);
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

    /// Makes the page out of the fetched rows: those that it has room for.
    pub(crate) fn page<T: Serialize>(&self, rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> Page<T> {
        self.page_within(rows, None, id)
    }

    /// The same where a filter looked through the items, and `looked` is the last one if it could not go through all. A
    /// page that is short continues behind that one.
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
        let mut bytes = self.mac(last).to_vec();
        bytes.extend(last.id.as_bytes());
        bytes.extend(last.key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(&self, text: &str) -> Option<Position> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (mac, rest) = bytes.split_at_checked(16)?;
        let (id, key) = rest.split_at_checked(16)?;
        let key = std::str::from_utf8(key).ok()?.to_owned();
        let last = Position { key, id: Uuid::from_slice(id).ok()? };
        bool::from(self.mac(&last).ct_eq(mac)).then_some(last)
    }

    fn mac(&self, last: &Position) -> [u8; 16] {
        let whole = self.services.tokens.mac(&[
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

/// The number of items that a page has room for: up to `most`, and up to [`limits::PAGE_BYTES`]; one at the least.
fn room(items: &[impl Serialize], most: usize) -> usize {
    let (mut bytes, mut written) = (0, Vec::new());
    for (count, item) in items.iter().take(most).enumerate() {
        written.clear();
        // An item that cannot be written is reported when the page is written.
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
}
