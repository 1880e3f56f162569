//! Where in a document something stands.

use std::fmt;

/// A path such as `rounds[0].totals.a.n`; empty for the document as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(String);

impl Place {
    /// The field `name` of what stands here.
    pub(super) fn field(&self, name: &str) -> Self {
        let dot = if self.0.is_empty() { "" } else { "." };
        Self(format!("{}{dot}{name}", self.0))
    }

    /// The entry of that number, from 0, in the list that stands here.
    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The entry that people named `key`: quoted where a field could not be called so.
    pub(super) fn entry(&self, key: &str) -> Self {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !key.is_empty() && key.bytes().all(is_plain) {
            self.field(key)
        } else {
            Self(format!("{}[{:?}]", self.0, shortened(key)))
        }
    }
}

/// The beginning of a text that may have any length.
pub(super) fn shortened(text: &str) -> String {
    /// Enough to find it by.
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_as_people_write_them() {
        let totals = Place::default().field("rounds").index(0).field("totals");
        assert_eq!(totals.entry("a").field("n").to_string(), "rounds[0].totals.a.n");
        assert_eq!(totals.entry("a.b").field("n").to_string(), r#"rounds[0].totals["a.b"].n"#);
        assert_eq!(totals.entry("").to_string(), r#"rounds[0].totals[""]"#);
        assert_eq!(totals.entry("\u{1b}[2J").to_string(), r#"rounds[0].totals["\u{1b}[2J"]"#);
        assert_eq!(shortened(&"越".repeat(61)), format!("{}…", "越".repeat(60)));
    }
}
