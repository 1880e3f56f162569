//! How wide letters are. `rules/fonts/` holds the advance widths, and says where they are from.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use unicode_width::UnicodeWidthChar;

use crate::normal::is_invisible;

/// A font whose widths we know. Liberation Sans has the widths of Arial and of Helvetica, so it stands for both.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Font {
    /// Liberation Sans 2.1.5, regular.
    LiberationSans,
    /// Liberation Sans 2.1.5, bold.
    LiberationSansBold,
}

type Widths = BTreeMap<char, usize>;

static REGULAR: LazyLock<Widths> = LazyLock::new(|| parse(include_str!("../../fonts/liberation-sans.txt")));
static BOLD: LazyLock<Widths> = LazyLock::new(|| parse(include_str!("../../fonts/liberation-sans-bold.txt")));

impl Font {
    /// The units in which widths are given.
    pub(super) fn units_per_em(self) -> usize {
        2048
    }

    /// The width of one grapheme cluster.
    ///
    /// What the font lacks comes from another one: an em for Chinese, Japanese and Korean, which fill a square, and a
    /// quarter more for all else, as emoji need. So a text is rather taken for too wide than for too narrow.
    pub(super) fn units(self, cluster: &str) -> usize {
        let first = cluster.chars().next().filter(|c| !is_invisible(*c));
        match first {
            None => 0,
            Some(c) if self.widths().contains_key(&c) => cluster.chars().map(|c| self.advance(c)).sum(),
            Some(c) if c.width() == Some(2) && c < '\u{1F000}' => self.units_per_em(),
            Some(_) => self.units_per_em() * 5 / 4,
        }
    }

    /// Marks and invisible characters behind a letter take no room of their own.
    fn advance(self, c: char) -> usize {
        if is_invisible(c) { 0 } else { self.widths().get(&c).copied().unwrap_or(0) }
    }

    fn widths(self) -> &'static Widths {
        match self {
            Self::LiberationSans => &REGULAR,
            Self::LiberationSansBold => &BOLD,
        }
    }
}

/// Reads a file of `rules/fonts/`: a code point in hexadecimal, then widths from it on.
fn parse(file: &str) -> Widths {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(run).collect()
}

fn run(line: &str) -> impl Iterator<Item = (char, usize)> + use<'_> {
    let mut fields = line.split(' ');
    let first = fields.next().and_then(|field| u32::from_str_radix(field, 16).ok());
    let first = first.expect("a line begins with a code point, which a test proves");
    (first..).zip(fields).map(|(point, width)| {
        let c = char::from_u32(point).expect("the files hold characters only");
        (c, width.parse().expect("a width is a number"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_arial() {
        let width = |text: &str| Font::LiberationSans.units(text);
        // The em of Arial's published table (Adobe's Helvetica.afm, in thousandths: 278, 667, 222, 556, 944).
        for (c, thousandths) in [(" ", 278), ("A", 667), ("i", 222), ("0", 556), ("W", 944)] {
            let here = width(c) * 1000;
            assert!(here.abs_diff(thousandths * 2048) <= 1024, "{c}: {}", width(c));
        }
        assert!(Font::LiberationSansBold.units("i") > width("i"));
    }

    #[test]
    fn both_files_hold_the_letters_of_europe() {
        for font in [Font::LiberationSans, Font::LiberationSansBold] {
            for c in "AZaz09äöüßÄÖÜéèñçøåłśžőğıШжΩώ€£„“”’–—…·•™©ẵỗ".chars()
            {
                assert!(font.widths().contains_key(&c), "{font:?} lacks {c}");
            }
        }
    }

    #[test]
    fn what_the_font_lacks_has_the_width_of_another() {
        let width = |text: &str| Font::LiberationSans.units(text);
        assert_eq!((width("轻"), width("，"), width("무"), width("Ａ")), (2048, 2048, 2048, 2048));
        assert_eq!((width("👾"), width("👨‍👩‍👧‍👦"), width("🇩🇪")), (2560, 2560, 2560));
        assert_eq!((width("\u{200B}"), width("\u{AD}")), (0, 0));
        assert_eq!(width("x\u{304}"), width("x"));
    }
}
