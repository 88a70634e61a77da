//! Conditional requests (RFC 9110, section 13). Every representation that can be read has a strong `ETag`; one of a
//! resource with a version begins with that, so that `If-Match` becomes a condition of the batch that writes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::problem::{Code, Problem, Result};

/// Tags of one resource that one request may name; a client that has more of them has to choose.
const TAGS: usize = 3;

/// Which state of which resource something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) id: Uuid,
    pub(crate) number: i64,
}

impl Version {
    /// How its tags begin. The id is in them so that the tag of one resource is never that of another; its end is random.
    fn prefix(self) -> String {
        let id = self.id.simple().to_string();
        format!("{}-{}-", self.number, &id[24..])
    }
}

/// What can be read by itself, and changed.
pub(crate) trait Resource {
    /// Which state of it this is; `None` of what has no representation that can be read by itself.
    fn version(&self) -> Option<Version>;
}

/// What is created or moved, and can be read at a place of its own.
pub(crate) trait Placed: Resource {
    /// Where.
    fn location(&self) -> String;
}

/// What is kept within something else and has its version.
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

/// The tags that a header lists, without their quotes; `*` alone is a list of itself. `None` if it is no such list.
///
/// Whether a tag is marked as weak is not looked at: all of ours are strong, and what compresses an answer on its way
/// marks them so.
fn list(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    for value in headers.get_all(name) {
        let mut rest = value.to_str().ok()?.trim();
        if rest == "*" {
            tags.push(rest.to_owned());
            continue;
        }
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                break;
            }
            let (tag, after) = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
            tags.push(tag.to_owned());
            rest = after;
            if !rest.trim_start().is_empty() && !rest.trim_start().starts_with(',') {
                return None;
            }
        }
    }
    Some(tags)
}

/// Whether a client has the representation of this `ETag` already, by its `If-None-Match`. A header that is malformed
/// says nothing.
pub(crate) fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let Some(tags) = list(headers, &header::IF_NONE_MATCH) else { return false };
    let etag = etag.to_str().unwrap_or_default().trim_matches('"');
    tags.iter().any(|tag| tag == etag || tag == "*")
}

/// The states that a client wants a resource to be in, one of them, when it is changed.
#[derive(Clone, Debug)]
pub(crate) struct IfMatch(Vec<String>);

impl IfMatch {
    /// Reads the header. `None` without one, and for `*`: what is to be changed must be there in any case. (An empty one
    /// is none: not every platform tells it from that.)
    pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Self>> {
        if headers.get_all(header::IF_MATCH).iter().all(HeaderValue::is_empty) {
            return Ok(None);
        }
        let tags = list(headers, &header::IF_MATCH).filter(|tags| !tags.is_empty());
        let malformed = || Problem::with(Code::InvalidHeader, "If-Match: expected entity tags in quotes.");
        let tags = tags.ok_or_else(malformed)?;
        Ok((!tags.iter().any(|tag| tag == "*")).then_some(Self(tags)))
    }

    /// The versions of a resource that it admits. What no row has stands for none.
    pub(crate) fn versions(&self, id: Uuid) -> [i64; TAGS] {
        let number = |tag: &String| {
            let number = tag.split('-').next()?.parse().ok()?;
            tag.starts_with(&Version { id, number }.prefix()).then_some(number)
        };
        let mut admitted = [-1; TAGS];
        for (place, number) in admitted.iter_mut().zip(self.0.iter().filter_map(number)) {
            *place = number;
        }
        admitted
    }

    /// Whether it admits this state.
    pub(crate) fn admits(&self, version: Version) -> bool {
        self.versions(version.id).contains(&version.number)
    }
}

/// The resource is in another state than the client wants it to be.
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

    fn if_match(values: &[&str]) -> Result<Option<IfMatch>> {
        IfMatch::read(&sent(&header::IF_MATCH, values))
    }

    #[test]
    fn a_tag_is_of_one_version_of_one_resource() {
        let version = Version { id: ID, number: 3 };
        let etag = etag(Some(version), b"{}").unwrap();
        let wanted = if_match(&[etag.to_str().unwrap()]).unwrap().unwrap();
        assert!(wanted.admits(version));
        assert!(!wanted.admits(Version { id: ID, number: 4 }));
        assert!(!wanted.admits(Version { id: Uuid::from_u128(1), number: 3 }));
        assert_ne!(super::etag(Some(version), b"{ }").unwrap(), etag);
    }

    #[test]
    fn lists_are_read_as_they_are_written() {
        let own = |number: i64| tag(Some(Version { id: ID, number }), b"");
        let header = format!("\"x,y\" , W/\"{}\",,\"{}\"", own(2), own(5));
        let wanted = if_match(&["\"a\"", &header]).unwrap().unwrap();
        assert_eq!(wanted.versions(ID), [2, 5, -1]);
        assert!(if_match(&[]).unwrap().is_none() && if_match(&["*"]).unwrap().is_none());
        assert!(if_match(&[""]).unwrap().is_none());
        for malformed in [",", "1", "\"", "\"a\" \"b\"", "'a'", "W/a"] {
            assert_eq!(if_match(&[malformed]).unwrap_err().code, Code::InvalidHeader, "{malformed}");
        }
    }

    #[test]
    fn what_is_known_is_told_by_its_whole_tag() {
        let etag = etag(None, b"[]").unwrap();
        let text = etag.to_str().unwrap();
        let known = |values: &[&str]| is_known(&sent(&header::IF_NONE_MATCH, values), &etag);
        assert!(known(&[text]) && known(&["*"]) && known(&["\"a\"", &format!("W/{text}, \"b\"")]));
        assert!(!known(&[]) && !known(&["\"a\""]) && !known(&[text.trim_matches('"')]));
    }
}
