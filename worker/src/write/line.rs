//! The text of a slot as far as it is written.

use std::borrow::Cow;

use rules::{BrandRules, Requirement, Rule, Slot};

use crate::form::{Next, Piece};

/// The text of a slot as far as it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    text: String,
    /// The first bytes of a character whose others are still to come.
    begun: Vec<u8>,
}

/// Why a token may not come next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// The text would not be of the form that its slot has.
    Form,
    /// The text would become too long with it.
    TooLong,
    /// The text would break another rule.
    Rule,
    /// The bytes would not be a text.
    Broken,
    /// The text would end before it began.
    Empty,
}

impl Line {
    /// Whether a piece may come next: no text that is on its way to breaking a hard rule is begun, by the same check
    /// that judges it when it is finished. `behind` is what the text will be followed by.
    ///
    /// # Errors
    /// When it may not.
    pub(super) fn takes(
        &self,
        piece: Piece<'_>,
        slot: &Slot,
        brand: &BrandRules,
        behind: impl Fn(&str) -> String,
    ) -> Result<(), Refusal> {
        // Of ASCII letters and digits every way of counting counts each, but for the names of variables.
        let plain = |text: &[u8]| text.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
        let named = !brand.variables().is_empty();
        if !named && plain(self.text.as_bytes()) + plain(piece.bytes) > slot.letters() {
            return Err(Refusal::TooLong);
        }
        let mut next = self.clone();
        next.push(piece.bytes);
        match piece.next {
            Next::End => next.may_end(slot, brand)?,
            Next::More => next.may_go_on()?,
        }
        if piece.bytes.is_empty() {
            Ok(())
        } else {
            next.breaks_nothing(slot, brand, &behind(next.text.trim()))
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.begun) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let rest = self.begun.split_off(whole);
        // What was valid a line above is so still.
        self.text.push_str(&String::from_utf8_lossy(&self.begun));
        self.begun = rest;
    }

    fn may_end(&self, slot: &Slot, brand: &BrandRules) -> Result<(), Refusal> {
        if !self.begun.is_empty() || matches!(brand.variables().written_out(&self.text), Cow::Owned(_)) {
            return Err(Refusal::Broken);
        }
        let empty = slot.required == Requirement::Required && self.text.trim().is_empty();
        if empty { Err(Refusal::Empty) } else { Ok(()) }
    }

    /// Whether what is begun can become a character.
    fn may_go_on(&self) -> Result<(), Refusal> {
        match std::str::from_utf8(&self.begun) {
            Err(error) if error.error_len().is_some() => Err(Refusal::Broken),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn breaks_nothing(&self, slot: &Slot, brand: &BrandRules, behind: &str) -> Result<(), Refusal> {
        let text = brand.variables().written_out(self.text.trim());
        if text.is_empty() {
            return Ok(());
        }
        // A character that was begun takes a unit at least.
        let begun = usize::from(!self.begun.is_empty());
        let longest = brand.variables().longest(&text);
        let whole =
            if behind.is_empty() { slot.count(&longest) } else { slot.count(&format!("{longest}{behind}")) };
        if begun + whole > slot.hard_limit {
            return Err(Refusal::TooLong);
        }
        let broken = rules::check_begun(slot, brand, &text);
        let broken = broken.iter().filter(|it| it.is_hard() && it.rule != Rule::EmptyText);
        match broken.map(|it| refusal(&it.rule)).min_by_key(|refusal| *refusal == Refusal::TooLong) {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// The text without outer white space, and without a character that was begun and cut off.
    pub(super) fn finish(self) -> String {
        self.text.trim().to_owned()
    }
}

fn refusal(rule: &Rule) -> Refusal {
    match rule {
        Rule::TooLong { .. } | Rule::TooManyRows { .. } | Rule::WordTooWide { .. } => Refusal::TooLong,
        _ => Refusal::Rule,
    }
}

#[cfg(test)]
mod tests {
    use rules::{Variable, Variables};

    use super::*;

    /// Whether each piece is taken, up to the first that is not, and whether the text may end behind them.
    fn check(pieces: &[&str], taken: usize, ends: Result<(), Refusal>) {
        let slot = rules::format("WebBanner").expect("a format of ours").slot("headline").expect("a slot");
        let name = Variable::new("first_name", 20, "there").expect("a good variable");
        let variables = Variables::new(vec![name]).expect("one");
        let brand = BrandRules::new(&[], &[]).expect("no words break no bound").with_variables(variables);
        let mut line = Line::default();
        let nothing = |_: &str| String::new();
        let mut count = 0;
        for piece in pieces {
            let piece = Piece { bytes: piece.as_bytes(), next: Next::More };
            if line.takes(piece, slot, &brand, nothing).is_err() {
                break;
            }
            line.push(piece.bytes);
            count += 1;
        }
        assert_eq!(count, taken, "{pieces:?}");
        let end = Piece { bytes: &[], next: Next::End };
        assert_eq!(line.takes(end, slot, &brand, nothing), ends, "{pieces:?}");
    }

    #[test]
    fn a_declared_variable_is_written_piece_by_piece_and_no_other() {
        check(&["Hi", " {", "first", "_name", "}", "!"], 6, Ok(()));
        check(&["Hi", " {first", "_na"], 3, Err(Refusal::Broken));
        // An open brace alone means nothing to anybody.
        check(&["Hi", " {last", "_name", "}"], 3, Ok(()));
        check(&["Hi", " {first_name}", "}"], 2, Ok(()));
        check(&["{", "{first_name}"], 1, Err(Refusal::Broken));
        // The headline takes 60 characters, and a name has twenty.
        check(&[&"a".repeat(40), "{", "first_name}"], 3, Ok(()));
        check(&[&"a".repeat(41), "{"], 1, Ok(()));
    }
}
