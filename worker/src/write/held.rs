//! The form to which the text of a slot is held while it is written.

use rules::{Beginning, Grammar, Slot};

use super::line::Line;
use crate::form::{Next, Piece};

/// What the grammar of a slot has read of its text; nothing where the slot has none.
///
/// White space around a text is no part of it. A model's first token has a space before its letters more often than not,
/// so a grammar begins to read behind it.
#[derive(Debug)]
pub(super) struct Held(Option<Reading>);

#[derive(Debug)]
struct Reading {
    grammar: Grammar,
    beginning: Beginning,
    part: Part,
}

/// How far a text is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// Nothing is written.
    Nothing,
    /// A token of white space, behind which the text must begin.
    Space,
    /// The text has begun.
    Text,
}

impl Held {
    pub(super) fn of(slot: &Slot) -> Self {
        Self(slot.grammar.clone().map(|grammar| {
            let beginning = grammar.beginning();
            Reading { grammar, beginning, part: Part::Nothing }
        }))
    }

    /// Whether there is a form that the text is held to.
    pub(super) fn is_held(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the grammar takes a piece behind a line: as a part of the text, and as its end where it ends it.
    pub(super) fn takes(&mut self, piece: Piece<'_>, line: &Line) -> bool {
        self.0.as_mut().is_none_or(|reading| match piece.next {
            Next::More => reading.goes_on(piece.bytes),
            Next::End => reading.ends(piece.bytes, line),
        })
    }

    /// Goes on with bytes that were taken.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if let Some(reading) = &mut self.0 {
            reading.push(bytes);
        }
    }
}

impl Reading {
    fn goes_on(&mut self, bytes: &[u8]) -> bool {
        match self.read(bytes) {
            [] => self.part == Part::Nothing,
            read => self.beginning.takes(read),
        }
    }

    /// The finished text is read anew, since white space at its end falls away. A slot that may be left out may be left
    /// empty, whatever its grammar.
    fn ends(&self, bytes: &[u8], line: &Line) -> bool {
        let mut line = line.clone();
        line.push(bytes);
        let text = line.finish();
        text.is_empty() || self.grammar.departure(&text).is_none()
    }

    fn push(&mut self, bytes: &[u8]) {
        let read = self.read(bytes);
        self.part = if read.is_empty() { Part::Space } else { Part::Text };
        self.beginning.push(read);
    }

    /// What the grammar reads of some bytes.
    fn read<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        if self.part == Part::Text { bytes } else { bytes.trim_ascii_start() }
    }
}

#[cfg(test)]
mod tests {
    use rules::Format;

    use super::*;

    /// Whether a slot of this form takes each piece behind those before it; the last is where the text ends.
    fn check(form: &str, pieces: &[(&[u8], bool)]) {
        let yaml = format!(
            "{{name: Tile, version: 1, summary: A tile., counting: Graphemes, deliveries: [Gateway], source: Ours., \
             checked: 2026-11-29, slots: [{{name: title, purpose: It., required: true, hardLimit: 40, \
             maximumLines: 1, pattern: '{form}'}}]}}"
        );
        let format = Format::parse(&yaml).expect("a good format");
        let (mut held, mut line) = (Held::of(&format.slots()[0]), Line::default());
        for (place, (bytes, taken)) in pieces.iter().enumerate() {
            let next = if place + 1 == pieces.len() { Next::End } else { Next::More };
            assert_eq!(held.takes(Piece { bytes, next }, &line), *taken, "{form}: piece {place}");
            if *taken && next == Next::More {
                line.push(bytes);
                held.push(bytes);
            }
        }
    }

    #[test]
    fn pieces_are_taken_byte_by_byte_and_white_space_around_the_text_is_not_seen() {
        check(
            "Only [0-9]+ €",
            &[(b" Only", true), (b" two", false), (b" 2 ", true), ("€".as_bytes(), true), (b"", true)],
        );
        // A character in three tokens, of which the last holds what ends the text too.
        check(
            "[0-9]+ €",
            &[(b"7 ", true), (b"\xE2", true), (b"\xE3", false), (b"\x82", true), (b"\xAC", true)],
        );
        // No end before the form's, and no second token of white space in front.
        check("ab", &[(b" ", true), (b" ", false), (b"a", true), (b"", false)]);
        check("[a-z ]+", &[(b"ab", true), (b" ", true), (b"", true)]);
        check("[a-z]+ ", &[(b"ab", true), (b" ", true), (b"", false)]);
        check("ab", &[(b"ab", true), (b"c", false), (b"c", false)]);
    }
}
