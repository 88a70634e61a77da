//! Unicode, as far as names, addresses, mentions and searches need it: what a reader sees, and which texts look the
//! same to them. Every engine gets the results of this module, so all of them find the same.

use std::iter;

use icu_normalizer::{
    ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed,
    properties::CanonicalCombiningClassMapBorrowed,
};
use icu_properties::{
    CodePointMapData, CodePointMapDataBorrowed, CodePointSetData, CodePointSetDataBorrowed,
    props::{DefaultIgnorableCodePoint, ExtendedPictographic, GeneralCategory, GeneralCategoryGroup},
};

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
const IGNORABLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();
const CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::new();
const PICTOGRAPH: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<ExtendedPictographic>();

/// A text in one spelling for all that look the same (NFC, Unicode Standard Annex 15).
pub(crate) fn composed(text: &str) -> String {
    NFC.normalize(text).into_owned()
}

/// The same without differences of typography (NFKC): full-width letters, ligatures, superscripts.
pub(crate) fn plain(text: &str) -> String {
    NFKC.normalize(text).into_owned()
}

/// Whether a character is invisible even if the font has it: zero-width spaces and joiners, the soft hyphen, fillers,
/// marks of direction (`Default_Ignorable_Code_Point`).
pub(crate) fn is_ignorable(c: char) -> bool {
    IGNORABLE.contains(c)
}

/// Whether a reader sees the character.
pub(crate) fn is_visible(c: char) -> bool {
    // Unicode calls these two symbols, but they are blank: a pattern of Braille without dots, a note without a head.
    const BLANK: [char; 2] = ['\u{2800}', '\u{1d159}'];
    !c.is_whitespace() && !c.is_control() && !is_ignorable(c) && !BLANK.contains(&c)
}

/// Whether a character is part of a word: letters, digits, and the marks of scripts whose letters need them.
pub(crate) fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || GeneralCategoryGroup::Mark.contains(CATEGORY.get(c))
}

/// How a script separates words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With blanks between them.
    Word,
    /// By nothing, or with particles that follow a word without a blank; and pictographs, each of which is a word.
    Run,
}

/// The kind of a character of a word; `None` for one that separates words.
pub(crate) fn kind(c: char) -> Option<Kind> {
    let is_pictograph = || PICTOGRAPH.contains(c) || ('\u{1f1e6}'..='\u{1f1ff}').contains(&c);
    if !c.is_alphanumeric() && !SONANT.contains(&c) {
        return is_pictograph().then_some(Kind::Run);
    }
    let run = matches!(c,
        // Thai, Lao, Burmese, Khmer.
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        // Hangul: single letters, and syllables.
        | '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}'
        // Kana and Chinese characters.
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
    Some(if run { Kind::Run } else { Kind::Word })
}

/// A text as searches compare it: without regard to typography (NFKC), case, and marks on letters. Latin letters that
/// Unicode does not decompose, such as ł and ø, become the ones that people type where a keyboard lacks them.
///
/// It keeps apart: ä and ae, digits of different scripts, Chinese characters in their simplified and traditional forms,
/// hiragana and katakana.
pub(crate) fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    let letters =
        NFKD.normalize_iter(text.chars()).filter(|c| !is_left_out(*c)).flat_map(lower).flat_map(latin);
    // Syllables of Hangul and kana with their marks become characters again.
    NFC.normalize_iter(letters)
}

/// The sonant marks of kana, which turn one letter into another.
const SONANT: [char; 2] = ['\u{3099}', '\u{309a}'];

/// Marks on letters, invisible characters, and the modifiers that colour a pictograph.
fn is_left_out(c: char) -> bool {
    const CLASSES: CanonicalCombiningClassMapBorrowed<'static> = CanonicalCombiningClassMapBorrowed::new();
    is_ignorable(c)
        || ('\u{1f3fb}'..='\u{1f3ff}').contains(&c)
        || (CLASSES.get_u8(c) != 0 && !SONANT.contains(&c))
}

/// The lower case, with the two forms of σ as one.
fn lower(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().map(|c| if c == 'ς' { 'σ' } else { c })
}

/// A Latin letter that does not decompose, as CLDR's transform Latin-ASCII writes it.
fn latin(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'ß' => ('s', Some('s')),
        'þ' => ('t', Some('h')),
        'ⱥ' => ('a', None),
        'ƀ' | 'ɓ' | 'ƃ' => ('b', None),
        'ƈ' | 'ȼ' => ('c', None),
        'đ' | 'ð' | 'ɖ' | 'ɗ' | 'ƌ' => ('d', None),
        'ə' | 'ɛ' | 'ɇ' => ('e', None),
        'ƒ' => ('f', None),
        'ǥ' | 'ɠ' => ('g', None),
        'ħ' => ('h', None),
        'ı' | 'ɨ' | 'ɩ' => ('i', None),
        'ɉ' => ('j', None),
        'ƙ' => ('k', None),
        'ł' | 'ƚ' => ('l', None),
        'ŋ' | 'ɲ' | 'ƞ' => ('n', None),
        'ø' | 'ɔ' | 'ɵ' => ('o', None),
        'ƥ' => ('p', None),
        'ĸ' => ('q', None),
        'ɍ' => ('r', None),
        'ŧ' | 'ƫ' | 'ƭ' | 'ʈ' | 'ⱦ' => ('t', None),
        'ʉ' => ('u', None),
        'ʋ' => ('v', None),
        'ƴ' | 'ɏ' => ('y', None),
        'ƶ' => ('z', None),
        other => (other, None),
    };
    iter::once(first).chain(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_to_the_eye_is_no_visible_character() {
        for c in "\u{200b}\u{2060}\u{feff}\u{ad}\u{3164}\u{2800}\u{1d159}\u{115f}\u{ffa0}\u{202e}\u{e0041} \u{3000}\t".chars() {
            assert!(!is_visible(c), "{c:?}");
        }
        for c in "a.\u{301}🚀字ㄱ\u{e000}".chars() {
            assert!(is_visible(c), "{c:?}");
        }
    }

    #[test]
    fn what_looks_the_same_is_the_same() {
        let folded = |text: &str| super::folded(text).collect::<String>();
        for (text, expected) in [
            ("Łódź Øresund Đặng ŁÓDŹ", "lodz oresund dang lodz"),
            ("Æther Œuvre Þór Straße ẞ", "aether oeuvre thor strasse ss"),
            ("ＡＢＣ１２ ﬁn x²", "abc12 fin x2"),
            ("ｶﾞｷﾞ", "ガギ"),
            ("한글", "한글"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("👍🏽 👨\u{200d}👩", "👍 👨👩"),
            ("ΟΔΟΣ οδός", "οδοσ οδοσ"),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
        assert_eq!(composed("jose\u{301}"), "josé");
        assert_eq!(plain("＠ｌｉ"), "@li");
    }
}
