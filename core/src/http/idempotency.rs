//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): two requests under one key take effect once, and get
//! the same answer.
//!
//! The answer is stored in the batch of the change itself, so there is no moment at which only one of the two exists.
//! Only the caller can get it again: it is encrypted, by a key of which the client's is a part, since it may hold a
//! secret that is shown only once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

use crate::{
    http::problem::{Code, Problem, Result},
    kernel::limits,
};

/// The header of requests.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that distinguishes a stored answer from a new one.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A client's key, and the fingerprint of the request that has it.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyKey {
    pub(crate) text: String,
    /// The digest of method, target and body.
    pub(crate) fingerprint: String,
}

impl IdempotencyKey {
    /// Reads the header.
    pub(crate) fn read(headers: &HeaderMap, request: &[&[u8]]) -> Result<Option<Self>> {
        let mut values = headers.get_all(&KEY).iter();
        let Some(value) = values.next() else { return Ok(None) };
        // A header that was sent twice may arrive with a comma.
        let plain = |text: &&str| {
            (1..=limits::IDEMPOTENCY_KEY).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_graphic() && b != b',')
        };
        let Some(text) = value.to_str().ok().filter(plain).filter(|_| values.next().is_none()) else {
            let most = limits::IDEMPOTENCY_KEY;
            let detail = format!(
                "Idempotency-Key: expected 1 to {most} visible ASCII characters without commas, once."
            );
            return Err(Problem::with(Code::InvalidHeader, detail));
        };
        Ok(Some(Self { text: text.to_owned(), fingerprint: digest("request", request) }))
    }
}

/// SHA-256 of parts, each with its length before it, so that no two lists collide.
pub(crate) fn digest(what: &str, parts: &[&[u8]]) -> String {
    let mut whole = Sha256::new_with_prefix(what);
    for part in parts {
        whole.update((part.len() as u64).to_be_bytes());
        whole.update(part);
    }
    URL_SAFE_NO_PAD.encode(whole.finalize())
}
