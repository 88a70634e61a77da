//! Signatures of an identity provider, verified with ring, the one implementation of cryptography that is linked.

use bailiwick_core::ports::{PublicKey, Verifier};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// Verifies on the calling thread: the slowest algorithm takes a tenth of a millisecond at the usual sizes.
#[derive(Clone, Copy, Debug)]
pub struct Ring;

impl Verifier for Ring {
    async fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        match key {
            PublicKey::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            PublicKey::P256 { x, y } => {
                // An uncompressed point (SEC 1, section 2.3.3).
                let point = [&[4][..], x, y].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            PublicKey::Ed25519 { x } => UnparsedPublicKey::new(&ED25519, x).verify(message, signature),
        }
        .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    fn coordinate(text: &str) -> [u8; 32] {
        bytes(text).try_into().unwrap()
    }

    /// The examples of RFC 7515, appendices A.2 and A.3, and of RFC 8037, appendix A.4.
    fn examples() -> [(PublicKey, &'static str, &'static str); 3] {
        let rsa = PublicKey::Rsa {
            n: bytes(concat!(
                "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs",
                "D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV",
                "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
            )),
            e: bytes("AQAB"),
        };
        let p256 = PublicKey::P256 {
            x: coordinate("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
            y: coordinate("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
        };
        let ed25519 = PublicKey::Ed25519 { x: coordinate("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo") };
        [
            (
                rsa,
                concat!(
                    "eyJhbGciOiJSUzI1NiJ9.",
                    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
                ),
                concat!(
                    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZ",
                    "cAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-e",
                    "OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
                ),
            ),
            (
                p256,
                concat!(
                    "eyJhbGciOiJFUzI1NiJ9.",
                    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
                ),
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                ed25519,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ]
    }

    #[tokio::test]
    async fn the_standards_examples_verify_and_nothing_else_does() {
        for (key, message, signature) in examples() {
            let signature = bytes(signature);
            assert!(Ring.verify(&key, message.as_bytes(), &signature).await, "{key:?}");
            assert!(!Ring.verify(&key, &message.as_bytes()[1..], &signature).await, "another message");
            assert!(!Ring.verify(&key, message.as_bytes(), &[]).await, "no signature");
            for place in 0..signature.len() {
                let mut forged = signature.clone();
                forged[place] ^= 1;
                assert!(!Ring.verify(&key, message.as_bytes(), &forged).await, "{place} {key:?}");
            }
            for (other, ..) in examples().iter().filter(|(other, ..)| *other != key) {
                assert!(!Ring.verify(other, message.as_bytes(), &signature).await, "another key");
            }
        }
    }

    #[tokio::test]
    async fn keys_that_are_none_have_signed_nothing() {
        let no_point = PublicKey::P256 { x: [1; 32], y: [1; 32] };
        let no_modulus = PublicKey::Rsa { n: vec![1; 256], e: vec![2] };
        let infinity = PublicKey::Ed25519 { x: [0xff; 32] };
        for key in [no_point, no_modulus, infinity] {
            for length in [0, 64, 256] {
                assert!(!Ring.verify(&key, b"message", &vec![0; length]).await, "{key:?}");
            }
        }
    }
}
