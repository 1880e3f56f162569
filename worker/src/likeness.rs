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

/// Whether `text` holds as many words in a row as `name` has that are nearly the name, and not it.
///
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
    without(&text, &name).into_iter().flat_map(|part| part.windows(name.len())).any(|window| {
        (is_capital(window[0]) || !is_capital(name[0])) && likeness(&fold(window), &wanted) >= ALIKE
    })
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
            ("It is ready when you are", "Ledgerly"),
            ("Now on", "Nova"),
            ("nothing of it", "Quillfeather Stationery"),
            ("", "Ledgerly"),
        ] {
            assert!(!misspells(text, name), "{text}");
        }
    }
}
