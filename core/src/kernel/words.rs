//! Text search: what a word is, and when a text matches. All of that is decided here and not by a database, so that
//! every engine finds the same; the engines index the words that this module makes.
//!
//! A text is split into words, runs of letters and digits, after `unicode::folded` has removed the differences that
//! readers ignore. A text matches if each word of the search is the beginning of one of its words. Scripts without
//! blanks between words are searched by pairs of characters instead, at any place; so are pictographs.

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::kernel::{
    decode::{Fault, FaultCode, Scalar},
    limits,
    sql::Value,
    unicode::{self, Kind},
    values::string,
};

/// A search: at least one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search(Vec<String>);

impl Search {
    /// The words, each to be found as the beginning of a word, with blanks between. Texts with the same words are the
    /// same search.
    pub(crate) fn words(&self) -> String {
        self.0.join(" ")
    }
}

impl Scalar for Search {
    fn from_value(value: Json) -> Result<Self, Fault> {
        let text = string(value)?;
        if text.chars().count() > limits::SEARCH {
            let detail = format!("Expected at most {} characters.", limits::SEARCH);
            return Err(Fault::new(FaultCode::TooLong, detail));
        }
        let pieces = pieces(&text);
        if pieces.is_empty() {
            return Err(Fault::new(FaultCode::Characters, "Expected at least one letter, digit or emoji."));
        }
        if pieces.len() > limits::SEARCH_WORDS {
            let detail = format!("Expected at most {} words.", limits::SEARCH_WORDS);
            return Err(Fault::new(FaultCode::TooLong, detail));
        }
        Ok(Self(terms(&pieces, false)))
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for Search {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Search".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "minLength": 1, "maxLength": limits::SEARCH,
            "description": format!(
                "The words to look for: one to {} runs of letters and digits. Everything else separates words. A text is \
                 found if each of them begins one of its words. Case, accents and typography do not matter: `lodz` finds \
                 Łódź. Chinese, Japanese, Korean, Thai and emoji are found anywhere in a text, by pairs of characters.",
                limits::SEARCH_WORDS
            )
        })
    }
}

/// The words of a text as they go into the index: each once, with blanks between.
pub(crate) fn index(text: &str) -> Value {
    words(text).into()
}

/// The words of a name for the index: in their order and with repetitions, because lists are sorted by them, too.
pub(crate) fn index_name(text: &str) -> Value {
    all_terms(&pieces(text), true).collect::<Vec<_>>().join(" ").into()
}

/// The words of a text, as text.
pub(crate) fn words(text: &str) -> String {
    terms(&pieces(text), true).join(" ")
}

/// The terms of pieces in the index, or in a search: each once.
fn terms(pieces: &[Piece], indexed: bool) -> Vec<String> {
    let mut known = HashSet::new();
    all_terms(pieces, indexed).filter(|term| known.insert(term.clone())).collect()
}

fn all_terms(pieces: &[Piece], indexed: bool) -> impl Iterator<Item = String> {
    pieces.iter().flat_map(move |piece| piece.terms(indexed))
}

struct Piece {
    kind: Kind,
    text: Vec<char>,
}

impl Piece {
    /// Its terms in the index, or in a search. A run can be found from each of its characters on.
    fn terms(&self, indexed: bool) -> Vec<String> {
        match self.kind {
            Kind::Word => vec![self.text.iter().take(limits::SEARCH_WORD).collect()],
            Kind::Run => {
                let pairs = self.text.windows(2).map(|pair| pair.iter().collect());
                let last = self.text.last().filter(|_| indexed || self.text.len() == 1);
                pairs.chain(last.map(char::to_string)).collect()
            }
        }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut before = None;
    for c in unicode::folded(text) {
        let kind = unicode::kind(c);
        match (kind, pieces.last_mut()) {
            (None, _) => {}
            (Some(_), Some(piece)) if kind == before => piece.text.push(c),
            (Some(kind), _) => pieces.push(Piece { kind, text: vec![c] }),
        }
        before = kind;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexed(text: &str) -> String {
        terms(&pieces(text), true).join(" ")
    }

    fn sought(text: &str) -> Result<String, FaultCode> {
        Search::from_value(text.into()).map(|search| search.words()).map_err(|fault| fault.code)
    }

    #[test]
    fn words_are_without_case_and_marks() {
        for (text, words) in [
            ("Größe GROSSE ẞ", "grosse ss"),
            ("Cafe\u{301} Café CAFÉ", "cafe"),
            ("İstanbul ISTANBUL ıstanbul", "istanbul"),
            ("Οδυσσεύς ΟΔΥΣΣΕΎΣ", "οδυσσευσ"),
            ("Ёлка ЕЛКА", "елка"),
            ("l’été e-mail v2.10 a_b", "l ete e mail v2 10 a b"),
            ("a\u{ad}b c\u{200d}d", "ab cd"),
            ("शक्ति", "शकति"),
            ("שָׁלוֹם", "שלום"),
            (" --- \0 *", ""),
        ] {
            assert_eq!(indexed(text), words, "{text}");
        }
    }

    #[test]
    fn scripts_without_blanks_are_found_by_pairs() {
        assert_eq!(indexed("東京都"), "東京 京都 都");
        assert_eq!(sought("東京都").as_deref(), Ok("東京 京都"));
        assert_eq!(sought("京").as_deref(), Ok("京"));
        assert_eq!(indexed("iPhone用"), "iphone 用");
        assert_eq!(indexed("프로젝트"), "프로 로젝 젝트 트");
        assert_eq!(indexed("go🚀"), "go 🚀");
        assert_eq!(sought("🚀\u{fe0f}").as_deref(), Ok("🚀"));
        // Composed and decomposed are the same; with the sonant mark it is another letter.
        assert_eq!(indexed("ガ"), indexed("カ\u{3099}"));
        assert_ne!(indexed("ガ"), indexed("カ"));
    }

    #[test]
    fn what_is_looked_for_is_bounded() {
        let words = |count: usize| vec!["a"; count].join(" ");
        for (text, wanted) in [
            (String::new(), Err(FaultCode::Characters)),
            ("\" * - & | ! ' : ( ) \0".to_owned(), Err(FaultCode::Characters)),
            ("\u{301}".to_owned(), Err(FaultCode::Characters)),
            ("é".repeat(limits::SEARCH), Ok("e".repeat(limits::SEARCH_WORD))),
            ("x".repeat(limits::SEARCH + 1), Err(FaultCode::TooLong)),
            (words(limits::SEARCH_WORDS), Ok("a".to_owned())),
            (words(limits::SEARCH_WORDS + 1), Err(FaultCode::TooLong)),
            ("\"x\" OR NEAR(y) NOT z*".to_owned(), Ok("x or near y not z".to_owned())),
        ] {
            assert_eq!(sought(&text), wanted, "{text}");
        }
    }

    /// Postgres takes no more than 1 MB of words for a row.
    #[test]
    fn no_text_has_too_many_words() {
        let all = (1..0x3_0000).filter_map(char::from_u32).step_by(7);
        let expanding = (0x3300..0x33ff).chain(0xfd00..0xfdff).filter_map(char::from_u32);
        for text in [
            all.take(limits::DESCRIPTION).collect::<String>(),
            expanding.cycle().take(limits::DESCRIPTION).collect(),
        ] {
            let Value::Text(Some(words)) = index(&text) else { panic!("a text") };
            assert!(words.len() < 400_000, "{}", words.len());
        }
    }
}
