//! Names that look like a fault of style: "Yahoo!" is no exclamation.

use std::borrow::Cow;

use serde::Deserialize;
use thiserror::Error;

use crate::words::is_whole_word;
use crate::{Editorial, fold};

/// The most names that a brand may have excepted.
pub const MAX_EXCEPTIONS: usize = 32;

/// The longest such name, in code points.
const MAX_TEXT: usize = 80;

/// A name, and the rules of style that are not for it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The name, as it must appear: case and every character count.
    pub text: String,
    /// What is not looked for in it.
    pub rules: Vec<Editorial>,
}

/// The names of a brand that rules of style let pass.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Exceptions(Vec<Exception>);

impl Exceptions {
    /// Takes the names.
    ///
    /// # Errors
    /// When there are more than [`MAX_EXCEPTIONS`], or one is empty, too long, or of no rule.
    pub fn new(exceptions: Vec<Exception>) -> Result<Self, ExceptionError> {
        if exceptions.len() > MAX_EXCEPTIONS {
            return Err(ExceptionError::TooMany { found: exceptions.len() });
        }
        for (index, exception) in exceptions.iter().enumerate() {
            if fold(&exception.text).is_empty() || exception.text.chars().nth(MAX_TEXT).is_some() {
                return Err(ExceptionError::Text { index });
            }
            if exception.rules.is_empty() {
                return Err(ExceptionError::NoRule { index });
            }
        }
        Ok(Self(exceptions))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Exception> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text in which `rule` looks: each excepted name is as many bytes of a word that no rule minds, so that what is
    /// found stands at the same place of the text itself.
    pub(crate) fn hide<'t>(&self, rule: Editorial, text: &'t str) -> Cow<'t, str> {
        let excepted = self.0.iter().filter(|exception| exception.rules.contains(&rule));
        excepted.fold(Cow::Borrowed(text), |text, exception| match hidden(&text, &exception.text) {
            Some(hidden) => Cow::Owned(hidden),
            None => text,
        })
    }
}

/// None where the name is not there as a word of its own.
fn hidden(text: &str, name: &str) -> Option<String> {
    let stands = |at: &usize| is_whole_word(text, &(*at..at + name.len()));
    let places: Vec<usize> = text.match_indices(name).map(|(at, _)| at).filter(stands).collect();
    let first = *places.first()?;
    let mut hidden = text[..first].to_owned();
    for (index, at) in places.iter().enumerate() {
        let end = places.get(index + 1).copied().unwrap_or(text.len());
        hidden.push_str(&"x".repeat(name.len()));
        hidden.push_str(&text[at + name.len()..end]);
    }
    Some(hidden)
}

/// Why names cannot be excepted. Every message ends with what to do.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ExceptionError {
    /// More than [`MAX_EXCEPTIONS`].
    #[error("exceptions has {found} names, at most {MAX_EXCEPTIONS} are allowed: remove {}", found - MAX_EXCEPTIONS)]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// A name that is empty or too long.
    #[error("exceptions[{index}].text must have 1 to {MAX_TEXT} characters: write the brand's name in it")]
    Text {
        /// The place of the name, from zero.
        index: usize,
    },
    /// A name that is excepted from nothing.
    #[error("exceptions[{index}].rules is empty: name the rules of style that are not for it, or remove it")]
    NoRule {
        /// The place of the name, from zero.
        index: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceptions(text: &str, rules: &[Editorial]) -> Exceptions {
        let exception = Exception { text: text.to_owned(), rules: rules.to_vec() };
        Exceptions::new(vec![exception]).expect("a good exception")
    }

    #[test]
    fn a_name_is_hidden_as_the_table_says() {
        use Editorial::{ManyExclamations, RepeatedPunctuation};
        for (sentence, name, text, hidden) in [
            ("a-name-is-hidden", "Yahoo!", "Go Yahoo! now", "Go xxxxxx now"),
            ("each-time", "Yahoo!", "Yahoo! Yahoo!", "xxxxxx xxxxxx"),
            ("other-case-is-no-name", "Yahoo!", "YAHOO!", "YAHOO!"),
            ("a-part-of-a-word-is-no-name", "oo!", "Yahoo!", "Yahoo!"),
            ("more-marks-than-the-name-has-stay", "Yahoo!", "Yahoo!!", "xxxxxx!"),
            ("bytes-keep-their-places", "Éclair!", "Éclair!!", "xxxxxxxx!"),
        ] {
            let exceptions = exceptions(name, &[ManyExclamations]);
            assert_eq!(exceptions.hide(ManyExclamations, text), hidden, "{sentence}");
            assert_eq!(exceptions.hide(RepeatedPunctuation, text), text, "{sentence}, for another rule");
        }
    }

    #[test]
    fn a_bad_exception_says_what_to_do() {
        let exception =
            |text: &str, rules: &[Editorial]| Exception { text: text.to_owned(), rules: rules.to_vec() };
        let good = exception("Yahoo!", &[Editorial::ManyExclamations]);
        for (exceptions, message) in [
            (
                vec![exception("", &[Editorial::Emoji])],
                "exceptions[0].text must have 1 to 80 characters: write the brand's name in it",
            ),
            (
                vec![good.clone(), exception("Yum!", &[])],
                "exceptions[1].rules is empty: name the rules of style that are not for it, or remove it",
            ),
            (vec![good; 33], "exceptions has 33 names, at most 32 are allowed: remove 1"),
        ] {
            assert_eq!(Exceptions::new(exceptions).expect_err(message).to_string(), message);
        }
    }
}
