//! Whether a text spells a name almost, but not quite.
//!
//! A brief gives the product's name as it must appear. A model that copies it badly writes one that looks right at a
//! glance, and no rule of a channel sees it; so copy with something in it that is nearly the name is refused. Copy that
//! leaves the name out is not.

/// How alike, from 0 to 1, some words must be to count as a try at the name. With two letters of five wrong a reader
/// still takes them for it; below that, ordinary words begin to be taken for it.
const ALIKE: f64 = 0.6;
/// Names below this many characters are not looked for: ordinary words are as near to them as errors are.
const SHORTEST: usize = 5;
/// How alike one word must be to a word of the name to count as a try at it: one letter of four wrong.
const ALIKE_WORD: f64 = 0.75;
/// Words of a name below this many characters are not looked for by themselves.
const SHORTEST_WORD: usize = 4;

/// Whether `text` holds something that is nearly `name`, or nearly one of its words, and not it.
///
/// Nearly the name are as many words in a row as it has. Nearly a word of it is a word with the same first letter.
/// Letter case, a possessive and punctuation around a word make no difference. Where the name begins with a capital,
/// only words that do are taken for a try at it.
#[must_use]
pub fn misspells(text: &str, name: &str) -> bool {
    let name = words(name);
    let wanted = fold(&name);
    if wanted.chars().count() < SHORTEST {
        return false;
    }
    let text = words(text);
    let rest = without(&text, &name);
    let is_try = |window: &[&str]| is_capital(window[0]) || !is_capital(name[0]);
    let mut windows = rest.iter().flat_map(|part| part.windows(name.len())).filter(|window| is_try(window));
    let mut single = rest.iter().flat_map(|part| part.windows(1)).filter(|word| is_try(word));
    windows.any(|window| likeness(&fold(window), &wanted) >= ALIKE)
        || single.any(|word| name.iter().any(|of_name| is_broken(word[0], of_name)))
}

/// Whether a word is one of the name's, but for a letter or two.
fn is_broken(word: &str, of_name: &str) -> bool {
    let (word, of_name) = (word.to_lowercase(), of_name.to_lowercase());
    of_name.chars().count() >= SHORTEST_WORD
        && word.chars().next() == of_name.chars().next()
        && word != of_name
        && likeness(&word, &of_name) >= ALIKE_WORD
}

/// The words of a text, without the punctuation around them and without a possessive.
fn words(text: &str) -> Vec<&str> {
    let bare = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let owned = bare.map(|word| word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word));
    owned.filter(|word| !word.is_empty()).collect()
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

fn fold(words: &[&str]) -> String {
    words.join(" ").to_lowercase()
}

fn is_capital(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_uppercase)
}

/// One minus the edits that turn one text into the other, as a share of the longer (Levenshtein, 1966).
fn likeness(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let swapped = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = swapped.min(corner + 1).min(row[j] + 1);
        }
    }
    1.0 - row[b.len()] as f64 / a.len().max(b.len()).max(1) as f64
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
        ] {
            assert!(!misspells(text, name), "{text}");
        }
    }
}
