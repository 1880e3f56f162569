//! Capitals where small letters belong.
//!
//! No list holds all names and acronyms, so the check goes the other way about: everyday words of advertising are
//! listed, and one of them in capitals shouts, unless a word in capitals that is not listed stands beside it, since the
//! two may be a name (`NEW YORKER`, `BEST WESTERN`).

use super::lead;
use super::wording::EVERYDAY;
use crate::fold;
use crate::words::is_spaced_letter;

/// So many words in a row, of so many letters, without a small letter or a comma are a sentence and no name.
const SENTENCE_WORDS: usize = 4;
const SENTENCE_LETTERS: usize = 16;

/// With an everyday word among them, fewer are.
const PHRASE_WORDS: usize = 3;
const PHRASE_LETTERS: usize = 12;

pub(super) fn shouting(text: &str) -> Option<usize> {
    let words = words(text);
    let shouted = |index: &usize| is_shouted(text, &words, *index);
    let word = (0..words.len()).find(shouted).map(|index| words[index].0);
    word.or_else(|| is_all_capitals(text).then(|| words[0].0))
}

pub(super) fn alternating(text: &str) -> Option<usize> {
    words(text).into_iter().find(|(_, word)| alternates(word)).map(|(at, _)| at)
}

/// Words with their places. An apostrophe or a hyphen ends a word, and so does a Chinese character.
fn words(text: &str) -> Vec<(usize, &str)> {
    let parts = text.split(|c: char| !is_spaced_letter(c)).filter(|word| !word.is_empty());
    parts.map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word)).collect()
}

/// At least two letters, all of them capitals, and nothing else; so a code with digits is none.
fn is_capital(word: &str) -> bool {
    word.chars().nth(1).is_some() && word.chars().all(char::is_uppercase)
}

fn is_everyday(word: &str) -> bool {
    EVERYDAY.contains(&fold(word).as_str())
}

fn is_shouted(text: &str, words: &[(usize, &str)], index: usize) -> bool {
    let (at, word) = words[index];
    let may_be_a_name = |neighbor: Option<&(usize, &str)>| {
        neighbor.is_some_and(|(_, word)| is_capital(word) && !is_everyday(word))
    };
    is_capital(word)
        && is_everyday(word)
        && !may_be_a_name(index.checked_sub(1).map(|before| &words[before]))
        && !may_be_a_name(words.get(index + 1))
        && !is_coupon(&text[..at], &text[at + word.len()..])
}

/// Whether what stands here is a code to type in: behind a word that says so, between quotation marks, or joined to
/// something else by a hyphen or an underscore.
fn is_coupon(before: &str, after: &str) -> bool {
    let lead = lead(before);
    let lead = lead.trim_end_matches([' ', ':', '"', '\'']);
    let quotes = ['"', '\'', '“', '”', '„', '‘', '’', '«', '»', '「', '「', '『', '‚'];
    let joints = ['-', '_', '.', '/', '&', '+'];
    CODE_WORDS.iter().any(|word| lead.ends_with(word))
        || before.ends_with(quotes)
        || before.ends_with(joints)
        || after.starts_with(joints) && after[1..].starts_with(char::is_alphanumeric)
}

/// What stands before a code, folded.
const CODE_WORDS: [&str; 11] = [
    "code",
    "coupon",
    "voucher",
    "gutschein",
    "kode",
    "kennwort",
    "码",
    "代码",
    "クーポン",
    "コード",
    "코드",
];

/// A list of names has a comma or the like between them.
fn is_all_capitals(text: &str) -> bool {
    let mut parts = text.split([',', ';', '|', '&', '/', '+', '，', '、']);
    !text.chars().any(char::is_lowercase) && parts.any(is_sentence)
}

fn is_sentence(part: &str) -> bool {
    let capital: Vec<&str> =
        words(part).into_iter().map(|(_, word)| word).filter(|word| is_capital(word)).collect();
    let letters: usize = capital.iter().map(|word| word.chars().count()).sum();
    let is_phrase = capital.iter().any(|word| is_everyday(word));
    (capital.len() >= SENTENCE_WORDS && letters >= SENTENCE_LETTERS)
        || (is_phrase && capital.len() >= PHRASE_WORDS && letters >= PHRASE_LETTERS)
}

/// A small letter alone between two capitals, three times, or twice in a longer word: "LaTeX" and "BaFöG" have two in
/// five letters.
fn alternates(word: &str) -> bool {
    let letters: Vec<char> = word.chars().collect();
    let peaks =
        |three: &[char]| three[0].is_uppercase() && three[1].is_lowercase() && three[2].is_uppercase();
    let found = letters.windows(3).filter(|three| peaks(three)).count();
    found >= 3 || (found == 2 && letters.len() >= 6)
}
