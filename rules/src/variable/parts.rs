//! A text as its parts: what stands there for everybody, and references to variables.

use std::borrow::Cow;

use crate::is_invisible;
use crate::normal::visible;

/// The longest name of a variable, in bytes.
const MAX_NAME: usize = 32;

/// The text with a word in place of every reference, declared or not, so that what stands around it can be read.
pub(crate) fn without_references(text: &str) -> Cow<'_, str> {
    filled(text, |_| Some("NAME".to_owned()))
}

/// The text with references replaced; where there is nothing to put, they stay.
pub(crate) fn filled(text: &str, value: impl Fn(&str) -> Option<String>) -> Cow<'_, str> {
    if !text.contains('{') {
        return Cow::Borrowed(text);
    }
    let mut filled = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Variable(name) => match value(name) {
                Some(value) => filled.push_str(&value),
                None => filled.extend(["{", name, "}"]),
            },
        }
    }
    Cow::Owned(filled)
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part<'t> {
    /// What stands there for every reader; never empty, and never two in a row.
    Text(&'t str),
    /// A reference, by its name.
    Variable(&'t str),
}

/// The parts of a text, in order. Together they are the text.
pub(crate) fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut written) = (Vec::new(), 0);
    for (start, _) in text.match_indices('{') {
        let Some(name) = reference(&text[..start], &text[start + 1..]) else { continue };
        if written < start {
            parts.push(Part::Text(&text[written..start]));
        }
        parts.push(Part::Variable(name));
        written = start + name.len() + 2;
    }
    if written < text.len() {
        parts.push(Part::Text(&text[written..]));
    }
    parts
}

/// The name in front of a closing brace. With another brace or a sigil around it, it is the tag of a template language;
/// invisible characters between them change nothing, since some senders take them out.
fn reference<'t>(before: &str, after: &'t str) -> Option<&'t str> {
    let end = after.bytes().take(MAX_NAME + 1).position(|byte| byte == b'}')?;
    let (name, rest) = (&after[..end], &after[end + 1..]);
    let opens = visible_last(before).is_some_and(|c| "{$#%@!".contains(c));
    let closes = visible(rest).next() == Some('}');
    (is_name(name) && !opens && !closes).then_some(name)
}

fn visible_last(text: &str) -> Option<char> {
    text.chars().rev().find(|c| !is_invisible(*c))
}

pub(super) fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= MAX_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_as_the_table_says() {
        for (sentence, text, names) in [
            ("a-name-in-braces-is-one", "Hi {first_name}!", &["first_name"][..]),
            ("two-may-touch", "{a}{b2}", &["a", "b2"]),
            ("a-capital-makes-none", "{Name}", &[]),
            ("a-digit-in-front-makes-none", "{0}", &[]),
            ("a-space-makes-none", "{ name }", &[]),
            ("double-braces-are-another-language", "{{name}}", &[]),
            ("so-is-one-brace-too-many-in-front", "{{name}", &[]),
            ("and-one-behind", "{name}}", &[]),
            ("sigils-are-another-language", "${name} #{name} %{name} @{name}", &[]),
            ("an-invisible-brace-is-a-brace", "{\u{200B}{name}\u{200B}}", &[]),
            ("an-invisible-character-inside-makes-none", "{na\u{200B}me}", &[]),
            ("a-name-has-an-end", "{abcdefghijklmnopqrstuvwxyzabcdefg}", &[]),
            (
                "the-longest-name-is-one",
                "{abcdefghijklmnopqrstuvwxyzabcdef}",
                &["abcdefghijklmnopqrstuvwxyzabcdef"],
            ),
            ("an-open-end-makes-none", "{name", &[]),
        ] {
            let found: Vec<&str> = parts(text)
                .into_iter()
                .filter_map(|part| match part {
                    Part::Variable(name) => Some(name),
                    Part::Text(_) => None,
                })
                .collect();
            assert_eq!(found, names, "{sentence}");
        }
    }
}
