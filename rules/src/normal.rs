//! The forms in which texts are compared.

use unicode_normalization::UnicodeNormalization;

/// The text in Unicode Normalization Form C (UAX #15): how copy is counted, and how a border hands it over.
///
/// Idempotent. It changes nothing that a reader could see.
#[must_use]
pub fn normalize(text: &str) -> String {
    text.nfc().collect()
}

/// The text as the matchers read it: what looks or reads the same becomes the same.
///
/// - Compatibility forms (NFKC, UAX #15): full-width Latin, half-width katakana, ligatures, mathematical letters.
/// - Case, by mapping each character down, up and down again, which gives "ss" for "ß" and one sigma. All four Turkish
///   letters i become one, because a matcher does not know the language.
/// - [Invisible](is_invisible) characters vanish, so that a soft hyphen or a zero-width space cannot hide a word.
/// - Dashes become `-`, apostrophes `'`, quotation marks `"`: people type one and models write the other.
/// - A run of white space becomes one space; none at the ends.
///
/// Accents stay: "café" is not "cafe". Letters of different scripts that look alike stay different. Idempotent.
///
/// ```
/// assert_eq!(rules::fold(" ＣＨ\u{AD}ＥＡＰ \n Straße "), "cheap strasse");
/// ```
#[must_use]
pub fn fold(text: &str) -> String {
    // Decomposed first, so that what hides inside a composed character is folded too; see D146 in chapter 3.13 of the
    // Unicode Standard. Invisible characters go before and after, since some appear only by decomposition.
    let letters =
        visible(text).nfkd().filter(|c| !is_invisible(*c)).flat_map(fold_case).map(plain_punctuation);
    let folded: String = without_dot(letters).nfkc().collect();
    collapse_space(&folded)
}

/// Whether a character leaves no mark on the screen by itself: Default_Ignorable_Code_Point
/// (`DerivedCoreProperties.txt`), which holds the soft hyphen, zero-width space and joiners, direction marks, variation
/// selectors and tags.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// The characters of a text without the [invisible](is_invisible) ones.
pub(crate) fn visible(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !is_invisible(*c))
}

/// The standard library has no case folding; down, up and down again comes to the same but for the dotless i, which
/// this road folds as well.
fn fold_case(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

fn plain_punctuation(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}'..='\u{201B}' | '\u{2BC}' | '\u{2032}' => '\'',
        '\u{201C}'..='\u{201F}' | '\u{AB}' | '\u{BB}' | '\u{2033}' => '"',
        // A braille pattern without dots: blank on every screen.
        '\u{2800}' => ' ',
        other => other,
    }
}

/// Drops the dot above an i, which "İ" leaves behind when it becomes small.
fn without_dot(letters: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut before = None;
    letters.filter(move |c| {
        let drop = *c == '\u{307}' && before == Some('i');
        if !drop {
            before = Some(*c);
        }
        !drop
    })
}

fn collapse_space(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDS: &[(&str, &str, &str)] = &[
        ("full-width-letters-are-letters", "Ｃｈｅａｐ", "cheap"),
        ("half-width-katakana-is-katakana", "ﾊﾞｰｹﾞﾝ", "バーゲン"),
        ("mathematical-letters-are-letters", "𝐜𝐡𝐞𝐚𝐩", "cheap"),
        ("ligatures-are-taken-apart", "ﬁne", "fine"),
        ("sharp-s-is-two", "STRAẞE Straße", "strasse strasse"),
        ("there-is-one-sigma", "ΣΊΣΥΦΟΣ Σίσυφος", "σίσυφοσ σίσυφοσ"),
        ("there-is-one-i", "İNDİRİM ındırım", "indirim indirim"),
        ("accents-stay", "CAFÉ", "café"),
        ("decomposed-is-composed", "cafe\u{301}", "café"),
        ("soft-hyphens-vanish", "chea\u{AD}p", "cheap"),
        ("zero-width-space-vanishes", "ch\u{200B}eap\u{FEFF}", "cheap"),
        ("an-invisible-between-letter-and-mark-vanishes", "cafe\u{200B}\u{301}", "café"),
        ("no-break-space-is-space", "free\u{A0}\u{2003}\n\treturns ", "free returns"),
        ("a-blank-braille-pattern-is-space", "free\u{2800}returns", "free returns"),
        ("curly-is-straight", "don’t “go” low–key", "don't \"go\" low-key"),
    ];

    #[test]
    fn folds_as_its_table_says() {
        for (sentence, text, expected) in FOLDS {
            assert_eq!(fold(text), *expected, "{sentence}");
        }
    }

    #[test]
    fn folding_a_folded_character_changes_nothing() {
        // Beyond these planes nothing has a case or a decomposition but the ideographs at the end of the second.
        let chars = ('\0'..='\u{1FFFF}').chain('\u{2F800}'..='\u{2FFFF}').chain('\u{E0000}'..='\u{E0FFF}');
        for c in chars {
            let once = fold(&c.to_string());
            assert_eq!(fold(&once), once, "U+{:04X}", u32::from(c));
        }
    }
}
