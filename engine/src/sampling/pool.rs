//! The tokens that can be drawn.

use std::cell::Cell;

use pulp::{Arch, Simd, WithSimd};

use super::Sampling;
use super::cut::cut;
use super::sum::sum;
use crate::cpu::{exponentials, highest};

/// Refusals after which all that are left are asked for.
const ONE_BY_ONE: u32 = 32;
/// Tokens whose weights have one sum.
const STRETCH: usize = 64;

/// The tokens that can be drawn, each with its weight relative to the likeliest one; nothing for those that the cuts
/// leave out.
#[derive(Default)]
pub(super) struct Pool {
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

/// Does something with the tokens that can be drawn.
pub(super) fn with_pool<T>(logits: &[f32], sampling: &Sampling, act: impl FnOnce(&mut Pool) -> T) -> T {
    // Taken out, so that an answer that draws itself finds another one.
    let mut pool = POOL.take();
    pool.fill(logits, sampling);
    let result = act(&mut pool);
    POOL.set(pool);
    result
}

impl Pool {
    fn fill(&mut self, logits: &[f32], sampling: &Sampling) {
        Arch::new().dispatch(Filling { logits, pool: self, sampling });
        self.total = self.sums.iter().sum();
        self.refused = 0.0;
    }

    /// One for each token.
    #[cfg(test)]
    pub(super) fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The share of probability that was found to be refused.
    pub(super) fn refused(&self) -> f64 {
        self.refused
    }

    pub(super) fn draw(
        &mut self,
        allows: &mut impl FnMut(u32) -> bool,
        mut unit: impl FnMut() -> f64,
    ) -> Option<u32> {
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
