//! The decoder of our own: one for all families that it knows, driven by [`Architecture`] and by the weights that there
//! are.

use crate::architecture::Architecture;
use crate::backend::{Backend, Rows, read_ahead};
use crate::cpu::{
    Columns, Form, HeadNorms, LayerMemory, Matrix, Span, add, add_bias, attend, gate, rms_norm,
};
use crate::text::{Input, Memory, Text};
use crate::{EngineError, Weights};

/// A model of a family that we read ourselves.
#[derive(Debug)]
pub(crate) struct Own {
    architecture: Architecture,
    embeddings: Matrix,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    /// What gives the logits, where the embeddings do not.
    head: Option<Matrix>,
}

/// Keys and values of a stretch of text, layer by layer.
#[derive(Debug)]
struct KeysValues(Vec<LayerMemory>);

impl Memory for KeysValues {
    fn tokens(&self, start: usize) -> usize {
        start + self.0.first().map_or(0, LayerMemory::tokens)
    }

    fn bytes(&self) -> Option<usize> {
        Some(self.0.iter().map(LayerMemory::bytes).sum())
    }
}

impl Own {
    pub(crate) fn load(
        weights: &Weights,
        architecture: Architecture,
        form: Form,
    ) -> Result<Self, EngineError> {
        let Architecture { vocabulary, hidden, layers, .. } = architecture;
        let tied = architecture.tied.unwrap_or(!weights.has("lm_head.weight"));
        let head = |name| weights.stacked(&[(name, vocabulary)], hidden, form);
        Ok(Self {
            embeddings: head("model.embed_tokens.weight")?,
            layers: (0..layers)
                .map(|layer| Layer::load(weights, &architecture, form, layer))
                .collect::<Result<_, _>>()?,
            norm: weights.vector("model.norm.weight", hidden)?,
            head: if tied { None } else { Some(head("lm_head.weight")?) },
            architecture,
        })
    }

    fn step(&self, inputs: &mut [Input<'_>]) -> Result<Columns, EngineError> {
        let tokens: Vec<u32> = inputs.iter().flat_map(|input| input.tokens).copied().collect();
        let positions = inputs.iter().flat_map(|input| {
            let first = input.text.tokens();
            first..first + input.tokens.len()
        });
        let positions: Vec<usize> = positions.collect();
        let mut x = self.embeddings.rows(&tokens, self.architecture.hidden)?;
        for (index, layer) in self.layers.iter().enumerate() {
            layer.step(&self.architecture, index, &positions, &mut x, inputs)?;
        }
        let x = rms_norm(&last_of_each(&x, inputs), &self.norm, self.architecture.norm_epsilon);
        Ok(self.head.as_ref().unwrap_or(&self.embeddings).apply(&x)?)
    }
}

impl Backend for Own {
    fn memory(&self, _above: Option<&Text>, start: usize) -> Box<dyn Memory> {
        let Architecture { layers, key_heads, head_width, .. } = self.architecture;
        Box::new(KeysValues(vec![LayerMemory::new(key_heads, head_width, start); layers]))
    }

    fn bytes(&self) -> Option<usize> {
        let head = self.head.as_ref().map_or(0, Matrix::bytes);
        let layers: usize = self.layers.iter().map(Layer::bytes).sum();
        Some(self.embeddings.bytes() + head + size_of_val(self.norm.as_slice()) + layers)
    }

    /// A text's logits depend on its tokens alone, to the last bit: neither on what is read with it, nor on how it was
    /// cut into stretches and steps. Matrices in forms that candle multiplies are the exception.
    fn read(&self, inputs: &mut [Input<'_>]) -> Result<Rows, EngineError> {
        // Entering the pool once for all products: see `cpu`.
        rayon::scope(|_| {
            read_ahead(inputs, |input| self.step(std::slice::from_mut(input)).map(drop))?;
            self.step(inputs).map(Rows::Columns)
        })
    }
}

/// The rows of the last token of each text: no other says what follows.
fn last_of_each(x: &Columns, inputs: &[Input<'_>]) -> Columns {
    let mut end = 0;
    let rows = inputs.iter().map(|input| {
        end += input.tokens.len();
        end - 1
    });
    x.select(&rows.collect::<Vec<_>>())
}

/// One layer: attention, then a feed-forward part, each added to what flows through.
#[derive(Debug)]
struct Layer {
    attention_norm: Vec<f32>,
    /// Queries, keys and values, one above the other.
    queries_keys_values: Matrix,
    bias: Option<Vec<f32>>,
    head_norms: Option<HeadNorms>,
    output: Matrix,
    output_bias: Option<Vec<f32>>,
    feed_forward_norm: Vec<f32>,
    /// Gates and values, one above the other.
    gates_values: Matrix,
    down: Matrix,
}

impl Layer {
    fn load(
        weights: &Weights,
        architecture: &Architecture,
        form: Form,
        layer: usize,
    ) -> Result<Self, EngineError> {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let vector = |part: &str, length| weights.vector(&name(part), length);
        let perhaps = |part: &str, length| weights.perhaps_vector(&name(part), length);
        let stacked = |parts: &[(&str, usize)], inputs| {
            let parts: Vec<(String, usize)> =
                parts.iter().map(|(part, outputs)| (name(part), *outputs)).collect();
            let parts: Vec<(&str, usize)> =
                parts.iter().map(|(part, outputs)| (part.as_str(), *outputs)).collect();
            weights.stacked(&parts, inputs, form)
        };
        let Architecture { hidden, feed_forward, head_width, norm_epsilon, .. } = *architecture;
        let (queries, keys) = (architecture.heads * head_width, architecture.key_heads * head_width);
        let biases = [("q", queries), ("k", keys), ("v", keys)].map(|(which, width)| {
            perhaps(&format!("self_attn.{which}_proj.bias"), width).map(|bias| (bias, width))
        });
        let head_norm = |which| perhaps(&format!("self_attn.{which}_norm.weight"), head_width);
        let head_norms = head_norm("q")?.zip(head_norm("k")?);
        Ok(Self {
            attention_norm: vector("input_layernorm.weight", hidden)?,
            queries_keys_values: stacked(
                &[
                    ("self_attn.q_proj.weight", queries),
                    ("self_attn.k_proj.weight", keys),
                    ("self_attn.v_proj.weight", keys),
                ],
                hidden,
            )?,
            bias: joined(biases.into_iter().collect::<Result<Vec<_>, _>>()?),
            head_norms: head_norms.map(|(query, key)| HeadNorms { query, key, epsilon: norm_epsilon }),
            output: stacked(&[("self_attn.o_proj.weight", hidden)], queries)?,
            output_bias: perhaps("self_attn.o_proj.bias", hidden)?,
            feed_forward_norm: vector("post_attention_layernorm.weight", hidden)?,
            gates_values: stacked(
                &[("mlp.gate_proj.weight", feed_forward), ("mlp.up_proj.weight", feed_forward)],
                hidden,
            )?,
            down: stacked(&[("mlp.down_proj.weight", hidden)], feed_forward)?,
        })
    }

    fn bytes(&self) -> usize {
        let Self {
            attention_norm,
            queries_keys_values,
            bias,
            head_norms,
            output,
            output_bias,
            feed_forward_norm,
            gates_values,
            down,
        } = self;
        let head_norms = head_norms.iter().flat_map(|norms| [&norms.query, &norms.key]);
        let vectors =
            [attention_norm, feed_forward_norm].into_iter().chain(bias).chain(output_bias).chain(head_norms);
        let matrices = [queries_keys_values, output, gates_values, down];
        matrices.into_iter().map(Matrix::bytes).sum::<usize>()
            + vectors.map(|vector| size_of_val(vector.as_slice())).sum::<usize>()
    }

    fn step(
        &self,
        architecture: &Architecture,
        index: usize,
        positions: &[usize],
        x: &mut Columns,
        inputs: &mut [Input<'_>],
    ) -> Result<(), EngineError> {
        let normal = rms_norm(x, &self.attention_norm, architecture.norm_epsilon);
        let mut attention =
            self.output.apply(&self.attention(architecture, index, positions, &normal, inputs)?)?;
        if let Some(bias) = &self.output_bias {
            add_bias(&mut attention, bias);
        }
        add(x, &attention);
        let normal = rms_norm(x, &self.feed_forward_norm, architecture.norm_epsilon);
        add(x, &self.down.apply(&gate(&self.gates_values.apply(&normal)?))?);
        Ok(())
    }

    fn attention(
        &self,
        architecture: &Architecture,
        index: usize,
        positions: &[usize],
        x: &Columns,
        inputs: &mut [Input<'_>],
    ) -> Result<Columns, EngineError> {
        let Architecture { heads, key_heads, head_width, .. } = *architecture;
        let mut x = self.queries_keys_values.apply(x)?;
        if let Some(bias) = &self.bias {
            add_bias(&mut x, bias);
        }
        architecture.rotary.apply(&mut x, positions, heads, key_heads, self.head_norms.as_ref());
        let mut row = 0;
        for input in &mut *inputs {
            for _ in input.tokens {
                let KeysValues(layers) = input.text.memory_mut();
                layers[index].push(&x, row, heads * head_width);
                row += 1;
            }
        }
        let spans: Vec<Vec<Span<'_>>> =
            inputs.iter().flat_map(|input| spans(input, index, architecture.windows[index])).collect();
        Ok(attend(&x, &spans, heads, key_heads, head_width))
    }
}

/// What each new token of a text sees: everything before it and itself, or a window of that.
fn spans<'a>(input: &'a Input<'_>, layer: usize, window: Option<usize>) -> Vec<Vec<Span<'a>>> {
    let (end, chain) = (input.text.tokens(), input.text.chain());
    let seen = |position: usize| {
        let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
        let part = |text: &&'a Text| {
            let (KeysValues(layers), start) = (text.memory(), text.start());
            let memory = &layers[layer];
            let from = first.saturating_sub(start);
            let to = (position + 1).saturating_sub(start).min(memory.tokens());
            (from < to).then(|| Span::new(memory, from, to))
        };
        chain.iter().filter_map(part).collect()
    };
    (end - input.tokens.len()..end).map(seen).collect()
}

/// The biases of matrices that stand one above the other, zeros where one has none; nothing if none has.
fn joined(biases: Vec<(Option<Vec<f32>>, usize)>) -> Option<Vec<f32>> {
    let any = biases.iter().any(|(bias, _)| bias.is_some());
    any.then(|| {
        biases.into_iter().flat_map(|(bias, width)| bias.unwrap_or_else(|| vec![0.0; width])).collect()
    })
}
