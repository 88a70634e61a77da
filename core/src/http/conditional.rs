//! Conditional requests (RFC 9110, section 13). Every representation that can be read has a strong `ETag`; that of a
//! resource with a version begins with the version, so that `If-Match` becomes a condition of the batch that writes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::http::problem::{Code, Problem, Result};

/// The number of tags of one resource that one request may name; a client that has more of them has to choose.
const TAGS: usize = 3;

/// A version of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) id: Uuid,
    pub(crate) number: i64,
}

impl Version {
    /// The beginning of its tags. It has the id's end, which is random, so that no two resources have the same tag.
    fn prefix(self) -> String {
        let id = self.id.simple().to_string();
        format!("{}-{}-", self.number, &id[24..])
    }
}

/// A resource that can be read by itself, and changed.
pub(crate) trait Resource {
    /// Its version; `None` if it has no representation that can be read by itself.
    fn version(&self) -> Option<Version>;
}

/// A part of a resource, with the version of the whole resource.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Part<T> {
    /// What it is.
    pub value: T,
    #[serde(skip)]
    version: Version,
}

impl<T> Part<T> {
    pub(crate) fn new(value: T, version: Version) -> Self {
        Self { value, version }
    }
}

impl<T> Resource for Part<T> {
    fn version(&self) -> Option<Version> {
        Some(self.version)
    }
}

/// The strong tag of a representation, without its quotes.
fn tag(version: Option<Version>, body: &[u8]) -> String {
    let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(body)[..12]);
    version.map_or_else(String::new, Version::prefix) + &digest
}

/// The `ETag` of a representation.
pub(crate) fn etag(version: Option<Version>, body: &[u8]) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{}\"", tag(version, body))).ok()
}

/// A header's list: tags without their quotes, or `*`, which stands for all. (A tag may be an asterisk, in quotes.)
#[derive(Clone, Debug, Default)]
struct List {
    all: bool,
    tags: Vec<Tag>,
}

#[derive(Clone, Debug)]
struct Tag {
    weak: bool,
    text: String,
}

/// The suffixes that servers on the way add to the tag of an answer that they compress.
const ADDED: [&str; 4] = ["-gzip", "-br", "-zstd", "-deflate"];

impl Tag {
    /// Whether it is the tag of a representation. Weak tags match, too: all of ours are strong, and a server that
    /// compresses an answer on its way marks its tag as weak, or adds a suffix.
    fn is(&self, etag: &str) -> bool {
        self.text == etag || ADDED.iter().any(|added| self.text.strip_suffix(added) == Some(etag))
    }
}

impl List {
    /// Reads a header. `None` if it is not sent, and an error if it lists no tags.
    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>> {
        if !headers.contains_key(name) {
            return Ok(None);
        }
        let found = Self::parse(headers, name).filter(|list| list.all || !list.tags.is_empty());
        let malformed = || {
            let name = if name == header::IF_MATCH { "If-Match" } else { "If-None-Match" };
            Problem::with(Code::InvalidHeader, format!("{name}: expected entity tags in quotes, or *."))
        };
        found.ok_or_else(malformed).map(Some)
    }

    fn parse(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut list = Self::default();
        for value in headers.get_all(name) {
            let mut rest = value.to_str().ok()?.trim();
            if rest == "*" {
                list.all = true;
                continue;
            }
            loop {
                rest = rest.trim_start_matches([' ', '\t', ',']);
                if rest.is_empty() {
                    break;
                }
                let opaque = rest.strip_prefix("W/");
                let (text, after) = opaque.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
                list.tags.push(Tag { weak: opaque.is_some(), text: text.to_owned() });
                rest = after;
                if !rest.trim_start().is_empty() && !rest.trim_start().starts_with(',') {
                    return None;
                }
            }
        }
        Some(list)
    }

    fn tag(&self, etag: &str) -> Option<&Tag> {
        self.tags.iter().find(|tag| tag.is(etag))
    }
}

/// The outcome of a request's conditions on a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The resource is sent.
    Due,
    /// The client has it already; perhaps under a weak tag, because it was compressed.
    Known { weak: bool },
    /// The resource is in another state than the client wants.
    Failed,
}

/// Judges by the `ETag` of the answer. A malformed `If-None-Match` has no effect.
pub(crate) fn judge(headers: &HeaderMap, etag: &HeaderValue) -> Result<Reading> {
    let etag = etag.to_str().unwrap_or_default().trim_matches('"');
    if let Some(list) = List::read(headers, &header::IF_MATCH)?
        && !list.all
        && list.tag(etag).is_none()
    {
        return Ok(Reading::Failed);
    }
    let Some(list) = List::parse(headers, &header::IF_NONE_MATCH) else { return Ok(Reading::Due) };
    Ok(match list.tag(etag) {
        Some(tag) => Reading::Known { weak: tag.weak },
        None if list.all => Reading::Known { weak: false },
        None => Reading::Due,
    })
}

/// The meaning of the versions that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meant {
    /// The resource must be in none of them.
    NoneOf,
    /// It must be in one of them.
    OneOf,
    /// The resource must not exist.
    Absent,
}

/// The states in which a client wants a resource to be when it is changed: by `If-Match` and `If-None-Match`.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    meant: Meant,
    tags: Vec<Tag>,
    not: Vec<Tag>,
}

impl Condition {
    /// Reads the headers. `None` without them, and for `If-Match: *`: a resource to be changed must exist in any case.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Self>> {
        let wanted = List::read(headers, &header::IF_MATCH)?.filter(|list| !list.all);
        let unwanted = List::read(headers, &header::IF_NONE_MATCH)?;
        Ok(match (wanted, unwanted) {
            (None, None) => None,
            (_, Some(List { all: true, .. })) => {
                Some(Self { meant: Meant::Absent, tags: Vec::new(), not: Vec::new() })
            }
            (None, Some(List { tags, .. })) => Some(Self { meant: Meant::NoneOf, tags, not: Vec::new() }),
            (Some(List { tags, .. }), not) => {
                Some(Self { meant: Meant::OneOf, tags, not: not.unwrap_or_default().tags })
            }
        })
    }

    /// The arguments of a statement that checks it: three versions of a resource (unused ones are -1, which no row
    /// has), and whether the resource must be in none of them (0), in one of them (1) or not exist (2).
    pub(crate) fn asks(&self, id: Uuid) -> [i64; TAGS + 1] {
        let number = |tag: &Tag| {
            let number = tag.text.split('-').next()?.parse().ok()?;
            tag.text.starts_with(&Version { id, number }.prefix()).then_some(number)
        };
        let mut seen: Vec<i64> = self.not.iter().filter_map(number).collect();
        let mut named = Vec::new();
        for number in self.tags.iter().filter_map(number) {
            if !seen.contains(&number) {
                seen.push(number);
                named.push(number);
            }
        }
        let mut asks = [-1; TAGS + 1];
        for (place, number) in asks.iter_mut().take(TAGS).zip(&named) {
            *place = *number;
        }
        asks[TAGS] = match self.meant {
            // Too many to check: nothing is done that might have to be left undone.
            Meant::NoneOf if named.len() > TAGS => 2,
            Meant::NoneOf => 0,
            Meant::OneOf => 1,
            Meant::Absent => 2,
        };
        asks
    }

    /// Whether it admits this version. A resource without a version is in no state that a client could name.
    pub(crate) fn admits(&self, version: Option<Version>) -> bool {
        let Some(version) = version else { return self.meant == Meant::NoneOf };
        let asks = self.asks(version.id);
        i64::from(asks[..TAGS].contains(&version.number)) == asks[TAGS]
    }

    /// Whether it names the state that the client has seen.
    pub(crate) fn names_a_state(&self) -> bool {
        self.meant == Meant::OneOf
    }
}

/// The resource is in another state than the client wants.
pub(crate) fn failed() -> Box<Problem> {
    Problem::new(Code::PreconditionFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(0x0196_a2b4_0000_7000_8000_0000_0000_000a);

    fn sent(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    fn if_match(values: &[&str]) -> Result<Option<Condition>> {
        Condition::read(&sent(&header::IF_MATCH, values))
    }

    fn if_none_match(value: &str) -> Condition {
        Condition::read(&sent(&header::IF_NONE_MATCH, &[value])).unwrap().unwrap()
    }

    #[test]
    fn a_tag_is_of_one_version_of_one_resource() {
        let version = Version { id: ID, number: 3 };
        let etag = etag(Some(version), b"{}").unwrap();
        let wanted = if_match(&[etag.to_str().unwrap()]).unwrap().unwrap();
        let unwanted = if_none_match(etag.to_str().unwrap());
        for (version, is_it) in [
            (Some(version), true),
            (Some(Version { id: ID, number: 4 }), false),
            (Some(Version { id: Uuid::from_u128(1), number: 3 }), false),
            (None, false),
        ] {
            assert_eq!((wanted.admits(version), unwanted.admits(version)), (is_it, !is_it), "{version:?}");
            assert!(!if_none_match("*").admits(version));
            // A tag may be an asterisk.
            assert!(!if_match(&["\"*\""]).unwrap().unwrap().admits(version));
            assert!(if_none_match("\"*\"").admits(version));
        }
        assert_ne!(super::etag(Some(version), b"{ }").unwrap(), etag);
    }

    #[test]
    fn lists_are_read_as_they_are_written() {
        let own = |number: i64| tag(Some(Version { id: ID, number }), b"");
        let header = format!("\"x,y\" , W/\"{}\",,\"{}\"", own(2), own(5));
        let wanted = if_match(&["\"a\"", &header]).unwrap().unwrap();
        assert_eq!(wanted.asks(ID), [2, 5, -1, 1]);
        assert_eq!(if_none_match(&header).asks(ID), [2, 5, -1, 0]);
        assert_eq!(if_none_match("*").asks(ID)[TAGS], 2);
        let several = |numbers: &[i64]| {
            numbers.iter().map(|number| format!("\"{}\"", own(*number))).collect::<Vec<_>>().join(",")
        };
        assert_eq!(if_none_match(&several(&[1, 1, 2, 1, 3])).asks(ID), [1, 2, 3, 0]);
        assert_eq!(if_none_match(&several(&[1, 2, 3, 4])).asks(ID)[TAGS], 2);
        assert!(!if_none_match(&several(&[1, 2, 3, 4])).admits(Some(Version { id: ID, number: 4 })));
        assert!(if_match(&[]).unwrap().is_none() && if_match(&["*"]).unwrap().is_none());
        let mut both = sent(&header::IF_MATCH, &[&header]);
        both.insert(header::IF_NONE_MATCH, format!("\"{}\"", own(2)).parse().unwrap());
        assert_eq!(Condition::read(&both).unwrap().unwrap().asks(ID), [5, -1, -1, 1]);
        for malformed in ["", " ", ",", "1", "\"", "\"a\" \"b\"", "'a'", "W/a"] {
            assert_eq!(if_match(&[malformed]).unwrap_err().code, Code::InvalidHeader, "{malformed}");
        }
    }

    #[test]
    fn what_is_known_is_told_by_its_whole_tag() {
        let etag = etag(None, b"[]").unwrap();
        let text = etag.to_str().unwrap();
        let bare = text.trim_matches('"');
        let judged = |values: &[&str]| judge(&sent(&header::IF_NONE_MATCH, values), &etag).unwrap();
        for known in [text, "*", &format!("\"a\", {text}"), &format!("\"{bare}-gzip\"")] {
            assert_eq!(judged(&[known]), Reading::Known { weak: false }, "{known}");
        }
        assert_eq!(judged(&["\"a\"", &format!("W/{text}, \"b\"")]), Reading::Known { weak: true });
        for due in ["\"a\"", bare, "\"*\"", ""] {
            assert_eq!(judged(&[due]), Reading::Due, "{due}");
        }
        assert_eq!(judged(&[]), Reading::Due);
    }

    #[test]
    fn what_is_read_is_in_the_state_that_is_wanted() {
        let etag = etag(None, b"[]").unwrap();
        let judged = |value: &str| judge(&sent(&header::IF_MATCH, &[value]), &etag);
        for due in [etag.to_str().unwrap(), "*", &format!("\"a\", W/{}", etag.to_str().unwrap())] {
            assert_eq!(judged(due).unwrap(), Reading::Due, "{due}");
        }
        assert_eq!(judged("\"a\"").unwrap(), Reading::Failed);
        assert_eq!(judged("a").unwrap_err().code, Code::InvalidHeader);
    }
}
