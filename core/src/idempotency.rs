//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): what a client asks for twice under one key is done
//! once, and answered the same both times.
//!
//! The answer is kept in the batch of the change itself, so there is no moment at which the one is there and the other
//! is not. It is kept for nobody but who asked: encrypted, by a key of which the client's is a part, for it may hold
//! what is shown only once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

use crate::{
    dispatch::App,
    limits,
    problem::{Code, Problem, Result},
    reply::Answer,
};

/// The header of requests.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that tells an answer that was kept from one that was just made.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

const NONCE_BYTES: usize = 12;

/// A client's key, and what it was sent with.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyKey {
    text: String,
    /// Of method, target and body.
    fingerprint: String,
}

/// Whose key it is: nobody else's is the same, whatever its text.
pub(crate) struct Owned<'a> {
    key: &'a IdempotencyKey,
    owner: Vec<&'a [u8]>,
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

    /// The key of an owner: tenant, user and API key, as far as there are such.
    pub(crate) fn of<'a>(&'a self, owner: Vec<&'a [u8]>) -> Owned<'a> {
        Owned { key: self, owner }
    }
}

impl Owned<'_> {
    fn parts(&self) -> Vec<&[u8]> {
        let mut parts = self.owner.clone();
        parts.push(self.key.text.as_bytes());
        parts
    }

    /// What it was sent with, as it is kept.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.key.fingerprint
    }

    /// By which it is found.
    pub(crate) fn hash(&self) -> String {
        digest("key", &self.parts())
    }

    /// An answer as it is kept.
    pub(crate) fn seal(&self, app: &App, answer: &Answer) -> Result<String> {
        let mut nonce = [0; NONCE_BYTES];
        app.ports.entropy.fill(&mut nonce)?;
        let cipher = ChaCha20Poly1305::new(&app.tokens.answer_keys(&self.parts())[0].into());
        let payload = Payload { msg: &answer.keep(), aad: self.key.fingerprint.as_bytes() };
        let sealed = cipher.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Problem::internal("an answer could not be encrypted"))?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// The answer that was kept. `None` if the keys that it was encrypted by are gone.
    pub(crate) fn open(&self, app: &App, kept: &str) -> Option<Answer> {
        let bytes = URL_SAFE_NO_PAD.decode(kept).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        app.tokens.answer_keys(&self.parts()).into_iter().find_map(|key| {
            let payload = Payload { msg: sealed, aad: self.key.fingerprint.as_bytes() };
            let plain = ChaCha20Poly1305::new(&key.into()).decrypt(&Nonce::from(*nonce), payload).ok()?;
            Answer::recall(&plain)
        })
    }
}

/// SHA-256 of parts, each with its length before it, so that no two lists collide.
fn digest(what: &str, parts: &[&[u8]]) -> String {
    let mut whole = Sha256::new_with_prefix(what);
    for part in parts {
        whole.update((part.len() as u64).to_be_bytes());
        whole.update(part);
    }
    URL_SAFE_NO_PAD.encode(whole.finalize())
}
