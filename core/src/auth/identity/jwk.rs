//! The keys of an identity provider: a JWK set (RFC 7517), reduced to the keys that can verify here.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::{auth::identity::jwt::Algorithm, kernel::json, ports::public_key::PublicKey};

/// The one algorithm that a key verifies.
pub(super) fn algorithm(key: &PublicKey) -> Algorithm {
    match key {
        PublicKey::Rsa { .. } => Algorithm::Rs256,
        PublicKey::P256 { .. } => Algorithm::Es256,
        PublicKey::Ed25519 { .. } => Algorithm::EdDsa,
    }
}

/// A key with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Jwk {
    pub(super) id: Option<String>,
    pub(super) key: PublicKey,
}

/// Reads a set. Keys of other kinds, for other uses, too weak or malformed are left out (RFC 7517, section 5); `None` if
/// it is no set at all.
pub(super) fn read_set(bytes: &[u8]) -> Option<Vec<Jwk>> {
    let Ok(Value::Object(set)) = json::parse(bytes) else { return None };
    let keys = set.get("keys")?.as_array()?;
    Some(keys.iter().filter_map(|key| read(key.as_object()?)).collect())
}

fn read(jwk: &Map<String, Value>) -> Option<Jwk> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    let key = match (text("kty")?, text("crv")) {
        ("RSA", _) => PublicKey::Rsa { n: bytes("n")?, e: bytes("e")? }.strong()?,
        ("EC", Some("P-256")) => {
            PublicKey::P256 { x: bytes("x")?.try_into().ok()?, y: bytes("y")?.try_into().ok()? }
        }
        ("OKP", Some("Ed25519")) => PublicKey::Ed25519 { x: bytes("x")?.try_into().ok()? },
        _ => return None,
    };
    // The key's own members must allow it to verify signatures with this algorithm.
    let fits = |name: &str, allowed: &[&str]| match jwk.get(name) {
        None => true,
        Some(said) => said.as_str().is_some_and(|said| allowed.contains(&said)),
    };
    let verifies = match jwk.get("key_ops") {
        None => true,
        Some(said) => said.as_array().is_some_and(|said| said.iter().any(|said| said == "verify")),
    };
    // A key that shows its private half is anybody's.
    if !fits("use", &["sig"]) || !fits("alg", algorithm(&key).names()) || !verifies || jwk.contains_key("d") {
        return None;
    }
    let id = match jwk.get("kid") {
        None => None,
        Some(id) => Some(id.as_str()?.to_owned()),
    };
    Some(Jwk { id, key })
}

impl PublicKey {
    /// The same without zeros in front; `None` for an RSA key that is too weak, or larger than verifiers take.
    fn strong(self) -> Option<Self> {
        let Self::Rsa { n, e } = self else { return Some(self) };
        let [n, e] = [n, e].map(|number| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            number[zeros..].to_vec()
        });
        let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
        let odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
        // An exponent from 3 to 32 bits: what every verifier takes.
        let plain = e.len() <= 4 && odd(&e) && e != [1];
        ((2048..=8192).contains(&bits) && odd(&n) && plain).then_some(Self::Rsa { n, e })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn rsa(bits: usize) -> Value {
        let mut n = vec![0xff; bits / 8];
        n[0] = 0x80;
        json!({ "kty": "RSA", "n": text(&n), "e": "AQAB", "kid": "r" })
    }

    fn ec() -> Value {
        json!({ "kty": "EC", "crv": "P-256", "x": text(&[1; 32]), "y": text(&[2; 32]), "kid": "e" })
    }

    fn okp() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": text(&[3; 32]), "kid": "o" })
    }

    fn kept(key: Value) -> bool {
        let mut set = json!({});
        set["keys"] = Value::Array(vec![key]);
        read_set(set.to_string().as_bytes()).unwrap().len() == 1
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    #[test]
    fn keys_of_the_three_kinds_are_kept() {
        let set = json!({ "keys": [rsa(2048), ec(), okp()], "more": 1 });
        let set = read_set(set.to_string().as_bytes()).unwrap();
        let found: Vec<_> = set.iter().map(|jwk| (jwk.id.as_deref(), algorithm(&jwk.key))).collect();
        assert_eq!(
            found,
            [(Some("r"), Algorithm::Rs256), (Some("e"), Algorithm::Es256), (Some("o"), Algorithm::EdDsa)]
        );
        for (jwk, original) in set.iter().zip([rsa(2048), ec(), okp()]) {
            let again: Value = serde_json::from_str(&jwk.key.jwk()).unwrap();
            for (name, value) in again.as_object().unwrap() {
                assert_eq!(*value, original[name], "{name}");
            }
        }
    }

    #[test]
    fn what_a_key_says_of_itself_must_fit() {
        for key in [rsa(2048), ec(), okp()] {
            assert!(kept(with(key.clone(), "use", json!("sig"))));
            assert!(kept(with(key.clone(), "key_ops", json!(["sign", "verify"]))));
            for (name, value) in [
                ("use", json!("enc")),
                ("use", json!(null)),
                ("key_ops", json!(["sign"])),
                ("key_ops", json!("verify")),
                ("alg", json!("HS256")),
                ("alg", json!("none")),
                ("alg", json!("PS256")),
                ("alg", json!("RSA-OAEP")),
                ("alg", json!(7)),
                ("kid", json!(7)),
                ("d", json!("AQAB")),
            ] {
                assert!(!kept(with(key.clone(), name, value.clone())), "{name} {value} {key}");
            }
        }
        assert!(
            kept(with(rsa(2048), "alg", json!("RS256"))) && !kept(with(rsa(2048), "alg", json!("ES256")))
        );
        assert!(kept(with(ec(), "alg", json!("ES256"))) && !kept(with(ec(), "alg", json!("RS256"))));
        for name in ["EdDSA", "Ed25519"] {
            assert!(kept(with(okp(), "alg", json!(name))));
        }
    }

    #[test]
    fn weak_and_malformed_keys_are_left_out() {
        assert!(kept(rsa(8192)));
        for bad in [
            rsa(1024),
            rsa(2040),
            rsa(8200),
            with(rsa(2048), "e", json!("AQ")),
            with(rsa(2048), "e", json!("AAAA")),
            with(rsa(2048), "e", json!("AQAC")),
            with(rsa(2048), "e", json!("AQAAAAE")),
            with(rsa(2048), "e", json!("AQAB=")),
            with(rsa(2048), "n", json!("")),
            with(rsa(2048), "n", json!(text(&[0xfe; 256]))),
            with(ec(), "crv", json!("P-384")),
            with(ec(), "crv", json!("secp256k1")),
            with(ec(), "x", json!(text(&[1; 31]))),
            with(ec(), "y", json!(text(&[1; 33]))),
            with(okp(), "crv", json!("X25519")),
            with(okp(), "x", json!(text(&[1; 33]))),
            with(okp(), "kty", json!("EC")),
            json!({ "kty": "oct", "k": text(&[1; 32]), "kid": "s" }),
            json!({ "kty": "RSA" }),
            json!({}),
            json!("key"),
        ] {
            assert!(!kept(bad.clone()), "{bad}");
        }
        // Zeros in front change nothing, and do not make a weak key a strong one.
        let with_zeros = [&[0; 2][..], &[0x80], &[0xff; 255]].concat();
        let padded = with(rsa(2048), "n", json!(text(&with_zeros)));
        let set = read_set(json!({ "keys": [padded] }).to_string().as_bytes()).unwrap();
        assert!(matches!(&set[0].key, PublicKey::Rsa { n, .. } if n.len() == 256));
        let weak = [&[0; 128][..], &[0x80], &[0xff; 127]].concat();
        assert!(!kept(with(rsa(2048), "n", json!(text(&weak)))));
    }

    #[test]
    fn what_is_no_set_is_none() {
        for bad in ["", "[]", "{}", "{\"keys\": {}}", "<html>", "{\"keys\": [], \"keys\": []}"] {
            assert!(read_set(bad.as_bytes()).is_none(), "{bad}");
        }
        assert_eq!(read_set(b"{\"keys\": []}"), Some(Vec::new()));
    }
}
