//! The decoder of our own on candle's tensors, for devices.
//!
//! It reads the same families as the one for the CPU, from the same files, and writes the same texts but for rounding.
//! What rows share is kept once, and read once for all rows that stand below each other.

mod attention;
mod layer;
mod pages;
mod step;

use candle_core::{DType, Device, Result as Candle, Tensor};
use candle_nn::ops::rms_norm;

use crate::architecture::Architecture;
use crate::backend::{Backend, Rows, read_ahead};
use crate::device::Target;
use crate::text::{Input, Memory, Text};
use crate::{EngineError, Weights};
use layer::Layer;
use pages::{Pages, Stretch};
use step::Step;

/// A model on a device.
#[derive(Debug)]
pub(crate) struct Tensors {
    architecture: Architecture,
    target: Target,
    embeddings: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    /// What gives the logits: the embeddings, where there is nothing else.
    head: Tensor,
    pages: Pages,
}

/// Puts weights on the device.
struct Loading<'a> {
    weights: &'a Weights,
    target: &'a Target,
}

impl Loading<'_> {
    /// As it is sent: rounded before, so that it is half as much.
    fn rounded(&self, name: &str, shape: &[usize]) -> Result<Tensor, EngineError> {
        let (values, _) = self.weights.floats(name, Some(shape))?;
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(self.target.dtype)?)
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, EngineError> {
        Ok(self.rounded(name, shape)?.to_device(&self.target.device)?)
    }

    fn perhaps_tensor(&self, name: &str, shape: &[usize]) -> Result<Option<Tensor>, EngineError> {
        if self.weights.has(name) { self.tensor(name, shape).map(Some) } else { Ok(None) }
    }

    /// Matrices of as many inputs, one above the other, which is done before they are sent: nothing lies on the device
    /// twice.
    fn stacked(&self, parts: &[(String, usize)], inputs: usize) -> Result<Tensor, EngineError> {
        let parts = parts.iter().map(|(name, outputs)| self.rounded(name, &[*outputs, inputs]));
        Ok(Tensor::cat(&parts.collect::<Result<Vec<_>, _>>()?, 0)?.to_device(&self.target.device)?)
    }
}

impl Tensors {
    pub(crate) fn load(
        weights: &Weights,
        architecture: Architecture,
        target: Target,
    ) -> Result<Self, EngineError> {
        let loading = Loading { weights, target: &target };
        let Architecture { vocabulary, hidden, layers, .. } = architecture;
        let embeddings = loading.tensor("model.embed_tokens.weight", &[vocabulary, hidden])?;
        let tied = architecture.tied.unwrap_or(!weights.has("lm_head.weight"));
        let head = match tied {
            true => embeddings.clone(),
            false => loading.tensor("lm_head.weight", &[vocabulary, hidden])?,
        };
        let pages = Pages::new(layers, architecture.key_heads * architecture.head_width, &target)?;
        let layers = (0..layers).map(|layer| Layer::load(&loading, &architecture, layer));
        Ok(Self {
            layers: layers.collect::<Result<_, _>>()?,
            norm: loading.tensor("model.norm.weight", &[hidden])?,
            embeddings,
            head,
            pages,
            architecture,
            target,
        })
    }

    fn step(&self, inputs: &mut [Input<'_>]) -> Candle<Tensor> {
        let tokens: Vec<u32> = inputs.iter().flat_map(|input| input.tokens).copied().collect();
        let step = Step::new(&self.pages, &self.architecture, &self.target, inputs)?;
        let mut x = self.embeddings.index_select(&Tensor::new(tokens, &self.target.device)?, 0)?;
        for (index, layer) in self.layers.iter().enumerate() {
            x = layer.step(&self.architecture, index, &step, &x)?;
        }
        for input in &mut *inputs {
            input.text.memory_mut::<Stretch>().grow(input.tokens.len());
        }
        let x = x.index_select(&self.last_of_each(inputs)?, 0)?;
        let x = rms_norm(&x, &self.norm, self.architecture.norm_epsilon)?;
        x.matmul(&self.head.t()?)?.to_dtype(DType::F32)
    }

    /// The rows of the last token of each text: no other says what follows.
    fn last_of_each(&self, inputs: &[Input<'_>]) -> Candle<Tensor> {
        let mut end = 0;
        let rows = inputs.iter().map(|input| {
            end += input.tokens.len();
            u32::try_from(end - 1).expect("a step has few tokens")
        });
        Tensor::new(rows.collect::<Vec<_>>(), &self.target.device)
    }
}

impl Backend for Tensors {
    fn memory(&self, _above: Option<&Text>, _start: usize) -> Box<dyn Memory> {
        Box::new(self.pages.stretch())
    }

    fn read(&self, inputs: &mut [Input<'_>]) -> Result<Rows, EngineError> {
        read_ahead(inputs, |input| {
            self.step(std::slice::from_mut(input))?;
            Ok(())
        })?;
        Ok(Rows::Lists(self.step(inputs)?.to_vec2()?))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::configuration::Kind;
    use crate::{Decoder, Place};

    /// Devices keep weights in 16 bits; the CPU multiplies one of the two forms.
    #[test]
    fn weights_in_16_bits_give_the_same_logits_within_their_rounding() {
        let oracles = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles");
        let tokens: Vec<u32> = (2..90).map(|index| index * 7 % 500).collect();
        for name in ["llama-scaled", "mistral", "qwen2", "qwen3"] {
            let (weights, configuration) = Weights::open(&oracles.join(name)).expect("a model");
            let Kind::Own(architecture) = configuration.clone().0 else { panic!("{name} is ours") };
            let target = Target { device: Device::Cpu, dtype: DType::F16 };
            let halves = Tensors::load(&weights, *architecture, target).expect("its weights are right");
            let mut text = Text::new(None, 0, halves.memory(None, 0));
            let rows = halves.read(&mut [Input { text: &mut text, tokens: &tokens }]).expect("it fits");
            let Rows::Lists(rows) = rows else { panic!("a device gives lists") };
            let form = crate::cpu::Form::AsStored;
            let whole = Decoder::load_at(&weights, configuration, form, Place::Tensors).expect("a decoder");
            let mut text = whole.text(None);
            let exact =
                whole.read(&mut [Input { text: &mut text, tokens: &tokens }]).expect("it fits").row(0);
            let scale = exact.iter().fold(0.0f32, |most, logit| most.max(logit.abs()));
            let apart = exact.iter().zip(&rows[0]).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(apart > 0.0 && apart < 0.02 * scale, "{name}: {apart} of {scale}");
        }
    }
}
