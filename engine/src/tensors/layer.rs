//! One layer: attention, then a feed-forward part, each added to what flows through.

use candle_core::{Result as Candle, Tensor};
use candle_nn::ops::{rms_norm, silu};
use candle_nn::rotary_emb::{rope, rope_i};

use super::Loading;
use super::attention::attend;
use super::step::Step;
use crate::EngineError;
use crate::architecture::Architecture;
use crate::cpu::Pairing;

#[derive(Debug)]
pub(super) struct Layer {
    attention_norm: Tensor,
    /// Queries, keys and values, one above the other.
    queries_keys_values: Tensor,
    bias: Option<Tensor>,
    /// Norms of the heads of queries and of keys.
    head_norms: Option<(Tensor, Tensor)>,
    output: Tensor,
    output_bias: Option<Tensor>,
    feed_forward_norm: Tensor,
    /// Gates and values, one above the other.
    gates_values: Tensor,
    down: Tensor,
}

impl Layer {
    pub(super) fn load(
        loading: &Loading<'_>,
        architecture: &Architecture,
        layer: usize,
    ) -> Result<Self, EngineError> {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let Architecture { hidden, feed_forward, head_width, .. } = *architecture;
        let (queries, keys) = (architecture.heads * head_width, architecture.key_heads * head_width);
        let projections = [("q", queries), ("k", keys), ("v", keys)];
        let bias = |which: &str, width| {
            loading.perhaps_tensor(&name(&format!("self_attn.{which}_proj.bias")), &[width])
        };
        let biases = projections.iter().filter_map(|(which, width)| bias(which, *width).transpose());
        let biases = biases.collect::<Result<Vec<_>, _>>()?;
        let head_norm = |which: &str| {
            loading.perhaps_tensor(&name(&format!("self_attn.{which}_norm.weight")), &[head_width])
        };
        let matrix = |part: &str, outputs, inputs| loading.tensor(&name(part), &[outputs, inputs]);
        let stacked =
            projections.map(|(which, width)| (name(&format!("self_attn.{which}_proj.weight")), width));
        let gated = ["gate", "up"].map(|which| (name(&format!("mlp.{which}_proj.weight")), feed_forward));
        Ok(Self {
            attention_norm: loading.tensor(&name("input_layernorm.weight"), &[hidden])?,
            queries_keys_values: loading.stacked(&stacked, hidden)?,
            // Families have all three biases or none.
            bias: if biases.len() == 3 { Some(Tensor::cat(&biases, 0)?) } else { None },
            head_norms: head_norm("q")?.zip(head_norm("k")?),
            output: matrix("self_attn.o_proj.weight", hidden, queries)?,
            output_bias: loading.perhaps_tensor(&name("self_attn.o_proj.bias"), &[hidden])?,
            feed_forward_norm: loading.tensor(&name("post_attention_layernorm.weight"), &[hidden])?,
            gates_values: loading.stacked(&gated, hidden)?,
            down: matrix("mlp.down_proj.weight", hidden, feed_forward)?,
        })
    }

    /// `x` has a row for each new token.
    pub(super) fn step(
        &self,
        architecture: &Architecture,
        index: usize,
        step: &Step<'_>,
        x: &Tensor,
    ) -> Candle<Tensor> {
        let epsilon = architecture.norm_epsilon;
        let normal = rms_norm(x, &self.attention_norm, epsilon)?;
        let queries = self.remember(architecture, index, step, &normal)?;
        let seen = attend(architecture, index, &queries, step)?;
        let x = (x + biased(&seen.matmul(&self.output.t()?)?, self.output_bias.as_ref())?)?;
        let normal = rms_norm(&x, &self.feed_forward_norm, epsilon)?;
        let both = normal.matmul(&self.gates_values.t()?)?.chunk(2, 1)?;
        let gated = (silu(&both[0])? * &both[1])?;
        x + gated.matmul(&self.down.t()?)?
    }

    /// Keys and values of the new tokens go to their pages; what is left are queries, `[heads, tokens, width]`.
    fn remember(
        &self,
        architecture: &Architecture,
        index: usize,
        step: &Step<'_>,
        x: &Tensor,
    ) -> Candle<Tensor> {
        let Architecture { heads, key_heads, norm_epsilon, .. } = *architecture;
        let x = biased(&x.matmul(&self.queries_keys_values.t()?)?, self.bias.as_ref())?;
        let tokens = x.dim(0)?;
        let x = x.reshape((tokens, heads + 2 * key_heads, architecture.head_width))?;
        let turned = |first, count, norm: Option<&Tensor>| {
            let x = x.narrow(1, first, count)?.transpose(0, 1)?.contiguous()?;
            let x = norm.map_or(Ok(x.clone()), |norm| rms_norm(&x, norm, norm_epsilon))?.unsqueeze(0)?;
            let turn = match architecture.rotary.pairing {
                Pairing::Halves => rope,
                Pairing::Neighbours => rope_i,
            };
            turn(&x, &step.turns.0, &step.turns.1)?.squeeze(0)
        };
        let norms = self.head_norms.as_ref();
        let keys = turned(heads, key_heads, norms.map(|it| &it.1))?.transpose(0, 1)?;
        let values = x.narrow(1, heads + key_heads, key_heads)?;
        let flat = |tensor: &Tensor| tensor.contiguous()?.reshape((tokens, ()));
        step.remember(index, &flat(&keys)?, &flat(&values)?)?;
        turned(0, heads, norms.map(|it| &it.0))
    }
}

fn biased(x: &Tensor, bias: Option<&Tensor>) -> Candle<Tensor> {
    bias.map_or_else(|| Ok(x.clone()), |bias| x.broadcast_add(bias))
}
