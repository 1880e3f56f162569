//! Borders: where copy is handed to something that reads more into a text than a person does.
//!
//! ```text
//! "Hi {first_name}" ─ fill ─▶ "Hi Ada" ─┬─ html ──────▶ a page          known here: escaped
//!                                       └─ csv_cell ──▶ a table
//!                   ─ translate ─▶ "Hi {{ first_name|default:\"there\" }}"   known there: in its language
//! ```
//!
//! Copy that passed the [check](crate::check) holds nothing that these could act on; the borders do not rely on it.
//! What each writes reads back as the plain text alone. Where a language has no way to write a text, it is an error.

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use crate::check::{class_of, is_within_limits};
use crate::variable::{Part, filled, parts};
use crate::{Counting, MAX_CLUSTER, Slot, Variable, Variables, is_invisible, normalize};

/// The text of a slot for one reader: values where they are known and fit, else fallbacks.
///
/// A value fits when it is one line of ordinary characters and counts at most the variable's maximum. Should the whole
/// be over a limit of the slot all the same, every value gives way to its fallback, so that a text that passed the
/// check is within its limits for every reader. References to variables that are not declared stay.
///
/// ```
/// use std::collections::BTreeMap;
/// use rules::{Variable, Variables};
///
/// let slot = rules::format("Email").expect("a format of ours").slot("subject").expect("a slot").clone();
/// let name = Variable::new("first_name", 20, "there").expect("a good variable");
/// let variables = Variables::new(vec![name]).expect("one variable");
/// let known = BTreeMap::from([("first_name".to_owned(), "Ada".to_owned())]);
/// assert_eq!(rules::fill(&slot, &variables, "Hi {first_name}", &known), "Hi Ada");
/// assert_eq!(rules::fill(&slot, &variables, "Hi {first_name}", &BTreeMap::new()), "Hi there");
/// ```
#[must_use]
pub fn fill(slot: &Slot, variables: &Variables, text: &str, values: &BTreeMap<String, String>) -> String {
    let value = |name: &str| {
        let variable = variables.get(name)?;
        let value = values.get(name).filter(|value| fits(slot, variable, value));
        Some(value.map_or_else(|| variable.fallback().to_owned(), |value| normalize(value)))
    };
    let text = normalize(text);
    let full = filled(&text, value);
    if is_within_limits(slot, &full) {
        full.into_owned()
    } else {
        variables.with_fallbacks(&text).into_owned()
    }
}

fn fits(slot: &Slot, variable: &Variable, value: &str) -> bool {
    // Short messages count segments, of which no part can be told alone.
    let counting = if slot.counting == Counting::SmsSegments { Counting::Utf16 } else { slot.counting };
    let is_ordinary = |c: char| c != '\n' && class_of(c).is_none();
    // Before anything is counted: a value is anybody's text.
    value.len() <= variable.maximum_length().saturating_mul(MAX_CLUSTER * 4)
        && value.chars().all(is_ordinary)
        && value.chars().any(|c| !c.is_whitespace() && !is_invisible(c))
        && counting.count(value) <= variable.maximum_length()
}

/// The text as HTML, for the content of an element or the value of a quoted attribute. Line breaks stay line breaks.
///
/// ```
/// assert_eq!(rules::html("Fish & \"chips\" <3"), "Fish &amp; &quot;chips&quot; &lt;3");
/// ```
#[must_use]
pub fn html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// The text as a cell of a CSV file (RFC 4180), in quotation marks.
///
/// A text that a spreadsheet would take for a formula has an apostrophe put before it, after the advice of OWASP (CSV
/// Injection): one that begins with `= + - @`, also full-width ones, or with a tab or a line end, whatever white space
/// and apostrophes stand before them. A reader takes one apostrophe away from such a cell, and has the text.
///
/// ```
/// assert_eq!(rules::csv_cell("-10 % \"today\""), "\"'-10 % \"\"today\"\"\"");
/// ```
#[must_use]
pub fn csv_cell(text: &str) -> String {
    let mark = if is_formula(text.trim_start_matches('\'')) { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

fn is_formula(text: &str) -> bool {
    let first = text.chars().find(|c| !c.is_whitespace() && !is_invisible(*c));
    text.starts_with(['\t', '\r', '\n']) || first.is_some_and(|c| "=+-@＝＋－＠".contains(c))
}

/// A language in which a sender or an ad network fills variables in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// `{{ first_name|default:"there" }}`: Braze, Customer.io, Shopify and others.
    Liquid(Markup),
    /// `{{#if first_name}}{{first_name}}{{else}}there{{/if}}`: SendGrid and others.
    Handlebars(Markup),
    /// `*|FIRST_NAME|*` in a condition. Values go in as they are, so it is for subjects and text parts.
    Mailchimp,
    /// `%%=IIF(EMPTY([first_name]),"there",[first_name])=%%`, Salesforce's AMPscript. Values go in as they are, so it is
    /// for subjects and text parts.
    Salesforce,
    /// `{CUSTOMIZER.first_name:there}`: Google Ads.
    GoogleAds,
}

/// What the text is written into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Markup {
    /// Plain text, such as a subject.
    Text,
    /// HTML; text and values are escaped.
    Html,
}

/// Writes a text in the language of whoever fills its variables in, with their fallbacks.
///
/// # Errors
/// When a variable is not declared, or the text holds a sign that the language would act on and cannot write.
///
/// ```
/// use rules::{Language, Variable, Variables, translate};
///
/// let name = Variable::new("first_name", 20, "there").expect("a good variable");
/// let variables = Variables::new(vec![name]).expect("one variable");
/// let written = translate("Hi {first_name}", &variables, Language::GoogleAds);
/// assert_eq!(written.as_deref(), Ok("Hi {CUSTOMIZER.first_name:there}"));
/// ```
pub fn translate(text: &str, variables: &Variables, language: Language) -> Result<String, BorderError> {
    let mut written = String::with_capacity(text.len());
    let parts = parts(text);
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Text(text) => {
                language.refuse_signs(text)?;
                let next = if index + 1 < parts.len() { Next::Variable } else { Next::Nothing };
                written.push_str(&language.text(text, next));
            }
            Part::Variable(name) => {
                let undeclared = || BorderError::Undeclared { name: (*name).to_owned() };
                written.push_str(&language.variable(variables.get(name).ok_or_else(undeclared)?));
            }
        }
    }
    Ok(written)
}

/// What stands behind a piece of text.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Next {
    Variable,
    Nothing,
}

impl Language {
    /// What the language acts on and has no way to write as text.
    fn signs(self) -> &'static [&'static str] {
        match self {
            Self::Liquid(_) => &[],
            Self::Handlebars(_) => &["{{"],
            Self::Mailchimp => &["*|", "|*"],
            Self::Salesforce => &["%%"],
            Self::GoogleAds => &["{", "}"],
        }
    }

    fn refuse_signs(self, text: &str) -> Result<(), BorderError> {
        match self.signs().iter().find(|sign| text.contains(**sign)) {
            Some(sign) => Err(BorderError::Sign { sign, language: self }),
            None => Ok(()),
        }
    }

    fn text(self, text: &str, next: Next) -> String {
        match self {
            Self::Liquid(markup) => markup.text(text).replace('{', "{{ \"{\" }}"),
            // A backslash before a tag makes it text, and two make one.
            Self::Handlebars(markup) if next == Next::Variable && text.ends_with('\\') => {
                markup.text(text) + "\\"
            }
            Self::Handlebars(markup) => markup.text(text),
            Self::Salesforce if next == Next::Variable => match text.strip_suffix('%') {
                Some(text) => format!("{text}%%=Concat(\"%\",\"\")=%%"),
                None => text.to_owned(),
            },
            Self::Mailchimp | Self::Salesforce | Self::GoogleAds => text.to_owned(),
        }
    }

    fn variable(self, variable: &Variable) -> String {
        let (name, fallback) = (variable.name(), variable.fallback());
        match self {
            Self::Liquid(Markup::Text) => format!("{{{{ {name}|default:\"{fallback}\" }}}}"),
            Self::Liquid(Markup::Html) => format!("{{{{ {name}|default:\"{fallback}\"|escape }}}}"),
            Self::Handlebars(Markup::Text) => {
                format!("{{{{#if {name}}}}}{{{{{{{name}}}}}}}{{{{else}}}}{fallback}{{{{/if}}}}")
            }
            Self::Handlebars(Markup::Html) => {
                let fallback = html(fallback);
                format!("{{{{#if {name}}}}}{{{{{name}}}}}{{{{else}}}}{fallback}{{{{/if}}}}")
            }
            Self::Mailchimp => {
                let tag = name.to_ascii_uppercase();
                format!("*|IF:{tag}|**|{tag}|**|ELSE:|*{fallback}*|END:IF|*")
            }
            Self::Salesforce => format!("%%=IIF(EMPTY([{name}]),\"{fallback}\",[{name}])=%%"),
            Self::GoogleAds => format!("{{CUSTOMIZER.{name}:{fallback}}}"),
        }
    }
}

impl Markup {
    fn text(self, text: &str) -> String {
        match self {
            Self::Text => text.to_owned(),
            Self::Html => html(text),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Liquid(_) => "Liquid",
            Self::Handlebars(_) => "Handlebars",
            Self::Mailchimp => "Mailchimp",
            Self::Salesforce => "Salesforce",
            Self::GoogleAds => "Google Ads",
        })
    }
}

/// Why a text cannot be written in a language.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BorderError {
    /// A reference to nothing.
    #[error("{{{name}}} is no declared variable: declare it, or write the words that the reader shall see")]
    Undeclared {
        /// The name.
        name: String,
    },
    /// The language would act on it, and has no way to write it as text.
    #[error("{language} takes {sign:?} for its own and can't show it: write it differently")]
    Sign {
        /// What it takes for its own.
        sign: &'static str,
        /// The language.
        language: Language,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_written_as_each_language_has_them() {
        let name = Variable::new("first_name", 20, "O'Neil").expect("a good variable");
        let variables = Variables::new(vec![name]).expect("one variable");
        let hi = "R&D, {first_name}!";
        for (language, expected) in [
            (Language::Liquid(Markup::Text), "R&D, {{ first_name|default:\"O'Neil\" }}!"),
            (Language::Liquid(Markup::Html), "R&amp;D, {{ first_name|default:\"O'Neil\"|escape }}!"),
            (
                Language::Handlebars(Markup::Text),
                "R&D, {{#if first_name}}{{{first_name}}}{{else}}O'Neil{{/if}}!",
            ),
            (
                Language::Handlebars(Markup::Html),
                "R&amp;D, {{#if first_name}}{{first_name}}{{else}}O&#39;Neil{{/if}}!",
            ),
            (Language::Mailchimp, "R&D, *|IF:FIRST_NAME|**|FIRST_NAME|**|ELSE:|*O'Neil*|END:IF|*!"),
            (Language::Salesforce, "R&D, %%=IIF(EMPTY([first_name]),\"O'Neil\",[first_name])=%%!"),
            (Language::GoogleAds, "R&D, {CUSTOMIZER.first_name:O'Neil}!"),
        ] {
            assert_eq!(translate(hi, &variables, language).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_a_language_cannot_show_is_named() {
        let refused =
            |text, language| translate(text, &Variables::default(), language).map_err(|it| it.to_string());
        for (text, language, said) in [
            (
                "a {{b",
                Language::Handlebars(Markup::Html),
                "Handlebars takes \"{{\" for its own and can't show it: write it differently",
            ),
            (
                "*|b",
                Language::Mailchimp,
                "Mailchimp takes \"*|\" for its own and can't show it: write it differently",
            ),
            (
                "%%b",
                Language::Salesforce,
                "Salesforce takes \"%%\" for its own and can't show it: write it differently",
            ),
            (
                ":-}",
                Language::GoogleAds,
                "Google Ads takes \"}\" for its own and can't show it: write it differently",
            ),
            (
                "{b}",
                Language::Liquid(Markup::Text),
                "{b} is no declared variable: declare it, or write the words that the reader shall see",
            ),
        ] {
            assert_eq!(refused(text, language), Err(said.to_owned()));
        }
    }

    #[test]
    fn a_value_that_does_not_fit_gives_way_to_the_fallback() {
        let slot = |format: &str, slot: &str| {
            crate::format(format).and_then(|format| format.slot(slot)).expect("a slot of ours").clone()
        };
        let variables = |fallback: &str| {
            let name = Variable::new("name", 6, fallback).expect("a good variable");
            Variables::new(vec![name]).expect("one variable")
        };
        let mail = slot("Email", "subject");
        for (sentence, value, expected) in [
            ("a-short-name-is-used", "Ada", "Hi Ada"),
            ("six-letters-fit", "Violet", "Hi Violet"),
            ("seven-do-not", "Matilda", "Hi you"),
            ("emoji-count-as-they-are-seen", "👨‍👩‍👧‍👦", "Hi 👨‍👩‍👧‍👦"),
            ("a-name-has-one-line", "A\nB", "Hi you"),
            ("a-mark-that-turns-text-is-none", "A\u{202E}B", "Hi you"),
            ("nothing-is-no-name", " \u{200B}", "Hi you"),
            ("what-reads-as-a-reference-is-a-value", "{name}", "Hi {name}"),
        ] {
            let values = BTreeMap::from([("name".to_owned(), value.to_owned())]);
            assert_eq!(fill(&mail, &variables("you"), "Hi {name}", &values), expected, "{sentence}");
        }
        // Wider than six letters can be, and wider than the box.
        let banner = slot("BannerMobile", "button");
        let values = BTreeMap::from([("name".to_owned(), "👾".repeat(6))]);
        assert_eq!(fill(&banner, &variables("you"), "{name}", &values), "you");
    }
}
