//! The mentions in a text.

use crate::kernel::{
    limits,
    unicode::{Kind, composed, is_of_word, kind, plain},
    values::{Email, UserId},
};

/// A mention in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mention {
    Id(UserId),
    /// The beginning of an address followed by `@`: a local part and its `@`, or likewise a whole address.
    Address(String),
}

/// The mentions in a text: `@` at the start or after a character that no name has, then an id, a local part or a whole
/// address. Both parts of an address extend as far as their characters (`atext` of RFC 5322, section 3.2.3, and letters
/// and digits), or as far as their script if one without blanks between words follows; after such a script an `@` needs
/// no blank either. Typing does not matter ([`plain`]), but accents do: they belong to another mailbox.
pub(super) fn mentions(text: &str) -> Vec<Mention> {
    let text = plain(text);
    let joins = |c: char| (is_of_word(c) && !is_run(c)) || matches!(c, '.' | '_' | '-' | '+' | '@');
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        if text[..at].chars().next_back().is_some_and(joins) {
            continue;
        }
        let Some(mention) = mention(&text[at + 1..]) else { continue };
        if !found.contains(&mention) && found.len() < limits::MENTIONS {
            found.push(mention);
        }
    }
    found
}

/// The mention at the beginning of a text.
fn mention(text: &str) -> Option<Mention> {
    let local = of_one_script(text, |c| c.is_ascii_punctuation() && !"()<>[]:;@\\,\"".contains(c));
    if let Some(behind) = text[local.len()..].strip_prefix('@') {
        let domain = of_one_script(behind, |c| matches!(c, '.' | '-')).trim_end_matches(['.', '-']);
        if let Ok(address) = Email::parse(&format!("{local}@{domain}")) {
            return Some(Mention::Address(format!("{}@", address.as_str())));
        }
    }
    // Punctuation at its end belongs to the sentence.
    let name = local.trim_end_matches(|c: char| c.is_ascii_punctuation());
    let name = name.strip_suffix("'s").unwrap_or(name);
    if name.is_empty() || name.len() > limits::EMAIL {
        return None;
    }
    let address = || Mention::Address(format!("{}@", composed(&name.to_lowercase())));
    Some(UserId::parse(name).map_or_else(address, Mention::Id))
}

/// The beginning of a text with only characters of words or joined ones, up to a script without blanks unless the text
/// is of that script itself.
fn of_one_script(text: &str, joined: fn(char) -> bool) -> &str {
    let runs = text.starts_with(is_run);
    let ends = |c: char| !(is_of_word(c) || joined(c)) || (is_run(c) && !runs);
    text.split(ends).next().unwrap_or_default()
}

fn is_run(c: char) -> bool {
    kind(c) == Some(Kind::Run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_local_parts_and_ids() {
        let local = |text: &str| Mention::Address(format!("{text}@"));
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
        for (text, expected) in [
            ("@bob@other.example.", vec![local("bob@other.example")]),
            ("@bob@ and @bob@@x", vec![local("bob")]),
            ("@k@M\u{fc}NCHEN.de, @k@xn--mnchen-3ya.de", vec![local("k@m\u{fc}nchen.de")]),
            ("请@li看一下", vec![local("li")]),
            ("@liさん", vec![local("li")]),
            ("안녕@bob님", vec![local("bob")]),
            ("＠ｌｉ", vec![local("li")]),
            ("请@li@acme.example看一下", vec![local("li@acme.example")]),
            ("@bob@acme.example님", vec![local("bob@acme.example")]),
            ("@x@例え.テスト", vec![local("x@例え.テスト")]),
            ("@शक्ति, @x@उदाहरण.परीक्षा", vec![local("शक्ति"), local("x@उदाहरण.परीक्षा")]),
            ("@李明 看一下", vec![local("李明")]),
            ("@jose\u{301} and @JOSÉ", vec![local("josé")]),
        ] {
            assert_eq!(mentions(text), expected, "{text}");
        }
        let id = "0196a2b4-0000-7000-8000-00000000000a";
        assert_eq!(mentions(&format!("@{id}!")), [Mention::Id(UserId::parse(id).unwrap())]);
        let many: String = (0..100).map(|n| format!("@u{n} ")).collect();
        assert_eq!(mentions(&many).len(), limits::MENTIONS);
    }
}
