//! `worker complete`: a raw prompt goes on, without rules: with it one checks that a model is read rightly, and tries a
//! grammar.

use std::io::{self, Write};

use engine::{Begun, Input, Penalized, Sampling, Text, begin, draw};
use rules::{Beginning, Grammar};
use serde::Serialize;

use crate::model::{Model, ModelError};
use crate::random::Random;

/// What is to be completed, and how often.
#[derive(Clone, Debug)]
pub struct Request {
    /// The prompt's tokens, at least one.
    pub prompt: Vec<u32>,
    /// How many completions there are to be.
    pub count: u32,
    /// The most tokens of each.
    pub max_tokens: u32,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// The form to which each completion is held, from its first byte to its end.
    pub grammar: Option<Grammar>,
    /// The first completion's seed; each that follows has the next number.
    pub seed: u64,
}

/// What came behind a prompt.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completion {
    /// The text; bytes that are no UTF-8 are U+FFFD.
    pub text: String,
    /// Its tokens, without the one that ended it.
    pub tokens: Vec<u32>,
    /// The logarithm of each token's probability as the model has it, before temperature and cuts.
    pub log_probabilities: Vec<f32>,
    /// Why it ended.
    pub finish: Finish,
}

/// Why a completion ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Finish {
    /// The model ended it.
    Stop,
    /// No token of the model goes on as the grammar demands.
    Stuck,
    /// It has as many tokens as were asked for, or as the model has positions.
    Length,
}

/// Completes a prompt, in all rows together.
///
/// # Errors
/// When the prompt does not fit into the model, or its weights are broken.
pub fn complete(model: &Model, request: &Request) -> Result<Vec<Completion>, ModelError> {
    let positions = model.decoder().shape().positions;
    let found = request.prompt.len() + 1;
    if found > positions {
        return Err(ModelError::TooLong { found, positions });
    }
    let prompts = vec![request.prompt.clone(); request.count as usize];
    let begun = begin(model.decoder(), &prompts)?;
    let mut rows: Vec<Row> =
        begun.into_iter().enumerate().map(|(index, it)| Row::new(it, request, index)).collect();
    while rows.iter().any(Row::goes_on) {
        step(model, request, &mut rows)?;
    }
    rows.into_iter().map(|row| row.completion(model)).collect()
}

fn step(model: &Model, request: &Request, rows: &mut [Row]) -> Result<(), ModelError> {
    let mut rows: Vec<&mut Row> = rows.iter_mut().filter(|row| row.goes_on()).collect();
    let inputs = rows.iter_mut().map(|row| Input { text: &mut row.text, tokens: &row.next });
    let logits = model.decoder().read(&mut inputs.collect::<Vec<_>>())?;
    for (index, row) in rows.iter_mut().enumerate() {
        row.draw(model, request, logits.row(index))?;
    }
    Ok(())
}

struct Row {
    text: Text,
    next: Vec<u32>,
    random: Random,
    beginning: Option<Beginning>,
    tokens: Vec<u32>,
    log_probabilities: Vec<f32>,
    finish: Option<Finish>,
}

impl Row {
    fn new(Begun { text, rest }: Begun, request: &Request, index: usize) -> Self {
        Self {
            text,
            next: rest,
            random: Random::from_seed(request.seed.wrapping_add(index as u64)),
            beginning: request.grammar.as_ref().map(Grammar::beginning),
            tokens: Vec::new(),
            log_probabilities: Vec::new(),
            finish: (request.max_tokens == 0).then_some(Finish::Length),
        }
    }

    fn goes_on(&self) -> bool {
        self.finish.is_none()
    }

    fn draw(&mut self, model: &Model, request: &Request, mut logits: Vec<f32>) -> Result<(), ModelError> {
        let (random, beginning) = (&mut self.random, &mut self.beginning);
        let allows = |token| beginning.as_mut().is_none_or(|it| goes_on(it, model, token));
        let penalized = Penalized { repeated: &self.tokens, ..Penalized::default() };
        let drawn = draw(&mut logits, &request.sampling, penalized, allows, || random.unit())?;
        let Some(drawn) = drawn else {
            self.finish = Some(Finish::Stuck);
            return Ok(());
        };
        if model.ends().contains(&drawn.token) {
            self.finish = Some(Finish::Stop);
            return Ok(());
        }
        if let Some(beginning) = &mut self.beginning {
            beginning.push(model.tokens().bytes(drawn.token));
        }
        self.tokens.push(drawn.token);
        self.log_probabilities.push(drawn.log_probability);
        self.next = vec![drawn.token];
        let full = self.tokens.len() >= request.max_tokens as usize
            || self.text.tokens() >= model.decoder().shape().positions;
        self.finish = full.then_some(Finish::Length);
        Ok(())
    }

    fn completion(self, model: &Model) -> Result<Completion, ModelError> {
        let Self { text: _, next: _, random: _, beginning: _, tokens, log_probabilities, finish } = self;
        let finish = finish.expect("rows go on until they have ended");
        Ok(Completion { text: model.tokens().decode(&tokens)?, tokens, log_probabilities, finish })
    }
}

/// Whether a grammar takes a token: one that ends the text where it may end, and any other by its bytes.
fn goes_on(beginning: &mut Beginning, model: &Model, token: u32) -> bool {
    if model.ends().contains(&token) {
        return beginning.may_end();
    }
    let bytes = model.tokens().bytes(token);
    !bytes.is_empty() && beginning.takes(bytes)
}

/// Writes completions as texts for people, each under a line with its number where there are several.
///
/// # Errors
/// When `out` takes no more.
pub fn print_texts(completions: &[Completion], out: &mut dyn Write) -> io::Result<()> {
    for (index, completion) in completions.iter().enumerate() {
        if completions.len() > 1 {
            writeln!(out, "--- {}", index + 1)?;
        }
        writeln!(out, "{}", completion.text)?;
    }
    Ok(())
}

/// Writes completions as JSON, one object to a line.
///
/// # Errors
/// When `out` takes no more.
pub fn print_json(completions: &[Completion], out: &mut dyn Write) -> io::Result<()> {
    completions.iter().try_for_each(|completion| {
        let line = serde_json::to_string(completion).expect("texts and finite numbers are JSON");
        writeln!(out, "{line}")
    })
}
