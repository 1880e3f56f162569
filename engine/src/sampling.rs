//! Which token comes next.

use serde::{Deserialize, Serialize};

use crate::cpu::log_sum_exp;

/// Tokens less likely than this share of the likeliest are drawn only where all others are refused. Together they hold
/// less than any top-p cuts off, and leaving them out means sorting a handful of tokens instead of the whole vocabulary.
const NEGLIGIBLE: f64 = 1e-4;

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
    /// The share of probability, of what could be drawn, that was drawn and refused before it.
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
    let mut pool = Pool::new(logits, sampling);
    let drawn = pool.draw(&mut allows, unit).or_else(|| pool.first_of_the_rest(logits, &mut allows));
    Ok(drawn.map(|token| {
        let was = penalized.iter().find(|(other, _)| *other == token).map(|(_, logit)| *logit);
        let logit = was.unwrap_or(logits[token as usize]);
        Drawn { token, log_probability: logit - log_total, refused: pool.refused }
    }))
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

#[derive(Clone, Copy, Debug)]
struct Candidate {
    token: u32,
    /// Relative to the likeliest one.
    weight: f64,
}

/// The tokens that can be drawn.
struct Pool {
    /// The likeliest first.
    candidates: Vec<Candidate>,
    /// How many of them the cuts leave.
    kept: usize,
    refused: f64,
}

impl Pool {
    fn new(logits: &[f32], sampling: &Sampling) -> Self {
        let mut candidates = candidates(logits, sampling.temperature);
        candidates.sort_unstable_by(|a, b| b.weight.total_cmp(&a.weight).then(a.token.cmp(&b.token)));
        let kept = kept(&candidates, sampling);
        Self { candidates, kept, refused: 0.0 }
    }

    fn draw(&mut self, allows: &mut impl FnMut(u32) -> bool, mut unit: impl FnMut() -> f64) -> Option<u32> {
        let total: f64 = self.candidates[..self.kept].iter().map(|it| it.weight).sum();
        let mut left: Vec<Candidate> = self.candidates[..self.kept].to_vec();
        while !left.is_empty() {
            let drawn = pick(&left, unit());
            let Candidate { token, weight } = left.remove(drawn);
            if allows(token) {
                return Some(token);
            }
            self.refused += weight / total;
        }
        None
    }

    /// The likeliest token that is allowed, among those that the cuts left out.
    fn first_of_the_rest(&self, logits: &[f32], allows: &mut impl FnMut(u32) -> bool) -> Option<u32> {
        let rest = &self.candidates[self.kept..];
        rest.iter().map(|it| it.token).find(|token| allows(*token)).or_else(|| {
            let mut known: Vec<u32> = self.candidates.iter().map(|it| it.token).collect();
            known.sort_unstable();
            let mut others: Vec<u32> =
                (0..).take(logits.len()).filter(|token| known.binary_search(token).is_err()).collect();
            let logit = |token: &u32| logits[*token as usize];
            others.sort_unstable_by(|a, b| logit(b).total_cmp(&logit(a)).then(a.cmp(b)));
            others.into_iter().find(|token| allows(*token))
        })
    }
}

/// Every token that is not negligible; the likeliest alone where there is no temperature.
fn candidates(logits: &[f32], temperature: f64) -> Vec<Candidate> {
    let mut highest = f32::NEG_INFINITY;
    for &logit in logits {
        highest = if logit > highest { logit } else { highest };
    }
    let scale = if temperature > 0.0 { 1.0 / temperature } else { f64::INFINITY };
    let least = if temperature > 0.0 { highest + (NEGLIGIBLE.ln() * temperature) as f32 } else { highest };
    let mut candidates = Vec::new();
    for (token, logit) in (0u32..).zip(logits) {
        if *logit >= least {
            let weight = if *logit == highest { 1.0 } else { (f64::from(logit - highest) * scale).exp() };
            candidates.push(Candidate { token, weight });
        }
    }
    candidates
}

/// How many candidates top-k, min-p and top-p leave, in this order; at least one.
fn kept(candidates: &[Candidate], sampling: &Sampling) -> usize {
    if sampling.temperature <= 0.0 {
        return 1;
    }
    let most = if sampling.top_k == 0 { candidates.len() } else { sampling.top_k.min(candidates.len()) };
    let likely = candidates[..most].iter().take_while(|it| it.weight >= sampling.min_p).count().max(1);
    let total: f64 = candidates[..likely].iter().map(|it| it.weight).sum();
    let mut sum = 0.0;
    let reached = candidates[..likely].iter().position(|it| {
        sum += it.weight;
        sum >= sampling.top_p * total
    });
    reached.map_or(likely, |last| last + 1)
}

fn pick(candidates: &[Candidate], unit: f64) -> usize {
    let mut left = unit * candidates.iter().map(|it| it.weight).sum::<f64>();
    let drawn = candidates.iter().position(|it| {
        left -= it.weight;
        left < 0.0
    });
    drawn.unwrap_or(candidates.len() - 1)
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
        // What is refused is not drawn, and the others keep their proportions.
        check(plain, &[0], [0.0, 3.0 / 6.0, 2.0 / 6.0, 1.0 / 6.0]);
        // Where all that the cuts leave is refused, the likeliest of the others is taken.
        check(Sampling { top_k: 2, ..plain }, &[0, 1], [0.0, 0.0, 1.0, 0.0]);
        check(Sampling { temperature: 0.0, ..plain }, &[0, 1, 2], [0.0, 0.0, 0.0, 1.0]);
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
