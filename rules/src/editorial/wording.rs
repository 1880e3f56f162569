//! Words that are misused, or written so that they are hard to read.

use crate::fold;
use crate::words::{is_spaced_letter, is_unspaced, is_whole_word};

/// Everyday words of advertising, folded, in English, German, French and Spanish: none of them is an acronym, and hardly
/// one a name by itself.
pub(super) const EVERYDAY: [&str; 93] = [
    "free",
    "sale",
    "save",
    "buy",
    "now",
    "new",
    "best",
    "deal",
    "deals",
    "offer",
    "offers",
    "order",
    "today",
    "shop",
    "shopping",
    "shipping",
    "delivery",
    "discount",
    "discounts",
    "cheap",
    "price",
    "prices",
    "limited",
    "exclusive",
    "amazing",
    "huge",
    "great",
    "flowers",
    "shoes",
    "returns",
    "hurry",
    "instant",
    "guaranteed",
    "bonus",
    "gift",
    "winner",
    "click",
    "call",
    "here",
    "online",
    "quality",
    "percent",
    "everything",
    "every",
    "your",
    "with",
    "only",
    "gratis",
    "kostenlos",
    "kostenlose",
    "kostenloser",
    "kostenloses",
    "versandkostenfrei",
    "günstige",
    "günstiger",
    "neu",
    "neue",
    "jetzt",
    "kaufen",
    "sparen",
    "spare",
    "rabatt",
    "rabatte",
    "angebot",
    "angebote",
    "aktion",
    "heute",
    "nur",
    "beste",
    "besten",
    "bestellen",
    "versand",
    "lieferung",
    "sichern",
    "günstig",
    "billig",
    "preis",
    "preise",
    "schnell",
    "gewinnen",
    "geschenk",
    "gratuit",
    "nouveau",
    "maintenant",
    "soldes",
    "offre",
    "oferta",
    "ahora",
    "nuevo",
    "compra",
    "descuento",
    "envío",
    "comprar",
];

/// A word this long can be told from a list of grades or sizes.
const SPELLED_LETTERS: usize = 5;

/// How often a word may not follow itself.
const REPEATED: usize = 3;

/// Five letters and more, one by one, with the same sign or space between all of them.
pub(super) fn spaced_letters(text: &str) -> Option<usize> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    (0..chars.len()).find(|start| spells(&chars, *start)).map(|start| chars[start].0)
}

fn spells(chars: &[(usize, char)], start: usize) -> bool {
    let is_letter = |at: usize| chars.get(at).is_some_and(|(_, c)| c.is_alphabetic() && is_spaced_letter(*c));
    let is_single = |at: usize| is_letter(at) && !is_letter(at + 1);
    let Some((_, joint)) = chars.get(start + 1).filter(|(_, c)| " .-|_*·/~".contains(*c)) else {
        return false;
    };
    let is_joined = |at: usize| chars.get(at).is_some_and(|(_, c)| c == joint);
    let follows = |number: &usize| is_joined(start + 2 * number - 1) && is_single(start + 2 * number);
    let begins = start == 0 || !chars[start - 1].1.is_alphanumeric();
    begins && is_single(start) && (1..).take_while(follows).count() + 1 >= SPELLED_LETTERS
}

/// A word of the list with signs or digits for letters. Digits at the end of a word make a code of it: `DEAL5`.
pub(super) fn stand_in(text: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || "@$€".contains(c);
    let parts = text.split(|c| !is_part(c)).filter(|part| !part.is_empty());
    let mut tokens = parts.map(|token| (token.as_ptr() as usize - text.as_ptr() as usize, token));
    tokens.find(|(at, token)| hides_letters(token) && !is_in_address(text, *at, token)).map(|(at, _)| at)
}

fn hides_letters(token: &str) -> bool {
    let stem = token.trim_end_matches(|c: char| c.is_ascii_digit());
    let written = |one: char| token.chars().map(|c| letter_for(c, one)).collect::<String>();
    stem.chars().any(|c| letter_for(c, 'l') != c)
        && token.chars().nth(3).is_some()
        && ['i', 'l'].into_iter().any(|one| EVERYDAY.contains(&fold(&written(one)).as_str()))
}

fn letter_for(c: char, one: char) -> char {
    match c {
        '0' => 'o',
        '1' => one,
        '3' | '€' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// Whether the token is part of a mail address or of the name of an account.
fn is_in_address(text: &str, at: usize, token: &str) -> bool {
    let after = &text[at + token.len()..];
    let domain = after.strip_prefix('.').is_some_and(|rest| rest.starts_with(char::is_alphanumeric));
    token.starts_with('@') || (token.contains('@') && domain)
}

/// Calls to action that fit any ad, folded.
const ANYWHERE: [&str; 20] = [
    "click here",
    "click this",
    "click the link",
    "click on this",
    "tap here",
    "klick hier",
    "klicke hier",
    "klicken sie hier",
    "hier klicken",
    "jetzt klicken",
    "cliquez ici",
    "clique aqui",
    "haz clic aquí",
    "clicca qui",
    "点击这里",
    "点击此处",
    "點擊這裡",
    "点这里",
    "ここをクリック",
    "여기를 클릭",
];

/// The place of the phrase, to the word. Folding moves places, so where it did the text answers with its beginning.
pub(super) fn click_here(text: &str) -> Option<usize> {
    let folded = fold(text);
    let whole = |phrase: &&str| {
        let mut places = folded.match_indices(*phrase);
        places.find(|(at, _)| is_whole_word(&folded, &(*at..at + phrase.len())))
    };
    let (at, phrase) = ANYWHERE.iter().filter_map(whole).min()?;
    let is_there = text.get(at..).is_some_and(|rest| lead_of(rest, phrase));
    Some(if is_there { at } else { 0 })
}

/// Whether a text begins with a folded phrase, which has as many characters as what it was folded from, or fewer.
fn lead_of(text: &str, phrase: &str) -> bool {
    let beginning: String = text.chars().take(phrase.chars().count() + 1).collect();
    fold(&beginning).starts_with(phrase)
}

/// A word three times in a row; where words have no spaces between them, two to six characters three times.
pub(super) fn repeated_word(text: &str) -> Option<usize> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<(usize, String)> =
        parts.map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, fold(word))).collect();
    let same = |run: &&[(usize, String)]| {
        let first = &run[0].1;
        first.contains(char::is_alphabetic) && run.iter().all(|(_, word)| word == first)
    };
    let spaced = words.windows(REPEATED).find(same).map(|run| run[0].0);
    spaced.or_else(|| repeated_run(text))
}

fn repeated_run(text: &str) -> Option<usize> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let repeats = |start: &usize| (2..=6).any(|length| is_run(&chars[*start..], length));
    (0..chars.len()).find(repeats).map(|start| chars[start].0)
}

/// Whether the first `length` characters, not all the same, stand there three times.
fn is_run(chars: &[(usize, char)], length: usize) -> bool {
    let Some(run) = chars.get(..REPEATED * length) else { return false };
    let unit = &run[..length];
    unit.iter().all(|(_, c)| c.is_alphabetic() && is_unspaced(*c))
        && unit.iter().any(|(_, c)| *c != unit[0].1)
        && run.iter().zip(unit.iter().cycle()).all(|((_, c), (_, expected))| c == expected)
}
