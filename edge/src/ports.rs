//! The clock, the randomness, the verifier and the processor of a Worker.

use std::time::Duration;

use bailiwick_core::{
    password::{HashJob, HashOutcome},
    ports::{Clock, Entropy, EntropyError, Hasher, Overloaded, PublicKey, Verifier},
    throttle::ClientAddress,
    time::Timestamp,
};
use web_sys::{CryptoKey, WorkerGlobalScope};
use worker::{
    Date,
    js_sys::{Array, JSON, Object, Uint8Array, global},
    send::SendFuture,
    wasm_bindgen::{JsCast, JsValue},
    wasm_bindgen_futures::JsFuture,
};

/// `Date.now()`. It stands still between I/O, by design of the platform.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DateClock;

impl Clock for DateClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(Date::now().as_millis())
    }
}

/// Web Crypto.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WebCrypto;

impl Entropy for WebCrypto {
    #[expect(clippy::disallowed_methods, reason = "this is the Entropy port")]
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(buffer).map_err(|_| EntropyError)
    }
}

/// A key that cannot be imported has signed nothing, and so has one that Web Crypto fails with.
impl Verifier for WebCrypto {
    async fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let verified = SendFuture::new(verify(key, message, signature)).await;
        verified.is_ok_and(|verified| verified.is_truthy())
    }
}

async fn verify(key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<JsValue, JsValue> {
    // What importing needs and what verifying needs, in one.
    let algorithm = match key {
        PublicKey::Rsa { .. } => r#"{"name":"RSASSA-PKCS1-v1_5","hash":"SHA-256"}"#,
        PublicKey::P256 { .. } => r#"{"name":"ECDSA","namedCurve":"P-256","hash":"SHA-256"}"#,
        PublicKey::Ed25519 { .. } => r#"{"name":"Ed25519"}"#,
    };
    let algorithm: Object = JSON::parse(algorithm)?.unchecked_into();
    let jwk: Object = JSON::parse(&key.jwk())?.unchecked_into();
    let platform: WorkerGlobalScope = global().unchecked_into();
    let subtle = platform.crypto()?.subtle();
    let usages = Array::of1(&"verify".into());
    let imported = subtle.import_key_with_object("jwk", &jwk, &algorithm, false, &usages)?;
    let key: CryptoKey = JsFuture::from(imported).await?.unchecked_into();
    let (signature, message) = (Uint8Array::from(signature), Uint8Array::from(message));
    let verified =
        subtle.verify_with_object_and_js_u8_array_and_js_u8_array(&algorithm, &key, &signature, &message)?;
    JsFuture::from(verified).await
}

/// Hashes where it stands: an isolate has one thread, and the platform starts more isolates under load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inline;

impl Hasher for Inline {
    async fn run(&self, _: Option<ClientAddress>, job: HashJob) -> Result<HashOutcome, Overloaded> {
        Ok(job.execute())
    }
}
