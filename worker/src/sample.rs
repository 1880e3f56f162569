//! Chooses the next token.

use crate::folder::Sampling;
use crate::random::Random;

/// Tokens less likely than this share of the likeliest are never drawn. Together they hold less than any top-p cuts
/// off, and leaving them out means sorting a handful of tokens instead of the whole vocabulary.
const NEGLIGIBLE: f64 = 1e-4;

/// Draws one token by temperature and top-p (Holtzman et al., 2020, section 3.1).
///
/// The same logits and the same state of `random` give the same token. Ties go to the lower token, so the order of
/// equal logits in memory does not matter.
///
/// # Panics
/// When `logits` is empty.
pub fn sample(logits: &[f32], sampling: Sampling, random: &mut Random) -> u32 {
    assert!(!logits.is_empty(), "a token is drawn from a vocabulary");
    let mut candidates = candidates(logits, sampling.temperature);
    candidates.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.token.cmp(&b.token)));
    if sampling.temperature <= 0.0 {
        return candidates[0].token;
    }
    let total: f64 = candidates.iter().map(|it| it.weight).sum();
    draw(nucleus(&candidates, sampling.top_p * total), random)
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    token: u32,
    weight: f64,
}

/// Every token that is not negligible, its weight relative to the likeliest one.
fn candidates(logits: &[f32], temperature: f64) -> Vec<Candidate> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scale = 1.0 / temperature.max(1e-6);
    let weigh = |logit: f32| (f64::from(logit - highest) * scale).exp();
    let weighed = (0u32..).zip(logits).map(|(token, logit)| Candidate { token, weight: weigh(*logit) });
    weighed.filter(|it| it.weight >= NEGLIGIBLE).collect()
}

/// The fewest likeliest candidates whose weight reaches `least`.
fn nucleus(candidates: &[Candidate], least: f64) -> &[Candidate] {
    let mut sum = 0.0;
    let reached = candidates.iter().position(|it| {
        sum += it.weight;
        sum >= least
    });
    &candidates[..=reached.unwrap_or(candidates.len() - 1)]
}

fn draw(candidates: &[Candidate], random: &mut Random) -> u32 {
    let mut left = random.unit() * candidates.iter().map(|it| it.weight).sum::<f64>();
    let drawn = candidates.iter().find(|it| {
        left -= it.weight;
        left < 0.0
    });
    drawn.unwrap_or(&candidates[candidates.len() - 1]).token
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(logits: &[f32], sampling: Sampling) -> Vec<f64> {
        let mut random = Random::from_seed(1);
        let mut counts = vec![0u32; logits.len()];
        for _ in 0..20_000 {
            counts[sample(logits, sampling, &mut random) as usize] += 1;
        }
        counts.into_iter().map(|count| f64::from(count) / 20_000.0).collect()
    }

    #[test]
    fn tokens_are_drawn_as_often_as_their_probability_says() {
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let shares = shares(&logits, Sampling { temperature: 1.0, top_p: 1.0 });
        // Four standard errors of 20,000 draws are at most 0.015.
        for (share, expected) in shares.iter().zip([0.5, 0.3, 0.2]) {
            assert!((share - expected).abs() < 0.015, "{shares:?}");
        }
    }

    #[test]
    fn what_lies_beyond_top_p_is_never_drawn() {
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let shares = shares(&logits, Sampling { temperature: 1.0, top_p: 0.6 });
        assert_eq!(shares[2], 0.0);
        assert!((shares[0] - 0.625).abs() < 0.015, "{shares:?}");
    }

    #[test]
    fn without_temperature_the_likeliest_token_is_taken_and_ties_go_to_the_lower() {
        let cold = Sampling { temperature: 0.0, top_p: 1.0 };
        assert_eq!(sample(&[0.0, 3.0, 3.0, 1.0], cold, &mut Random::from_seed(1)), 1);
    }

    #[test]
    fn a_hotter_temperature_draws_the_rare_more_often() {
        let logits = [2.0, 0.0];
        let at = |temperature| shares(&logits, Sampling { temperature, top_p: 1.0 })[1];
        assert!(at(0.5) < at(1.0) && at(1.0) < at(2.0));
    }
}
