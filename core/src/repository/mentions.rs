//! The mentions in a text: whom its author means.

use crate::{limits, values::UserId};

/// A mention in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mention {
    Id(UserId),
    /// The local part of an address, in lower case, and the `@`.
    LocalPart(String),
}

/// The mentions in a text: `@` at the start or after a character that no name has, then an id or a local part, as
/// far as its characters (`atext` of RFC 5322, section 3.2.3) go.
pub(super) fn mentions(text: &str) -> Vec<Mention> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@');
    let part = |c: char| c.is_alphanumeric() || (c.is_ascii_punctuation() && !"()<>[]:;@\\,\"".contains(c));
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        if text[..at].chars().next_back().is_some_and(plain) {
            continue;
        }
        let rest = &text[at + 1..];
        let name = rest.split(|c: char| !part(c)).next().unwrap_or_default();
        // What stands behind it belongs to the sentence.
        let name = name.trim_end_matches(|c: char| c.is_ascii_punctuation());
        let name = name.strip_suffix("'s").unwrap_or(name);
        if name.is_empty() || name.len() > limits::EMAIL {
            continue;
        }
        let mention = UserId::parse(name)
            .map_or_else(|| Mention::LocalPart(format!("{}@", name.to_lowercase())), Mention::Id);
        if !found.contains(&mention) && found.len() < limits::MENTIONS {
            found.push(mention);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_local_parts_and_ids() {
        let local = |text: &str| Mention::LocalPart(format!("{text}@"));
        assert_eq!(mentions("@ada, and @Grace.Hopper."), [local("ada"), local("grace.hopper")]);
        assert_eq!(
            mentions("mail ada@example.com or @@x @ada @ada (@bob+1)"),
            [local("ada"), local("bob+1")]
        );
        assert_eq!(mentions("@ @. no"), []);
        assert_eq!(
            mentions("@o'brien! *@ada's* '@bob', @x/y_ @d!e?"),
            [local("o'brien"), local("ada"), local("bob"), local("x/y"), local("d!e")]
        );
        let id = "0196a2b4-0000-7000-8000-00000000000a";
        assert_eq!(mentions(&format!("@{id}!")), [Mention::Id(UserId::parse(id).unwrap())]);
        let many: String = (0..100).map(|n| format!("@u{n} ")).collect();
        assert_eq!(mentions(&many).len(), limits::MENTIONS);
    }
}
