//! Rows to learn from: an invented brief, and copy that says only what the brief says and passes the channel's rules.
//!
//! Rows are drawn, never listed, so that no two steps of a training see the same one: what stays the same between rows
//! is how copy is made from a brief, and that alone can be learned.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rules::{BrandRules, Format, Violation};

use super::grammar::{Fields, Grammar, GrammarError};
use crate::prompt::{self, Prompt};
use crate::random::Random;

/// Tones that the corpus has texts for. A prompt may also name none.
pub const TONES: [&str; 6] = ["warm", "direct", "playful", "calm", "bold", "expert"];
/// How often copy is drawn for one brief that would meet the soft limits, and then how often for the hard ones alone.
/// After that the brief is given up as too long for its format.
const DRAWS_PER_BRIEF: usize = 4;
/// Slots that may hold so many characters say everything that is to be said.
const WHOLE_MESSAGE: usize = 500;
/// How many briefs are drawn for a row, and how many names for a brief, before the corpus itself is to blame.
const BRIEFS_PER_ROW: usize = 200;
/// The file that product names come from, as the symbol `name`.
const NAMES: &str = "names.yaml";
/// One word in so many is kept out of training; see [`is_held_out`].
const HELD_OUT_ONE_IN: u8 = 8;

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
    #[error("the corpus is no grammar")]
    Grammar(#[from] GrammarError),
    /// A text names something that neither the grammar nor a brief has.
    #[error("texts name {0:?}, which is no symbol and no field of a brief")]
    Unknown(String),
    /// No format of the channel rules has texts for all its slots.
    #[error("no format has texts for all its slots (`Format/slot` in copy.yaml)")]
    NoFormat,
    /// The corpus has no product name of the kind that a row asks for.
    #[error(
        "{} gave no name {} in {BRIEFS_PER_ROW} draws: give its symbol `name` more texts, with other words of four \
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
        "{BRIEFS_PER_ROW} briefs in a row gave no copy that passes the rules of {0}: its texts are too long"
    )]
    Refused(String),
}

/// Which names a row may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Those to learn from: no word of them is held out.
    Training,
    /// Those to test with: at least one word of them never occurs in a name of the other kind.
    HeldOut,
}

impl Names {
    /// What a name of this kind is for, as an error says it.
    fn purpose(self) -> &'static str {
        match self {
            Self::Training => "to learn from",
            Self::HeldOut => "to test with",
        }
    }
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
    folder: PathBuf,
    grammar: Grammar,
    formats: Vec<&'static Format>,
    brand: BrandRules,
}

impl Corpus {
    /// Reads `names.yaml`, `brief.yaml` and `copy.yaml` of a folder.
    ///
    /// # Errors
    /// When a file cannot be read, a text cannot, or no format has texts for all its slots.
    pub fn open(folder: &Path) -> Result<Self, CorpusError> {
        let mut symbols = BTreeMap::new();
        for file in [NAMES, "brief.yaml", "copy.yaml"] {
            symbols.extend(read(&folder.join(file))?);
        }
        let grammar = Grammar::new(&symbols)?;
        if let Some(unknown) = grammar.unknown(&FIELDS) {
            return Err(CorpusError::Unknown(unknown));
        }
        let has_texts =
            |format: &&Format| format.slots().iter().all(|slot| grammar.has(&key(format, &slot.name)));
        let formats: Vec<_> = rules::formats().filter(has_texts).collect();
        if formats.is_empty() {
            return Err(CorpusError::NoFormat);
        }
        let brand = BrandRules::new(&[], &[]).expect("no words break no bound");
        Ok(Self { folder: folder.to_owned(), grammar, formats, brand })
    }

    /// Draws one row whose copy passes every rule of its format; the soft ones too, unless its brief is too long.
    ///
    /// # Errors
    /// When the rules refuse nearly everything, or no product name is of the kind that `names` asks for. Both are faults
    /// of the corpus.
    pub fn row(&self, names: Names, random: &mut Random) -> Result<Row, CorpusError> {
        let format = *random.pick(&self.formats);
        for _ in 0..BRIEFS_PER_ROW {
            let prompt = self.prompt(format, names, random)?;
            for draw in 0..2 * DRAWS_PER_BRIEF {
                let copy = self.copy(format, &prompt, random);
                let strict = draw < DRAWS_PER_BRIEF;
                if !self.violations(format, &copy).iter().any(|it| strict || it.is_hard()) {
                    return Ok(Row { prompt, copy });
                }
            }
        }
        Err(CorpusError::Refused(format.name().to_owned()))
    }

    fn violations(&self, format: &Format, copy: &[(String, String)]) -> Vec<Violation> {
        rules::check(format, &self.brand, &copy.iter().cloned().collect())
    }

    /// Draws a brief for `format`. Real briefs leave things out, so these do.
    fn prompt(&self, format: &Format, names: Names, random: &mut Random) -> Result<Prompt, CorpusError> {
        let tone = self.tone(random);
        let product = self.name(names, random)?;
        let mut maybe = |symbol: &str, probability: f64| {
            random.chance(probability).then(|| self.text(symbol, random)).filter(|text| !text.is_empty())
        };
        Ok(Prompt {
            format: format.name().to_owned(),
            tone,
            product,
            audience: maybe("brief.audience", 0.7),
            offer: maybe("brief.offer", 0.7),
            facts: [maybe("brief.fact", 0.85), maybe("brief.fact", 0.6)].into_iter().flatten().collect(),
            action: maybe("brief.action", 0.85),
            words: maybe("brief.words", 0.15),
        })
    }

    /// A tone that the corpus has texts for, mostly. Briefs also name none, or one that nobody foresaw: for those the
    /// plain texts are learned, so that a strange word changes nothing else.
    fn tone(&self, random: &mut Random) -> Option<String> {
        match random.unit() {
            share if share < 0.8 => Some((*random.pick(&TONES)).to_owned()),
            share if share < 0.9 => Some(self.text("brief.tone", random)),
            _ => None,
        }
    }

    /// A product name of the kind that `wanted` asks for; never an empty one, which the symbol `name` gives when it is
    /// missing.
    fn name(&self, wanted: Names, random: &mut Random) -> Result<String, CorpusError> {
        let fits = |name: &String| !name.is_empty() && is_held_out(name) == (wanted == Names::HeldOut);
        let mut drawn = (0..BRIEFS_PER_ROW).map(|_| self.text("name", random));
        drawn.find(fits).ok_or_else(|| CorpusError::Nameless { path: self.folder.join(NAMES), wanted })
    }

    fn text(&self, symbol: &str, random: &mut Random) -> String {
        self.grammar.expand(symbol, &Fields::new(), random).map(|made| made.text).unwrap_or_default()
    }

    /// Copy for each slot. What one slot has said of the brief, a later one does not say again, unless it has room for
    /// the whole message: a mail's subject and preheader stay behind in the inbox.
    fn copy(&self, format: &Format, prompt: &Prompt, random: &mut Random) -> Vec<(String, String)> {
        let mut whole = prompt.clone();
        random.shuffle(&mut whole.facts);
        let mut left = whole.clone();
        let mut copy = Vec::new();
        for slot in format.slots() {
            if slot.hard_limit >= WHOLE_MESSAGE {
                left = whole.clone();
            }
            let fields = fields(&left);
            let made = self.slot(&key(format, &slot.name), prompt.tone.as_deref(), &fields, random);
            forget(&mut left, &made.used);
            copy.push((slot.name.to_string(), made.text));
        }
        if let Some(words) = &prompt.words {
            say_words(&mut copy, words);
        }
        copy
    }

    fn slot(
        &self,
        key: &str,
        tone: Option<&str>,
        fields: &Fields,
        random: &mut Random,
    ) -> super::grammar::Expansion {
        let toned = tone.map(|tone| format!("{key}/{tone}")).filter(|key| self.grammar.has(key));
        // Two of three in the asked tone: a tone must be audible, and the plain texts are good copy in any tone.
        let first = toned.filter(|_| random.chance(0.67));
        let otherwise = format!("{key}/otherwise");
        [first.as_deref(), Some(key), Some(&otherwise)]
            .into_iter()
            .flatten()
            .find_map(|symbol| self.grammar.expand(symbol, fields, random))
            .unwrap_or_default()
    }
}

/// What texts may name of a brief.
const FIELDS: [&str; 6] = ["product", "audience", "offer", "fact", "fact2", "action"];

fn fields(prompt: &Prompt) -> Fields {
    let mut fields = Fields::from([("product", prompt.product.clone())]);
    let facts = ["fact", "fact2"].into_iter().zip(prompt.facts.iter().map(Some));
    let others = [("audience", &prompt.audience), ("offer", &prompt.offer), ("action", &prompt.action)];
    for (field, value) in facts.chain(others.map(|(field, value)| (field, value.as_ref()))) {
        if let Some(value) = value {
            fields.insert(field, value.clone());
        }
    }
    fields
}

/// Takes out of `left` what has been said. The product and the action may be said again.
fn forget(left: &mut Prompt, used: &std::collections::BTreeSet<String>) {
    if used.contains("audience") {
        left.audience = None;
    }
    if used.contains("offer") {
        left.offer = None;
    }
    let said = usize::from(used.contains("fact")) + usize::from(used.contains("fact2"));
    left.facts.drain(..said.min(left.facts.len()));
}

/// Ends the body with the words that the brief demands.
fn say_words(copy: &mut [(String, String)], words: &str) {
    if let Some((_, body)) = copy.iter_mut().find(|(slot, _)| slot == "body") {
        body.push_str(&format!(" {words}."));
    }
}

fn key(format: &Format, slot: &str) -> String {
    format!("{}/{slot}", format.name())
}

/// Whether a name is kept out of training: it has a word whose digest falls into the held-out eighth.
///
/// Words are held out rather than whole names, so that a test name holds at least one word that no training name has.
/// Words of three letters or fewer (`The`, `by`) stay, for every kind of name needs them.
#[must_use]
pub fn is_held_out(name: &str) -> bool {
    name.split_whitespace().filter(|word| word.chars().count() > 3).any(|word| {
        use sha2::{Digest, Sha256};
        Sha256::digest(word.as_bytes())[0] % HELD_OUT_ONE_IN == 0
    })
}

fn read(path: &Path) -> Result<BTreeMap<String, Vec<String>>, CorpusError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| CorpusError::Read { path: path.to_owned(), source })?;
    serde_saphyr::from_str(&text)
        .map_err(|source| CorpusError::Parse { path: path.to_owned(), source: Box::new(source) })
}

/// The text of a row as the model reads it, for the tokenizer.
#[must_use]
pub fn text(row: &Row) -> String {
    let slots = row.copy.iter().map(|(slot, text)| format!("{} {text}\n", prompt::cue(slot)));
    row.prompt.head() + &slots.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> Corpus {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/handbill/corpus");
        Corpus::open(Path::new(folder)).expect("the shipped corpus is valid")
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
            let write =
                |file: &str, text: &str| std::fs::write(folder.path().join(file), text).expect("written");
            write("names.yaml", symbols);
            write("brief.yaml", "brief.fact: [Red]");
            write(
                "copy.yaml",
                "{WebBanner/headline: [Meet us], WebBanner/body: [Red], WebBanner/button: [Go]}",
            );
            let corpus = Corpus::open(folder.path()).expect("a grammar");
            let error = corpus.row(wanted, &mut Random::from_seed(1)).expect_err("no such name").to_string();
            let file = folder.path().join("names.yaml");
            assert!(error.starts_with(&format!("{} gave no name {purpose}", file.display())), "{error}");
            assert!(error.contains("give its symbol `name` more texts"), "{error}");
        };
        check("other: [Velta]", Names::Training, "to learn from");
        check("other: [Velta]", Names::HeldOut, "to test with");
        // Words of three letters are never held out.
        check("name: [Ox, Elk]", Names::HeldOut, "to test with");
    }

    #[test]
    fn nearly_all_copy_names_the_product_and_says_nothing_twice() {
        let corpus = corpus();
        let mut random = Random::from_seed(2);
        let rows: Vec<Row> =
            (0..1000).map(|_| corpus.row(Names::Training, &mut random).expect("a row")).collect();
        let named =
            rows.iter().filter(|row| row.copy.iter().any(|(_, text)| text.contains(&row.prompt.product)));
        let named = named.count();
        assert!(named >= 920, "{named} of 1000 name the product");
        for row in &rows {
            let Some(offer) = &row.prompt.offer else { continue };
            let said = row.copy.iter().filter(|(_, text)| text.contains(offer.as_str())).count();
            // An offer such as `From $9` may be part of a fact by chance; twice in a row it would be a fault.
            assert!(said <= 2, "{row:?}");
        }
    }

    #[test]
    fn copy_holds_no_figure_that_its_brief_does_not_hold() {
        let corpus = corpus();
        let mut random = Random::from_seed(4);
        for _ in 0..500 {
            let row = corpus.row(Names::Training, &mut random).expect("a row");
            let head = row.prompt.head();
            for word in row.copy.iter().flat_map(|(_, text)| text.split_whitespace()) {
                let word = word.trim_end_matches(['.', ',', ':', '!', '?']);
                let figure = word.chars().any(|c| c.is_ascii_digit());
                assert!(!figure || head.contains(word), "{word:?} is invented: {row:?}");
            }
        }
    }

    #[test]
    fn demanded_words_stand_in_the_copy() {
        let corpus = corpus();
        let mut random = Random::from_seed(3);
        let rows = (0..500).map(|_| corpus.row(Names::Training, &mut random).expect("a row"));
        let demanding: Vec<Row> = rows.filter(|row| row.prompt.words.is_some()).collect();
        assert!(demanding.len() > 20);
        for row in demanding {
            let words = row.prompt.words.clone().expect("filtered above");
            assert!(row.copy.iter().any(|(_, text)| text.contains(&words)), "{row:?}");
        }
    }
}
