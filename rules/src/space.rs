//! The room of a slot in pixels: what fits where letters have a width.

mod font;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

pub use self::font::Font;
use crate::words::is_unspaced;

/// A box of a banner, and the letters that are set in it.
///
/// Rows are filled one word after the other, as a browser does without hyphenation. Widths are sums of advances:
/// kerning is left out, and since it nearly always draws letters together, the real row is hardly ever wider.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// The width of a row in pixels.
    pub width: usize,
    /// How many rows there are.
    pub rows: usize,
    /// The font.
    pub font: Font,
    /// Its size: pixels to the em.
    pub size: usize,
}

/// What a text needs of a [`Space`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fit {
    /// Rows, where a word that is wider than a row has one of its own.
    pub(crate) rows: usize,
    /// The first word that is wider than a row, and its width in pixels.
    pub(crate) too_wide: Option<(String, usize)>,
}

impl Space {
    /// The width of `text` in one row, in pixels, rounded up.
    ///
    /// ```
    /// use rules::{Font, Space};
    ///
    /// let space = Space { width: 276, rows: 2, font: Font::LiberationSans, size: 16 };
    /// assert_eq!(space.pixels("Shop now"), 72);
    /// ```
    #[must_use]
    pub fn pixels(&self, text: &str) -> usize {
        (self.units(text) * self.size).div_ceil(self.font.units_per_em())
    }

    /// Sets the text row by row.
    pub(crate) fn fit(&self, text: &str) -> Fit {
        let mut fit = Fit { rows: 0, too_wide: None };
        for paragraph in text.split('\n') {
            self.fill(paragraph, &mut fit);
        }
        fit
    }

    pub(crate) fn is_room(&self) -> bool {
        self.width > 0 && self.rows > 0 && self.size > 0
    }

    fn fill(&self, paragraph: &str, fit: &mut Fit) {
        let mut row = String::new();
        fit.rows += 1;
        for piece in pieces(paragraph) {
            if !row.is_empty() && self.pixels(format!("{row}{piece}").trim_end()) > self.width {
                fit.rows += 1;
                row.clear();
            }
            row.push_str(piece);
            let alone = self.pixels(piece.trim_end());
            if alone > self.width && fit.too_wide.is_none() {
                fit.too_wide = Some((piece.trim_end().to_owned(), alone));
            }
        }
    }

    fn units(&self, text: &str) -> usize {
        let text: String = text.nfc().collect();
        text.graphemes(true).map(|cluster| self.font.units(cluster)).sum()
    }
}

/// The parts between which a row may end: words with the space behind them, what a hyphen ends, and each character of
/// a script that puts no space between words. Closing punctuation stays with what it closes.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut before) = (0, None);
    for (at, c) in text.char_indices() {
        if before.is_some_and(|before| may_break(before, c)) {
            pieces.push(&text[start..at]);
            start = at;
        }
        before = Some(c);
    }
    pieces.push(&text[start..]);
    pieces
}

fn may_break(before: char, after: char) -> bool {
    let is_blank = |c: char| c.is_whitespace() && c != '\u{A0}' && c != '\u{202F}';
    if is_blank(after) {
        return false;
    }
    let is_free = |c: char| is_unspaced(c) && !is_thai_like(c);
    let closes = is_wide_closing(after) || after.is_ascii_punctuation();
    let between = (is_free(before) || is_free(after) || is_wide_closing(before)) && !closes && !opens(before);
    is_blank(before) || (before == '-' && after.is_alphabetic()) || between
}

/// Thai and its neighbors break between words too, but only a dictionary knows where.
fn is_thai_like(c: char) -> bool {
    matches!(c, '\u{E00}'..='\u{109F}' | '\u{1780}'..='\u{17FF}')
}

fn is_wide_closing(c: char) -> bool {
    "、。，．：；！？）」』】〕》〉…—’”ー々っゃゅょッャュョ".contains(c)
}

fn opens(c: char) -> bool {
    "（「『【〔《〈‘“([{".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty pixels to the em: an "i" has 4.44, a "W" 18.88, a Chinese character 20.
    const NARROW: Space = Space { width: 100, rows: 2, font: Font::LiberationSans, size: 20 };

    #[test]
    fn rows_are_filled_as_the_table_says() {
        for (sentence, text, rows) in [
            ("a-word-needs-a-row", "Trail", 1),
            ("narrow-letters-fit-where-wide-ones-do-not", "iiiiiiiiii iiiiiiiiii", 1),
            ("wide-letters-need-more", "WWWWW WWWWW", 2),
            ("a-row-ends-before-the-word-that-does-not-fit", "Light on the trail", 2),
            ("the-space-at-the-end-of-a-row-takes-no-room", "Light shoes ", 2),
            ("a-hyphen-ends-a-row", "Trail-Running", 2),
            ("a-line-feed-ends-a-row", "a\nb", 2),
            ("five-chinese-characters-fit", "轻盈跑鞋好", 1),
            ("chinese-breaks-anywhere", "轻盈跑鞋好越野", 2),
            ("a-closing-mark-does-not-begin-a-row", "轻盈跑鞋好，越野鞋", 2),
            ("a-no-break-space-holds", "Light\u{A0}shoes a", 2),
        ] {
            assert_eq!(NARROW.fit(text).rows, rows, "{sentence}");
        }
    }

    #[test]
    fn a_word_that_is_wider_than_a_row_is_named() {
        assert_eq!(NARROW.fit("Our Geländelaufschuhe").too_wide, Some(("Geländelaufschuhe".to_owned(), 173)));
        assert_eq!(NARROW.fit("轻盈跑鞋好越野").too_wide, None);
    }

    #[test]
    fn pieces_keep_all_of_the_text() {
        for text in ["", " a  b ", "轻盈，ab-c 跑鞋！", "(a) “轻”"] {
            assert_eq!(pieces(text).concat(), text);
        }
        assert_eq!(pieces("轻盈，ab-c 跑鞋！"), ["轻", "盈，", "ab-", "c ", "跑", "鞋！"]);
    }
}
