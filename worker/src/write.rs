//! Writes many drafts at once: each a row of its own, at its own length and pace.
//!
//! ```text
//! jobs ─▶ prompts, read as a tree ─▶ rows ─┬▶ read what comes next in every row, together
//!                                          └─ draw for each, by its own dice ◀┘
//! ```
//!
//! A draft depends on its job alone: on the prompt, the slots, the rules and the dice, and neither on the other rows nor
//! on how many there are.

use std::collections::VecDeque;

use engine::{Begun, Input, Sampling, Text, begin, draw};
use rayon::prelude::*;
use rules::{BrandRules, Format, Requirement, Rule, Slot};

use crate::choose::Draft;
use crate::model::{Model, ModelError};
use crate::prompt;
use crate::random::Random;
use crate::tokens::Tokens;

/// Of what a model would rather have written than the end, this share was refused: the text was cut off, not ended.
const CUT_OFF: f64 = 0.5;

/// One draft to be written.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// What the model is told.
    pub head: String,
    /// Whose slots it fills.
    pub format: &'a Format,
    /// Words that it may not use.
    pub brand: &'a BrandRules,
    /// Its dice.
    pub random: Random,
}

/// How jobs are written.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'m> {
    /// With which model.
    pub model: &'m Model,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// The most rows at once.
    pub rows: usize,
}

impl Writer<'_> {
    /// Writes every job, and gives each draft to `done` as soon as it is finished, by the place of its job.
    ///
    /// # Errors
    /// When a prompt does not fit into the model, or its weights are broken; or what `done` says.
    pub fn write<E: From<ModelError>>(
        &self,
        jobs: Vec<Job<'_>>,
        mut done: impl FnMut(usize, Draft) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut waiting = self.begin(jobs)?;
        let mut rows: Vec<Row<'_>> = Vec::new();
        loop {
            let free = self.rows.max(1) - rows.len();
            rows.extend(waiting.drain(..free.min(waiting.len())));
            if rows.is_empty() {
                return Ok(());
            }
            self.step(&mut rows)?;
            for row in rows.extract_if(.., |row| row.is_done()) {
                done(row.place, row.draft)?;
            }
        }
    }

    fn begin<'j>(&self, jobs: Vec<Job<'j>>) -> Result<VecDeque<Row<'j>>, ModelError> {
        let prompts = jobs.iter().map(|job| self.prompt(job)).collect::<Result<Vec<_>, _>>()?;
        let begun = begin(self.model.decoder(), &prompts)?;
        Ok(begun
            .into_iter()
            .zip(jobs)
            .enumerate()
            .map(|(place, (begun, job))| Row::new(place, begun, job))
            .collect())
    }

    /// The head and the cue of the first slot.
    fn prompt(&self, job: &Job<'_>) -> Result<Vec<u32>, ModelError> {
        let (tokens, positions) = (self.model.tokens(), self.model.decoder().shape().positions);
        let mut prompt = vec![tokens.opening()];
        prompt.extend(tokens.encode(&job.head)?);
        if let Some(slot) = job.format.slots().first() {
            prompt.extend(tokens.encode(&prompt::cue(&slot.name))?);
        }
        let found = prompt.len();
        if found > positions { Err(ModelError::TooLong { found, positions }) } else { Ok(prompt) }
    }

    fn step(&self, rows: &mut [Row<'_>]) -> Result<(), ModelError> {
        let inputs = rows.iter_mut().map(|row| Input { text: &mut row.text, tokens: &row.next });
        let logits = self.model.decoder().read(&mut inputs.collect::<Vec<_>>())?;
        rows.par_iter_mut().enumerate().try_for_each(|(index, row)| {
            logits.read_row(index, &mut row.logits);
            row.go_on(self)
        })
    }
}

/// A draft that grows.
struct Row<'j> {
    place: usize,
    job: Job<'j>,
    text: Text,
    /// What is read next.
    next: Vec<u32>,
    /// What may follow what was read.
    logits: Vec<f32>,
    /// The slot that is being written, by its place in the format.
    slot: usize,
    written: Vec<u32>,
    line: Line,
    draft: Draft,
}

impl<'j> Row<'j> {
    fn new(place: usize, begun: Begun, job: Job<'j>) -> Self {
        let Begun { text, rest } = begun;
        let draft = Draft { slots: api::Slots::new(), finished: true, tokens: 0 };
        let (written, line, logits) = (Vec::new(), Line::default(), Vec::new());
        Self { place, job, text, next: rest, logits, slot: 0, written, line, draft }
    }

    fn is_done(&self) -> bool {
        self.slot == self.job.format.slots().len()
    }

    /// Draws a token, and ends the slot with it or reads it next.
    fn go_on(&mut self, writer: &Writer<'_>) -> Result<(), ModelError> {
        let tokens = writer.model.tokens();
        let (slot, brand) = (&self.job.format.slots()[self.slot], self.job.brand);
        let room = writer.model.decoder().shape().positions - self.text.tokens();
        let (line, random) = (&self.line, &mut self.job.random);
        let allows = |token| line.allows(token, tokens, slot, brand);
        let drawn = draw(&mut self.logits, &writer.sampling, &self.written, allows, || random.unit())?;
        self.draft.tokens += usize::from(drawn.is_some());
        match drawn {
            Some(drawn) if tokens.ends_line(drawn.token) => self.end_slot(writer, drawn.refused < CUT_OFF),
            // One position is kept for the line's end.
            Some(drawn) if room > 1 && self.written.len() < longest(slot) => {
                self.written.push(drawn.token);
                self.line.push(tokens.bytes(drawn.token));
                self.next = vec![drawn.token];
                Ok(())
            }
            _ => self.end_slot(writer, false),
        }
    }

    /// Keeps what was written and asks for the next slot, or leaves the rest empty where there is no room for it. A
    /// draft that runs out of the model's positions is unfinished and no error: the next attempt may be shorter.
    fn end_slot(&mut self, writer: &Writer<'_>, finished: bool) -> Result<(), ModelError> {
        let tokens = writer.model.tokens();
        let slots = self.job.format.slots();
        let text = std::mem::take(&mut self.line).finish();
        self.draft.finished &= finished;
        if !text.is_empty() {
            self.draft.slots.insert(slots[self.slot].name.clone(), text);
        }
        self.written.clear();
        self.slot += 1;
        let Some(slot) = slots.get(self.slot) else { return Ok(()) };
        self.next = vec![tokens.line_break()];
        self.next.extend(tokens.encode(&prompt::cue(&slot.name))?);
        let room = writer.model.decoder().shape().positions - self.text.tokens();
        if self.next.len() >= room {
            self.draft.finished = false;
            self.slot = slots.len();
        }
        Ok(())
    }
}

/// The most tokens of a slot. A token is a byte at least, and a character of English copy one byte, so a text that is
/// longer cannot hold; the double leaves room for names with accents.
fn longest(slot: &Slot) -> usize {
    2 * slot.letters()
}

/// The text of a slot as far as it is written.
#[derive(Clone, Debug, Default)]
struct Line {
    text: String,
    /// The first bytes of a character whose others are still to come.
    begun: Vec<u8>,
}

impl Line {
    /// Whether a token may come next: no text that is on its way to breaking a hard rule is begun, by the same check
    /// that judges it when it is finished.
    fn allows(&self, token: u32, tokens: &Tokens, slot: &Slot, brand: &BrandRules) -> bool {
        if tokens.ends_line(token) {
            let may_be_empty = slot.required == Requirement::Optional;
            return self.begun.is_empty() && (may_be_empty || !self.text.trim().is_empty());
        }
        let bytes = tokens.bytes(token);
        // Of ASCII letters and digits every way of counting counts each.
        let plain = |text: &[u8]| text.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
        if bytes.is_empty() || plain(self.text.as_bytes()) + plain(bytes) > slot.letters() {
            return false;
        }
        let mut next = self.clone();
        next.push(bytes);
        next.is_valid() && next.breaks_nothing(slot, brand)
    }

    fn push(&mut self, bytes: &[u8]) {
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

    /// Whether what is begun can become a character.
    fn is_valid(&self) -> bool {
        std::str::from_utf8(&self.begun).map_or_else(|error| error.error_len().is_none(), |_| true)
    }

    fn breaks_nothing(&self, slot: &Slot, brand: &BrandRules) -> bool {
        let (text, mut room) = (self.text.trim(), usize::from(!self.begun.is_empty()));
        if text.is_empty() {
            return true;
        }
        room += slot.count(text);
        let breaks = |rule: &Rule| !matches!(rule, Rule::EmptyText);
        room <= slot.hard_limit
            && !rules::check_slot(slot, brand, text).iter().any(|it| it.is_hard() && breaks(&it.rule))
    }

    /// The text without outer white space; a character that was begun and not finished is broken.
    fn finish(mut self) -> String {
        if !self.begun.is_empty() {
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
        self.text.trim().to_owned()
    }
}
