//! Rules of style that a channel sets, as checks with a name each. A format's file says which of them hold.
//!
//! Most are Google's (support.google.com/adspolicy: answers 14847994 on punctuation and symbols, 14848295 on
//! capitalization, 14848297 on style and spelling, 14848500 on spacing; and the older answer/adwordspolicy/176095,
//! whose examples the newer pages keep). Google lets a brand ask for an exception, which a brand may write
//! into its file; a check is hard only where what it looks for is plain, and an acronym or a coupon code does not look
//! like it.

mod capitals;
mod marks;
mod phone;
mod signs;
mod wording;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use crate::counting::sms;
use crate::{Exceptions, Severity, fold};

/// The most characters of a text that a message quotes.
const EXCERPT: usize = 24;

/// The longest line of a mail in octets, without its end: RFC 5322 section 2.1.1.
const MAIL_LINE: usize = 998;

/// A rule of style. The order is that in which findings are reported.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Editorial {
    /// `!!`, `?!`, `$$$`: the same kind of mark twice in a row. An ellipsis is one mark, so is the long dash of Chinese.
    RepeatedPunctuation,
    /// An exclamation mark; for slots that are headlines.
    ExclamationInHeadline,
    /// More than one exclamation mark in a text.
    ManyExclamations,
    /// `FREE`, `BUY NOW`: an everyday word in capitals, or a whole text in capitals. Names and acronyms are no everyday
    /// words, and what follows the word "code" or stands in quotation marks is a coupon.
    ShoutingCapitals,
    /// `FlOwErS`: capitals that change from letter to letter.
    AlternatingCapitals,
    /// `F.L.O.W.E.R.S`, `f l o w e r s`: one word, letter by letter.
    SpacedLetters,
    /// `fl0wers`, `s@le`: a digit or sign in place of a letter of an everyday word.
    LetterStandIn,
    /// A telephone number, or a vanity number.
    PhoneNumber,
    /// "Click here" and its like, which could stand in any ad.
    ClickHere,
    /// Bullets, stars, arrows, boxes, letters in circles: characters that decorate.
    DecorativeSymbols,
    /// Emoji of any kind.
    Emoji,
    /// Single-byte katakana.
    HalfWidthKatakana,
    /// An asterisk that neither follows a number of stars nor points to conditions.
    StrayAsterisk,
    /// The same word three times in a row.
    RepeatedWord,
    /// `Sale,buy`: no space behind a comma.
    MissingSpace,
    /// Two spaces in a row, a space before a comma or a full stop, or a space at an end.
    ExtraSpace,
    /// A full stop, comma or colon at the end; for slots that are shown as a title.
    FinalPunctuation,
    /// A line of a mail of more than 998 bytes, which only a transfer encoding lets through (RFC 5322 section 2.1.1).
    LongLine,
    /// A few characters that are not in the GSM 7-bit alphabet, in a text that else is: they cut the room of a short
    /// message from 160 to 70.
    CostlyCharacter,
}

impl Editorial {
    /// Every check, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.check)
    }

    /// A fixed word for labels and counts, and what a format's file writes.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What follows from a finding.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.row().severity
    }

    /// What is wrong, as the predicate of a sentence whose subject is the slot.
    #[must_use]
    pub fn finding(self) -> &'static str {
        self.row().finding
    }

    /// What the author can do.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        self.row().remedy
    }

    /// The beginning of the first place in `text` that breaks the rule.
    #[must_use]
    pub fn find(self, text: &str) -> Option<String> {
        self.find_beside(&Exceptions::default(), text)
    }

    /// The same, names apart that are excepted from this rule.
    pub(crate) fn find_beside(self, exceptions: &Exceptions, text: &str) -> Option<String> {
        let at = (self.row().find)(&exceptions.hide(self, text))?;
        // Inside of a hidden name, where a place need not be one of a character.
        let at = text.floor_char_boundary(at);
        Some(text[at..].chars().take(EXCERPT).collect())
    }

    fn row(self) -> &'static Row {
        // The order of the table is that of the enum, which a test proves.
        &ROWS[self as usize]
    }
}

/// All that is known of a check.
struct Row {
    check: Editorial,
    name: &'static str,
    severity: Severity,
    /// The predicate of a sentence whose subject is the slot.
    finding: &'static str,
    remedy: &'static str,
    /// The byte at which the first place begins.
    find: fn(&str) -> Option<usize>,
}

/// A row for each check, in order.
const ROWS: [Row; 19] = [
    Row {
        check: Editorial::RepeatedPunctuation,
        name: "RepeatedPunctuation",
        severity: Severity::Hard,
        finding: "repeats punctuation",
        remedy: "use one mark",
        find: marks::repeated,
    },
    Row {
        check: Editorial::ExclamationInHeadline,
        name: "ExclamationInHeadline",
        severity: Severity::Hard,
        finding: "has an exclamation mark, which no headline may have",
        remedy: "leave it out",
        find: marks::exclamation,
    },
    Row {
        check: Editorial::ManyExclamations,
        name: "ManyExclamations",
        severity: Severity::Hard,
        finding: "has a second exclamation mark",
        remedy: "keep one at most",
        find: marks::second_exclamation,
    },
    Row {
        check: Editorial::ShoutingCapitals,
        name: "ShoutingCapitals",
        severity: Severity::Hard,
        finding: "shouts in capitals",
        remedy: "write words small; capitals are for names, acronyms and coupon codes",
        find: capitals::shouting,
    },
    Row {
        check: Editorial::AlternatingCapitals,
        name: "AlternatingCapitals",
        severity: Severity::Hard,
        finding: "changes between small letters and capitals",
        remedy: "write the word as a dictionary does",
        find: capitals::alternating,
    },
    Row {
        check: Editorial::SpacedLetters,
        name: "SpacedLetters",
        severity: Severity::Soft,
        finding: "spells a word letter by letter",
        remedy: "write it as one word",
        find: wording::spaced_letters,
    },
    Row {
        check: Editorial::LetterStandIn,
        name: "LetterStandIn",
        severity: Severity::Hard,
        finding: "has a digit or sign in place of a letter",
        remedy: "write the letter",
        find: wording::stand_in,
    },
    Row {
        check: Editorial::PhoneNumber,
        name: "PhoneNumber",
        severity: Severity::Hard,
        finding: "has a telephone number",
        remedy: "leave it out, and use what the channel has for calls",
        find: phone::number,
    },
    Row {
        check: Editorial::ClickHere,
        name: "ClickHere",
        severity: Severity::Hard,
        finding: "has a call to action that fits any ad",
        remedy: "say what the reader gets",
        find: wording::click_here,
    },
    Row {
        check: Editorial::DecorativeSymbols,
        name: "DecorativeSymbols",
        severity: Severity::Hard,
        finding: "has a symbol that decorates",
        remedy: "leave it out, or say it in words",
        find: signs::decoration,
    },
    Row {
        check: Editorial::Emoji,
        name: "Emoji",
        severity: Severity::Hard,
        finding: "has an emoji",
        remedy: "leave it out, or say it in words",
        find: signs::emoji,
    },
    Row {
        check: Editorial::HalfWidthKatakana,
        name: "HalfWidthKatakana",
        severity: Severity::Hard,
        finding: "has half-width katakana",
        remedy: "write full-width katakana",
        find: signs::half_width_katakana,
    },
    Row {
        check: Editorial::StrayAsterisk,
        name: "StrayAsterisk",
        severity: Severity::Soft,
        finding: "has an asterisk that is neither a star rating nor a mark for conditions",
        remedy: "leave it out",
        find: marks::stray_asterisk,
    },
    Row {
        check: Editorial::RepeatedWord,
        name: "RepeatedWord",
        severity: Severity::Soft,
        finding: "says the same word three times in a row",
        remedy: "say it once",
        find: wording::repeated_word,
    },
    Row {
        check: Editorial::MissingSpace,
        name: "MissingSpace",
        severity: Severity::Soft,
        finding: "lacks a space behind a punctuation mark",
        remedy: "put one there",
        find: marks::missing_space,
    },
    Row {
        check: Editorial::ExtraSpace,
        name: "ExtraSpace",
        severity: Severity::Soft,
        finding: "has a space too many",
        remedy: "take it out",
        find: marks::extra_space,
    },
    Row {
        check: Editorial::FinalPunctuation,
        name: "FinalPunctuation",
        severity: Severity::Soft,
        finding: "ends with a punctuation mark, though it is shown as a title",
        remedy: "leave it out",
        find: marks::final_punctuation,
    },
    Row {
        check: Editorial::LongLine,
        name: "LongLine",
        severity: Severity::Soft,
        finding: "has a line of more than 998 bytes, which mail allows only in a transfer encoding",
        remedy: "break the line, or see that the sender encodes it",
        find: long_line,
    },
    Row {
        check: Editorial::CostlyCharacter,
        name: "CostlyCharacter",
        severity: Severity::Soft,
        finding: "has a character that cuts a segment from 160 characters to 70",
        remedy: "write another one",
        find: costly_character,
    },
];

/// The last few words of a text, folded: enough to see what leads to what stands behind it, however long the text is.
fn lead(text: &str) -> String {
    const CHARACTERS: usize = 40;
    let start = text.char_indices().rev().take(CHARACTERS).last().map_or(text.len(), |(at, _)| at);
    fold(&text[start..])
}

fn long_line(text: &str) -> Option<usize> {
    let line = text.split('\n').find(|line| line.len() > MAIL_LINE)?;
    Some(line.as_ptr() as usize - text.as_ptr() as usize)
}

/// At most one character in ten; a text in another alphabet has no choice.
fn costly_character(text: &str) -> Option<usize> {
    let normal: Vec<char> = text.nfc().collect();
    let costly: Vec<char> = normal.iter().copied().filter(|c| !sms::is_gsm(*c)).collect();
    let first = *costly.first()?;
    (costly.len() * 10 <= normal.len()).then(|| text.find(first).unwrap_or(0))
}

#[cfg(test)]
mod tests;
