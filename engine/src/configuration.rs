//! Which family a model is of, and so how it is read.

use std::path::Path;

use candle_core::quantized::gguf_file::Content;
use serde::Deserialize;
use serde_json::Value;

use crate::EngineError;
use crate::architecture::Architecture;
use crate::stock::Plan;
use crate::text::Shape;

/// What a model's configuration says.
#[derive(Clone, Debug)]
pub struct Configuration(pub(crate) Kind);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Of a family that we read ourselves.
    Own(Box<Architecture>),
    /// Of one that is read through candle's own module.
    Stock(Plan),
}

impl Configuration {
    /// The sizes and features, where the family is read by a decoder of ours.
    #[must_use]
    pub fn architecture(&self) -> Option<&Architecture> {
        match &self.0 {
            Kind::Own(architecture) => Some(architecture),
            Kind::Stock(_) => None,
        }
    }

    /// The family, where it is read through candle's own module.
    #[must_use]
    pub fn stock_family(&self) -> Option<&str> {
        match &self.0 {
            Kind::Own(_) => None,
            Kind::Stock(plan) => Some(plan.family()),
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        match &self.0 {
            Kind::Own(it) => Shape { vocabulary: it.vocabulary, positions: it.positions },
            Kind::Stock(plan) => plan.shape(),
        }
    }

    /// Reads a `config.json`.
    pub(crate) fn from_json(json: &[u8], path: &Path) -> Result<Self, EngineError> {
        check_floats(json, path)?;
        let kind = match Plan::from_json(json, path)? {
            Some(plan) => Kind::Stock(plan),
            None => Kind::Own(Box::new(Architecture::from_config(json, path)?)),
        };
        Ok(Self(kind))
    }

    /// Reads the metadata of a GGUF file; `factors` divide the frequencies of rotary positions.
    pub(crate) fn from_gguf(
        content: &Content,
        factors: Option<&[f32]>,
        path: &Path,
    ) -> Result<Self, EngineError> {
        let kind = match Plan::from_gguf(content, path)? {
            Some(plan) => Kind::Stock(plan),
            None => Kind::Own(Box::new(Architecture::from_gguf(content, factors, path)?)),
        };
        Ok(Self(kind))
    }
}

/// Weights in integers of other makers' forms are read by nobody here.
fn check_floats(json: &[u8], path: &Path) -> Result<(), EngineError> {
    #[derive(Deserialize)]
    struct Quantized {
        quantization_config: Option<Value>,
    }
    let malformed =
        |error: serde_json::Error| EngineError::Malformed { path: path.to_owned(), what: error.to_string() };
    let Quantized { quantization_config } = serde_json::from_slice(json).map_err(malformed)?;
    let Some(quantized) = quantization_config else { return Ok(()) };
    let method =
        quantized.get("quant_method").and_then(Value::as_str).unwrap_or("of a kind that it does not name");
    Err(EngineError::Unsupported {
        field: "quantization",
        found: method.to_owned(),
        known: "safetensors in floats, and GGUF files",
    })
}
