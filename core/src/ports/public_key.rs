//! A public key, as the verifier port takes it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::kernel::json;

/// A public key, which implies the one algorithm that it verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RS256: modulus (2048 to 8192 bits) and exponent, big-endian, without zeros in front.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// ES256: a point of P-256. The verifier finds out whether it is on the curve.
    P256 {
        /// Its first coordinate.
        x: [u8; 32],
        /// Its second coordinate.
        y: [u8; 32],
    },
    /// EdDSA with Ed25519.
    Ed25519 {
        /// The key as RFC 8032 encodes it.
        x: [u8; 32],
    },
}

impl PublicKey {
    /// The key as a JWK with only the required members.
    pub fn jwk(&self) -> String {
        let text = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
        let members = match self {
            Self::Rsa { n, e } => vec![("kty", "RSA".into()), ("n", text(n)), ("e", text(e))],
            Self::P256 { x, y } => {
                vec![("kty", "EC".into()), ("crv", "P-256".into()), ("x", text(x)), ("y", text(y))]
            }
            Self::Ed25519 { x } => vec![("kty", "OKP".into()), ("crv", "Ed25519".into()), ("x", text(x))],
        };
        json::object(members).to_string()
    }
}
