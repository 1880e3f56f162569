//! A limit over all slots together: what a push service counts.

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use crate::check::MAX_TEXT_BYTES;
use crate::{AdCopy, Slot};

/// The largest message that a push service takes, in bytes of its JSON.
///
/// The message is `before`, one JSON object of the filled slots under their names, `after`; UTF-8, without white space,
/// nothing escaped but what RFC 8259 section 7 demands. A sender that writes `\u` escapes for letters makes it longer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Payload {
    /// The most bytes of the whole message.
    pub hard_limit: usize,
    /// The bytes that the sender's own fields may take: token, link, sound, image.
    pub reserve: usize,
    before: String,
    after: String,
}

impl Payload {
    /// The bytes of the message that `copy` makes, the reserve among them.
    pub(crate) fn count(&self, slots: &[Slot], copy: &AdCopy) -> usize {
        let filled = slots.iter().filter_map(|slot| copy.get_key_value(&slot.name));
        let members: Vec<usize> = filled.map(|(name, text)| quoted(name) + 1 + quoted(text)).collect();
        let object = 2 + members.iter().sum::<usize>() + members.len().saturating_sub(1);
        self.frame() + object
    }

    pub(crate) fn has_room(&self) -> bool {
        self.frame() + 2 < self.hard_limit
    }

    fn frame(&self) -> usize {
        self.before.len() + self.after.len() + self.reserve
    }
}

/// The bytes of a JSON string with its quotation marks. A text that is too large to be looked at is not normalized.
fn quoted(text: &str) -> usize {
    let letters: usize = if text.len() > MAX_TEXT_BYTES { text.len() } else { text.nfc().map(escaped).sum() };
    2 + letters
}

fn escaped(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{C}' => 2,
        '\0'..='\u{1F}' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_as_long_as_its_json() {
        for (sentence, text, bytes) in [
            ("nothing-is-two-quotation-marks", "", 2),
            ("latin-is-a-byte-each", "Shop", 6),
            ("chinese-is-three-bytes-each", "云翼", 8),
            ("an-emoji-is-four-bytes", "👾", 6),
            ("quotation-marks-and-backslashes-are-escaped", "\"a\"\\", 9),
            ("a-line-break-is-two-bytes", "a\nb", 6),
            ("other-controls-are-six-bytes", "\u{1}", 8),
            ("decomposed-counts-as-composed", "e\u{301}", 4),
        ] {
            assert_eq!(quoted(text), bytes, "{sentence}");
        }
    }
}
