//! Copy that says the same thing twice.

use std::cmp::Ordering;

use crate::normal::fold;
use crate::{AdCopy, Media};

/// Above this [similarity](Fingerprint::similarity) two variants are duplicates: a test could not tell them apart, and
/// would share its traffic between them. Two sentences that differ in one word of ten stay below it.
pub const NEAR_DUPLICATE: f64 = 0.8;

/// The length of a gram, in characters.
const GRAM: usize = 4;

/// What a variant says, in a form that is quick to compare: the set of its character 4-grams.
///
/// Text is [folded](fold), punctuation counts as white space, and grams are taken per slot, so that the seam between
/// two slots makes none. A slot shorter than a gram is one gram. Slot names play no part: the same words in another
/// slot are the same words. [Media] play no part either: their addresses would outweigh the words.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fingerprint {
    /// Sorted, without repetitions. Four scalar values of 21 bits each: exact, so that no two grams can collide.
    grams: Vec<u128>,
}

impl Fingerprint {
    /// The fingerprint of the whole variant. Time and space grow with the length of its text.
    #[must_use]
    pub fn new(copy: &AdCopy) -> Self {
        let texts = copy.values().filter(|text| Media::parse(text).is_none());
        let mut grams: Vec<u128> = texts.flat_map(|text| grams(text)).collect();
        grams.sort_unstable();
        grams.dedup();
        Self { grams }
    }

    /// The Jaccard index of the two sets of grams: shared over all, from 0 to 1. Two variants without any letter are
    /// equal.
    #[must_use]
    pub fn similarity(&self, other: &Self) -> f64 {
        let shared = shared(&self.grams, &other.grams);
        let all = self.grams.len() + other.grams.len() - shared;
        if all == 0 { 1.0 } else { shared as f64 / all as f64 }
    }

    /// Whether the similarity is above [`NEAR_DUPLICATE`].
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use rules::Fingerprint;
    ///
    /// let print = |text: &str| Fingerprint::new(&BTreeMap::from([("headline".to_owned(), text.to_owned())]));
    /// let shoes = print("Light shoes for long trails");
    /// assert!(shoes.is_near_duplicate(&print("LIGHT shoes, for long trails!")));
    /// assert!(!shoes.is_near_duplicate(&print("Trails are long: take light shoes")));
    /// ```
    #[must_use]
    pub fn is_near_duplicate(&self, other: &Self) -> bool {
        self.similarity(other) > NEAR_DUPLICATE
    }
}

/// Whether two variants are [near-duplicates](Fingerprint::is_near_duplicate). To compare many, keep their
/// [`Fingerprint`]s.
#[must_use]
pub fn is_near_duplicate(a: &AdCopy, b: &AdCopy) -> bool {
    Fingerprint::new(a).is_near_duplicate(&Fingerprint::new(b))
}

fn grams(text: &str) -> Vec<u128> {
    let text = words_only(text);
    match text.len() {
        0 => Vec::new(),
        1..GRAM => vec![packed(&text)],
        _ => text.windows(GRAM).map(packed).collect(),
    }
}

fn packed(gram: &[char]) -> u128 {
    gram.iter().fold(0, |packed, c| (packed << 21) | u128::from(u32::from(*c)))
}

/// The characters of the folded text, each run of punctuation and white space as one space. Signs that carry meaning,
/// such as `%`, `€` and emoji, stay.
fn words_only(text: &str) -> Vec<char> {
    let spaced: String = fold(text).chars().map(|c| if is_punctuation(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect()
}

fn is_punctuation(c: char) -> bool {
    let kept = "%$+&@#<>=";
    (c.is_ascii_punctuation() && !kept.contains(c))
        || matches!(c,
            '\u{A1}' | '\u{A7}' | '\u{AB}' | '\u{B6}' | '\u{B7}' | '\u{BB}' | '\u{BF}'
            | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205E}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3020}'
            | '\u{3030}' | '\u{30FB}' | '\u{60C}' | '\u{61B}' | '\u{61F}' | '\u{6D4}' | '\u{964}' | '\u{965}')
}

/// How many elements two sorted sets share.
fn shared(mut a: &[u128], mut b: &[u128]) -> usize {
    let mut shared = 0;
    while let ([first_a, rest_a @ ..], [first_b, rest_b @ ..]) = (a, b) {
        let order = first_a.cmp(first_b);
        shared += usize::from(order == Ordering::Equal);
        a = if order == Ordering::Greater { a } else { rest_a };
        b = if order == Ordering::Less { b } else { rest_b };
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(slots: &[&str]) -> AdCopy {
        slots.iter().enumerate().map(|(index, text)| (format!("slot{index}"), (*text).to_owned())).collect()
    }

    /// Sentence, one variant, the other, whether they are duplicates.
    type Row = (&'static str, &'static [&'static str], &'static [&'static str], bool);

    const ROWS: &[Row] = &[
        (
            "equal-copy-is-a-duplicate",
            &["Light on trails", "Shop now"],
            &["Light on trails", "Shop now"],
            true,
        ),
        ("case-and-width-make-no-other-copy", &["Light on trails"], &["ＬＩＧＨＴ on Trails"], true),
        ("punctuation-makes-no-other-copy", &["Light, on trails!"], &["Light on – trails"], true),
        ("white-space-makes-no-other-copy", &["Light on trails"], &["Light\u{A0} on\ntrails "], true),
        (
            "the-same-words-in-another-slot-are-the-same",
            &["Light on trails", "Shop now"],
            &["Shop now", "Light on trails"],
            true,
        ),
        (
            "one-letter-in-a-long-text-makes-no-other-copy",
            &["A shoe for every trail, light as a feather and warm as a hearth in winter"],
            &["A shoe for every trails, light as a feather and warm as a hearth in winter"],
            true,
        ),
        ("other-words-are-other-copy", &["Light on trails"], &["Warm in winter"], false),
        ("one-word-in-a-short-text-makes-other-copy", &["Light on trails"], &["Light on roads"], false),
        (
            "a-slot-more-makes-other-copy",
            &["Light on trails"],
            &["Light on trails", "Free returns for 60 days"],
            false,
        ),
        ("another-percentage-in-a-short-text-makes-other-copy", &["Save 10%"], &["Save 50%"], false),
        ("short-texts-are-compared-whole", &["Go"], &["Now"], false),
        ("chinese-is-compared-by-characters", &["轻盈跑鞋，越野无忧"], &["轻盈跑鞋越野无忧！"], false),
        ("emoji-are-compared", &["🔥🔥"], &["🎉"], false),
        ("nothing-equals-nothing", &["!!"], &["..", "–"], true),
    ];

    #[test]
    fn tells_duplicates_as_its_table_says() {
        for (sentence, a, b, expected) in ROWS {
            let (a, b) = (copy(a), copy(b));
            assert_eq!(is_near_duplicate(&a, &b), *expected, "{sentence}");
            assert_eq!(is_near_duplicate(&b, &a), *expected, "{sentence}, turned around");
        }
    }

    #[test]
    fn media_play_no_part() {
        let picture = format!("https://example.com/a.webp@sha256:{}", "0a".repeat(32));
        assert!(is_near_duplicate(&copy(&["Light on trails", &picture]), &copy(&["Light on trails"])));
        assert!(!is_near_duplicate(
            &copy(&["Light on trails", &picture]),
            &copy(&["Warm in winter", &picture])
        ));
    }

    #[test]
    fn similarity_is_the_jaccard_index_of_grams() {
        // abcd bcde cdef against abcd bcde cdeg: two of four are shared.
        let (a, b) = (Fingerprint::new(&copy(&["abcdef"])), Fingerprint::new(&copy(&["abcdeg"])));
        assert!((a.similarity(&b) - 0.5).abs() < f64::EPSILON);
    }
}
