//! The chain of a tenant's activity: what an entry's hash is taken over, and the walk that finds the first entry which
//! is not as it was written.
//!
//! The form that is hashed is in docs/ARCHITECTURE.md, so that an export can be checked with other programs. It must
//! never change: that would break every chain there is.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::kernel::{
    canonical,
    decode::{Fault, FaultCode, Scalar},
    digest::sha256_hex,
    json,
    sql::rows::{Cell, DecodeError, FromRow, Row},
    values::{ActivityId, enumerations::wire_enum, string},
};

/// The highest number of an entry, of 15 digits.
const SEQ_MAX: i64 = 999_999_999_999_999;

/// The columns of an entry, in the order in which [`Link`] reads them.
pub(crate) const COLUMNS: &str = "action, actor_id, created_at, detail, entity_id, entity_type, id";

/// A place in a tenant's chain: the number of an entry, and its hash, which stands for all entries up to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the entry; the first one has 1.
    pub(crate) seq: i64,
    /// SHA-256, in lower-case hexadecimal.
    pub(crate) hash: String,
}

impl Head {
    /// The place before the first entry.
    pub(crate) fn start(tenant: &str) -> Self {
        Self { seq: 0, hash: sha256_hex(tenant) }
    }

    /// Reads its text: number, colon, hash.
    ///
    /// # Errors
    /// The text does not have this form.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let read = |(seq, hash): (&str, &str)| {
            let plain = seq.bytes().all(|b| b.is_ascii_digit()) && !seq.starts_with('0') && hash.len() == 64;
            let seq = seq.parse().ok().filter(|seq| (1..=SEQ_MAX).contains(seq))?;
            (plain && hash.bytes().all(hexadecimal)).then(|| Self { seq, hash: hash.to_owned() })
        };
        text.split_once(':').and_then(read).ok_or_else(|| {
            Fault::new(
                FaultCode::Format,
                "Expected a head as it was given out: a number, a colon and a hash.",
            )
        })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl Serialize for Head {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Scalar for Head {
    fn from_value(value: Value) -> Result<Self, Fault> {
        Self::parse(&string(value)?)
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for Head {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Head".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[1-9][0-9]{0,14}:[0-9a-f]{64}$", "maxLength": 80 })
    }
}

wire_enum! {
    /// The kind of a fault in a chain.
    BreachKind {
        /// The entry or its hash is not as it was written.
        Altered = "altered",
        /// There is no entry with this number.
        Missing = "missing",
        /// Another entry has this place.
        Reordered = "reordered",
    }
}

/// The first fault in a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Breach {
    /// The kind of the fault.
    pub kind: BreachKind,
    /// The number in the chain.
    pub seq: i64,
    /// The entry that has this number now; `null` if there is none.
    pub activity_id: Option<ActivityId>,
}

/// An entry, as it is hashed.
pub(crate) struct Entry(Map<String, Value>);

impl Entry {
    /// Its hash at a place of a tenant's chain.
    pub(crate) fn hash(&mut self, tenant: &str, seq: i64, previous: &str) -> String {
        for (name, value) in
            [("previous", previous.into()), ("seq", seq.into()), ("tenant_id", tenant.into())]
        {
            self.0.insert(name.to_owned(), value);
        }
        let mut text = String::with_capacity(512);
        canonical::write_object(&self.0, &mut text);
        sha256_hex(&text)
    }

    /// An entry as it is in a file, or as the import has changed it.
    pub(crate) fn of_members(row: &Map<String, Value>) -> Self {
        let take = |name: &str| (name.to_owned(), row.get(name).cloned().unwrap_or_default());
        Self(COLUMNS.split(", ").map(take).collect())
    }

    /// Its id, if the text is an id in the form that is written here.
    pub(crate) fn id(&self) -> Option<ActivityId> {
        let text = self.0.get("id").and_then(Value::as_str)?;
        ActivityId::parse(text).filter(|id| id.to_string() == text)
    }
}

/// Reads [`COLUMNS`]. Every row can be read, even after tampering: then its hash differs.
impl FromRow for Entry {
    fn from_row(row: Row) -> Result<Self, DecodeError> {
        let mut members = Map::new();
        for (name, cell) in COLUMNS.split(", ").zip(row) {
            let value = match cell {
                Cell::Null => Value::Null,
                Cell::Int(number) => number.into(),
                // Programs would read a name that occurs twice in different ways.
                Cell::Text(text) if name == "detail" => {
                    json::parse(text.as_bytes()).unwrap_or(Value::String(text))
                }
                Cell::Text(text) => text.into(),
                Cell::Uuid(id) => id.to_string().into(),
                Cell::Time(time) => time.to_string().into(),
                Cell::Json(value) => value,
            };
            members.insert(name.to_owned(), value);
        }
        Ok(Self(members))
    }
}

/// An entry with the place that it has in the chain.
pub(crate) struct Link {
    seq: i64,
    hash: Option<String>,
    entry: Entry,
}

/// Reads number, hash and [`COLUMNS`].
impl FromRow for Link {
    fn from_row(mut row: Row) -> Result<Self, DecodeError> {
        let entry = row.split_off(row.len().min(2));
        let mut cells = row.into_iter();
        let (seq, hash) =
            (crate::kernel::sql::rows::take(&mut cells)?, crate::kernel::sql::rows::take(&mut cells)?);
        Ok(Self { seq, hash, entry: Entry::from_row(entry)? })
    }
}

/// Checks at most `most` entries after a place that is known to be correct; further ones are looked at only to identify
/// the fault. Returns the last correct place, and the fault after it.
pub(crate) fn walk(tenant: &str, from: Head, links: &mut [Link], most: usize) -> (Head, Option<Breach>) {
    let mut head = from;
    for index in 0..links.len().min(most) {
        let seq = head.seq + 1;
        let link = &mut links[index];
        if link.seq != seq {
            return (head, Some(Breach { kind: BreachKind::Missing, seq, activity_id: None }));
        }
        let hash = link.entry.hash(tenant, seq, &head.hash);
        if link.hash.as_ref() != Some(&hash) {
            let activity_id = link.entry.id();
            let kind = if belongs_to_another(tenant, &head, links, index) {
                BreachKind::Reordered
            } else {
                BreachKind::Altered
            };
            return (head, Some(Breach { kind, seq, activity_id }));
        }
        head = Head { seq, hash };
    }
    (head, None)
}

/// Whether another entry originally had this place: with it there, the hash is the one that is stored here, or the one
/// that is stored with it.
fn belongs_to_another(tenant: &str, head: &Head, links: &mut [Link], index: usize) -> bool {
    let here = links[index].hash.clone();
    links.iter_mut().enumerate().any(|(other, link)| {
        let hash = Some(link.entry.hash(tenant, head.seq + 1, &head.hash));
        other != index && (hash == here || hash == link.hash)
    })
}

/// Checks that a chain still has the place that was noted earlier; `links` starts there.
pub(crate) fn find(noted: &Head, links: &[Link]) -> Option<Breach> {
    match links.first() {
        Some(link) if link.seq != noted.seq => {
            Some(Breach { kind: BreachKind::Missing, seq: noted.seq, activity_id: None })
        }
        Some(link) if link.hash.as_ref() != Some(&noted.hash) => {
            Some(Breach { kind: BreachKind::Altered, seq: noted.seq, activity_id: link.entry.id() })
        }
        Some(_) => None,
        None => Some(Breach { kind: BreachKind::Missing, seq: noted.seq, activity_id: None }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::kernel::time::Timestamp;

    const TENANT: &str = "01936b2a-0000-7000-8000-00000000000a";

    fn row(number: u128, detail: Cell) -> Row {
        vec![
            Cell::Text("project.created".to_owned()),
            Cell::Null,
            Cell::Text("2026-11-24T09:30:00.000Z".to_owned()),
            detail,
            Cell::Text(Uuid::from_u128(number + 100).to_string()),
            Cell::Text("project".to_owned()),
            Cell::Text(Uuid::from_u128(number).to_string()),
        ]
    }

    fn entry(number: u128) -> Entry {
        Entry::from_row(row(number, Cell::Text(format!("{{\"n\":{number}}}")))).unwrap()
    }

    fn chain(length: u128) -> Vec<Link> {
        let mut head = Head::start(TENANT);
        (1..=length)
            .map(|number| {
                let mut entry = entry(number);
                let seq = head.seq + 1;
                let hash = entry.hash(TENANT, seq, &head.hash);
                head = Head { seq, hash: hash.clone() };
                Link { seq, hash: Some(hash), entry }
            })
            .collect()
    }

    fn walked(links: &mut [Link]) -> (i64, Option<(BreachKind, i64, Option<u128>)>) {
        let (head, breach) = walk(TENANT, Head::start(TENANT), links, links.len());
        let plain = |breach: Breach| (breach.kind, breach.seq, breach.activity_id.map(|id| id.0.as_u128()));
        (head.seq, breach.map(plain))
    }

    #[test]
    fn the_form_that_is_hashed_is_the_one_that_is_documented() {
        let mut entry =
            Entry::from_row(row(1, Cell::Text("{\"to\":\"\u{e9}\\n\",\"a\":[1.0,null]}".to_owned())))
                .unwrap();
        let hash = entry.hash(TENANT, 1, &Head::start(TENANT).hash);
        let mut text = String::new();
        canonical::write_object(&entry.0, &mut text);
        let previous = sha256_hex(TENANT);
        assert_eq!(
            text,
            format!(
                "{{\"action\":\"project.created\",\"actor_id\":null,\"created_at\":\"2026-11-24T09:30:00.000Z\",\
                 \"detail\":{{\"a\":[1,null],\"to\":\"\u{e9}\\n\"}},\
                 \"entity_id\":\"00000000-0000-0000-0000-000000000065\",\"entity_type\":\"project\",\
                 \"id\":\"00000000-0000-0000-0000-000000000001\",\"previous\":\"{previous}\",\"seq\":1,\
                 \"tenant_id\":\"{TENANT}\"}}"
            )
        );
        assert_eq!(hash, sha256_hex(&text));
        // Existing chains depend on it.
        assert_eq!(previous, "ed0ea3f81de6d5894cb4fdcaec3d2fe4edf879106b276e9755a94010edcd0a85");
        assert_eq!(hash, "5ee3835de05f564187ff63cfd0af6c8595e9d5ce0e0bab24bcb7b4ef652bc71b");
    }

    #[test]
    fn every_engine_gives_the_same_hash() {
        let id = |number| Cell::Uuid(Uuid::from_u128(number));
        let mut native = row(1, Cell::Json(json!({ "b": 100, "a": { "d": true, "c": "x" } })));
        (native[2], native[4], native[6]) =
            (Cell::Time(Timestamp::parse("2026-11-24T09:30:00Z").unwrap()), id(101), id(1));
        let hash = |row| Entry::from_row(row).unwrap().hash(TENANT, 7, "previous");
        for text in [
            "{\"a\":{\"c\":\"x\",\"d\":true},\"b\":100}",
            "{ \"b\": 1e2, \"a\": {\"d\":true,\"c\":\"\\u0078\"} }",
        ] {
            assert_eq!(hash(row(1, Cell::Text(text.to_owned()))), hash(native.clone()), "{text}");
        }
        for other in ["{\"a\":{\"c\":\"x\",\"d\":true},\"b\":1,\"b\":100}", "{", "null", "{\"b\":100.5}"] {
            assert_ne!(hash(row(1, Cell::Text(other.to_owned()))), hash(native.clone()), "{other}");
        }
    }

    #[test]
    fn an_untouched_chain_holds_and_can_be_walked_in_parts() {
        let mut links = chain(5);
        assert_eq!(walked(&mut links), (5, None));
        assert_eq!(walked(&mut []), (0, None));
        let (head, breach) = walk(TENANT, Head::start(TENANT), &mut links, 2);
        assert_eq!((head.seq, breach), (2, None));
        assert_eq!(find(&head, &links[1..]), None);
        let (head, breach) = walk(TENANT, head, &mut links[2..], 10);
        assert_eq!((head.seq, breach), (5, None));
        assert_eq!(Head::parse(&head.to_string()).unwrap(), head);
    }

    #[test]
    fn whatever_is_altered_is_found_where_it_is() {
        for column in COLUMNS.split(", ") {
            let mut links = chain(4);
            links[2].entry.0.insert(column.to_owned(), "another".into());
            let (good, breach) = walked(&mut links);
            let (kind, seq, _) = breach.unwrap();
            assert_eq!((good, kind, seq), (2, BreachKind::Altered, 3), "{column}");
        }
        for hash in [None, Some("0".repeat(64))] {
            let mut links = chain(4);
            links[2].hash = hash;
            assert_eq!(walked(&mut links), (2, Some((BreachKind::Altered, 3, Some(3)))));
        }
        let mut links = chain(2);
        let of_another = walk("another tenant", Head::start("another tenant"), &mut links, 2);
        assert_eq!(of_another.1.map(|breach| breach.kind), Some(BreachKind::Altered));
    }

    #[test]
    fn what_is_missing_is_found_where_it_was() {
        for gone in 0..3 {
            let mut links = chain(4);
            links.remove(gone);
            let seq = i64::try_from(gone).unwrap() + 1;
            assert_eq!(walked(&mut links), (seq - 1, Some((BreachKind::Missing, seq, None))));
        }
        // Only the noted head reveals that the tail is missing.
        let mut links = chain(4);
        let (noted, _) = walk(TENANT, Head::start(TENANT), &mut links, 4);
        assert_eq!(find(&noted, &links[3..]), None);
        let breach = find(&noted, &[]).unwrap();
        assert_eq!((breach.kind, breach.seq), (BreachKind::Missing, 4));
        let another = Head { hash: "0".repeat(64), ..noted };
        assert_eq!(find(&another, &links[3..]).map(|breach| breach.kind), Some(BreachKind::Altered));
    }

    #[test]
    fn whatever_changed_places_is_found() {
        for (one, other) in [(1, 2), (0, 4), (1, 3)] {
            let seq = i64::try_from(one).unwrap() + 1;
            let expected = |id: usize| (seq - 1, Some((BreachKind::Reordered, seq, Some(id as u128 + 1))));
            // The entries are swapped; the numbers and hashes stay.
            let mut links = chain(5);
            let (left, right) = links.split_at_mut(other);
            std::mem::swap(&mut left[one].entry, &mut right[0].entry);
            assert_eq!(walked(&mut links), expected(other));
            // The numbers are swapped; each entry keeps its hash.
            let mut links = chain(5);
            links.swap(one, other);
            links.iter_mut().zip(1..).for_each(|(link, seq)| link.seq = seq);
            assert_eq!(walked(&mut links), expected(other));
        }
    }

    #[test]
    fn heads_are_read_strictly() {
        let hash = "0a".repeat(32);
        assert_eq!(Head::parse(&format!("12:{hash}")).unwrap().seq, 12);
        for bad in [
            String::new(),
            "12".to_owned(),
            format!("0:{hash}"),
            format!("-1:{hash}"),
            format!("+1:{hash}"),
            format!("01:{hash}"),
            format!("1000000000000000:{hash}"),
            format!("1:{}", &hash[1..]),
            format!("1:{}", hash.to_uppercase()),
        ] {
            assert!(Head::parse(&bad).is_err(), "{bad:?}");
        }
    }
}
