//! Finding in a response whatever may have been planted somewhere: ids, and texts that [`super::draw`] made.

use std::collections::BTreeSet;

use bailiwick_tests::client::Answer;

/// The ids, and the texts of these prefixes, in the body and in all headers.
pub(super) fn tokens(answer: &Answer) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(&answer.text, &mut found);
    for (name, value) in &answer.headers {
        collect(name.as_str(), &mut found);
        collect(&String::from_utf8_lossy(value.as_bytes()), &mut found);
    }
    found
}

fn collect(text: &str, into: &mut BTreeSet<String>) {
    let text = text.to_ascii_lowercase();
    for prefix in ["planted-", "secret-"] {
        for (start, _) in text.match_indices(prefix) {
            let rest = &text[start..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
            into.insert(rest[..end].to_owned());
        }
    }
    let bytes = text.as_bytes();
    for window in bytes.windows(36) {
        if is_id(window) {
            into.insert(String::from_utf8_lossy(window).into_owned());
        }
    }
}

/// Whether it is an id, or looks like one.
fn is_id(window: &[u8]) -> bool {
    window.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

/// Whether a token is an id, and not a text.
pub(super) fn is_an_id(token: &str) -> bool {
    token.len() == 36 && is_id(token.as_bytes())
}
