//! Writes many drafts at once: each a row of its own, at its own length and pace.
//!
//! ```text
//! tasks ─▶ prompts, read as a tree ─▶ rows ─┬▶ read what comes next in every row, together
//!                                           └─ draw for each, by its own dice ◀┘
//! ```
//!
//! A draft depends on its task alone: on the prompt, the slots, the rules and the dice, and neither on the other rows nor
//! on how many there are.

mod held;
mod line;
mod reserve;
mod row;
mod siblings;

use std::collections::VecDeque;
use std::sync::Arc;

use api::Drawing;
use engine::{Input, Sampling, begin};
use rayon::prelude::*;

use crate::author::{Author, AuthorError, Done};
use crate::draft::Task;
use crate::form::Form;
use crate::meter::Meter;
use crate::model::{Model, ModelError};
use row::Row;

/// A model that writes in this process.
#[derive(Debug)]
pub struct Writer<'m> {
    model: &'m Model,
    form: Form,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// How many tokens may be written.
    pub meter: Arc<Meter>,
    /// The most rows at once.
    rows: usize,
}

impl<'m> Writer<'m> {
    /// Prepares to write `rows` drafts at once, in the form that the model was made for and with its makers' advice.
    ///
    /// # Errors
    /// When there is no form in which the model can be asked.
    pub fn new(model: &'m Model, rows: usize) -> Result<Self, ModelError> {
        let (form, sampling, meter) = (model.form()?, model.sampling(), Arc::default());
        Ok(Self { model, form, sampling, meter, rows: rows.max(1) })
    }

    fn write_rows(&self, tasks: Vec<Task<'_>>, done: &mut Done<'_>) -> Result<(), ModelError> {
        let mut waiting = self.begin(tasks)?;
        let mut rows: Vec<Row<'_>> = Vec::new();
        loop {
            let free = self.rows - rows.len();
            rows.extend(waiting.drain(..free.min(waiting.len())));
            // Each draws a token at most.
            let most = rows.len() as u64;
            let Some(room) = self.meter.reserve(most).filter(|_| !rows.is_empty()) else { return Ok(()) };
            let before = written(&rows);
            self.step(&mut rows)?;
            room.settle(written(&rows) - before);
            for row in rows.extract_if(.., |row| row.is_done()) {
                if done(row.place(), row.finish()).is_break() {
                    return Ok(());
                }
            }
        }
    }

    fn begin<'t>(&self, tasks: Vec<Task<'t>>) -> Result<VecDeque<Row<'t>>, ModelError> {
        let tokens = self.model.tokens();
        let told = tasks.iter().map(|task| self.form.told(task, tokens)).collect::<Result<Vec<_>, _>>()?;
        let prompts = told.iter().zip(&tasks).map(|(told, task)| self.prompt(told, task));
        let begun = begin(self.model.decoder(), &prompts.collect::<Result<Vec<_>, _>>()?)?;
        let begun = begun.into_iter().zip(told).zip(tasks).enumerate();
        begun.map(|(place, ((begun, told), task))| Row::new(place, begun, &told, task, self)).collect()
    }

    /// What the model is told, and the cue of the first slot.
    fn prompt(&self, told: &str, task: &Task<'_>) -> Result<Vec<u32>, ModelError> {
        let (tokens, positions) = (self.model.tokens(), self.model.decoder().shape().positions);
        let mut prompt = self.form.read(told, tokens)?;
        if let Some(slot) = task.format.slots().first() {
            prompt.extend(self.form.cue(None, slot, tokens)?);
        }
        let found = prompt.len();
        if found > positions { Err(ModelError::TooLong { found, positions }) } else { Ok(prompt) }
    }

    fn step(&self, rows: &mut [Row<'_>]) -> Result<(), ModelError> {
        let inputs = rows.iter_mut().map(Row::input);
        let logits = self.model.decoder().read(&mut inputs.collect::<Vec<Input<'_>>>())?;
        rows.par_iter_mut().enumerate().try_for_each(|(index, row)| row.go_on(self, &logits, index))
    }
}

/// The tokens of all drafts.
fn written(rows: &[Row<'_>]) -> u64 {
    rows.iter().map(|row| u64::from(row.tokens())).sum()
}

impl Author for Writer<'_> {
    fn model_digest(&self) -> &str {
        self.model.digest()
    }

    fn adapter_digest(&self) -> Option<&str> {
        self.model.adapter_digest()
    }

    fn quantization(&self) -> Option<&str> {
        Some(self.model.quantization())
    }

    fn drawing(&self) -> Option<Drawing> {
        Some(drawing(&self.sampling))
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn prompt_digest(&self, task: &Task<'_>) -> Result<String, AuthorError> {
        let told = self.form.told(task, self.model.tokens()).map_err(ModelError::from)?;
        Ok(row::prompt_digest(&told))
    }

    fn write(&self, tasks: Vec<Task<'_>>, done: &mut Done<'_>) -> Result<(), AuthorError> {
        Ok(self.write_rows(tasks, done)?)
    }
}

/// A sampling as provenance tells it.
#[must_use]
pub fn drawing(sampling: &Sampling) -> Drawing {
    let Sampling { temperature, top_k, top_p, min_p, repetition_penalty, sibling_penalty } = *sampling;
    Drawing {
        temperature: temperature.to_string(),
        top_k: u32::try_from(top_k).unwrap_or(u32::MAX),
        top_p: top_p.to_string(),
        min_p: min_p.to_string(),
        repetition_penalty: repetition_penalty.to_string(),
        sibling_penalty: sibling_penalty.to_string(),
    }
}

/// The sampling that a provenance tells; nothing where it holds what is no number.
#[must_use]
pub fn sampling(drawing: &Drawing) -> Option<Sampling> {
    let Drawing { temperature, top_k, top_p, min_p, repetition_penalty, sibling_penalty } = drawing;
    Some(Sampling {
        temperature: temperature.parse().ok()?,
        top_k: *top_k as usize,
        top_p: top_p.parse().ok()?,
        min_p: min_p.parse().ok()?,
        repetition_penalty: repetition_penalty.parse().ok()?,
        sibling_penalty: sibling_penalty.parse().ok()?,
    })
}
