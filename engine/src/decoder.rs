//! What reads texts, whichever way its family is read.

use std::sync::Arc;

use crate::backend::{Backend, Rows};
use crate::configuration::{Configuration, Kind};
use crate::cpu::Form;
use crate::device::{Place, Target};
use crate::families::LAYER_PARTS;
use crate::own::Own;
use crate::stock::Stock;
use crate::tensors::Tensors;
use crate::text::{Input, Shape, Text};
use crate::{EngineError, Weights};

/// A model that reads texts and says what comes next.
#[derive(Debug)]
pub struct Decoder {
    shape: Shape,
    backend: Box<dyn Backend>,
    stock_family: Option<&'static str>,
}

/// How likely each token is to come next, one row for each text that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Logits {
    rows: Rows,
    vocabulary: usize,
}

impl Logits {
    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.rows {
            Rows::Columns(columns) => columns.rows(),
            Rows::Lists(lists) => lists.len(),
        }
    }

    /// One row: a logit for each token.
    #[must_use]
    pub fn row(&self, row: usize) -> Vec<f32> {
        let mut logits = Vec::new();
        self.read_row(row, &mut logits);
        logits
    }

    /// The same, into a buffer that is used again.
    pub fn read_row(&self, row: usize, logits: &mut Vec<f32>) {
        match &self.rows {
            Rows::Columns(columns) => columns.read_row(row, logits),
            Rows::Lists(lists) => logits.clone_from(&lists[row]),
        }
        logits.truncate(self.vocabulary);
    }
}

impl Decoder {
    /// Reads all weights into memory, in the given form, for our kernels on the CPU.
    ///
    /// # Errors
    /// When a weight is missing, has another shape than the configuration says, or cannot be read, or an adapter changes
    /// one that the family does not use.
    pub fn load(weights: &Weights, configuration: Configuration, form: Form) -> Result<Self, EngineError> {
        Self::load_at(weights, configuration, form, Place::Cpu)
    }

    /// Reads all weights into the memory of a place.
    ///
    /// `form` is for our kernels on the CPU: a device keeps 16-bit floats, and a family that is read through candle's own
    /// module floats, or the forms of a GGUF file.
    ///
    /// # Errors
    /// As [`Self::load`], and when the device is missing, too old for this build, or too small.
    pub fn load_at(
        weights: &Weights,
        configuration: Configuration,
        form: Form,
        place: Place,
    ) -> Result<Self, EngineError> {
        let shape = configuration.shape();
        if configuration.architecture().is_some() {
            weights.check_parts(&LAYER_PARTS)?;
        }
        let (backend, stock_family): (Box<dyn Backend>, _) = match (configuration.0, place) {
            (Kind::Stock(plan), place) => {
                (Box::new(Stock::load(weights, &plan, Target::open(place)?)?), Some(plan.family()))
            }
            (Kind::Own(architecture), Place::Cpu) => {
                (Box::new(Own::load(weights, *architecture, form)?), None)
            }
            (Kind::Own(architecture), place) => {
                (Box::new(Tensors::load(weights, *architecture, Target::open(place)?)?), None)
            }
        };
        weights.check_adapter_read()?;
        Ok(Self { shape, backend, stock_family })
    }

    /// What a text has to keep to.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The family, where it is read through candle's own module: then each text is read by itself and from its
    /// beginning, and nothing that texts share is kept once.
    #[must_use]
    pub fn stock_family(&self) -> Option<&str> {
        self.stock_family
    }

    /// Bytes of all weights in memory; nothing on a device, and where candle keeps them.
    #[must_use]
    pub fn bytes(&self) -> Option<usize> {
        self.backend.bytes()
    }

    /// An empty text, behind `above` if there is one.
    #[must_use]
    pub fn text(&self, above: Option<Arc<Text>>) -> Text {
        let start = above.as_ref().map_or(0, |above| above.tokens());
        let memory = self.backend.memory(above.as_deref(), start);
        Text::new(above, start, memory)
    }

    /// Reads what comes next in each text, and says what may follow.
    ///
    /// On the CPU, in the families that we read ourselves, a text's logits depend on its tokens alone, to the last bit: neither on
    /// what is read with it, nor on how it was cut into stretches and steps. Matrices in forms that candle multiplies are
    /// the exception.
    ///
    /// # Errors
    /// When a text would become too long or a token is none of the vocabulary; then nothing was read.
    ///
    /// # Panics
    /// When an input has no tokens, or its text was made by another decoder.
    pub fn read(&self, inputs: &mut [Input<'_>]) -> Result<Logits, EngineError> {
        assert!(inputs.iter().all(|input| !input.tokens.is_empty()), "a text goes on by a token at least");
        inputs.iter().try_for_each(|input| self.check(input))?;
        Ok(Logits { rows: self.backend.read(inputs)?, vocabulary: self.shape.vocabulary })
    }

    fn check(&self, input: &Input<'_>) -> Result<(), EngineError> {
        let Shape { vocabulary, positions } = self.shape;
        let found = input.text.tokens() + input.tokens.len();
        if found > positions {
            return Err(EngineError::TooLong { found, positions });
        }
        match input.tokens.iter().find(|token| **token as usize >= vocabulary) {
            Some(token) => Err(EngineError::Token { token: *token, vocabulary }),
            None => Ok(()),
        }
    }
}
