//! Which token comes next.

use std::cell::Cell;

use pulp::{Arch, Simd, WithSimd};
use serde::{Deserialize, Serialize};

use crate::cpu::{LANES, exponentials, highest, log_sum_exp};

/// Tokens less likely than this share of the likeliest are drawn only where all others are refused. Together they hold
/// less than any top-p cuts off.
const NEGLIGIBLE: f32 = 1e-4;
/// Refusals after which all that are left are asked for.
const ONE_BY_ONE: u32 = 32;
/// How often what lies between a border's limits is halved before it is sorted.
const HALVINGS: usize = 10;

/// How tokens are drawn, by the names of a `generation_config.json`. The default draws each as often as the model says.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Sampling {
    /// Divides the logits: below one is more careful, above one more daring. Zero takes the likeliest token.
    pub temperature: f64,
    /// The most tokens to draw from, the likeliest first; zero for all.
    pub top_k: usize,
    /// The least share of probability that is kept, the likeliest tokens first (Holtzman et al. 2020, section 3.1).
    pub top_p: f64,
    /// Tokens less likely than this share of the likeliest are left out (Nguyen et al. 2024, section 3).
    pub min_p: f64,
    /// Divides the logits of tokens that came before where they are positive, and multiplies them where they are
    /// negative (Keskar et al. 2019, section 4.1, in the form that is in use).
    pub repetition_penalty: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, repetition_penalty: 1.0 }
    }
}

/// What was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// The token.
    pub token: u32,
    /// Logarithm of its probability as the model has it, before temperature, cuts and refusals.
    pub log_probability: f32,
    /// The share of probability, of what could be drawn, that was found to be refused before it was drawn.
    pub refused: f64,
}

/// A model whose logits are infinite or no numbers: nothing can be drawn.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the model's logits are not finite: its weights are broken, fetch or train the model again")]
pub struct NotFinite;

/// Draws the next token; nothing where all are refused.
///
/// `logits` has one number for each token and may be changed. `before` are the tokens that the penalty is for. `allows`
/// is asked of few tokens: one is drawn, and another in its place where it is refused, which draws from the allowed ones
/// in the proportions that the model gives them. `unit` gives numbers in `[0, 1)`.
///
/// The same logits, answers and numbers give the same token. Ties go to the lower token.
///
/// # Errors
/// When the logits are not finite.
pub fn draw(
    logits: &mut [f32],
    sampling: &Sampling,
    before: &[u32],
    mut allows: impl FnMut(u32) -> bool,
    unit: impl FnMut() -> f64,
) -> Result<Option<Drawn>, NotFinite> {
    let log_total = log_sum_exp(logits);
    if !log_total.is_finite() {
        return Err(NotFinite);
    }
    let penalized = penalize(logits, sampling.repetition_penalty, before);
    let mut pool = POOL.take();
    pool.fill(logits, sampling);
    let drawn = pool.draw(&mut allows, unit).or_else(|| pool.first_of_the_rest(logits, &mut allows));
    let drawn = drawn.map(|token| {
        let was = penalized.iter().find(|(other, _)| *other == token).map(|(_, logit)| *logit);
        let logit = was.unwrap_or(logits[token as usize]);
        Drawn { token, log_probability: logit - log_total, refused: pool.refused }
    });
    POOL.set(pool);
    Ok(drawn)
}

/// Returns what the logits were.
fn penalize(logits: &mut [f32], penalty: f64, before: &[u32]) -> Vec<(u32, f32)> {
    if penalty == 1.0 {
        return Vec::new();
    }
    let mut tokens = before.to_vec();
    tokens.sort_unstable();
    tokens.dedup();
    let penalize = |token: &u32| {
        let logit = logits.get_mut(*token as usize)?;
        let was = *logit;
        *logit = if was > 0.0 { was / penalty as f32 } else { was * penalty as f32 };
        Some((*token, was))
    };
    tokens.iter().filter_map(penalize).collect()
}

/// Tokens whose weights have one sum.
const STRETCH: usize = 64;

/// The tokens that can be drawn, each with its weight relative to the likeliest one; nothing for those that the cuts
/// leave out.
#[derive(Default)]
struct Pool {
    weights: Vec<f32>,
    /// The sum of each [`STRETCH`] of weights, so that nobody goes along all of them.
    sums: Vec<f64>,
    total: f64,
    refused: f64,
}

thread_local! {
    /// Memory that is used again: a row of weights is large enough for the allocator to give it back to the system each
    /// time, and fetching it anew takes as long as half of the drawing.
    static POOL: Cell<Pool> = Cell::default();
}

impl Pool {
    fn fill(&mut self, logits: &[f32], sampling: &Sampling) {
        Arch::new().dispatch(Filling { logits, pool: self, sampling });
        self.total = self.sums.iter().sum();
        self.refused = 0.0;
    }

    fn draw(&mut self, allows: &mut impl FnMut(u32) -> bool, mut unit: impl FnMut() -> f64) -> Option<u32> {
        let whole = self.total;
        let mut refusals = 0;
        while let Some(token) = self.pick(unit()) {
            if allows(token) {
                return Some(token);
            }
            self.refuse(token);
            refusals += 1;
            if refusals == ONE_BY_ONE {
                self.refuse_all(allows);
            }
            self.total = self.sums.iter().sum();
            self.refused = 1.0 - self.total / whole;
        }
        None
    }

    fn refuse(&mut self, token: u32) {
        let stretch = token as usize / STRETCH;
        self.weights[token as usize] = 0.0;
        self.sums[stretch] = self.weights.chunks(STRETCH).nth(stretch).map_or(0.0, sum);
    }

    /// Asks of all that are left at once: where so many are refused, most are.
    fn refuse_all(&mut self, allows: &mut impl FnMut(u32) -> bool) {
        for (token, weight) in (0u32..).zip(&mut self.weights) {
            if *weight > 0.0 && !allows(token) {
                *weight = 0.0;
            }
        }
        for (sum_of, stretch) in self.sums.iter_mut().zip(self.weights.chunks(STRETCH)) {
            *sum_of = sum(stretch);
        }
    }

    /// Goes along the tokens until their weights exceed a share of them all, whole stretches at a time.
    fn pick(&self, unit: f64) -> Option<u32> {
        let (mut left, mut chosen) = (unit * self.total, None);
        for (stretch, here) in self.sums.iter().enumerate().filter(|(_, here)| **here > 0.0) {
            chosen = Some(stretch);
            if left < *here {
                break;
            }
            left -= here;
        }
        let first = chosen? * STRETCH;
        let mut last = first;
        let stretch = self.weights.iter().enumerate().skip(first).take(STRETCH);
        for (token, weight) in stretch.filter(|(_, weight)| **weight > 0.0) {
            last = token;
            if left < f64::from(*weight) {
                break;
            }
            left -= f64::from(*weight);
        }
        u32::try_from(last).ok()
    }

    /// The likeliest token that is allowed: none of those that could be drawn is.
    fn first_of_the_rest(&self, logits: &[f32], allows: &mut impl FnMut(u32) -> bool) -> Option<u32> {
        let mut tokens: Vec<u32> = (0..).take(logits.len()).collect();
        let logit = |token: &u32| logits[*token as usize];
        tokens.sort_unstable_by(|a, b| logit(b).total_cmp(&logit(a)).then(a.cmp(b)));
        tokens.into_iter().find(|token| allows(*token))
    }
}

#[inline(always)]
fn sum(weights: &[f32]) -> f64 {
    // In several sums, which do not wait for each other.
    let mut sums = [0.0f64; LANES / 2];
    let (blocks, rest) = weights.as_chunks::<{ LANES / 2 }>();
    for block in blocks {
        for lane in 0..LANES / 2 {
            sums[lane] += f64::from(block[lane]);
        }
    }
    for (sum, weight) in sums.iter_mut().zip(rest) {
        *sum += f64::from(*weight);
    }
    sums.iter().sum()
}

/// Weighs all tokens, takes the weights of what the cuts leave out, and sums up.
struct Filling<'a> {
    logits: &'a [f32],
    pool: &'a mut Pool,
    sampling: &'a Sampling,
}

impl WithSimd for Filling<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { logits, pool: Pool { weights, sums, .. }, sampling } = self;
        weights.clear();
        let highest = highest(logits);
        if sampling.temperature > 0.0 {
            weights.extend_from_slice(logits);
            exponentials(weights, highest, (1.0 / sampling.temperature) as f32);
            cut(simd, logits, highest, weights, sampling);
        } else {
            weights.resize(logits.len(), 0.0);
            let likeliest = logits.iter().position(|logit| *logit == highest);
            weights[likeliest.expect("finite logits have a highest")] = 1.0;
        }
        sums.clear();
        for stretch in weights.chunks(STRETCH) {
            sums.push(sum(stretch));
        }
    }
}

/// Top-k, min-p and top-p, in this order.
#[inline(always)]
fn cut<S: Simd>(simd: S, logits: &[f32], highest: f32, weights: &mut [f32], sampling: &Sampling) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in `[0, 1)` by SplitMix64 (Steele et al. 2014).
    fn units() -> impl FnMut() -> f64 {
        let mut state = 7u64;
        move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    fn shares(logits: &[f32], sampling: Sampling, allows: impl Fn(u32) -> bool) -> Vec<f64> {
        let mut unit = units();
        let mut counts = vec![0u32; logits.len()];
        for _ in 0..20_000 {
            let drawn = draw(&mut logits.to_vec(), &sampling, &[], &allows, &mut unit).expect("finite");
            counts[drawn.expect("one is allowed").token as usize] += 1;
        }
        counts.into_iter().map(|count| f64::from(count) / 20_000.0).collect()
    }

    fn check(sampling: Sampling, refused: &[u32], expected: [f64; 4]) {
        let logits = [0.4f32, 0.3, 0.2, 0.1].map(f32::ln);
        let found = shares(&logits, sampling, |token| !refused.contains(&token));
        for (found, expected) in found.iter().zip(expected) {
            // Four standard errors of 20,000 draws are at most 0.0142.
            assert!(
                (found - expected).abs() < 0.0142,
                "{sampling:?} without {refused:?}: {found} {expected}"
            );
        }
    }

    #[test]
    fn tokens_are_drawn_as_often_as_settings_and_refusals_say() {
        let plain = Sampling::default();
        check(plain, &[], [0.4, 0.3, 0.2, 0.1]);
        check(Sampling { top_k: 2, ..plain }, &[], [4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        check(Sampling { top_p: 0.65, ..plain }, &[], [4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        check(Sampling { min_p: 0.4, ..plain }, &[], [4.0 / 9.0, 3.0 / 9.0, 2.0 / 9.0, 0.0]);
        check(Sampling { temperature: 0.5, ..plain }, &[], [16.0 / 30.0, 9.0 / 30.0, 4.0 / 30.0, 1.0 / 30.0]);
        check(Sampling { temperature: 0.0, ..plain }, &[], [1.0, 0.0, 0.0, 0.0]);
        check(Sampling { top_k: 3, top_p: 0.7, ..plain }, &[], [4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        // What is refused is not drawn, and the others keep their proportions.
        check(plain, &[0], [0.0, 3.0 / 6.0, 2.0 / 6.0, 1.0 / 6.0]);
        // Where all that the cuts leave is refused, the likeliest of the others is taken.
        check(Sampling { top_k: 2, ..plain }, &[0, 1], [0.0, 0.0, 1.0, 0.0]);
        check(Sampling { temperature: 0.0, ..plain }, &[0, 1, 2], [0.0, 0.0, 0.0, 1.0]);
    }

    /// Of many tokens the cuts leave what sorting them all leaves.
    #[test]
    fn borders_are_those_of_a_sorted_list() {
        let mut unit = units();
        let logits: Vec<f32> = (0..3000)
            .map(|_| (8.0 * unit()).round() as f32 / 4.0 + (unit() < 0.5) as u8 as f32 * unit() as f32)
            .collect();
        for (top_k, top_p) in [(0, 0.9), (0, 0.1), (7, 1.0), (40, 0.5), (2999, 0.999), (1, 1.0), (0, 1.0)] {
            let sampling = Sampling { top_k, top_p, ..Sampling::default() };
            let mut pool = Pool::default();
            pool.fill(&logits, &sampling);
            let mut sorted: Vec<usize> = (0..logits.len()).collect();
            sorted.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
            sorted.truncate(if top_k == 0 { sorted.len() } else { top_k });
            let weight = |token: &usize| f64::from((logits[*token] - logits[sorted[0]]).exp());
            let total: f64 = sorted.iter().map(weight).sum();
            let mut sum = 0.0;
            let reached = sorted.iter().position(|token| {
                sum += weight(token);
                sum >= top_p * total
            });
            let expected = reached.map_or(sorted.len(), |last| last + 1);
            let kept: Vec<usize> = (0..logits.len()).filter(|token| pool.weights[*token] > 0.0).collect();
            // Sums of 32-bit weights may fall on the other side of a border that runs through equal ones.
            assert!(kept.len().abs_diff(expected) <= 1, "{sampling:?}: {} {expected}", kept.len());
            let lowest = kept.iter().map(|token| logits[*token]).fold(f32::INFINITY, f32::min);
            assert!((0..logits.len()).all(|token| pool.weights[token] > 0.0 || logits[token] <= lowest));
        }
    }

    fn draw_one(logits: &[f32], sampling: Sampling, before: &[u32], allowed: &[u32]) -> Option<Drawn> {
        draw(&mut logits.to_vec(), &sampling, before, |token| allowed.contains(&token), units())
            .expect("finite")
    }

    #[test]
    fn a_token_that_is_next_to_impossible_is_found_when_no_other_is_allowed() {
        let drawn =
            draw_one(&[30.0, 0.0, -30.0, -40.0], Sampling::default(), &[], &[2, 3]).expect("two are allowed");
        assert_eq!((drawn.token, drawn.refused), (2, 1.0));
        assert!((drawn.log_probability + 60.0).abs() < 1e-3, "{drawn:?}");
        assert_eq!(draw_one(&[1.0, 2.0], Sampling::default(), &[], &[]), None);
    }

    /// Whoever has to end a text since all else is refused can tell, also where that is spread over many tokens.
    #[test]
    fn what_is_refused_is_told_however_many_tokens_it_is_spread_over() {
        for count in [1000, 5000] {
            let drawn = draw_one(&vec![0.0; count], Sampling::default(), &[], &[0]).expect("one is allowed");
            assert_eq!(drawn.token, 0);
            assert!((drawn.refused - (1.0 - 1.0 / count as f64)).abs() < 1e-6, "{count}: {drawn:?}");
        }
    }

    #[test]
    fn a_penalty_moves_the_choice_and_not_the_probability_that_is_told() {
        let cold = Sampling { temperature: 0.0, repetition_penalty: 2.0, ..Sampling::default() };
        let logits = [3.0, 2.0, -1.0];
        let drawn = draw_one(&logits, cold, &[0, 0], &[0, 1, 2]).expect("all are allowed");
        assert_eq!(drawn.token, 1);
        let log_total = logits.iter().map(|logit: &f32| logit.exp()).sum::<f32>().ln();
        assert!((drawn.log_probability - (2.0 - log_total)).abs() < 1e-5);
        let repeated = draw_one(&logits, cold, &[0], &[0]).expect("one is allowed");
        assert!((repeated.log_probability - (3.0 - log_total)).abs() < 1e-5);
    }

    #[test]
    fn broken_logits_are_an_error() {
        for broken in [f32::NAN, f32::INFINITY] {
            let drawn = draw(&mut [1.0, broken], &Sampling::default(), &[], |_| true, units());
            assert_eq!(drawn, Err(NotFinite));
        }
    }
}
