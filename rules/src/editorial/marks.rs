//! Punctuation, and the space around it.

use crate::words::is_spaced_letter;

const EXCLAMATIONS: [char; 2] = ['!', '！'];

/// Two marks of one kind in a row, but for three dots, two ellipses or two dashes.
pub(super) fn repeated(text: &str) -> Option<usize> {
    let mut rest = text;
    while let Some(start) = rest.find(|c| kind(c).is_some()) {
        let kind_here = rest[start..].chars().next().and_then(kind);
        let run = rest[start..].split(|c| kind(c) != kind_here).next().unwrap_or_default();
        if run.chars().nth(1).is_some() && !is_one_mark(run) {
            return Some(text.len() - rest.len() + start);
        }
        rest = &rest[start + run.len()..];
    }
    None
}

/// Marks of one kind make each other louder: `?!` is as much a repetition as `!!`.
fn kind(c: char) -> Option<char> {
    match c {
        '!' | '?' | '！' | '？' | '¡' | '¿' => Some('!'),
        ',' | '，' | '、' => Some(','),
        '.' | '…' => Some('.'),
        '。' => Some('。'),
        ';' | '；' => Some(';'),
        ':' | '：' => Some(':'),
        '$' | '€' | '£' | '¥' => Some('$'),
        '#' | '%' | '&' | '~' | '=' | '^' | '|' | '@' | '—' => Some(c),
        _ => None,
    }
}

/// What is written with several characters and read as one: an ellipsis, `……` and `——` of Chinese, and the pair that
/// opens a Spanish shout.
fn is_one_mark(run: &str) -> bool {
    matches!(run, "..." | "……" | "——" | "¡¿" | "¿¡")
}

pub(super) fn exclamation(text: &str) -> Option<usize> {
    text.find(EXCLAMATIONS)
}

pub(super) fn second_exclamation(text: &str) -> Option<usize> {
    text.match_indices(EXCLAMATIONS).nth(1).map(|(at, _)| at)
}

/// Allowed are up to five behind a digit or word (`5*`, `Hotel*****`, `free*`), stars alone (`*****`), and one or two
/// that open the text or a sentence (`*Terms apply`).
pub(super) fn stray_asterisk(text: &str) -> Option<usize> {
    let mut rest = text;
    while let Some(start) = rest.find('*') {
        let at = text.len() - rest.len() + start;
        let stars = rest[start..].len() - rest[start..].trim_start_matches('*').len();
        if !is_placed(&text[..at], stars, &text[at + stars..]) {
            return Some(at);
        }
        rest = &rest[start + stars..];
    }
    None
}

fn is_placed(before: &str, stars: usize, after: &str) -> bool {
    let (left, right) = (before.chars().next_back(), after.chars().next());
    let opens = right.is_some_and(char::is_alphanumeric);
    let closes = left.is_some_and(|c| !c.is_whitespace());
    let begins_a_sentence =
        before.trim_end().is_empty() || before.trim_end().ends_with(['.', '!', '?', '。', '！', '？', '\n']);
    match (closes, opens) {
        (true, true) => left.is_some_and(|c| c.is_ascii_digit()) && right.is_some_and(|c| c.is_ascii_digit()),
        (true, false) => {
            let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
            stars <= 5 && !word.starts_with('*')
        }
        (false, true) => stars <= 2 && begins_a_sentence && !is_wrapped(after),
        (false, false) => (3..=5).contains(&stars) || (stars <= 2 && begins_a_sentence),
    }
}

/// Whether the word behind an asterisk ends with one: `*new*`.
fn is_wrapped(after: &str) -> bool {
    after.split(char::is_whitespace).next().is_some_and(|word| word.ends_with('*'))
}

/// A comma, semicolon, exclamation or question mark between two letters.
pub(super) fn missing_space(text: &str) -> Option<usize> {
    let is_letter = |c: char| c.is_alphabetic() && is_spaced_letter(c);
    text.match_indices([',', ';', '!', '?']).map(|(at, _)| at).find(|at| {
        let (before, after) = (text[..*at].chars().next_back(), text[at + 1..].chars().next());
        before.is_some_and(is_letter) && after.is_some_and(is_letter)
    })
}

pub(super) fn extra_space(text: &str) -> Option<usize> {
    let blank = |c: char| c == ' ' || c == '\u{A0}' || c == '\u{3000}';
    let ends = |rest: &str| rest.chars().next().is_none_or(char::is_whitespace);
    text.match_indices(blank).map(|(at, _)| at).find(|at| {
        let rest = text[*at..].trim_start_matches(blank);
        let doubled = text[*at..].chars().take_while(|c| blank(*c)).count() > 1;
        let before_mark = rest.strip_prefix([',', '.']).is_some_and(ends);
        *at == 0 || rest.is_empty() || doubled || before_mark
    })
}

/// A word of at most three letters before a full stop is taken for an abbreviation: "Inc.", "Co.", "usw.".
pub(super) fn final_punctuation(text: &str) -> Option<usize> {
    let (at, last) = text.trim_end().char_indices().next_back()?;
    let before = &text[..at];
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let is_short = (1..=3).contains(&word.chars().count()) && word.is_ascii();
    match last {
        ',' | ';' | ':' | '。' | '，' | '、' | '；' | '：' => Some(at),
        '.' if !before.ends_with('.') && !is_short => Some(at),
        _ => None,
    }
}
