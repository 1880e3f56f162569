//! Families that are read through the modules of candle_transformers, each text by itself.
//!
//! These modules take one position for all rows and keep keys and values to themselves, so each text has a model of its
//! own: a clone that shares the weights and has its own memory. Nothing that texts share is kept once.
//!
//! A family is here only if its module writes what transformers writes: `tests/stock.rs` holds each to that.

mod families;
mod plan;

use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Tensor};

use crate::backend::{Backend, Rows};
use crate::device::Target;
use crate::text::{Input, Memory, Text};
use crate::{EngineError, Weights};

pub(crate) use plan::Plan;

/// A model of such a family.
#[derive(Debug)]
pub(crate) struct Stock {
    family: &'static str,
    target: Target,
    /// Has read nothing and never does.
    fresh: Arc<dyn Module>,
}

/// A module of candle_transformers and what it remembers of one text.
trait Module: fmt::Debug + Send + Sync {
    /// The same in another place, with the weights shared.
    fn again(&self) -> Box<dyn Module>;

    /// Reads what comes next, one row of tokens at a position, and gives logits, the last ones of the last token.
    fn read(&mut self, tokens: &Tensor, position: usize) -> candle_core::Result<Tensor>;
}

/// A text's own model.
#[derive(Debug)]
struct OwnModel {
    module: Box<dyn Module>,
    /// All tokens of the text, those above included.
    tokens: Vec<u32>,
    /// How many of them were read.
    read: usize,
}

impl Memory for OwnModel {
    /// It has read all that stands above too.
    fn tokens(&self, _start: usize) -> usize {
        self.tokens.len()
    }
}

impl Stock {
    pub(crate) fn load(weights: &Weights, plan: &Plan, target: Target) -> Result<Self, EngineError> {
        let family = plan.family();
        let fresh =
            families::load(weights, plan, &target).map_err(|source| EngineError::stock(family, source))?;
        Ok(Self { family, target, fresh: fresh.into() })
    }

    /// Reads what was not read yet: the beginning at once, and then token by token, since several modules hide nothing
    /// from tokens that are read together behind others.
    fn catch_up(&self, memory: &mut OwnModel) -> candle_core::Result<Vec<f32>> {
        let mut logits = Vec::new();
        while memory.read < memory.tokens.len() {
            let end = if memory.read == 0 { memory.tokens.len() } else { memory.read + 1 };
            let tokens = Tensor::new(&memory.tokens[memory.read..end], &self.target.device)?.unsqueeze(0)?;
            logits = last_row(&memory.module.read(&tokens, memory.read)?)?;
            memory.read = end;
        }
        Ok(logits)
    }
}

impl Backend for Stock {
    /// What stands above is read anew, with what comes next.
    fn memory(&self, above: Option<&Text>, _start: usize) -> Box<dyn Memory> {
        let tokens = above.map_or_else(Vec::new, |above| above.memory::<OwnModel>().tokens.clone());
        Box::new(OwnModel { module: self.fresh.again(), tokens, read: 0 })
    }

    fn read(&self, inputs: &mut [Input<'_>]) -> Result<Rows, EngineError> {
        let read = |input: &mut Input<'_>| {
            let memory: &mut OwnModel = input.text.memory_mut();
            memory.tokens.extend_from_slice(input.tokens);
            self.catch_up(memory).map_err(|source| EngineError::stock(self.family, source))
        };
        inputs.iter_mut().map(read).collect::<Result<_, _>>().map(Rows::Lists)
    }
}

/// Modules give `[1, vocabulary]`, `[1, 1, vocabulary]` or a row for every token.
fn last_row(logits: &Tensor) -> candle_core::Result<Vec<f32>> {
    let rows = logits.to_dtype(DType::F32)?.flatten_to(logits.rank() - 2)?;
    rows.get(rows.dim(0)? - 1)?.to_vec1()
}
