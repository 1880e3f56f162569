//! Whether a text spells a name almost, but not quite.
//!
//! A brief gives the product's name as it must appear. A model that copies it badly writes one that looks right at a
//! glance, and no rule of a channel sees it; so copy with something in it that is nearly the name is refused. Copy that
//! leaves the name out is not.

use crate::train::names::is_han;

/// How alike, from 0 to 1, some words must be to count as a try at the name. With two letters of five wrong a reader
/// still takes them for it; below that, ordinary words begin to be taken for it.
const ALIKE: f64 = 0.6;
/// The same for words that are one more or one fewer than the name's, as where a German compound joins two of them. It is
/// higher, since a neighbor that belongs to no name makes such words less alike, not more.
const ALIKE_JOINED: f64 = 0.75;
/// Names below this many characters are not looked for: ordinary words are as near to them as errors are.
const SHORTEST: usize = 5;
/// How alike one word must be to a word of the name to count as a try at it: one letter of four wrong.
const ALIKE_WORD: f64 = 0.75;
/// Words of a name below this many characters are not looked for by themselves.
const SHORTEST_WORD: usize = 4;
/// Names of fewer Chinese characters are not looked for: with one of two wrong, half of all words are a try at it.
const SHORTEST_HAN: usize = 3;
/// Of so many characters of a Chinese name one may be wrong in a try at it, and one of a shorter name. With more, the
/// common noun that most such names end with would be taken for a try.
const HAN_PER_ERROR: usize = 4;

/// Whether `text` holds something that is nearly `name`, or nearly one of its words, and not it.
///
/// Nearly the name are as many words in a row as it has, or one more or fewer where they are nearer still. Nearly a word
/// of it is a word with the same first letter. Letter case, a possessive, punctuation around a word and the hyphens that
/// German joins a name to other words with make no difference. Where the name begins with a capital, only words that do
/// are taken for a try at it. Chinese sets no spaces, so each of its characters counts as a word.
#[must_use]
pub fn misspells(text: &str, name: &str) -> bool {
    let is_border: fn(char) -> bool =
        if name.contains('-') { char::is_whitespace } else { |c| c.is_whitespace() || c == '-' };
    let (text, name) = (words(text, is_border), words(name, is_border));
    let Some(first) = name.first().filter(|_| is_long_enough(&name)) else { return false };
    let rest = without(&text, &name);
    let is_try = |window: &&[&str]| is_capital(window[0]) || !is_capital(first);
    let windows = |size: usize| rest.iter().flat_map(move |part| part.windows(size)).filter(is_try);
    let sizes = [name.len() - 1, name.len(), name.len() + 1].into_iter().filter(|size| *size > 0);
    sizes.flat_map(windows).any(|window| is_nearly(window, &name))
        || windows(1).any(|word| name.iter().any(|of_name| is_broken(word[0], of_name)))
}

fn is_long_enough(name: &[&str]) -> bool {
    let least = if is_chinese(name) { SHORTEST_HAN } else { SHORTEST };
    fold(name).chars().count() >= least
}

/// Whether some words are nearly the name. Some of its own words are not: copy may call a product by its first ones.
fn is_nearly(window: &[&str], name: &[&str]) -> bool {
    let (found, wanted) = (fold(window), fold(name));
    if name.windows(window.len()).any(|part| fold(part) == found) {
        return false;
    }
    if is_chinese(name) {
        return edits(&found, &wanted) <= (name.len() / HAN_PER_ERROR).max(1);
    }
    likeness(&found, &wanted) >= if window.len() == name.len() { ALIKE } else { ALIKE_JOINED }
}

/// Whether a word is one of the name's, but for a letter or two.
fn is_broken(word: &str, of_name: &str) -> bool {
    let (word, of_name) = (word.to_lowercase(), of_name.to_lowercase());
    of_name.chars().count() >= SHORTEST_WORD
        && word.chars().next() == of_name.chars().next()
        && word != of_name
        && likeness(&word, &of_name) >= ALIKE_WORD
}

/// The words of a text, without the punctuation around them and without a possessive; of Chinese, each character.
fn words(text: &str, is_border: fn(char) -> bool) -> Vec<&str> {
    let bare = text
        .split(is_border)
        .flat_map(by_script)
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let owned = bare.map(|word| word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word));
    owned.filter(|word| !word.is_empty()).collect()
}

/// Cuts a text at each Chinese character, which stays a piece of its own, and at the marks that Chinese sets without a
/// space.
fn by_script(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_han(*c) || is_wide_mark(*c)) {
        let (before, from) = rest.split_at(at);
        let (single, after) = from.split_at(c.len_utf8());
        pieces.extend([before, single]);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

fn is_wide_mark(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}')
}

fn is_chinese(words: &[&str]) -> bool {
    words.iter().all(|word| word.chars().all(is_han))
}

/// What is left of `words` around each `name`. A window that overlaps the name is nearly the name without being a try.
fn without<'w, 't>(words: &'w [&'t str], name: &[&str]) -> Vec<&'w [&'t str]> {
    let wanted = fold(name);
    let mut parts = Vec::new();
    let mut rest = words;
    while let Some(at) = rest.windows(name.len()).position(|window| fold(window) == wanted) {
        parts.push(&rest[..at]);
        rest = &rest[at + name.len()..];
    }
    parts.push(rest);
    parts
}

/// Words as one text in lower case, with a space between two that are not Chinese.
fn fold(words: &[&str]) -> String {
    let mut text = String::new();
    for word in words {
        if !text.is_empty() && !text.ends_with(is_han) && !word.starts_with(is_han) {
            text.push(' ');
        }
        text.push_str(&word.to_lowercase());
    }
    text
}

fn is_capital(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_uppercase)
}

/// One minus the edits that turn one text into the other, as a share of the longer.
fn likeness(a: &str, b: &str) -> f64 {
    1.0 - edits(a, b) as f64 / a.chars().count().max(b.chars().count()).max(1) as f64
}

/// The fewest edits that turn one text into the other (Levenshtein, 1966).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let swapped = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = swapped.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_counts_edits() {
        for (a, b, edits) in
            [("kitten", "sitting", 3.0), ("", "abc", 3.0), ("same", "same", 0.0), ("flaw", "lawn", 2.0)]
        {
            let expected = 1.0 - edits / a.len().max(b.len()) as f64;
            assert!((likeness(a, b) - expected).abs() < 1e-12, "{a} {b}");
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_noticed() {
        for (text, name) in [
            ("Slow down with Quillfrosf Stationery", "Quillfeather Stationery"),
            ("Fjordlys Nurt Lamp, day after day", "Fjordlys Night Lamp"),
            ("Caf Röstwark is here", "Café Röstwerk"),
            ("Meet Aero Trail 4", "Aero Trail 3"),
            ("Ledgerly. Get Ledgerlly now", "Ledgerly"),
            ("Aero Trail 3. AeroW 3.", "Aero Trail 3"),
            ("Die Bergkristal Sonnencreme ist da", "Bergkristall Sonnencreme"),
            ("Neu: Bergkristallsonnencreme", "Bergkristall Sonnencreme"),
            ("Hol dir Zettel Wirt", "Zettelwirt"),
            ("Die Zettelwirk-App ist da", "Zettelwirt"),
            ("Gasthof zum Grünen Hescht lädt ein", "Gasthof zum Grünen Hecht"),
            ("认识一下云翅咖啡", "云翼咖啡"),
            ("云咖啡来了", "云翼咖啡"),
            ("云翼翼咖啡来了", "云翼咖啡"),
            ("云翼咖啡，就选云冀咖啡。", "云翼咖啡"),
            ("你好，账小一", "账小二"),
            ("老港子咖啡上新", "老巷子咖啡"),
            ("买Velda跑鞋，立减9元", "Velta跑鞋"),
            ("买Velta跑靴，立减9元", "Velta跑鞋"),
            ("有VoltRidder X2，真好", "VoltRider X2"),
            ("云翼跑鞋4来了", "云翼跑鞋3"),
            ("VoltRider X. Go.", "VoltRider X2"),
            ("You and Snugglebyte Heated Mattress Padoonuxe", "Snugglebyte Heated Mattress Pad Deluxe"),
        ] {
            assert!(misspells(text, name), "{text}");
        }
    }

    #[test]
    fn the_name_itself_and_other_words_are_not() {
        for (text, name) in [
            ("AERO TRAIL 3's best", "Aero Trail 3"),
            ("Get Aero Trail 3: Aero Trail 3.", "Aero Trail 3"),
            ("For people who run on trails", "Trails"),
            ("Light up with Aero", "Aero Night Lamp"),
            ("It is ready when you are", "Ledgerly"),
            ("Now on", "Nova"),
            ("nothing of it", "Quillfeather Stationery"),
            ("", "Ledgerly"),
            ("Bergkristall Sonnencreme, für Skifahrer mit heller Haut", "Bergkristall Sonnencreme"),
            ("Die Aero-Trail-3-Aktion für alle, die Bergkristalle lieben", "Aero Trail 3"),
            ("Jetzt Zettelwirt-Preise sichern", "Zettelwirt"),
            ("Die Sonnencreme für Skifahrer", "Bergkristall Sonnencreme"),
            ("Filtert Quellwasser frisch, 9 Liter pro Stunde", "Quellfrisch 9"),
            ("云翼咖啡，给爱喝咖啡的人", "云翼咖啡"),
            ("一杯好咖啡，云翼咖啡", "云翼咖啡"),
            ("豆子来自云南，手工烘焙", "云翼咖啡"),
            ("每小时过滤9升，就选青禾净水壶。", "青禾净水壶"),
            ("用净水壶泡茶", "青禾净水壶"),
            ("云朵真好", "云翼"),
            ("选VoltRider X2，零首付。", "VoltRider X2"),
            ("VELTA跑鞋：一次充电骑80公里", "Velta跑鞋"),
        ] {
            assert!(!misspells(text, name), "{text}");
        }
    }
}
