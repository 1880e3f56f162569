//! A small generative grammar: symbols, and for each the texts that it may become.
//!
//! A text may hold `{symbol}`, which is expanded in turn, `{5-90}`, a whole number from that range, and `{field}`, a
//! value that the caller has bound. A text whose fields are not all bound is never chosen, so that copy speaks only of
//! what its brief says.

use std::collections::{BTreeMap, BTreeSet};

use crate::random::Random;

/// Deepest nesting of symbols. A grammar of copy needs four or five; past this it refers to itself.
const DEEPEST: usize = 12;

/// Why a grammar cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GrammarError {
    /// A symbol has no text to become.
    #[error("symbol {0:?} has no texts: give it at least one")]
    Empty(String),
    /// A brace is never closed, or a range is upside down.
    #[error("text {text:?} of symbol {symbol:?} has a part that cannot be read: {part:?}")]
    Unreadable {
        /// The symbol that the text belongs to.
        symbol: String,
        /// The whole text.
        text: String,
        /// The part that is wrong.
        part: String,
    },
    /// A symbol can contain itself.
    #[error("symbol {0:?} nests deeper than {DEEPEST} levels: it refers to itself")]
    Endless(String),
}

/// Values that texts may hold as `{field}`.
pub type Fields = BTreeMap<&'static str, String>;

/// Symbols and their texts, parsed and checked.
#[derive(Clone, Debug)]
pub struct Grammar {
    symbols: BTreeMap<String, Vec<Text>>,
}

type Text = Vec<Part>;

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    Range(usize, usize),
    Name(String),
}

/// A text that was made, and the fields that it used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The finished text.
    pub text: String,
    /// The bound fields that it speaks of.
    pub used: BTreeSet<String>,
}

impl Grammar {
    /// Parses the texts of each symbol.
    ///
    /// # Errors
    /// When a symbol has no text, a text cannot be read, or a symbol contains itself.
    pub fn new(symbols: &BTreeMap<String, Vec<String>>) -> Result<Self, GrammarError> {
        let symbols = symbols
            .iter()
            .map(|(symbol, texts)| Ok((symbol.clone(), parse_all(symbol, texts)?)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        let grammar = Self { symbols };
        grammar.symbols.keys().try_for_each(|symbol| grammar.check_depth(symbol, symbol, 0))?;
        Ok(grammar)
    }

    /// Whether the grammar has this symbol.
    #[must_use]
    pub fn has(&self, symbol: &str) -> bool {
        self.symbols.contains_key(symbol)
    }

    /// The first name in a text that is neither a symbol nor one of `fields`: most often a typing error, which would
    /// otherwise make its text one that is never chosen.
    #[must_use]
    pub fn unknown(&self, fields: &[&str]) -> Option<String> {
        let mut names = self.symbols.values().flatten().flatten().filter_map(Part::name);
        names.find(|name| !self.has(name) && !fields.contains(name)).map(str::to_owned)
    }

    /// One text of `symbol`, each eligible one equally likely, or nothing where every text needs an unbound field.
    pub fn expand(&self, symbol: &str, fields: &Fields, random: &mut Random) -> Option<Expansion> {
        let mut expansion = Expansion::default();
        self.append(symbol, fields, random, &mut expansion).then_some(expansion)
    }

    fn append(&self, symbol: &str, fields: &Fields, random: &mut Random, out: &mut Expansion) -> bool {
        let eligible: Vec<&Text> = self.eligible(symbol, fields).collect();
        if eligible.is_empty() {
            return false;
        }
        random.pick(&eligible).iter().all(|part| self.append_part(part, fields, random, out))
    }

    fn append_part(&self, part: &Part, fields: &Fields, random: &mut Random, out: &mut Expansion) -> bool {
        match part {
            Part::Literal(text) => out.text.push_str(text),
            Part::Range(low, high) => out.text.push_str(&(low + random.below(high - low + 1)).to_string()),
            Part::Name(name) => match fields.get(name.as_str()) {
                Some(value) => {
                    out.text.push_str(value);
                    out.used.insert(name.clone());
                }
                None => return self.append(name, fields, random, out),
            },
        }
        true
    }

    fn eligible<'a>(&'a self, symbol: &str, fields: &'a Fields) -> impl Iterator<Item = &'a Text> {
        let texts = self.symbols.get(symbol).map_or(&[][..], Vec::as_slice);
        texts.iter().filter(move |text| text.iter().all(|part| self.possible(part, fields)))
    }

    fn possible(&self, part: &Part, fields: &Fields) -> bool {
        match part {
            Part::Literal(_) | Part::Range(..) => true,
            Part::Name(name) => {
                fields.contains_key(name.as_str()) || self.eligible(name, fields).next().is_some()
            }
        }
    }

    fn check_depth(&self, root: &str, symbol: &str, depth: usize) -> Result<(), GrammarError> {
        if depth > DEEPEST {
            return Err(GrammarError::Endless(root.into()));
        }
        let names = self.symbols.get(symbol).into_iter().flatten().flatten();
        names.filter_map(Part::name).try_for_each(|name| self.check_depth(root, name, depth + 1))
    }
}

impl Part {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Literal(_) | Self::Range(..) => None,
        }
    }
}

fn parse_all(symbol: &str, texts: &[String]) -> Result<Vec<Text>, GrammarError> {
    if texts.is_empty() {
        return Err(GrammarError::Empty(symbol.into()));
    }
    texts
        .iter()
        .map(|text| {
            parse(text).map_err(|part| GrammarError::Unreadable {
                symbol: symbol.into(),
                text: text.clone(),
                part,
            })
        })
        .collect()
}

/// Splits a text at its braces; the error is the part that cannot be read.
fn parse(text: &str) -> Result<Text, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((literal, tail)) = rest.split_once('{') {
        let (inside, after) = tail.split_once('}').ok_or_else(|| tail.to_owned())?;
        push_literal(&mut parts, literal);
        parts.push(parse_braces(inside)?);
        rest = after;
    }
    push_literal(&mut parts, rest);
    Ok(parts)
}

fn push_literal(parts: &mut Text, literal: &str) {
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.to_owned()));
    }
}

fn parse_braces(inside: &str) -> Result<Part, String> {
    let range = inside.split_once('-').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    match range {
        Some((low, high)) if low <= high => Ok(Part::Range(low, high)),
        Some(_) => Err(inside.to_owned()),
        None if inside.is_empty() => Err("{}".to_owned()),
        None => Ok(Part::Name(inside.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grammar(symbols: &[(&str, &[&str])]) -> Result<Grammar, GrammarError> {
        let owned = symbols.iter().map(|(symbol, texts)| {
            ((*symbol).to_owned(), texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        });
        Grammar::new(&owned.collect())
    }

    #[test]
    fn symbols_ranges_and_fields_are_filled_in() {
        let grammar =
            grammar(&[("copy", &["{greet} {product}, {3-3} times"]), ("greet", &["Meet"])]).expect("valid");
        let fields = Fields::from([("product", "Velta".to_owned())]);
        let made = grammar.expand("copy", &fields, &mut Random::from_seed(1)).expect("eligible");
        assert_eq!(made.text, "Meet Velta, 3 times");
        assert_eq!(made.used, BTreeSet::from(["product".to_owned()]));
    }

    #[test]
    fn a_text_whose_field_is_unbound_is_never_chosen() {
        let grammar =
            grammar(&[("copy", &["{offer}!", "plain", "{deep}"]), ("deep", &["{offer}"])]).expect("valid");
        let mut random = Random::from_seed(2);
        for _ in 0..100 {
            assert_eq!(grammar.expand("copy", &Fields::new(), &mut random).expect("eligible").text, "plain");
        }
        assert_eq!(grammar.expand("deep", &Fields::new(), &mut random), None);
    }

    #[test]
    fn a_grammar_that_cannot_be_used_says_which_symbol_is_wrong() {
        assert_eq!(grammar(&[("a", &[])]).expect_err("no grammar"), GrammarError::Empty("a".into()));
        assert_eq!(grammar(&[("a", &["{a}"])]).expect_err("no grammar"), GrammarError::Endless("a".into()));
        for text in ["{open", "{9-2}", "{}"] {
            assert!(matches!(grammar(&[("a", &[text])]), Err(GrammarError::Unreadable { .. })), "{text}");
        }
    }
}
