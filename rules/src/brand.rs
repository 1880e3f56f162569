//! What a brand and its campaign add to the rules of a format: the words that they forbid and require, the names that
//! rules of style let pass, and the variables of their copy.

use std::fmt;

use aho_corasick::AhoCorasick;
use thiserror::Error;

use crate::normal::fold;
use crate::words::is_whole_word;
use crate::{Exceptions, Variables};

/// The most words that a list may hold, those of a brand and of its campaign together. A list is a page, not a
/// dictionary.
pub const MAX_WORDS: usize = 200;

/// The most code points that a word or phrase may hold.
pub const MAX_WORD_LENGTH: usize = 100;

/// Forbidden and required words, ready to be looked for, the names that are excepted from rules of style, and the
/// variables that copy may use.
///
/// Words are compared as [`fold`] gives them, so neither case, nor width, nor a soft hyphen makes a difference. A
/// phrase matches over any run of white space. A match begins and ends where a word does: "cheap" is found in
/// "dirt-cheap!" and in "cheap's", not in "cheapskate" and not in "cheaper"; each form is its own word. In scripts
/// without spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Myanmar, Tibetan) and in Korean a match may
/// stand anywhere.
#[derive(Clone, Debug)]
pub struct BrandRules {
    forbidden: Words,
    required: Words,
    exceptions: Exceptions,
    variables: Variables,
}

impl BrandRules {
    /// Reads the two lists. A word that comes twice under [`fold`] is kept once, in its first spelling.
    ///
    /// # Errors
    ///
    /// When a list is longer than [`MAX_WORDS`], a word longer than [`MAX_WORD_LENGTH`] or empty once folded, or when a
    /// required word contains a forbidden one, so that no copy could ever pass.
    ///
    /// ```
    /// use rules::BrandRules;
    ///
    /// let forbidden = ["cheap".to_owned(), "最低价".to_owned()];
    /// let brand = BrandRules::new(&forbidden, &[]).expect("two words break no bound");
    /// assert_eq!(brand.forbidden_in("Not ＣＨＥＡＰ, cheaper"), ["cheap"]);
    /// assert_eq!(brand.forbidden_in("全网最低价格"), ["最低价"]);
    /// ```
    pub fn new(forbidden: &[String], required: &[String]) -> Result<Self, BrandRulesError> {
        let rules = Self {
            forbidden: Words::new(WordList::Forbidden, forbidden)?,
            required: Words::new(WordList::Required, required)?,
            exceptions: Exceptions::default(),
            variables: Variables::default(),
        };
        rules.refuse_contradiction()?;
        Ok(rules)
    }

    /// The same rules, where these names are excepted from rules of style.
    #[must_use]
    pub fn with_exceptions(self, exceptions: Exceptions) -> Self {
        Self { exceptions, ..self }
    }

    /// The names that are excepted from rules of style.
    #[must_use]
    pub fn exceptions(&self) -> &Exceptions {
        &self.exceptions
    }

    /// The same rules for copy that may use these variables.
    #[must_use]
    pub fn with_variables(self, variables: Variables) -> Self {
        Self { variables, ..self }
    }

    /// The variables that copy may use.
    #[must_use]
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The forbidden words as they were written, without repetitions.
    #[must_use]
    pub fn forbidden(&self) -> &[String] {
        &self.forbidden.written
    }

    /// The required words as they were written, without repetitions.
    #[must_use]
    pub fn required(&self) -> &[String] {
        &self.required.written
    }

    /// The forbidden words that stand in `text`, each once, in the order of the list.
    #[must_use]
    pub fn forbidden_in(&self, text: &str) -> Vec<&str> {
        self.forbidden.select(&self.forbidden.seen_in([text]), true)
    }

    /// The required words that stand in none of `texts`, in the order of the list. A word must stand in one text as a
    /// whole.
    #[must_use]
    pub fn missing_from<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<&str> {
        self.required.select(&self.required.seen_in(texts), false)
    }

    fn refuse_contradiction(&self) -> Result<(), BrandRulesError> {
        for required in self.required() {
            if let Some(forbidden) = self.forbidden_in(required).first() {
                let forbidden = (*forbidden).to_owned();
                return Err(BrandRulesError::Contradiction { required: required.clone(), forbidden });
            }
        }
        Ok(())
    }
}

impl Default for BrandRules {
    /// No word forbidden, none required, no name excepted, no variable declared.
    fn default() -> Self {
        Self::new(&[], &[]).expect("empty lists break no bound")
    }
}

impl PartialEq for BrandRules {
    fn eq(&self, other: &Self) -> bool {
        self.forbidden() == other.forbidden()
            && self.required() == other.required()
            && self.exceptions == other.exceptions
            && self.variables == other.variables
    }
}

impl Eq for BrandRules {}

/// Which list an error speaks of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WordList {
    /// The words that no slot may contain.
    Forbidden,
    /// The words that the variant must contain.
    Required,
}

impl fmt::Display for WordList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forbidden => "forbidden",
            Self::Required => "required",
        })
    }
}

/// Why word lists cannot be used. Every message ends with what to do.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BrandRulesError {
    /// A list is longer than [`MAX_WORDS`].
    #[error("{list} has {found} words, at most {MAX_WORDS} are allowed: remove {}", found - MAX_WORDS)]
    TooManyWords {
        /// The list.
        list: WordList,
        /// How many words it has.
        found: usize,
    },
    /// A word is longer than [`MAX_WORD_LENGTH`] code points, as written or folded.
    #[error("{list}[{index}] is longer than {MAX_WORD_LENGTH} code points: shorten it")]
    WordTooLong {
        /// The list.
        list: WordList,
        /// The place of the word, from zero.
        index: usize,
    },
    /// A word holds nothing but white space and invisible characters.
    #[error("{list}[{index}] is empty: remove it")]
    EmptyWord {
        /// The list.
        list: WordList,
        /// The place of the word, from zero.
        index: usize,
    },
    /// A required word contains a forbidden one.
    #[error(
        "the required word {required:?} contains the forbidden word {forbidden:?}, so no copy can pass: remove one"
    )]
    Contradiction {
        /// The required word, as written.
        required: String,
        /// The forbidden word, as written.
        forbidden: String,
    },
}

/// One list: its words as written, and the automaton over their folded forms; same order, same length.
#[derive(Clone, Debug)]
struct Words {
    written: Vec<String>,
    automaton: AhoCorasick,
}

impl Words {
    fn new(list: WordList, words: &[String]) -> Result<Self, BrandRulesError> {
        if words.len() > MAX_WORDS {
            return Err(BrandRulesError::TooManyWords { list, found: words.len() });
        }
        let (mut written, mut folded) = (Vec::new(), Vec::new());
        for (index, word) in words.iter().enumerate() {
            let fold = folded_word(list, index, word)?;
            if !folded.contains(&fold) {
                written.push(word.clone());
                folded.push(fold);
            }
        }
        let automaton = AhoCorasick::new(&folded).expect("two hundred short words fit an automaton");
        Ok(Self { written, automaton })
    }

    /// For each word, whether it stands in one of the texts.
    fn seen_in<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<bool> {
        let mut seen = vec![false; self.written.len()];
        for text in texts {
            let text = fold(text);
            // Overlapping, because a word that is joined to its neighbors must not hide another that is not.
            for found in self.automaton.find_overlapping_iter(&text) {
                let index = found.pattern().as_usize();
                seen[index] = seen[index] || is_whole_word(&text, &found.range());
            }
        }
        seen
    }

    /// The words whose entry in `seen` is `wanted`.
    fn select(&self, seen: &[bool], wanted: bool) -> Vec<&str> {
        self.written
            .iter()
            .zip(seen)
            .filter(|(_, seen)| **seen == wanted)
            .map(|(word, _)| word.as_str())
            .collect()
    }
}

fn folded_word(list: WordList, index: usize, word: &str) -> Result<String, BrandRulesError> {
    let is_long = |text: &str| text.chars().nth(MAX_WORD_LENGTH).is_some();
    if is_long(word) {
        return Err(BrandRulesError::WordTooLong { list, index });
    }
    let folded = fold(word);
    // One character may fold to many: U+FDFA to eighteen.
    match folded.as_str() {
        "" => Err(BrandRulesError::EmptyWord { list, index }),
        long if is_long(long) => Err(BrandRulesError::WordTooLong { list, index }),
        _ => Ok(folded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Sentence, forbidden word, text, whether it is found.
    const FINDS: &[(&str, &str, &str, bool)] = &[
        ("a-word-is-found", "cheap", "a cheap shoe", true),
        ("case-makes-no-difference", "Cheap", "CHEAP", true),
        ("width-makes-no-difference", "cheap", "ｃｈｅａｐ", true),
        ("a-soft-hyphen-hides-nothing", "guaranteed", "guaran\u{AD}teed", true),
        ("a-zero-width-space-hides-nothing", "cheap", "ch\u{200B}eap", true),
        ("a-soft-hyphen-in-the-list-is-harmless", "gua\u{AD}ranteed", "guaranteed", true),
        ("a-longer-word-is-another-word", "cheap", "no cheapskate", false),
        ("an-inflected-form-is-another-word", "cheap", "cheaper", false),
        ("the-end-of-a-word-is-not-the-word", "cheap", "dirtcheap", false),
        ("a-hyphen-ends-a-word", "cheap", "dirt-cheap", true),
        ("a-hyphen-that-does-not-break-ends-a-word", "dirt-cheap", "dirt\u{2011}cheap", true),
        ("an-apostrophe-ends-a-word", "cheap", "cheap’s the word", true),
        ("an-underscore-ends-a-word", "cheap", "_cheap_", true),
        ("an-emoji-ends-a-word", "cheap", "🔥cheap🔥", true),
        ("digits-belong-to-a-word", "5g", "25g of protein", false),
        ("a-word-with-a-sign-is-found", "100%", "is 100% sure", true),
        ("a-number-inside-a-number-is-not-it", "100%", "1100%", false),
        ("a-later-whole-word-is-found-behind-a-part", "cheap", "cheapskate, cheap", true),
        ("a-phrase-runs-over-any-white-space", "free returns", "Free\n \u{A0}returns!", true),
        ("a-phrase-needs-its-space", "free returns", "freereturns", false),
        ("a-curly-apostrophe-is-an-apostrophe", "don't", "Don’t wait", true),
        ("an-accent-makes-another-word", "resume", "résumé", false),
        ("composed-and-decomposed-are-one", "caf\u{E9}", "cafe\u{301}", true),
        ("a-mark-makes-another-letter", "x", "x\u{304}", false),
        ("sharp-s-is-two", "strasse", "Straße", true),
        ("turkish-capitals-are-found", "indirim", "İNDİRİM", true),
        ("chinese-has-no-word-ends", "最低价", "全网最低价格", true),
        ("a-latin-word-ends-at-chinese", "ai", "使用AI技术", true),
        ("japanese-has-no-word-ends", "無料", "送料無料です", true),
        ("a-voiced-kana-is-another-kana", "カス", "ガス", false),
        ("thai-has-no-word-ends", "ฟรี", "ส่งฟรีทุกวัน", true),
        ("a-thai-tone-makes-another-syllable", "ปา", "ป่า", false),
        ("korean-carries-particles", "무료", "무료로 배송", true),
        ("cyrillic-has-word-ends", "дешево", "дешевою", false),
        ("look-alikes-of-another-script-are-not-found", "cheap", "сheap", false),
    ];

    #[test]
    fn finds_what_its_table_says() {
        for (sentence, word, text, expected) in FINDS {
            let rules = BrandRules::new(&words(&[word]), &[]).expect(sentence);
            assert_eq!(!rules.forbidden_in(text).is_empty(), *expected, "{sentence}");
            let rules = BrandRules::new(&[], &words(&[word])).expect(sentence);
            assert_eq!(rules.missing_from([*text]).is_empty(), *expected, "{sentence}, as a required word");
        }
    }

    #[test]
    fn overlapping_words_are_all_found_in_the_order_of_the_list() {
        let rules = BrandRules::new(&words(&["returns", "free returns", "free"]), &[]).expect("three words");
        assert_eq!(rules.forbidden_in("free returns"), ["returns", "free returns", "free"]);
    }

    #[test]
    fn a_required_word_may_not_be_put_together_from_two_slots() {
        let rules = BrandRules::new(&[], &words(&["free returns"])).expect("one phrase");
        assert_eq!(rules.missing_from(["free", "returns"]), ["free returns"]);
    }

    #[test]
    fn a_word_that_comes_twice_is_kept_in_its_first_spelling() {
        let rules = BrandRules::new(&words(&["Cheap", "ＣＨＥＡＰ", "cheap"]), &[]).expect("three words");
        assert_eq!(rules.forbidden(), ["Cheap"]);
    }

    #[test]
    fn every_bound_is_an_error_that_says_what_to_do() {
        let many: Vec<String> = (0..=MAX_WORDS).map(|i| format!("word{i}")).collect();
        let long = vec!["x".repeat(MAX_WORD_LENGTH + 1)];
        let grows = vec!["\u{FDFA}".repeat(MAX_WORD_LENGTH)];
        let none: &[String] = &[];
        let cases: &[(&[String], &[String], &str)] = &[
            (&many, none, "forbidden has 201 words, at most 200 are allowed: remove 1"),
            (none, &long, "required[0] is longer than 100 code points: shorten it"),
            (&grows, none, "forbidden[0] is longer than 100 code points: shorten it"),
            (&words(&["ok", " \u{200B}"]), none, "forbidden[1] is empty: remove it"),
            (
                &words(&["Cheap"]),
                &words(&["cheap flights"]),
                "the required word \"cheap flights\" contains the forbidden word \"Cheap\", so no copy can pass: remove one",
            ),
        ];
        for (forbidden, required, message) in cases {
            let error = BrandRules::new(forbidden, required).expect_err(message);
            assert_eq!(error.to_string(), *message);
        }
        assert!(BrandRules::new(&many[..MAX_WORDS], &["x".repeat(MAX_WORD_LENGTH)]).is_ok());
    }
}
