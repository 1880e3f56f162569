//! The form to which a slot's text is held: a regular expression, or a grammar in Lark.
//!
//! One automaton over bytes, of llguidance, both writes and judges: [`Beginning`] follows a text while it grows, and
//! [`Grammar::departure`] reads a finished one from its first byte. So a model is never led to a text that the check
//! refuses. All that bounds its work is counted and nothing timed: the same text is judged equally on every machine.

mod reach;

use std::fmt;
use std::sync::Arc;

use llguidance::TokenParser;
use llguidance::api::TopLevelGrammar;
use thiserror::Error;

/// The most bytes of a grammar.
pub const MAX_GRAMMAR_BYTES: usize = 16 * 1024;

/// The most characters of what the parser said that a message repeats.
const MAX_SAID: usize = 200;

/// A form of texts. Cheap to clone.
#[derive(Clone)]
pub struct Grammar {
    source: Source,
    /// At the beginning of every text; each reading has a copy of its own.
    start: Arc<TokenParser>,
}

/// How a grammar was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// A regular expression for the whole text.
    Pattern(String),
    /// Rules in Lark, from `start`.
    Lark(String),
    /// A JSON Schema.
    Schema(String),
}

/// Why a grammar cannot be used. Every message ends with what to do.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum GrammarError {
    /// More than [`MAX_GRAMMAR_BYTES`].
    #[error("has {found} bytes, at most {MAX_GRAMMAR_BYTES} are read: shorten it")]
    TooLarge {
        /// How many it has.
        found: usize,
    },
    /// Not of its language, or too much work.
    #[error("cannot be used ({what}): correct it, or where it is too much work, make it smaller")]
    Unusable {
        /// What the parser said.
        what: String,
    },
    /// No text begins so.
    #[error("lets no text begin: correct it")]
    Barren,
}

impl Grammar {
    /// Reads a grammar.
    ///
    /// # Errors
    /// When it is not of its language, lets no text begin, or would take too much memory or time.
    ///
    /// ```
    /// use rules::{Grammar, Source};
    ///
    /// let price = Grammar::new(Source::Pattern(r"Only \d+ €".to_owned())).expect("a good pattern");
    /// assert_eq!(price.departure("Only 12 €"), None);
    /// assert_eq!(price.departure("Only twelve €"), Some("Only "));
    /// ```
    pub fn new(source: Source) -> Result<Self, GrammarError> {
        let found = source.text().len();
        if found > MAX_GRAMMAR_BYTES {
            return Err(GrammarError::TooLarge { found });
        }
        let start = reach::parser(source.read()?).map_err(|said| unusable(&said))?;
        let grammar = Self { source, start: Arc::new(start) };
        let mut beginning = grammar.beginning();
        if (0..=u8::MAX).any(|byte| beginning.takes(&[byte])) {
            Ok(grammar)
        } else {
            Err(GrammarError::Barren)
        }
    }

    /// How it was written.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// A text of which nothing is written yet.
    #[must_use]
    pub fn beginning(&self) -> Beginning {
        Beginning(Some(self.start.deep_clone()))
    }

    /// Nothing where `text` is of this form as a whole; else its longest part from the beginning that such a text may
    /// begin with, which is all of it where its end is missing.
    #[must_use]
    pub fn departure<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut beginning = self.beginning();
        let taken = text.bytes().take_while(|byte| beginning.reads(*byte)).count();
        (taken < text.len() || !beginning.may_end()).then(|| &text[..text.floor_char_boundary(taken)])
    }
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl PartialEq for Grammar {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Grammar {}

impl Source {
    /// The text of the grammar.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Pattern(text) | Self::Lark(text) | Self::Schema(text) => text,
        }
    }

    /// The field of a format's slot that holds it.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::Pattern(_) => "pattern",
            Self::Lark(_) | Self::Schema(_) => "grammar",
        }
    }

    fn read(&self) -> Result<TopLevelGrammar, GrammarError> {
        match self {
            Self::Pattern(text) => Ok(TopLevelGrammar::from_regex(text)),
            Self::Lark(text) => Ok(TopLevelGrammar::from_lark(text.clone())),
            Self::Schema(text) => TopLevelGrammar::from_tagged_str("json_schema", text)
                .map_err(|error| unusable(&error.to_string())),
        }
    }
}

/// A text that grows, as a grammar reads it.
///
/// A reading that becomes too much work takes no more, as if the text had departed.
pub struct Beginning(Option<TokenParser>);

impl Beginning {
    /// Whether the text may go on with all of these bytes, which may end within a character.
    pub fn takes(&mut self, bytes: &[u8]) -> bool {
        let reached = self.0.as_mut().and_then(|parser| reach::reach(parser, bytes));
        reached == Some(bytes.len())
    }

    /// Goes on with bytes that it takes; with others it takes nothing more and does not end.
    pub fn push(&mut self, bytes: &[u8]) {
        let pushed = self.0.as_mut().is_some_and(|parser| reach::push(parser, bytes));
        // A reading that failed says no to all that is asked later.
        self.0 = self.0.take().filter(|_| pushed);
    }

    /// Whether the text is whole as it stands.
    pub fn may_end(&mut self) -> bool {
        self.0.as_mut().is_some_and(reach::is_whole)
    }

    /// Goes on with a byte where it takes it.
    fn reads(&mut self, byte: u8) -> bool {
        let takes = self.takes(&[byte]);
        if takes {
            self.push(&[byte]);
        }
        takes && self.0.is_some()
    }
}

impl fmt::Debug for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beginning").finish_non_exhaustive()
    }
}

/// What the parser said, in one line without the picture of the place.
fn unusable(said: &str) -> GrammarError {
    let said = said.lines().take_while(|line| !is_picture(line)).collect::<Vec<_>>().join(" ");
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    GrammarError::Unusable { what: words.chars().take(MAX_SAID).collect() }
}

/// Whether a line shows the grammar itself, behind the line's number.
fn is_picture(line: &str) -> bool {
    line.split_once('|').is_some_and(|(number, _)| number.trim().parse::<usize>().is_ok())
}
