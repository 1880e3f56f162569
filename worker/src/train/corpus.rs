//! Rows to learn from: an invented brief, and copy that says only what the brief says and passes the channel's rules.
//!
//! Rows are drawn, never listed, so that no two steps of a training see the same one: what stays the same between rows
//! is how copy is made from a brief, and that alone can be learned.

use std::path::{Path, PathBuf};

use rules::{BrandRules, Format, Violation};

use super::grammar::GrammarError;
use super::language::Language;
use super::names::Names;
use super::recipe::Weights;
use crate::prompt::{self, Prompt, Script};
use crate::random::Random;

/// How often copy is drawn for one brief that would meet the soft limits, and then how often for the hard ones alone.
/// After that the brief is given up as too long for its format.
const DRAWS_PER_BRIEF: usize = 12;
/// How many briefs are drawn for a row before the corpus itself is to blame.
const BRIEFS_PER_ROW: usize = 200;

/// Why a corpus cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A file is not there or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not a map from symbols to texts.
    #[error("{} is not a map from symbols to lists of texts", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: Box<serde_saphyr::Error>,
    },
    /// The texts do not make a grammar.
    #[error("the texts in {} are no grammar", folder.display())]
    Grammar {
        /// The language's folder.
        folder: PathBuf,
        /// What is wrong with them.
        source: GrammarError,
    },
    /// A text names something that neither the grammar nor a brief has.
    #[error("texts in {} name {name:?}, which is no symbol and no field of a brief", folder.display())]
    Unknown {
        /// The language's folder.
        folder: PathBuf,
        /// What they name.
        name: String,
    },
    /// No format of the channel rules has texts for all its slots.
    #[error("no format has texts for all its slots (`Format/slot` in {})", .0.join("copy.yaml").display())]
    NoFormat(PathBuf),
    /// The corpus has no product name of the kind that a row asks for.
    #[error(
        "{} gave no name {}, however often one was drawn: give its symbol `name` more texts, with other words of four \
         letters or more", path.display(), wanted.purpose()
    )]
    Nameless {
        /// The file that product names come from.
        path: PathBuf,
        /// The kind of name that it does not give.
        wanted: Names,
    },
    /// The rules refuse nearly everything that the corpus writes.
    #[error(
        "{BRIEFS_PER_ROW} briefs in a row gave no {format} copy in {language:?} that passes the rules and says product \
         and offer: its texts are too long, or too few of them name these"
    )]
    Refused {
        /// The format.
        format: String,
        /// The language.
        language: String,
    },
}

/// One brief as a prompt, and one piece of copy for it, in the order of the format's slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The brief.
    pub prompt: Prompt,
    /// Slot names and their texts.
    pub copy: Vec<(String, String)>,
}

/// Everything that rows are drawn from.
#[derive(Clone, Debug)]
pub struct Corpus {
    languages: Vec<(Language, usize)>,
    brand: BrandRules,
}

impl Corpus {
    /// Reads `names.yaml`, `brief.yaml` and `copy.yaml` of each language, from a folder that has its tag for a name.
    ///
    /// # Errors
    /// When a file cannot be read, a text cannot, or a language has texts for all slots of no format.
    pub fn open(folder: &Path, languages: &Weights) -> Result<Self, CorpusError> {
        let open = |(tag, weight): (&String, &usize)| Ok((Language::open(&folder.join(tag), tag)?, *weight));
        let languages = languages.iter().map(open).collect::<Result<_, CorpusError>>()?;
        let brand = BrandRules::new(&[], &[]).expect("no words break no bound");
        Ok(Self { languages, brand })
    }

    /// Draws one row whose copy names the product, says the offer if there is one, and passes every rule of its format;
    /// the soft ones too, unless its brief is too long.
    ///
    /// # Errors
    /// When the rules refuse nearly everything, or no product name is of the kind that `names` asks for. Both are faults
    /// of the corpus.
    pub fn row(&self, names: Names, random: &mut Random) -> Result<Row, CorpusError> {
        let language = self.language(random);
        let format = *random.pick(language.formats());
        for _ in 0..BRIEFS_PER_ROW {
            let prompt = language.prompt(format, names, random)?;
            for draw in 0..2 * DRAWS_PER_BRIEF {
                let copy = language.copy(format, &prompt, random);
                let strict = draw < DRAWS_PER_BRIEF;
                let breaks = |it: &Violation| strict || it.is_hard();
                if says_what_counts(&copy, &prompt) && !self.violations(format, &copy).iter().any(breaks) {
                    return Ok(Row { prompt, copy });
                }
            }
        }
        Err(CorpusError::Refused { format: format.name().to_owned(), language: language.tag().to_owned() })
    }

    /// A language, each as often as its weight says.
    fn language(&self, random: &mut Random) -> &Language {
        let total = self.languages.iter().map(|(_, weight)| weight).sum();
        let mut left = random.below(total);
        let found = self.languages.iter().find(|(_, weight)| match left.checked_sub(*weight) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        &found.expect("what is below the sum of weights is below one of them").0
    }

    fn violations(&self, format: &Format, copy: &[(String, String)]) -> Vec<Violation> {
        rules::check(format, &self.brand, &copy.iter().cloned().collect())
    }
}

/// Whether copy says product and offer letter for letter. Everything else may be left out for another variant; a model
/// that learns to leave these out does so where they were wanted.
fn says_what_counts(copy: &[(String, String)], prompt: &Prompt) -> bool {
    let says = |value: &String| copy.iter().any(|(_, text)| text.contains(value.as_str()));
    says(&prompt.product) && prompt.offer.iter().all(says)
}

/// The text of a row as the model reads it, for the tokenizer.
#[must_use]
pub fn text(row: &Row) -> String {
    let Script { gap, .. } = Script::of(&row.prompt.language);
    let slots = row.copy.iter().map(|(slot, text)| format!("{}{gap}{text}\n", prompt::cue(slot)));
    row.prompt.head() + &slots.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brief::figures;
    use crate::train::names::is_held_out;
    use crate::train::recipe::Recipe;

    fn corpus() -> Corpus {
        let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/handbill/recipe.yaml");
        let recipe = Recipe::open(Path::new(recipe)).expect("the shipped recipe is valid");
        Corpus::open(&recipe.corpus.folder, &recipe.corpus.languages).expect("the shipped corpus is valid")
    }

    /// Rows to learn from, of every language.
    fn rows(seed: u64, count: usize) -> Vec<Row> {
        let corpus = corpus();
        let mut random = Random::from_seed(seed);
        (0..count).map(|_| corpus.row(Names::Training, &mut random).expect("a row")).collect()
    }

    #[test]
    fn equal_seeds_draw_equal_rows() {
        let corpus = corpus();
        let draw = |seed| corpus.row(Names::Training, &mut Random::from_seed(seed)).expect("a row");
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
    }

    #[test]
    fn names_to_test_with_hold_a_word_that_names_to_learn_from_never_have() {
        let corpus = corpus();
        let mut random = Random::from_seed(1);
        for _ in 0..200 {
            assert!(!is_held_out(&corpus.row(Names::Training, &mut random).expect("a row").prompt.product));
            assert!(is_held_out(&corpus.row(Names::HeldOut, &mut random).expect("a row").prompt.product));
        }
    }

    #[test]
    fn a_corpus_without_names_of_the_asked_kind_is_an_error_that_names_the_file() {
        let check = |symbols: &str, wanted, purpose: &str| {
            let folder = tempfile::tempdir().expect("a folder");
            let of_language = folder.path().join("en");
            std::fs::create_dir(&of_language).expect("created");
            let write =
                |file: &str, text: &str| std::fs::write(of_language.join(file), text).expect("written");
            write("names.yaml", symbols);
            write("brief.yaml", "brief.fact: [Red]");
            write(
                "copy.yaml",
                "{WebBanner/headline: [Meet us], WebBanner/body: [Red], WebBanner/button: [Go]}",
            );
            let languages = Weights::from([("en".to_owned(), 1)]);
            let corpus = Corpus::open(folder.path(), &languages).expect("a grammar");
            let error = corpus.row(wanted, &mut Random::from_seed(1)).expect_err("no such name").to_string();
            let file = of_language.join("names.yaml");
            assert!(error.starts_with(&format!("{} gave no name {purpose}", file.display())), "{error}");
            assert!(error.contains("give its symbol `name` more texts"), "{error}");
        };
        check("other: [Velta]", Names::Training, "to learn from");
        check("other: [Velta]", Names::HeldOut, "to test with");
        // Words of three letters are never held out.
        check("name: [Ox, Elk]", Names::HeldOut, "to test with");
    }

    #[test]
    fn copy_names_the_product_and_says_the_offer_and_says_nothing_twice() {
        for row in rows(2, 1000) {
            let times = |value: &str| row.copy.iter().filter(|(_, text)| text.contains(value)).count();
            assert!(times(&row.prompt.product) >= 1, "{row:?}");
            // An offer such as `From $9` may be part of a fact by chance; twice in a row it would be a fault.
            let offered = row.prompt.offer.as_deref().map(times);
            assert!(offered.is_none_or(|times| (1..=2).contains(&times)), "{row:?}");
        }
    }

    #[test]
    fn each_language_has_its_share_of_rows_and_writes_with_its_own_marks() {
        let rows = rows(6, 1000);
        let count = |language: &str| rows.iter().filter(|row| row.prompt.language == language).count();
        for (language, share) in [("en", 450), ("de", 300), ("zh", 250)] {
            assert!(count(language).abs_diff(share) < 60, "{language}: {}", count(language));
        }
        let copy = |row: &Row| row.copy.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().concat();
        for row in &rows {
            let chinese = row.prompt.language == "zh";
            assert!(chinese || !copy(row).contains(['，', '。', '：', '！', '？']), "{row:?}");
            assert!(!chinese || !copy(row).contains("。 ") && !copy(row).contains(". "), "{row:?}");
        }
    }

    #[test]
    fn copy_holds_no_figure_that_its_brief_does_not_hold() {
        for row in rows(4, 500) {
            let head = row.prompt.head();
            let said: Vec<&str> = figures(&head).collect();
            for figure in row.copy.iter().flat_map(|(_, text)| figures(text)) {
                assert!(said.contains(&figure), "{figure:?} is invented: {row:?}");
            }
        }
    }

    #[test]
    fn demanded_words_stand_in_the_copy() {
        let demanding: Vec<Row> = rows(3, 500).into_iter().filter(|row| row.prompt.words.is_some()).collect();
        assert!(demanding.len() > 20);
        for row in demanding {
            let words = row.prompt.words.clone().expect("filtered above");
            assert!(row.copy.iter().any(|(_, text)| text.contains(&words)), "{row:?}");
        }
    }
}
