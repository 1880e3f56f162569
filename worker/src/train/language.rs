//! The texts of one language: what its briefs say, and how its copy says it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rules::Format;

use super::corpus::CorpusError;
use super::grammar::{Expansion, Fields, Grammar};
use super::names::{Names, is_han, is_held_out};
use crate::prompt::{Prompt, Script};
use crate::random::Random;

/// Tones that every language has texts for. A prompt may also name none.
const TONES: [&str; 6] = ["warm", "direct", "playful", "calm", "bold", "expert"];
/// Slots that may hold so many characters say everything that is to be said.
const WHOLE_MESSAGE: usize = 500;
/// How many names are drawn for a brief before the corpus itself is to blame.
const NAMES_PER_BRIEF: usize = 200;
/// The file that product names come from, as the symbol `name`.
const NAMES: &str = "names.yaml";
/// Shorter ones are syllables of invented names, most of them.
const SHORTEST_WORD: usize = 3;
/// Chinese sets no spaces, and what is longer is a phrase.
const LONGEST_HAN_WORD: usize = 4;
/// What texts may name of a brief.
const FIELDS: [&str; 6] = ["product", "audience", "offer", "fact", "fact2", "action"];

/// A language that rows are drawn in.
#[derive(Clone, Debug)]
pub(super) struct Language {
    tag: String,
    folder: PathBuf,
    grammar: Grammar,
    formats: Vec<&'static Format>,
}

impl Language {
    /// Reads `names.yaml`, `brief.yaml` and `copy.yaml` of a language's folder.
    pub(super) fn open(folder: &Path, tag: &str) -> Result<Self, CorpusError> {
        let mut symbols = BTreeMap::new();
        for file in [NAMES, "brief.yaml", "copy.yaml"] {
            symbols.extend(read(&folder.join(file))?);
        }
        add_words(&mut symbols);
        let in_folder = |source| CorpusError::Grammar { folder: folder.to_owned(), source };
        let grammar = Grammar::new(&symbols).map_err(in_folder)?;
        if let Some(name) = grammar.unknown(&FIELDS) {
            return Err(CorpusError::Unknown { folder: folder.to_owned(), name });
        }
        let has_texts =
            |format: &&Format| format.slots().iter().all(|slot| grammar.has(&key(format, &slot.name)));
        let formats: Vec<_> = rules::formats().filter(has_texts).collect();
        if formats.is_empty() {
            return Err(CorpusError::NoFormat(folder.to_owned()));
        }
        Ok(Self { tag: tag.to_owned(), folder: folder.to_owned(), grammar, formats })
    }

    /// Its primary tag, such as `en`.
    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// The formats that have texts for all their slots.
    pub(super) fn formats(&self) -> &[&'static Format] {
        &self.formats
    }

    /// Draws a brief for `format`. Real briefs leave things out, so these do.
    pub(super) fn prompt(
        &self,
        format: &Format,
        names: Names,
        random: &mut Random,
    ) -> Result<Prompt, CorpusError> {
        let tone = self.tone(random);
        let product = self.name(names, random)?;
        let mut maybe = |symbol: &str, probability: f64| {
            random.chance(probability).then(|| self.text(symbol, random)).filter(|text| !text.is_empty())
        };
        Ok(Prompt {
            format: format.name().to_owned(),
            language: self.tag.clone(),
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
        let mut drawn = (0..NAMES_PER_BRIEF).map(|_| self.text("name", random));
        drawn.find(fits).ok_or_else(|| CorpusError::Nameless { path: self.folder.join(NAMES), wanted })
    }

    fn text(&self, symbol: &str, random: &mut Random) -> String {
        self.grammar.expand(symbol, &Fields::new(), random).map(|made| made.text).unwrap_or_default()
    }

    /// Copy for each slot. What one slot has said of the brief, a later one does not say again, unless it has room for
    /// the whole message: a mail's subject and preheader stay behind in the inbox.
    pub(super) fn copy(
        &self,
        format: &Format,
        prompt: &Prompt,
        random: &mut Random,
    ) -> Vec<(String, String)> {
        let mut whole = prompt.clone();
        random.shuffle(&mut whole.facts);
        let mut left = whole.clone();
        let mut copy = Vec::new();
        for slot in format.slots() {
            if slot.hard_limit >= WHOLE_MESSAGE {
                left = whole.clone();
            }
            let made = self.slot(&key(format, &slot.name), prompt.tone.as_deref(), &fields(&left), random);
            forget(&mut left, &made.used);
            copy.push((slot.name.to_string(), made.text));
        }
        if let Some(words) = &prompt.words {
            say_words(&mut copy, words, Script::of(&self.tag));
        }
        copy
    }

    fn slot(&self, key: &str, tone: Option<&str>, fields: &Fields, random: &mut Random) -> Expansion {
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
fn forget(left: &mut Prompt, used: &BTreeSet<String>) {
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
fn say_words(copy: &mut [(String, String)], words: &str, Script { gap, stop }: Script) {
    if let Some((_, body)) = copy.iter_mut().find(|(slot, _)| slot == "body") {
        body.push_str(&format!("{gap}{words}{stop}"));
    }
}

fn key(format: &Format, slot: &str) -> String {
    format!("{}/{slot}", format.name())
}

/// The symbols `word` and `Word`: every word that stands in any text, as it stands, and with a capital.
///
/// Words in an order that nobody writes can only be copied one by one. A model that met each of them in the phrases of
/// this corpus alone would learn the phrases, and break those of real briefs.
fn add_words(symbols: &mut BTreeMap<String, Vec<String>>) {
    let texts = symbols.values().flatten().map(|text| without_names(text));
    let words: BTreeSet<String> = texts.flat_map(|text| words(&text)).collect();
    let capital = |word: &String| {
        let mut rest = word.chars();
        rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
    };
    symbols.insert("Word".to_owned(), words.iter().map(capital).collect());
    symbols.insert("word".to_owned(), words.into_iter().collect());
}

/// A text without the names in its braces.
fn without_names(text: &str) -> String {
    text.split('{')
        .map(|part| part.split_once('}').map_or(part, |(_, behind)| behind))
        .collect::<Vec<_>>()
        .join(" ")
}

fn words(text: &str) -> Vec<String> {
    let is_word = |word: &&str| match word.chars().next().is_some_and(is_han) {
        true => word.chars().count() <= LONGEST_HAN_WORD,
        false => word.chars().count() >= SHORTEST_WORD,
    };
    text.split(|c: char| !c.is_alphabetic()).filter(is_word).map(str::to_owned).collect()
}

fn read(path: &Path) -> Result<BTreeMap<String, Vec<String>>, CorpusError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| CorpusError::Read { path: path.to_owned(), source })?;
    serde_saphyr::from_str(&text)
        .map_err(|source| CorpusError::Parse { path: path.to_owned(), source: Box::new(source) })
}
