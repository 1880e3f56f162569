//! How long a text is, as the channel sees it.

pub(crate) mod sms;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

/// What a channel calls one character.
///
/// Every rule counts the text in Unicode Normalization Form C (UAX #15), so that a composed and a decomposed "é" count
/// the same. The promise holds at the channel only if the border hands over [`normalize`](crate::normalize)d text.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Counting {
    /// User-perceived characters: extended grapheme clusters (UAX #29). A family emoji, a flag, a letter with its
    /// accents and a Chinese character are one each.
    ///
    /// For channels that are our own, where a limit protects a reader.
    Graphemes,
    /// Unicode code points. A flag is two, a family of four joined by ZWJ is seven.
    ///
    /// What JSON Schema's `maxLength` and most databases count.
    CodePoints,
    /// Code points, those of East Asian Width Wide or Fullwidth (UAX #11) counted as two.
    ///
    /// For ad networks that give Chinese, Japanese and Korean half the characters. They check each character by
    /// itself, so a joined emoji costs the sum of its parts and a combining mark costs one. Never less than
    /// [`CodePoints`](Counting::CodePoints).
    DoubleWidth,
    /// UTF-16 code units: two for each code point above U+FFFF, as in most emoji.
    ///
    /// What JavaScript's `length` counts, and so many web forms.
    Utf16,
    /// The weights of twitter-text's configuration version 3: an emoji sequence counts two, the listed ranges (Latin,
    /// Greek, Cyrillic, Arabic, Hebrew, Indic scripts, Thai, Georgian, general punctuation) one, all else two.
    ///
    /// For X. A link counts as its own characters here, where X counts any link as 23.
    Weighted,
    /// Segments of a short message (3GPP TS 23.038, TS 23.040): one of 160 septets, or several of 153, while every
    /// character is in the GSM 7-bit alphabet, where `^{}\[~]|€` cost two; else one of 70 UTF-16 units, or several of
    /// 67. No character is split between two segments.
    ///
    /// One emoji, or one typographic quotation mark, puts the whole text under the smaller limit.
    SmsSegments,
}

impl Counting {
    /// The length of `text` under this rule. Zero for the empty text alone.
    ///
    /// ```
    /// use rules::Counting;
    ///
    /// let flag_and_tea = "🇨🇳茶";
    /// assert_eq!(Counting::Graphemes.count(flag_and_tea), 2);
    /// assert_eq!(Counting::CodePoints.count(flag_and_tea), 3);
    /// assert_eq!(Counting::DoubleWidth.count(flag_and_tea), 4);
    /// assert_eq!(Counting::Utf16.count(flag_and_tea), 5);
    /// assert_eq!(Counting::Weighted.count(flag_and_tea), 4);
    /// ```
    #[must_use]
    pub fn count(self, text: &str) -> usize {
        match self {
            Self::Graphemes => text.nfc().collect::<String>().graphemes(true).count(),
            Self::CodePoints => text.nfc().count(),
            Self::DoubleWidth => text.nfc().map(columns).sum(),
            Self::Utf16 => text.nfc().map(char::len_utf16).sum(),
            Self::Weighted => text.nfc().collect::<String>().graphemes(true).map(weight).sum(),
            Self::SmsSegments => sms::segments(&text.nfc().collect::<Vec<_>>()),
        }
    }

    /// How many Latin letters a text of `limit` units may have.
    pub(crate) fn letters(self, limit: usize) -> usize {
        match self {
            Self::Graphemes | Self::CodePoints | Self::DoubleWidth | Self::Utf16 | Self::Weighted => limit,
            Self::SmsSegments => sms::letters(limit),
        }
    }

    /// What one unit is called in a message: "75 characters".
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Graphemes => "characters",
            Self::CodePoints => "code points",
            Self::DoubleWidth => "characters (wide ones count two)",
            Self::Utf16 => "UTF-16 units",
            Self::Weighted => "weighted characters",
            Self::SmsSegments => "segments",
        }
    }

    /// What happens to a text above its soft limit.
    pub(crate) fn consequence(self) -> &'static str {
        if self == Self::SmsSegments { "each is paid for" } else { "it may be cut" }
    }
}

/// One or two. Marks of no width count one: a network that checks every character sees them.
fn columns(c: char) -> usize {
    if c.width() == Some(2) { 2 } else { 1 }
}

/// The weight of one grapheme cluster, by twitter-text's configuration version 3 (`defaultWeight` 200, `scale` 100,
/// `emojiParsingEnabled`).
fn weight(cluster: &str) -> usize {
    if is_emoji_sequence(cluster) { 2 } else { cluster.chars().map(code_point_weight).sum() }
}

fn code_point_weight(c: char) -> usize {
    match c {
        '\u{0}'..='\u{10FF}'
        | '\u{2000}'..='\u{200D}'
        | '\u{2010}'..='\u{201F}'
        | '\u{2032}'..='\u{2037}' => 1,
        _ => 2,
    }
}

/// Whether a cluster of several code points is drawn as one emoji.
///
/// Emoji of a single code point need no answer: all that are emoji by default lie outside the light ranges and weigh
/// two anyway.
fn is_emoji_sequence(cluster: &str) -> bool {
    let mut chars = cluster.chars();
    match (chars.next(), chars.next()) {
        (Some('0'..='9' | '#' | '*'), Some(_)) => cluster.ends_with('\u{20E3}'),
        (Some(base), Some(next)) => may_be_emoji(base) && is_emoji_joint(next),
        _ => false,
    }
}

/// The blocks that hold the bases of emoji (UTS #51, `emoji-data.txt`); wider than the property, which is harmless
/// because an [emoji joint](is_emoji_joint) must follow.
fn may_be_emoji(base: char) -> bool {
    matches!(base,
        '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{3030}' | '\u{303D}'
        | '\u{2190}'..='\u{21FF}' | '\u{2300}'..='\u{23FF}' | '\u{2460}'..='\u{24FF}' | '\u{25A0}'..='\u{27BF}'
        | '\u{2900}'..='\u{297F}' | '\u{2B00}'..='\u{2BFF}' | '\u{3297}' | '\u{3299}' | '\u{1F000}'..='\u{1FBFF}')
}

/// What binds an emoji to what follows: ZWJ, emoji presentation, a skin tone, the second half of a flag, a tag.
fn is_emoji_joint(next: char) -> bool {
    matches!(next,
        '\u{200D}' | '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}' | '\u{1F1E6}'..='\u{1F1FF}' | '\u{E0020}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sentence, text, then graphemes, code points, double width, UTF-16, weighted.
    type Row = (&'static str, &'static str, [usize; 5]);

    const ROWS: &[Row] = &[
        ("nothing-counts-nothing", "", [0, 0, 0, 0, 0]),
        ("latin-counts-one-by-every-rule", "Shop now", [8, 8, 8, 8, 8]),
        ("chinese-is-wide-and-heavy", "云翼咖啡", [4, 4, 8, 4, 8]),
        ("chinese-beyond-the-first-plane-is-one-character-and-two-units", "𠮷", [1, 1, 2, 2, 2]),
        ("full-width-latin-is-wide", "ＡＢ", [2, 2, 4, 2, 4]),
        ("half-width-katakana-is-narrow", "ｶﾞ", [1, 2, 2, 2, 4]),
        ("hangul-syllables-are-wide", "무료", [2, 2, 4, 2, 4]),
        ("hangul-letters-count-as-their-syllable", "\u{1106}\u{116E}\u{1105}\u{116D}", [2, 2, 4, 2, 4]),
        ("composed-accents-count-one", "caf\u{E9}", [4, 4, 4, 4, 4]),
        ("decomposed-accents-count-as-composed-ones", "cafe\u{301}", [4, 4, 4, 4, 4]),
        ("a-mark-that-composes-with-nothing-is-its-own-code-point", "x\u{304}", [1, 2, 2, 2, 2]),
        ("a-plain-emoji-is-one-character", "👾", [1, 1, 2, 2, 2]),
        ("a-skin-tone-belongs-to-its-emoji", "🙋🏽", [1, 2, 4, 4, 2]),
        ("a-skin-tone-belongs-to-an-old-emoji-too", "☝🏽", [1, 2, 3, 3, 2]),
        ("a-family-joined-by-zwj-is-one-character", "👨‍👩‍👧‍👦", [1, 7, 11, 11, 2]),
        ("a-flag-is-one-character", "🇩🇪", [1, 2, 2, 4, 2]),
        ("two-flags-are-two-characters", "🇩🇪🇨🇳", [2, 4, 4, 8, 4]),
        (
            "a-flag-of-tags-is-one-character",
            "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
            [1, 7, 8, 14, 2],
        ),
        ("a-heart-with-emoji-presentation-is-one-character", "❤\u{FE0F}", [1, 2, 2, 2, 2]),
        ("a-keycap-is-one-character", "1\u{FE0F}\u{20E3}", [1, 3, 3, 3, 2]),
        ("a-joined-emoji-without-presentation-selectors-is-one-character", "⛹\u{200D}♀", [1, 3, 3, 3, 2]),
        ("a-conjunct-joined-by-zwj-is-no-emoji", "क\u{94D}\u{200D}ष", [1, 4, 4, 4, 4]),
        ("thai-vowels-and-tones-stand-on-their-consonant", "ที่นี่", [2, 6, 6, 6, 6]),
        ("typographic-dashes-and-quotes-weigh-one", "“a–b”", [5, 5, 5, 5, 5]),
        ("the-euro-sign-weighs-two", "€9", [2, 2, 2, 2, 3]),
    ];

    #[test]
    fn every_rule_counts_as_its_table_says() {
        use Counting::{CodePoints, DoubleWidth, Graphemes, Utf16, Weighted};
        for (sentence, text, expected) in ROWS {
            let counted = [Graphemes, CodePoints, DoubleWidth, Utf16, Weighted].map(|rule| rule.count(text));
            assert_eq!(counted, *expected, "{sentence}");
        }
    }
}
