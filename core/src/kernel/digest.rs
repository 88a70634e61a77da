//! Digests.

use sha2::{Digest, Sha256};

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256_hex(text: &str) -> String {
    let mut hexadecimal = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        for digit in [byte >> 4, byte & 15] {
            hexadecimal.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    hexadecimal
}
