//! Which tokens the cuts leave.

use pulp::Simd;

use super::Sampling;
use super::sum::sum;
use crate::cpu::LANES;

/// Tokens less likely than this share of the likeliest are drawn only where all others are refused. Together they hold
/// less than any top-p cuts off.
const NEGLIGIBLE: f32 = 1e-4;
/// How often what lies between a border's limits is halved before it is sorted.
const HALVINGS: usize = 10;

/// Top-k, min-p and top-p, in this order.
#[inline(always)]
pub(super) fn cut<S: Simd>(simd: S, logits: &[f32], highest: f32, weights: &mut [f32], sampling: &Sampling) {
    let least = (sampling.min_p as f32).clamp(NEGLIGIBLE, 1.0);
    for weight in &mut *weights {
        *weight = if *weight >= least { *weight } else { 0.0 };
    }
    if sampling.top_k > 0 {
        let mut ones = weights.to_vec();
        for one in &mut ones {
            *one = if *one > 0.0 { 1.0 } else { 0.0 };
        }
        keep(logits, weights, border(simd, logits, highest, &ones, sampling.top_k as f64));
    }
    if sampling.top_p < 1.0 {
        let asked = sampling.top_p * sum(weights);
        keep(logits, weights, border(simd, logits, highest, weights, asked));
    }
}

/// The last token that is kept, in the order of falling logits, among equal ones of rising tokens.
#[derive(Clone, Copy, Debug)]
struct Cut {
    logit: f32,
    token: usize,
}

#[inline(always)]
fn keep(logits: &[f32], weights: &mut [f32], cut: Option<Cut>) {
    let Some(Cut { logit: border, token }) = cut else { return };
    let (before, behind) = weights.split_at_mut(token + 1);
    let (logits_before, logits_behind) = logits.split_at(token + 1);
    for (weight, logit) in before.iter_mut().zip(logits_before) {
        *weight = if *logit >= border { *weight } else { 0.0 };
    }
    for (weight, logit) in behind.iter_mut().zip(logits_behind) {
        *weight = if *logit > border { *weight } else { 0.0 };
    }
}

/// Where, going down from the likeliest, the sum of `values` first reaches what is asked; nothing where it never does.
///
/// The border is closed in by halves, each one sweep over all, and only what is left between is sorted.
#[inline(always)]
fn border<S: Simd>(simd: S, logits: &[f32], highest: f32, values: &[f32], asked: f64) -> Option<Cut> {
    let (mut low, mut high) = (f32::NEG_INFINITY, highest);
    if sum_beyond(simd, logits, values, low) < asked {
        return None;
    }
    let mut reached = 0.0;
    let mut middle = high + NEGLIGIBLE.ln();
    for _ in 0..HALVINGS {
        let beyond = sum_beyond(simd, logits, values, middle);
        if beyond >= asked {
            low = middle;
        } else {
            (high, reached) = (middle, beyond);
        }
        middle = if low == f32::NEG_INFINITY { high + 2.0 * NEGLIGIBLE.ln() } else { 0.5 * (low + high) };
    }
    let mut tokens = between(logits, values, low, high);
    tokens.sort_unstable_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    let last = tokens.iter().find(|token| {
        reached += f64::from(values[**token]);
        reached >= asked
    });
    last.or(tokens.last()).map(|token| Cut { logit: logits[*token], token: *token })
}

/// The tokens of any value whose logits lie above `low` and not above `high`: few, so whole blocks are passed over.
#[inline(always)]
fn between(logits: &[f32], values: &[f32], low: f32, high: f32) -> Vec<usize> {
    let mut tokens = Vec::new();
    for (block, logits) in logits.chunks(LANES).enumerate() {
        let mut any = 0;
        for logit in logits {
            any |= u32::from(*logit > low) & u32::from(*logit <= high);
        }
        if any != 0 {
            let of_block = (block * LANES..).zip(logits);
            let lies_between =
                |(token, logit): &(usize, &f32)| **logit > low && **logit <= high && values[*token] > 0.0;
            tokens.extend(of_block.filter(lies_between).map(|(token, _)| token));
        }
    }
    tokens
}

/// The sum of the values of tokens above a logit.
#[inline(always)]
fn sum_beyond<S: Simd>(simd: S, logits: &[f32], values: &[f32], border: f32) -> f64 {
    let ((logits, logits_rest), (values, values_rest)) = (S::as_simd_f32s(logits), S::as_simd_f32s(values));
    let (border_vector, zeros) = (simd.splat_f32s(border), simd.splat_f32s(0.0));
    // Several sums, which do not wait for each other.
    let mut sums = [zeros; 4];
    for (index, (logit, value)) in logits.iter().zip(values).enumerate() {
        let counted = simd.select_f32s(simd.less_than_f32s(border_vector, *logit), *value, zeros);
        sums[index % 4] = simd.add_f32s(sums[index % 4], counted);
    }
    let mut sum: f64 = sums.iter().map(|sum| f64::from(simd.reduce_sum_f32s(*sum))).sum();
    for (logit, value) in logits_rest.iter().zip(values_rest) {
        sum += if *logit > border { f64::from(*value) } else { 0.0 };
    }
    sum
}
