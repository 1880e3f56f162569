//! The loss of a language model.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{last, slice, softmax};

/// The summed cross-entropy, in nats, of `[n, V]` logits against `labels`.
///
/// # Errors
/// When there is not one label for each row, or a label lies beyond the vocabulary.
pub fn cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let (rows, vocabulary) = logits.dims2()?;
    if labels.len() != rows || labels.iter().any(|label| *label as usize >= vocabulary) {
        bail!("{} labels do not fit {rows} rows of {vocabulary} logits", labels.len());
    }
    logits.apply_op1(CrossEntropy { labels: labels.to_vec() })
}

struct CrossEntropy {
    labels: Vec<u32>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let rows = slice(logits, layout)?.chunks(last(layout)?);
        let losses = rows.zip(&self.labels).map(|(row, label)| {
            let (highest, sum) = scale(row);
            // In f64: thousands of losses are summed.
            f64::from(highest) + f64::from(sum).ln() - f64::from(row[*label as usize])
        });
        Ok((CpuStorage::F32(vec![losses.sum::<f64>() as f32]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _loss: &Tensor, slope: &Tensor) -> Result<Option<Tensor>> {
        let factor = slope.to_scalar::<f32>()?;
        logits.apply_op1_no_bwd(&CrossEntropySlope { labels: &self.labels, factor }).map(Some)
    }
}

/// Softmax of the logits minus one at the label, times a factor.
struct CrossEntropySlope<'a> {
    labels: &'a [u32],
    factor: f32,
}

impl CustomOp1 for CrossEntropySlope<'_> {
    fn name(&self) -> &'static str {
        "cross-entropy-slope"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (logits, width) = (slice(logits, layout)?, last(layout)?);
        let mut result = vec![0f32; logits.len()];
        for ((row, result), label) in logits.chunks(width).zip(result.chunks_mut(width)).zip(self.labels) {
            softmax(row, result);
            result[*label as usize] -= 1.0;
            result.iter_mut().for_each(|it| *it *= self.factor);
        }
        Ok((CpuStorage::F32(result), layout.shape().clone()))
    }
}

/// The highest value of a row, and the sum of the exponentials of what the others are below it.
fn scale(row: &[f32]) -> (f32, f32) {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (highest, row.iter().map(|x| (x - highest).exp()).sum())
}
