//! Short messages: which alphabet carries a text, and in how many segments.
//!
//! 3GPP TS 23.038, sections 6.2.1 (GSM 7-bit default alphabet) and 6.2.1.1 (its extension table). TS 23.040, section
//! 9.2.3.24.1: a header of six bytes joins segments, which leaves 153 septets or 67 UTF-16 units of each. National
//! shift tables (Turkish, Spanish, Portuguese) are left out, since few senders use them.

/// Units of one message alone, and of each that is joined to others.
struct Room {
    single: usize,
    joined: usize,
}

const SEPTETS: Room = Room { single: 160, joined: 153 };
const UTF16_UNITS: Room = Room { single: 70, joined: 67 };

/// The segments of a text. None for the empty text.
pub(super) fn segments(text: &[char]) -> usize {
    let septets: Option<Vec<usize>> = text.iter().map(|c| septets(*c)).collect();
    match septets {
        Some(costs) => SEPTETS.segments(costs),
        None => UTF16_UNITS.segments(text.iter().map(|c| c.len_utf16()).collect()),
    }
}

/// The most letters of the GSM alphabet that fit.
pub(super) fn letters(segments: usize) -> usize {
    if segments == 1 { SEPTETS.single } else { SEPTETS.joined * segments }
}

/// Whether a character leaves a text in the GSM alphabet.
pub(crate) fn is_gsm(c: char) -> bool {
    septets(c).is_some()
}

/// What a character costs in the GSM alphabet: the extension table has an escape before each of its own.
fn septets(c: char) -> Option<usize> {
    match c {
        'A'..='Z' | 'a'..='z' | '0'..='9' | ' '..='?' | '\n' | '\r' | '@' | '_' => Some(1),
        '£' | '¥' | 'è' | 'é' | 'ù' | 'ì' | 'ò' | 'Ç' | 'Ø' | 'ø' | 'Å' | 'å' => Some(1),
        'Δ' | 'Φ' | 'Γ' | 'Λ' | 'Ω' | 'Π' | 'Ψ' | 'Σ' | 'Θ' | 'Ξ' | 'Æ' | 'æ' | 'ß' | 'É' => {
            Some(1)
        }
        '¤' | '¡' | 'Ä' | 'Ö' | 'Ñ' | 'Ü' | '§' | '¿' | 'ä' | 'ö' | 'ñ' | 'ü' | 'à' => Some(1),
        '\u{C}' | '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' | '€' => Some(2),
        _ => None,
    }
}

impl Room {
    fn segments(&self, costs: Vec<usize>) -> usize {
        let total: usize = costs.iter().sum();
        if total <= self.single { total.min(1) } else { self.joined_segments(costs) }
    }

    /// Fills segment after segment; a character that does not fit begins the next.
    fn joined_segments(&self, costs: Vec<usize>) -> usize {
        let (mut segments, mut used) = (1, 0);
        for cost in costs {
            if used + cost > self.joined {
                (segments, used) = (segments + 1, 0);
            }
            used += cost;
        }
        segments
    }
}

#[cfg(test)]
mod tests {
    use crate::Counting::SmsSegments;

    #[test]
    fn segments_are_as_the_table_says() {
        for (sentence, text, expected) in [
            ("nothing-needs-no-segment", String::new(), 0),
            ("a-letter-needs-one", "a".to_owned(), 1),
            ("160-letters-fit-one", "a".repeat(160), 1),
            ("161-letters-need-two", "a".repeat(161), 2),
            ("306-letters-fit-two", "a".repeat(306), 2),
            ("307-letters-need-three", "a".repeat(307), 3),
            ("german-letters-are-in-the-alphabet", "äöüßÄÖÜ§".repeat(20), 1),
            ("decomposed-letters-count-as-composed", "a\u{308}".repeat(160), 1),
            ("the-euro-sign-costs-two", "€".repeat(80), 1),
            ("a-euro-sign-too-many-needs-two", "€".repeat(81), 2),
            ("an-escape-is-not-split-from-its-sign", format!("{}€{}", "a".repeat(152), "a".repeat(152)), 3),
            ("70-chinese-characters-fit-one", "云".repeat(70), 1),
            ("71-chinese-characters-need-two", "云".repeat(71), 2),
            ("134-chinese-characters-fit-two", "云".repeat(134), 2),
            ("135-chinese-characters-need-three", "云".repeat(135), 3),
            ("one-emoji-makes-all-of-it-large", format!("{}👾", "a".repeat(68)), 1),
            ("one-emoji-and-69-letters-need-two", format!("{}👾", "a".repeat(69)), 2),
            ("an-emoji-is-not-split", format!("{}👾{}", "a".repeat(66), "a".repeat(66)), 3),
            ("a-cedilla-is-in-the-alphabet-as-a-capital-alone", "ç".repeat(71), 2),
        ] {
            assert_eq!(SmsSegments.count(&text), expected, "{sentence}");
        }
    }

    #[test]
    fn as_many_letters_as_promised_fit() {
        for segments in 1..6 {
            let letters = SmsSegments.letters(segments);
            assert_eq!(SmsSegments.count(&"a".repeat(letters)), segments);
            assert_eq!(SmsSegments.count(&"a".repeat(letters + 1)), segments + 1);
        }
    }
}
