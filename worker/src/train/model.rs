//! The decoder as it is trained: Llama's arithmetic from operations that have a gradient.
//!
//! candle's own `RmsNorm`, `rope` and `softmax_last_dim` have no backward pass: they give no error and no gradient, and
//! the loss still falls a little. So none of them is used here (`fused.rs` has ours, with backward passes), and a test
//! holds that every weight receives a gradient.
//! Another test holds that the result equals `candle_transformers::models::llama` with the same weights.
//!
//! Shapes: `B` rows, `T` positions, `C` width, `H` heads, `D = C / H`. Between blocks activations are `[B·T, C]`.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, Var};

use super::batch::Batch;
use super::fused::{Rotary, causal_softmax, cross_entropy, gated, rms_norm, rotate};
use super::recipe::Shape;
use crate::random::Random;

/// Standard deviation of new weights, as in GPT-2 (Radford et al., 2019).
const SPREAD: f64 = 0.02;

/// A decoder whose weights can be moved.
#[derive(Debug)]
pub struct Decoder {
    shape: Shape,
    embedding: Var,
    blocks: Vec<Block>,
    norm: Var,
    rotary: Arc<Rotary>,
}

#[derive(Debug)]
struct Block {
    attention_norm: Var,
    query: Var,
    key: Var,
    value: Var,
    output: Var,
    feed_norm: Var,
    gate: Var,
    up: Var,
    down: Var,
}

impl Decoder {
    /// A new decoder, its weights drawn from `random`.
    ///
    /// Matrices that write into the residual stream are drawn narrower by the root of how many there are, so that the
    /// stream's variance does not grow with depth (Radford et al., 2019, section 2.3).
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn new(shape: Shape, vocabulary: usize, random: &mut Random) -> Result<Self> {
        let embedding = matrix(vocabulary, shape.hidden, SPREAD, random)?;
        let blocks = (0..shape.layers).map(|_| Block::new(shape, random)).collect::<Result<_>>()?;
        let norm = Var::ones(shape.hidden, DType::F32, &Device::Cpu)?;
        let rotary = Arc::new(Rotary::new(shape.positions, shape.hidden / shape.heads / 2, shape.rope_theta));
        Ok(Self { shape, embedding, blocks, norm, rotary })
    }

    /// Every weight under the name that the Hugging Face layout gives it, in a fixed order.
    #[must_use]
    pub fn weights(&self) -> Vec<(String, &Var)> {
        let mut weights = vec![("model.embed_tokens.weight".to_owned(), &self.embedding)];
        for (index, block) in self.blocks.iter().enumerate() {
            weights.extend(
                block.weights().map(|(name, var)| (format!("model.layers.{index}.{name}.weight"), var)),
            );
        }
        weights.push(("model.norm.weight".to_owned(), &self.norm));
        weights
    }

    /// How many numbers the weights hold.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.weights().iter().map(|(_, var)| var.elem_count()).sum()
    }

    /// The summed cross-entropy, in nats, of the tokens that the batch asks for.
    ///
    /// # Errors
    /// When the batch is longer than the model's positions.
    pub fn loss(&self, batch: &Batch) -> Result<Tensor> {
        let stream = self.stream(&batch.tokens)?;
        let asked = stream.index_select(&batch.positions, 0)?;
        cross_entropy(&self.logits(&asked)?, &batch.labels)
    }

    /// The stream behind the last block: `[B, T]` tokens to `[B·T, C]`.
    fn stream(&self, tokens: &Tensor) -> Result<Tensor> {
        let (rows, length) = tokens.dims2()?;
        let view = View { rows, length, shape: self.shape, rotary: &self.rotary };
        let stream = self.embedding.index_select(&tokens.flatten_all()?, 0)?;
        self.blocks.iter().try_fold(stream, |stream, block| block.forward(&stream, &view))
    }

    /// `[n, C]` positions of the stream to `[n, V]` logits; the embedding is also the output matrix.
    fn logits(&self, stream: &Tensor) -> Result<Tensor> {
        rms_norm(stream, &self.norm, self.shape.norm_epsilon)?.matmul(&self.embedding.t()?)
    }
}

/// What a block needs to know of a batch.
struct View<'a> {
    rows: usize,
    length: usize,
    shape: Shape,
    rotary: &'a Arc<Rotary>,
}

impl Block {
    fn new(shape: Shape, random: &mut Random) -> Result<Self> {
        let Shape { hidden, feed_forward, layers, .. } = shape;
        let narrow = SPREAD / (2.0 * layers as f64).sqrt();
        Ok(Self {
            attention_norm: Var::ones(hidden, DType::F32, &Device::Cpu)?,
            query: matrix(hidden, hidden, SPREAD, random)?,
            key: matrix(hidden, hidden, SPREAD, random)?,
            value: matrix(hidden, hidden, SPREAD, random)?,
            output: matrix(hidden, hidden, narrow, random)?,
            feed_norm: Var::ones(hidden, DType::F32, &Device::Cpu)?,
            gate: matrix(feed_forward, hidden, SPREAD, random)?,
            up: matrix(feed_forward, hidden, SPREAD, random)?,
            down: matrix(hidden, feed_forward, narrow, random)?,
        })
    }

    fn weights(&self) -> [(&'static str, &Var); 9] {
        [
            ("input_layernorm", &self.attention_norm),
            ("self_attn.q_proj", &self.query),
            ("self_attn.k_proj", &self.key),
            ("self_attn.v_proj", &self.value),
            ("self_attn.o_proj", &self.output),
            ("post_attention_layernorm", &self.feed_norm),
            ("mlp.gate_proj", &self.gate),
            ("mlp.up_proj", &self.up),
            ("mlp.down_proj", &self.down),
        ]
    }

    fn forward(&self, stream: &Tensor, view: &View<'_>) -> Result<Tensor> {
        let epsilon = view.shape.norm_epsilon;
        let stream = (stream + self.attend(&rms_norm(stream, &self.attention_norm, epsilon)?, view)?)?;
        let fed = self.feed(&rms_norm(&stream, &self.feed_norm, epsilon)?)?;
        stream + fed
    }

    fn attend(&self, x: &Tensor, view: &View<'_>) -> Result<Tensor> {
        let query = rotate(&heads(&project(x, &self.query)?, view)?, view.rotary)?;
        let key = rotate(&heads(&project(x, &self.key)?, view)?, view.rotary)?;
        let value = heads(&project(x, &self.value)?, view)?;
        let scale = 1.0 / ((view.shape.hidden / view.shape.heads) as f64).sqrt();
        let scores = (query * scale)?.matmul(&key.t()?)?;
        let mixed = causal_softmax(&scores)?.matmul(&value)?;
        let joined = mixed.transpose(1, 2)?.reshape((view.rows * view.length, view.shape.hidden))?;
        project(&joined, &self.output)
    }

    fn feed(&self, x: &Tensor) -> Result<Tensor> {
        project(&gated(&project(x, &self.gate)?, &project(x, &self.up)?)?, &self.down)
    }
}

/// `x Wᵀ`.
fn project(x: &Tensor, weight: &Var) -> Result<Tensor> {
    x.matmul(&weight.t()?)
}

/// `[B·T, C]` to `[B, H, T, D]`.
fn heads(x: &Tensor, view: &View<'_>) -> Result<Tensor> {
    let depth = view.shape.hidden / view.shape.heads;
    x.reshape((view.rows, view.length, view.shape.heads, depth))?.transpose(1, 2)?.contiguous()
}

fn matrix(rows: usize, columns: usize, spread: f64, random: &mut Random) -> Result<Var> {
    let draws: Vec<f32> = (0..rows * columns).map(|_| (random.normal() * spread) as f32).collect();
    Var::from_vec(draws, (rows, columns), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use candle_nn::VarBuilder;
    use candle_transformers::models::llama::{Cache, Llama, LlamaConfig};

    use super::*;

    const SHAPE: Shape = Shape {
        hidden: 32,
        layers: 2,
        heads: 2,
        feed_forward: 48,
        positions: 16,
        rope_theta: 10_000.0,
        norm_epsilon: 1e-5,
    };

    fn decoder() -> Decoder {
        Decoder::new(SHAPE, 40, &mut Random::from_seed(1)).expect("a decoder")
    }

    fn stock_config() -> LlamaConfig {
        LlamaConfig {
            hidden_size: SHAPE.hidden,
            intermediate_size: SHAPE.feed_forward,
            vocab_size: 40,
            num_hidden_layers: SHAPE.layers,
            num_attention_heads: SHAPE.heads,
            num_key_value_heads: None,
            rms_norm_eps: SHAPE.norm_epsilon,
            rope_theta: SHAPE.rope_theta,
            bos_token_id: None,
            eos_token_id: None,
            rope_scaling: None,
            max_position_embeddings: SHAPE.positions,
            tie_word_embeddings: Some(true),
        }
    }

    #[test]
    fn every_weight_receives_a_gradient() {
        let decoder = decoder();
        let rows = vec![(vec![1, 5, 9, 2, 7, 3], 2), (vec![1, 8, 4, 6], 1)];
        let batch = Batch::from_rows(&rows).expect("a batch");
        let gradients = decoder.loss(&batch).and_then(|loss| loss.backward()).expect("a gradient");
        for (name, var) in decoder.weights() {
            let gradient = gradients.get(var).unwrap_or_else(|| panic!("{name} has no gradient"));
            let size = gradient.abs().and_then(|it| it.sum_all()).and_then(|it| it.to_scalar::<f32>());
            assert!(size.expect("a number") > 0.0, "the gradient of {name} is zero");
        }
    }

    #[test]
    fn logits_equal_those_of_the_stock_llama_with_the_same_weights() {
        let decoder = decoder();
        let tokens = Tensor::new(&[[1u32, 5, 9, 2, 7, 3]], &Device::Cpu).expect("tokens");
        let ours = decoder.stream(&tokens).and_then(|stream| decoder.logits(&stream.narrow(0, 5, 1)?));
        let weights =
            decoder.weights().into_iter().map(|(name, var)| (name, var.as_tensor().clone())).collect();
        let builder = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
        let config = stock_config().into_config(false);
        let mut cache = Cache::new(true, DType::F32, &config, &Device::Cpu).expect("a cache");
        let stock = Llama::load(builder, &config).and_then(|llama| llama.forward(&tokens, 0, &mut cache));
        let (ours, stock) = (ours.expect("logits"), stock.expect("logits"));
        let apart = (ours - stock).and_then(|it| it.abs()?.max_all()?.to_scalar::<f32>()).expect("a number");
        assert!(apart < 1e-5, "logits differ by {apart}");
    }
}
