//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): what a client asks for twice under one key is done
//! once, and answered the same both times.
//!
//! The answer is kept in the batch of the change itself, so there is no moment at which the one is there and the other
//! is not. It is kept for nobody but who asked: encrypted, by a key of which the client's is a part, for it may hold
//! what is shown only once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

use crate::{
    http::problem::{Code, Problem, Result},
    kernel::limits,
};

/// The header of requests.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that tells an answer that was kept from one that was just made.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A client's key, and what it was sent with.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyKey {
    pub(crate) text: String,
    /// Of method, target and body.
    pub(crate) fingerprint: String,
}

impl IdempotencyKey {
    /// Reads the header.
    pub(crate) fn read(headers: &HeaderMap, request: &[&[u8]]) -> Result<Option<Self>> {
        let mut values = headers.get_all(&KEY).iter();
        let Some(value) = values.next() else { return Ok(None) };
        // A comma would be how a header that stands there twice may arrive.
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
