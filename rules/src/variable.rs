//! Variables: what is filled in for each reader, such as a first name.
//!
//! Copy refers to one as `{first_name}`. The notation is refused in plain copy, so nobody writes it by accident, and a
//! reader who sees it unfilled still knows what was meant. It is ours alone: [`translate`](crate::translate) writes it
//! in the language of whoever fills it in.
//!
//! A variable has a longest value and a fallback. All limits hold for both: a text is as long as it is with every
//! value at its longest.

mod parts;

use std::borrow::Cow;

use thiserror::Error;
use unicode_normalization::char::is_combining_mark;

use self::parts::is_name;
pub(crate) use self::parts::{Part, filled, parts, without_references};
use crate::{AdCopy, Counting, fold};

/// The most variables that may be declared.
pub const MAX_VARIABLES: usize = 8;

/// The longest maximum that a variable may have.
pub const MAX_VARIABLE_LENGTH: usize = 100;

/// Stands for each character of a value at its longest where length and room are counted. It counts one in every way of
/// counting. It is as wide as a W: hardly a letter is wider, and no name is made of those that are. And no GSM alphabet
/// holds it, since one such letter in a name halves the room of a short message.
const WIDEST: char = 'Ŵ';

/// Stands for each character of a value where bytes are counted: four, the most of any.
const HEAVIEST: char = '𝐖';

/// Ways of counting in which a fallback must be within the maximum: all that count characters one by one.
const COUNTINGS: [Counting; 5] =
    [Counting::Graphemes, Counting::CodePoints, Counting::DoubleWidth, Counting::Utf16, Counting::Weighted];

/// A declared variable.
///
/// Valid by construction: a name of small letters, digits and underscores, a maximum from 1 to
/// [`MAX_VARIABLE_LENGTH`], a fallback within it that means nothing to any template language.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Variable {
    name: String,
    maximum_length: usize,
    fallback: String,
}

impl Variable {
    /// Declares a variable.
    ///
    /// `maximum_length` is in the units in which a slot counts, as limits are: where wide characters count two, a name
    /// of five Chinese characters needs ten. Short messages count segments; there it is in UTF-16 units.
    ///
    /// # Errors
    /// When a promise of [`Variable`] is broken.
    pub fn new(name: &str, maximum_length: u32, fallback: &str) -> Result<Self, VariableError> {
        let maximum_length = usize::try_from(maximum_length).unwrap_or(usize::MAX);
        if !is_name(name) {
            return Err(VariableError::Name(name.to_owned()));
        }
        if !(1..=MAX_VARIABLE_LENGTH).contains(&maximum_length) {
            return Err(VariableError::Length(maximum_length));
        }
        if fold(fallback).is_empty() {
            return Err(VariableError::NoFallback);
        }
        if let Some(found) = fallback.chars().find(|c| !is_plain(*c)) {
            return Err(VariableError::Character(found));
        }
        let found = COUNTINGS.map(|counting| counting.count(fallback)).into_iter().max().unwrap_or(0);
        if found > maximum_length {
            return Err(VariableError::LongFallback { limit: maximum_length, found });
        }
        Ok(Self { name: name.to_owned(), maximum_length, fallback: fallback.to_owned() })
    }

    /// The name by which copy refers to it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the longest value counts.
    #[must_use]
    pub fn maximum_length(&self) -> usize {
        self.maximum_length
    }

    /// What is shown where no value is known, or none that fits.
    #[must_use]
    pub fn fallback(&self) -> &str {
        &self.fallback
    }
}

/// Letters, digits, spaces and what joins them in names: nothing that any language of a mail sender or an ad network
/// reads as its own, not even inside quotation marks.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || " '’-.,".contains(c)
}

/// The variables of a campaign, in the order of their declaration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Variables(Vec<Variable>);

impl Variables {
    /// Declares variables together.
    ///
    /// # Errors
    /// When there are more than [`MAX_VARIABLES`], or two have one name.
    pub fn new(variables: Vec<Variable>) -> Result<Self, VariableError> {
        if variables.len() > MAX_VARIABLES {
            return Err(VariableError::TooMany { found: variables.len() });
        }
        let repeats = |(index, variable): &(usize, &Variable)| {
            variables[..*index].iter().any(|other| other.name == variable.name)
        };
        match variables.iter().enumerate().find(repeats) {
            Some((_, variable)) => Err(VariableError::Twice(variable.name.clone())),
            None => Ok(Self(variables)),
        }
    }

    /// The variable of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Variable> {
        self.0.iter().find(|variable| variable.name == name)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Variable> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text as it reads where nothing is known of a reader. What is not declared stays as it is written.
    ///
    /// ```
    /// use rules::{Variable, Variables};
    ///
    /// let name = Variable::new("first_name", 20, "there").expect("a good variable");
    /// let variables = Variables::new(vec![name]).expect("one variable");
    /// assert_eq!(variables.with_fallbacks("Hi {first_name}, {offer}"), "Hi there, {offer}");
    /// ```
    #[must_use]
    pub fn with_fallbacks<'t>(&self, text: &'t str) -> Cow<'t, str> {
        filled(text, |name| Some(self.get(name)?.fallback.clone()))
    }

    /// The text without references to variables, so that what is said for everybody can be judged by itself.
    #[must_use]
    pub fn without<'t>(&self, text: &'t str) -> Cow<'t, str> {
        filled(text, |name| self.get(name).map(|_| String::new()))
    }

    /// A text that is still being written, with the reference that it has begun at its end written out: of the variables
    /// whose names begin so, the one with the lowest maximum. Where there is none the text stays.
    ///
    /// ```
    /// use rules::{Variable, Variables};
    ///
    /// let name = Variable::new("first_name", 20, "there").expect("a good variable");
    /// let variables = Variables::new(vec![name]).expect("one variable");
    /// assert_eq!(variables.written_out("Hi {fir"), "Hi {first_name}");
    /// assert_eq!(variables.written_out("Hi {last"), "Hi {last");
    /// ```
    #[must_use]
    pub fn written_out<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some((before, begun)) = text.rsplit_once('{') else { return Cow::Borrowed(text) };
        let fits = |variable: &&Variable| variable.name.starts_with(begun);
        match self.iter().filter(fits).min_by_key(|variable| variable.maximum_length) {
            Some(variable) => Cow::Owned(format!("{before}{{{}}}", variable.name)),
            None => Cow::Borrowed(text),
        }
    }

    /// The text with every variable at its longest, in letters that are wide and in no GSM alphabet.
    #[must_use]
    pub fn longest<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.stretched(text, WIDEST)
    }

    /// All texts of a copy with every variable at its [longest](Self::longest).
    pub(crate) fn longest_copy<'c>(&self, copy: &'c AdCopy) -> Cow<'c, AdCopy> {
        self.stretched_copy(copy, WIDEST)
    }

    /// All texts of a copy with every variable at its longest, in characters of the most bytes.
    pub(crate) fn heaviest_copy<'c>(&self, copy: &'c AdCopy) -> Cow<'c, AdCopy> {
        self.stretched_copy(copy, HEAVIEST)
    }

    /// Undoes [`longest`](Self::longest) in a word of it, for a message.
    pub(crate) fn named(&self, word: &str) -> String {
        let mut variables: Vec<&Variable> = self.iter().collect();
        variables.sort_by_key(|variable| std::cmp::Reverse(variable.maximum_length));
        variables.into_iter().fold(word.to_owned(), |word, variable| {
            let stretched = WIDEST.to_string().repeat(variable.maximum_length);
            word.replace(&stretched, &format!("{{{}}}", variable.name))
        })
    }

    /// The names that `text` refers to and nobody declared, each once.
    pub(crate) fn undeclared<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut names = Vec::new();
        for part in parts(text) {
            if let Part::Variable(name) = part
                && self.get(name).is_none()
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names
    }

    fn stretched<'t>(&self, text: &'t str, letter: char) -> Cow<'t, str> {
        filled(text, |name| Some(letter.to_string().repeat(self.get(name)?.maximum_length)))
    }

    fn stretched_copy<'c>(&self, copy: &'c AdCopy, letter: char) -> Cow<'c, AdCopy> {
        if self.is_empty() {
            return Cow::Borrowed(copy);
        }
        let stretched =
            |(name, text): (&String, &String)| (name.clone(), self.stretched(text, letter).into_owned());
        Cow::Owned(copy.iter().map(stretched).collect())
    }
}

/// Why variables cannot be declared. Every message ends with what to do.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum VariableError {
    /// Not a name.
    #[error("name {0:?} is none: write a small letter, then at most 31 small letters, digits or underscores")]
    Name(String),
    /// A maximum that no value has.
    #[error("maximumLength is {0}: write 1 to {MAX_VARIABLE_LENGTH}")]
    Length(usize),
    /// Nothing to show where no value is known.
    #[error("fallback is empty: write the word that stands there where no value is known")]
    NoFallback,
    /// A fallback with a character that some template language may read as its own.
    #[error("fallback has {0:?}: use letters, digits, spaces, hyphens, apostrophes, full stops and commas")]
    Character(char),
    /// A fallback above the maximum.
    #[error("fallback counts {found}, at most {limit} are allowed: shorten it, or raise maximumLength")]
    LongFallback {
        /// The maximum.
        limit: usize,
        /// What it counts, in the way of counting that counts most.
        found: usize,
    },
    /// Two of one name.
    #[error("{0} is declared twice: rename one, or remove it")]
    Twice(String),
    /// More than [`MAX_VARIABLES`].
    #[error("there are {found}, at most {MAX_VARIABLES} are allowed: remove {}", found - MAX_VARIABLES)]
    TooMany {
        /// How many there are.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(declared: &[(&str, u32, &str)]) -> Variables {
        let declared = declared.iter().map(|(name, maximum, fallback)| {
            Variable::new(name, *maximum, fallback).expect("a good variable")
        });
        Variables::new(declared.collect()).expect("good together")
    }

    #[test]
    fn a_bad_declaration_says_what_to_do() {
        for (name, maximum, fallback, message) in [
            (
                "First",
                9,
                "you",
                "name \"First\" is none: write a small letter, then at most 31 small letters, digits or underscores",
            ),
            ("a", 0, "you", "maximumLength is 0: write 1 to 100"),
            ("a", 101, "you", "maximumLength is 101: write 1 to 100"),
            ("a", 9, " ", "fallback is empty: write the word that stands there where no value is known"),
            (
                "a",
                9,
                "\"you\"",
                "fallback has '\"': use letters, digits, spaces, hyphens, apostrophes, full stops and commas",
            ),
            (
                "a",
                9,
                "{b}",
                "fallback has '{': use letters, digits, spaces, hyphens, apostrophes, full stops and commas",
            ),
            ("a", 3, "朋友", "fallback counts 4, at most 3 are allowed: shorten it, or raise maximumLength"),
        ] {
            assert_eq!(Variable::new(name, maximum, fallback).expect_err(message).to_string(), message);
        }
        let one = Variable::new("a", 9, "you").expect("good");
        let twice = Variables::new(vec![one.clone(), one.clone()]).expect_err("twice").to_string();
        assert_eq!(twice, "a is declared twice: rename one, or remove it");
        let many = Variables::new(vec![one; 9]).expect_err("too many").to_string();
        assert_eq!(many, "there are 9, at most 8 are allowed: remove 1");
    }

    #[test]
    fn a_reference_that_is_begun_is_written_out() {
        let variables = variables(&[("name", 12, "you"), ("name_of_dog", 9, "dog"), ("city", 20, "town")]);
        for (text, expected) in [
            ("Hi {na", "Hi {name_of_dog}"),
            ("Hi {name", "Hi {name_of_dog}"),
            ("Hi {c", "Hi {city}"),
            ("Hi {", "Hi {name_of_dog}"),
            ("{name} and {c", "{name} and {city}"),
            ("Hi {name}", "Hi {name}"),
            ("Hi {name},", "Hi {name},"),
            ("Hi {x", "Hi {x"),
            ("Hi", "Hi"),
        ] {
            assert_eq!(variables.written_out(text), expected, "{text}");
        }
        assert_eq!(Variables::default().written_out("Hi {na"), "Hi {na");
    }

    #[test]
    fn at_its_longest_a_variable_counts_its_maximum_however_one_counts() {
        let variables = variables(&[("name", 12, "you")]);
        let longest = variables.longest("{name}");
        for counting in COUNTINGS {
            assert_eq!(counting.count(&longest), 12, "{counting:?}");
        }
        // 64 letters and a name of twelve that is in no GSM alphabet.
        let message = format!("{}{{name}}", "a".repeat(64));
        assert_eq!(Counting::SmsSegments.count(&variables.longest(&message)), 2);
        assert_eq!(variables.named(&variables.longest("x{name}y")), "x{name}y");
    }
}
