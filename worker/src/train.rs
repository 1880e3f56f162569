//! `worker train`: makes a small decoder from nothing but a recipe and its corpus.
//!
//! ```text
//! recipe ─▶ corpus ─▶ rows ─▶ tokenizer
//!                      └────▶ batches ─▶ loss ─▶ gradients ─▶ weights ─▶ model folder
//! ```

pub mod batch;
pub mod corpus;
pub mod fused;
pub mod grammar;
mod language;
pub mod model;
pub mod names;
pub mod optimizer;
pub mod recipe;
mod save;
pub mod tokenizer;

use std::path::Path;
use std::time::Instant;

use candle_core::DType;
use candle_core::backprop::GradStore;
use tracing::info;

use self::batch::{Batch, Sequence};
use self::corpus::{Corpus, CorpusError};
use self::model::Decoder;
use self::names::Names;
use self::optimizer::Optimizer;
use self::recipe::Recipe;
use self::save::save;
use engine::Sampling;

use crate::model::Advice;
use crate::random::Random;
use crate::tokens::{Tokens, TokensError};

pub use self::save::SaveError;

/// Batches that are drawn together and sorted by length, so that little of a batch is filling.
const BATCHES_PER_DRAW: usize = 16;
/// Steps between two lines of progress.
const REPORT_EVERY: usize = 20;
/// How the finished model should be sampled: careful enough to copy, daring enough that variants differ.
const SAMPLING: Sampling = Sampling {
    temperature: 0.7,
    top_k: 0,
    top_p: 0.95,
    min_p: 0.1,
    repetition_penalty: 1.0,
    sibling_penalty: 1.0,
};

/// Why a training ended early.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The corpus cannot be used.
    #[error("the corpus cannot be used")]
    Corpus(#[from] CorpusError),
    /// The tokenizer failed.
    #[error("the tokenizer failed")]
    Tokens(#[from] TokensError),
    /// A tensor operation failed.
    #[error("the arithmetic failed")]
    Arithmetic(#[from] candle_core::Error),
    /// The loss, its gradient or a weight left the finite numbers: the recipe's rate is too high.
    #[error("loss, gradient or weights are not finite at step {0}: lower training.learningRate")]
    Diverged(usize),
    /// A row does not fit.
    #[error("a row has {found} tokens and the model {positions} positions: raise model.positions")]
    TooLong {
        /// Tokens of the row.
        found: usize,
        /// Positions of the model.
        positions: usize,
    },
    /// The model could not be written.
    #[error("the model could not be written")]
    Save(#[from] SaveError),
}

/// What a training came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Cross-entropy per asked token, in nats, on briefs whose product names were never trained on.
    pub validation_loss: f64,
    /// Numbers that the weights hold.
    pub parameters: usize,
}

/// Follows `recipe` and writes the model to `output`.
///
/// Every draw comes from the recipe's seed, so the same recipe on the same build and machine gives the same model.
///
/// # Errors
/// When the corpus cannot be used, the training diverges, or the folder cannot be written. A model that diverged is
/// never written.
pub fn train(recipe: &Recipe, output: &Path) -> Result<Outcome, TrainError> {
    let corpus = Corpus::open(&recipe.corpus.folder, &recipe.corpus.languages)?;
    let tokens = make_tokenizer(recipe, &corpus)?;
    let decoder = Decoder::new(recipe.model, tokens.vocabulary(), &mut Random::from_seed(recipe.seed ^ 2))?;
    info!(parameters = decoder.parameters(), vocabulary = tokens.vocabulary(), "training begins");
    let validation_loss = fit(recipe, &corpus, &tokens, &decoder)?;
    let languages = recipe.corpus.languages.keys().cloned().collect();
    let advice = Advice { sampling: SAMPLING, languages, ends: Vec::new() };
    save(output, recipe.model, &decoder, &tokens, &advice)?;
    Ok(Outcome { validation_loss, parameters: decoder.parameters() })
}

fn make_tokenizer(recipe: &Recipe, corpus: &Corpus) -> Result<Tokens, TrainError> {
    let mut random = Random::from_seed(recipe.seed ^ 1);
    let rows = (0..recipe.tokenizer.rows).map(|_| corpus.row(Names::Training, &mut random));
    let texts = rows.map(|row| Ok(corpus::text(&row?))).collect::<Result<Vec<String>, CorpusError>>()?;
    Ok(tokenizer::train(texts.iter().map(String::as_str), recipe.tokenizer.vocabulary)?)
}

/// Moves the weights through all steps and returns the last validation loss.
fn fit(recipe: &Recipe, corpus: &Corpus, tokens: &Tokens, decoder: &Decoder) -> Result<f64, TrainError> {
    let training = &recipe.training;
    let validation = validation_batches(recipe, corpus, tokens)?;
    let mut rows =
        Rows { recipe, corpus, tokens, random: Random::from_seed(recipe.seed ^ 4), ready: Vec::new() };
    let mut optimizer = Optimizer::new(decoder, training)?;
    let start = Instant::now();
    let mut loss = f64::NAN;
    for step in 1..=training.steps {
        let Taken { loss: fresh, norm } =
            take_step(decoder, &mut optimizer, &rows.next_batch()?, training.shards)?;
        let (fresh, norm) = (finite(fresh, step)?, finite(norm, step)?);
        // A tenth of the new loss: single batches differ too much to read a trend from.
        loss = if loss.is_nan() { fresh } else { 0.9 * loss + 0.1 * fresh };
        if step % REPORT_EVERY == 0 {
            let seconds = start.elapsed().as_secs();
            info!(step, of = training.steps, seconds, loss = figure(loss), norm = figure(norm), "training");
        }
        if step % training.validate_every == 0 {
            info!(step, validation_loss = figure(evaluate(decoder, &validation)?), "validation");
        }
    }
    finite(weight(decoder)?, training.steps)?;
    finite(evaluate(decoder, &validation)?, training.steps)
}

/// The sum of all weights' sizes in the half precision in which they are saved, where more than 65,504 is infinite.
/// The loss does not show such weights: a norm brings the stream that they make back to size, or to zero.
fn weight(decoder: &Decoder) -> candle_core::Result<f64> {
    let mut total = 0.0;
    for (_, var) in decoder.weights() {
        let halves = var.to_dtype(DType::F16)?.to_dtype(DType::F32)?;
        total += f64::from(halves.abs()?.sum_all()?.to_scalar::<f32>()?);
    }
    Ok(total)
}

/// The value of a step, unless it left the finite numbers: no later step brings the weights back.
fn finite(value: f64, step: usize) -> Result<f64, TrainError> {
    if value.is_finite() { Ok(value) } else { Err(TrainError::Diverged(step)) }
}

/// Three decimals: more would suggest a precision that a batch does not have.
fn figure(value: f64) -> String {
    format!("{value:.3}")
}

/// Where rows come from, sorted into batches of like length.
struct Rows<'a> {
    recipe: &'a Recipe,
    corpus: &'a Corpus,
    tokens: &'a Tokens,
    random: Random,
    ready: Vec<Vec<Sequence>>,
}

impl Rows<'_> {
    fn next_batch(&mut self) -> Result<Vec<Sequence>, TrainError> {
        if self.ready.is_empty() {
            self.ready = self.draw()?;
        }
        Ok(self.ready.pop().expect("a draw holds at least one batch"))
    }

    fn draw(&mut self) -> Result<Vec<Vec<Sequence>>, TrainError> {
        let size = self.recipe.training.batch;
        let mut sequences = (0..size * BATCHES_PER_DRAW)
            .map(|_| sequence(self.recipe, self.corpus, self.tokens, Names::Training, &mut self.random))
            .collect::<Result<Vec<_>, _>>()?;
        sequences.sort_by_key(Sequence::length);
        let mut batches: Vec<Vec<Sequence>> = sequences.chunks(size).map(<[Sequence]>::to_vec).collect();
        self.random.shuffle(&mut batches);
        Ok(batches)
    }
}

fn sequence(
    recipe: &Recipe,
    corpus: &Corpus,
    tokens: &Tokens,
    names: Names,
    random: &mut Random,
) -> Result<Sequence, TrainError> {
    let sequence = Sequence::new(&corpus.row(names, random)?, tokens)?;
    let (found, positions) = (sequence.length(), recipe.model.positions);
    if found > positions { Err(TrainError::TooLong { found, positions }) } else { Ok(sequence) }
}

fn validation_batches(recipe: &Recipe, corpus: &Corpus, tokens: &Tokens) -> Result<Vec<Batch>, TrainError> {
    let mut random = Random::from_seed(recipe.seed ^ 3);
    let mut sequences = (0..recipe.corpus.validation_rows)
        .map(|_| sequence(recipe, corpus, tokens, Names::HeldOut, &mut random))
        .collect::<Result<Vec<_>, _>>()?;
    sequences.sort_by_key(Sequence::length);
    let batches = sequences.chunks(recipe.training.batch);
    Ok(batches.map(|rows| Batch::new(&rows.iter().collect::<Vec<_>>())).collect::<Result<_, _>>()?)
}

/// What one step saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    /// Mean loss of the batch before the step.
    pub loss: f64,
    /// The common norm of all gradients before clipping.
    pub norm: f64,
}

/// Moves the weights once, along the gradient of some rows.
///
/// # Errors
/// When the rows are longer than the model's positions.
pub fn take_step(
    decoder: &Decoder,
    optimizer: &mut Optimizer,
    rows: &[Sequence],
    shards: usize,
) -> candle_core::Result<Taken> {
    let (loss, parts) = gradients(decoder, rows, shards)?;
    Ok(Taken { loss, norm: optimizer.step(parts)? })
}

/// Mean loss of a batch, and the gradient of each of its shards.
///
/// candle works through most operations on one thread, so two threads with half a batch each are nearly twice as fast
/// as one with all of it. Shards deal the rows out in turn, so that each gets long and short ones.
fn gradients(
    decoder: &Decoder,
    rows: &[Sequence],
    shards: usize,
) -> candle_core::Result<(f64, Vec<GradStore>)> {
    let deal = |shard| rows.iter().skip(shard).step_by(shards).collect::<Vec<_>>();
    let batches = (0..shards).map(|shard| Batch::new(&deal(shard))).collect::<Result<Vec<_>, _>>()?;
    let asked = batches.iter().map(|batch| batch.asked).sum::<usize>() as f64;
    let work = |batch: &Batch| -> candle_core::Result<(f64, GradStore)> {
        let loss = (decoder.loss(batch)? / asked)?;
        Ok((f64::from(loss.to_scalar::<f32>()?), loss.backward()?))
    };
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> = batches.iter().map(|batch| scope.spawn(move || work(batch))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a shard does not panic")).collect::<Vec<_>>()
    });
    let (losses, parts): (Vec<f64>, Vec<GradStore>) =
        results.into_iter().collect::<candle_core::Result<Vec<_>>>()?.into_iter().unzip();
    Ok((losses.iter().sum(), parts))
}

fn evaluate(decoder: &Decoder, batches: &[Batch]) -> Result<f64, TrainError> {
    let mut total = 0.0;
    for batch in batches {
        total += f64::from(decoder.loss(batch)?.to_scalar::<f32>()?);
    }
    Ok(total / batches.iter().map(|batch| batch.asked).sum::<usize>() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;

    /// The shipped recipe, made small enough for a test: it learns to put letters into an order, and no more.
    fn small() -> Recipe {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/handbill/recipe.yaml");
        let mut recipe = Recipe::open(Path::new(path)).expect("the shipped recipe is valid");
        recipe.corpus.validation_rows = 8;
        recipe.tokenizer = recipe::TokenizerRecipe { vocabulary: 400, rows: 200 };
        recipe.model.hidden = 32;
        recipe.model.heads = 2;
        recipe.model.layers = 1;
        recipe.model.feed_forward = 32;
        recipe.training.steps = 16;
        recipe.training.batch = 8;
        recipe.training.warm_up = 2;
        recipe
    }

    #[test]
    fn a_recipe_makes_the_same_model_twice_and_the_stock_decoder_opens_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let output = folder.path().join(name);
            let outcome = train(&small(), &output).expect("trained");
            (
                outcome.validation_loss,
                Model::open(&output, engine::cpu::Form::AsStored).expect("a model").digest().to_owned(),
            )
        };
        let (loss, digest) = make("one");
        // A model that knows nothing has the logarithm of 400 tokens, 5.99.
        assert!(loss < 5.8, "the loss is still {loss}");
        assert_eq!(make("two"), (loss, digest));
    }

    #[test]
    fn a_row_that_does_not_fit_and_a_loss_that_is_no_number_end_the_training() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recipe = small();
        recipe.model.positions = 40;
        assert!(matches!(train(&recipe, folder.path()), Err(TrainError::TooLong { positions: 40, .. })));
        let mut recipe = small();
        recipe.training.learning_rate = 1e38;
        assert!(matches!(train(&recipe, folder.path()), Err(TrainError::Diverged(_))));
    }

    #[test]
    fn weights_that_only_the_last_step_broke_are_not_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let output = folder.path().join("model");
        let mut recipe = small();
        // Loss and gradient of the only step are those of the fresh weights, which are sound.
        recipe.training.steps = 1;
        recipe.training.warm_up = 0;
        recipe.training.learning_rate = 1e38;
        assert!(matches!(train(&recipe, &output), Err(TrainError::Diverged(1))));
        assert!(!output.exists());
    }

    #[test]
    fn a_gradient_that_is_not_finite_ends_the_training_where_the_loss_is_finite() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recipe = small();
        recipe.training.steps = 3;
        // The first step makes weights whose squares overflow: the stream is then divided by infinity, and the loss of
        // the second step is that of a model that knows nothing, while its gradient is no number.
        recipe.training.learning_rate = 1e8;
        assert!(matches!(train(&recipe, folder.path()), Err(TrainError::Diverged(2))));
    }
}
