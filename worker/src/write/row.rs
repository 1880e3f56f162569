//! A draft that grows.

use api::Slots;
use api::name::hex;
use engine::{Begun, Drawn, Input, Logits, Penalized, Text, draw};
use rules::Slot;
use sha2::{Digest, Sha256};

use super::Writer;
use super::held::Held;
use super::line::{Line, Refusal};
use super::reserve::Reserve;
use super::siblings::Siblings;
use crate::draft::{Draft, Task, Trace};
use crate::form::{Next, Piece};
use crate::model::ModelError;

/// Where this share of what a model would rather have written was refused, the text was cut off and did not end.
const CUT_OFF: f64 = 0.5;

/// A draft that grows, with what the decoder remembers of it.
pub(super) struct Row<'t> {
    place: usize,
    task: Task<'t>,
    text: Text,
    /// What is read next.
    next: Vec<u32>,
    /// What may follow what was read.
    logits: Vec<f32>,
    /// The slot that is being written, by its place in the format.
    slot: usize,
    written: Vec<u32>,
    line: Line,
    held: Held,
    reserve: Reserve<'t>,
    siblings: Siblings,
    slots: Slots,
    end: End,
    totals: Totals,
}

/// How a text came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// By itself.
    Own,
    /// By a limit.
    CutOff,
}

/// Why tokens were refused before one was drawn.
#[derive(Clone, Copy, Debug, Default)]
struct Refused {
    /// With one the text would have become too long.
    too_long: bool,
    /// One broke something else than the form to which the slot is held.
    beside_form: bool,
}

/// Sums over the tokens of a draft.
#[derive(Clone, Debug, Default)]
struct Totals {
    prompt_digest: String,
    tokens: u32,
    log_probability: f64,
    refused: f64,
}

impl<'t> Row<'t> {
    pub(super) fn new(
        place: usize,
        begun: Begun,
        told: &str,
        task: Task<'t>,
        writer: &Writer<'_>,
    ) -> Result<Self, ModelError> {
        let Begun { text, rest } = begun;
        Ok(Self {
            place,
            text,
            next: rest,
            logits: Vec::new(),
            slot: 0,
            written: Vec::new(),
            line: Line::default(),
            held: Held::of(&task.format.slots()[0]),
            reserve: Reserve::of(&task),
            siblings: Siblings::of(&task, &writer.form, writer.model.tokens())?,
            slots: Slots::new(),
            end: End::Own,
            totals: Totals { prompt_digest: prompt_digest(told), ..Totals::default() },
            task,
        })
    }

    /// The place of its task.
    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// Tokens that were written of it.
    pub(super) fn tokens(&self) -> u32 {
        self.totals.tokens
    }

    pub(super) fn is_done(&self) -> bool {
        self.slot == self.task.format.slots().len()
    }

    pub(super) fn finish(self) -> Draft {
        Draft { slots: self.slots, finished: self.end == End::Own, trace: self.totals.mean() }
    }

    /// What is to be read before the next token is drawn.
    pub(super) fn input(&mut self) -> Input<'_> {
        Input { text: &mut self.text, tokens: &self.next }
    }

    /// Draws a token behind what was read, and ends the slot with it or reads it next.
    pub(super) fn go_on(
        &mut self,
        writer: &Writer<'_>,
        logits: &Logits,
        row: usize,
    ) -> Result<(), ModelError> {
        logits.read_row(row, &mut self.logits);
        let (Some(drawn), refused) = self.draw(writer)? else { return self.end_slot(writer, End::CutOff) };
        self.totals.add(&drawn);
        if refused.too_long && drawn.refused >= CUT_OFF {
            self.end = End::CutOff;
        }
        let piece = writer
            .form
            .piece(drawn.token, writer.model.tokens())
            .expect("what is allowed has a place in a text");
        // Where nothing but a form refuses what a model would rather write, the text is whole by that form.
        let whole = drawn.refused < CUT_OFF || self.held.is_held() && !refused.beside_form;
        self.line.push(piece.bytes);
        self.held.push(piece.bytes);
        match piece.next {
            Next::End if whole => self.end_slot(writer, End::Own),
            // One position is kept for what ends the slot.
            Next::More if self.room(writer) > 1 && self.written.len() < longest(self.at()) => {
                self.written.push(drawn.token);
                self.next = vec![drawn.token];
                Ok(())
            }
            Next::End | Next::More => self.end_slot(writer, End::CutOff),
        }
    }

    /// A token that may come next, and why others were refused.
    fn draw(&mut self, writer: &Writer<'_>) -> Result<(Option<Drawn>, Refused), ModelError> {
        let tokens = writer.model.tokens();
        let (task, slot) = (&self.task, &self.task.format.slots()[self.slot]);
        let (line, reserve, slots) = (&self.line, &self.reserve, &self.slots);
        let held = &mut self.held;
        let mut refused = Refused::default();
        let mut random = task.random.clone();
        let mut takes = |piece: Piece<'_>| {
            if !held.takes(piece, line) {
                return Err(Refusal::Form);
            }
            let behind = |text: &str| reserve.tail(slot, slots, text);
            line.takes(piece, slot, task.brand, behind)
        };
        let allows = |token| match writer.form.piece(token, tokens).map(&mut takes) {
            Some(Ok(())) => true,
            Some(Err(refusal)) => {
                refused.too_long |= refusal == Refusal::TooLong;
                refused.beside_form |= refusal != Refusal::Form;
                false
            }
            None => false,
        };
        let siblings = self.siblings.behind(self.slot, &self.written);
        let penalized = Penalized { repeated: &self.written, siblings: &siblings };
        let drawn = draw(&mut self.logits, &writer.sampling, penalized, allows, || random.unit())?;
        self.task.random = random;
        Ok((drawn, refused))
    }

    fn at(&self) -> &Slot {
        &self.task.format.slots()[self.slot]
    }

    /// Positions that are left.
    fn room(&self, writer: &Writer<'_>) -> usize {
        writer.model.decoder().shape().positions - self.text.tokens()
    }

    /// Keeps what was written and asks for the next slot, or leaves the rest empty where there is no room for it. A
    /// draft that runs out of the model's positions is unfinished and no error: the next attempt may be shorter.
    fn end_slot(&mut self, writer: &Writer<'_>, end: End) -> Result<(), ModelError> {
        let tokens = writer.model.tokens();
        let (format, here) = (self.task.format, self.slot);
        let slot = &format.slots()[here];
        let text = std::mem::take(&mut self.line).finish();
        let tail = self.reserve.tail(slot, &self.slots, &text);
        if end == End::CutOff {
            self.end = End::CutOff;
        }
        if !text.is_empty() || !tail.is_empty() {
            self.slots.insert(slot.name.clone(), format!("{text}{tail}").trim().to_owned());
        }
        self.written.clear();
        self.slot += 1;
        let Some(following) = format.slots().get(self.slot) else { return Ok(()) };
        self.held = Held::of(following);
        self.next = writer.form.copy(&tail, tokens)?;
        self.next.extend(writer.form.cue(Some(slot), following, tokens)?);
        if self.next.len() >= self.room(writer) {
            self.end = End::CutOff;
            self.slot = format.slots().len();
        }
        Ok(())
    }
}

/// The most tokens of a slot. A token is a byte at least, and a character of English copy one byte, so a text that is
/// longer cannot hold; the double leaves room for names with accents.
fn longest(slot: &Slot) -> usize {
    2 * slot.letters()
}

impl Totals {
    fn add(&mut self, drawn: &Drawn) {
        self.tokens += 1;
        self.log_probability += f64::from(drawn.log_probability);
        self.refused += drawn.refused;
    }

    fn mean(self) -> Trace {
        let Self { prompt_digest, tokens, log_probability, refused } = self;
        let mean = |sum: f64| (tokens > 0).then(|| sum / f64::from(tokens));
        Trace { prompt_digest, tokens, log_probability: mean(log_probability), refused: mean(refused) }
    }
}

/// SHA-256, in hexadecimal, of what the model is told.
pub(super) fn prompt_digest(told: &str) -> String {
    hex(&Sha256::digest(told.as_bytes()))
}
