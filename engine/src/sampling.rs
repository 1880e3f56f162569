//! Which token comes next.

mod cut;
mod pool;
mod sum;

use serde::{Deserialize, Serialize};

use crate::cpu::log_sum_exp;
use pool::with_pool;

/// How tokens are drawn, by the names of a `generation_config.json`, and one of our own. The default draws each as often
/// as the model says, but for what siblings said.
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
    /// Taken from the logits of tokens with which a sibling goes on. A difference, and not a factor as for repetition:
    /// so it weighs the same wherever a model has its zero.
    pub sibling_penalty: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            sibling_penalty: 1.0,
        }
    }
}

/// Tokens that are drawn less often than the model says. One that is named twice counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Penalized<'a> {
    /// Those that the text holds already.
    pub repeated: &'a [u32],
    /// Those with which other texts for the same place go on here.
    pub siblings: &'a [u32],
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
/// `logits` has one number for each token and may be changed. `allows` is asked of few tokens: one is drawn, and another
/// in its place where it is refused, which draws from the allowed ones in the proportions that the model gives them.
/// `unit` gives numbers in `[0, 1)`.
///
/// The same logits, answers and numbers give the same token. Ties go to the lower token.
///
/// # Errors
/// When the logits are not finite.
pub fn draw(
    logits: &mut [f32],
    sampling: &Sampling,
    penalized: Penalized<'_>,
    mut allows: impl FnMut(u32) -> bool,
    unit: impl FnMut() -> f64,
) -> Result<Option<Drawn>, NotFinite> {
    let log_total = log_sum_exp(logits);
    if !log_total.is_finite() {
        return Err(NotFinite);
    }
    let changed = penalize(logits, sampling, penalized);
    let (drawn, refused) = with_pool(logits, sampling, |pool| {
        let drawn = pool.draw(&mut allows, unit).or_else(|| first_of_the_rest(logits, &mut allows));
        (drawn, pool.refused())
    });
    Ok(drawn.map(|token| {
        let was = changed.iter().find(|(other, _)| *other == token).map(|(_, logit)| *logit);
        let logit = was.unwrap_or(logits[token as usize]);
        Drawn { token, log_probability: logit - log_total, refused }
    }))
}

/// Returns what the logits were of those that it changed.
fn penalize(logits: &mut [f32], sampling: &Sampling, penalized: Penalized<'_>) -> Vec<(u32, f32)> {
    let Penalized { repeated, siblings } = penalized;
    let (factor, difference) = (sampling.repetition_penalty as f32, sampling.sibling_penalty as f32);
    let repeated: &[u32] = if factor == 1.0 { &[] } else { repeated };
    let siblings: &[u32] = if difference == 0.0 { &[] } else { siblings };
    let mut tokens = [repeated, siblings].concat();
    tokens.sort_unstable();
    tokens.dedup();
    let penalize = |token: u32| {
        let logit = logits.get_mut(token as usize)?;
        let was = *logit;
        if repeated.contains(&token) {
            *logit = if was > 0.0 { was / factor } else { was * factor };
        }
        if siblings.contains(&token) {
            *logit -= difference;
        }
        Some((token, was))
    };
    tokens.into_iter().filter_map(penalize).collect()
}

/// The likeliest token that is allowed: none of those that could be drawn is.
fn first_of_the_rest(logits: &[f32], allows: &mut impl FnMut(u32) -> bool) -> Option<u32> {
    let mut tokens: Vec<u32> = (0..).take(logits.len()).collect();
    let logit = |token: &u32| logits[*token as usize];
    tokens.sort_unstable_by(|a, b| logit(b).total_cmp(&logit(a)).then(a.cmp(b)));
    tokens.into_iter().find(|token| allows(*token))
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
            let drawn = draw(&mut logits.to_vec(), &sampling, Penalized::default(), &allows, &mut unit)
                .expect("finite");
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
            let weights = with_pool(&logits, &sampling, |pool| pool.weights().to_vec());
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
            let kept: Vec<usize> = (0..logits.len()).filter(|token| weights[*token] > 0.0).collect();
            // Sums of 32-bit weights may fall on the other side of a border that runs through equal ones.
            assert!(kept.len().abs_diff(expected) <= 1, "{sampling:?}: {} {expected}", kept.len());
            let lowest = kept.iter().map(|token| logits[*token]).fold(f32::INFINITY, f32::min);
            assert!((0..logits.len()).all(|token| weights[token] > 0.0 || logits[token] <= lowest));
        }
    }

    const NONE: Penalized<'_> = Penalized { repeated: &[], siblings: &[] };

    fn draw_one(logits: &[f32], sampling: Sampling, before: Penalized<'_>, allowed: &[u32]) -> Option<Drawn> {
        draw(&mut logits.to_vec(), &sampling, before, |token| allowed.contains(&token), units())
            .expect("finite")
    }

    #[test]
    fn a_token_that_is_next_to_impossible_is_found_when_no_other_is_allowed() {
        let drawn = draw_one(&[30.0, 0.0, -30.0, -40.0], Sampling::default(), NONE, &[2, 3])
            .expect("two are allowed");
        assert_eq!((drawn.token, drawn.refused), (2, 1.0));
        assert!((drawn.log_probability + 60.0).abs() < 1e-3, "{drawn:?}");
        assert_eq!(draw_one(&[1.0, 2.0], Sampling::default(), NONE, &[]), None);
    }

    /// Whoever has to end a text since all else is refused can tell, also where that is spread over many tokens.
    #[test]
    fn what_is_refused_is_told_however_many_tokens_it_is_spread_over() {
        for count in [1000, 5000] {
            let drawn = draw_one(&vec![0.0; count], Sampling::default(), NONE, &[0]).expect("one is allowed");
            assert_eq!(drawn.token, 0);
            assert!((drawn.refused - (1.0 - 1.0 / count as f64)).abs() < 1e-6, "{count}: {drawn:?}");
        }
    }

    #[test]
    fn a_penalty_moves_the_choice_and_not_the_probability_that_is_told() {
        let cold = Sampling { temperature: 0.0, repetition_penalty: 2.0, ..Sampling::default() };
        let logits = [3.0, 2.0, -1.0];
        let log_total = logits.iter().map(|logit: &f32| logit.exp()).sum::<f32>().ln();
        let check = |repeated: &[u32], siblings: &[u32], allowed: &[u32], expected: u32| {
            let penalized = Penalized { repeated, siblings };
            let drawn = draw_one(&logits, cold, penalized, allowed).expect("one is allowed");
            assert_eq!(drawn.token, expected, "{penalized:?}");
            let told = drawn.log_probability - (logits[expected as usize] - log_total);
            assert!(told.abs() < 1e-5, "{drawn:?}");
        };
        check(&[], &[], &[0, 1, 2], 0);
        check(&[0, 0], &[], &[0, 1, 2], 1);
        check(&[0], &[], &[0], 0);
        // 3.0 - 1.0 is a tie, which goes to the lower token; what a sibling says twice counts once.
        check(&[], &[0, 0], &[0, 1, 2], 0);
        check(&[0], &[0], &[0, 1, 2], 1);
        // 2.0 / 2.0 - 1.0 is still above -1.0.
        check(&[1], &[1], &[1, 2], 1);
        check(&[1, 9], &[1, 9], &[2], 2);
    }

    /// What a seed wrote yesterday it writes tomorrow: variants are written again from it.
    #[test]
    fn the_same_numbers_draw_the_same_tokens_in_every_version() {
        let mut unit = units();
        let logits: Vec<f32> = (0..3001).map(|_| 3.0 * unit() as f32).collect();
        for (top_k, top_p, expected) in [
            (0, 0.95, [1195, 46, 2737, 1375, 746, 1426]),
            (0, 1.0, [47, 2735, 745, 1423, 400, 1255]),
            (40, 1.0, [749, 98, 2729, 1042, 410, 1216]),
            (200, 0.5, [1042, 68, 2731, 2011, 622, 1375]),
        ] {
            let sampling = Sampling { temperature: 0.8, top_k, top_p, ..Sampling::default() };
            let mut unit = units();
            let drawn = expected.map(|_| {
                let allows = |token: u32| !token.is_multiple_of(3);
                let drawn = draw(&mut logits.clone(), &sampling, NONE, allows, &mut unit).expect("finite");
                drawn.expect("some are allowed").token
            });
            assert_eq!(drawn, expected, "{sampling:?}");
        }
    }

    #[test]
    fn broken_logits_are_an_error() {
        for broken in [f32::NAN, f32::INFINITY] {
            let drawn = draw(&mut [1.0, broken], &Sampling::default(), NONE, |_| true, units());
            assert_eq!(drawn, Err(NotFinite));
        }
    }
}
