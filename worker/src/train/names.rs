//! Which product names are learned from, and which are kept to test with.

use sha2::{Digest, Sha256};

/// One part of a name in so many is kept out of training; see [`is_held_out`].
const HELD_OUT_ONE_IN: u8 = 8;

/// Which names a row may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Those to learn from: no part of them is held out.
    Training,
    /// Those to test with: at least one part of them never occurs in a name of the other kind.
    HeldOut,
}

impl Names {
    /// What a name of this kind is for, as an error says it.
    pub(super) fn purpose(self) -> &'static str {
        match self {
            Self::Training => "to learn from",
            Self::HeldOut => "to test with",
        }
    }
}

/// Whether a name is kept out of training: it has a part whose digest falls into the held-out eighth.
///
/// Parts are held out rather than whole names, so that a test name holds at least one that no training name has. A part
/// is a word, or two Chinese characters in a row. Words of three letters or fewer (`The`, `by`) stay, for every kind of
/// name needs them.
#[must_use]
pub fn is_held_out(name: &str) -> bool {
    let in_held_out = |part: &str| Sha256::digest(part.as_bytes())[0] % HELD_OUT_ONE_IN == 0;
    let mut words = name.split(|c: char| c.is_whitespace() || is_han(c));
    words.any(|word| word.chars().count() > 3 && in_held_out(word))
        || pairs_of_han(name).iter().any(|pair| in_held_out(pair))
}

fn pairs_of_han(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    let pairs = characters.windows(2).filter(|pair| pair.iter().all(|c| is_han(*c)));
    pairs.map(|pair| pair.iter().collect()).collect()
}

/// Whether a character is Chinese: one of the blocks of unified ideographs that names of today are written with.
#[must_use]
pub fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_out_with_any_of_its_words_and_any_pair_of_its_characters() {
        let first = |words: &[&str], held_out| {
            (*words.iter().find(|word| is_held_out(word) == held_out).expect("one of them")).to_owned()
        };
        let words: Vec<String> = (0..99).map(|number| format!("Velta{number}")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (kept, held) = (first(&words, false), first(&words, true));
        let pairs = [
            "云翼", "山岚", "青禾", "拾光", "木野", "星屿", "听雨", "长风", "晚松", "溪石", "白鹭", "初雪",
            "半夏", "归舟",
        ];
        let (kept_pair, held_pair) = (first(&pairs, false), first(&pairs, true));
        for (name, expected) in [
            (format!("{kept} {kept}"), false),
            (format!("{kept} {held}"), true),
            (format!("{kept}{kept_pair}"), false),
            (format!("{held}{kept_pair}"), true),
            (format!("{kept}{held_pair}3"), true),
            ("The Ox by Elk".to_owned(), false),
            ("云".to_owned(), false),
        ] {
            assert_eq!(is_held_out(&name), expected, "{name}");
        }
    }
}
