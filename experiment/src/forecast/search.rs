//! The smallest effect that is found often enough, by playing experiments.

use std::ops::Range;

use super::part;

/// How near a smallest effect is found by few experiments, as a fraction of itself, before as many are played as were asked
/// for.
const NEAR: f64 = 0.12;

/// Experiments by which an effect is judged on the way, and how many of them are played before it is asked whether all are
/// needed.
const FEW: u64 = 80;
const BATCH: u64 = 40;

/// What is searched.
pub(super) struct Search {
    /// The part of the experiments in which it has to be found.
    pub(super) chance: f64,
    /// How many they are.
    pub(super) experiments: u64,
    /// Up to this an effect is told as none.
    pub(super) above: f64,
    /// Beyond this none can be told.
    pub(super) largest: f64,
}

impl Search {
    /// The smallest effect, of those that are written with two digits: more are not known. `None` where not even the largest
    /// is found. `play` has the experiments of an effect and of some seeds played; all effects are tried with the same seeds.
    pub(super) fn smallest<T>(
        &self,
        is_found: impl Fn(&T) -> bool,
        play: &mut impl FnMut(f64, Range<u64>) -> Vec<T>,
    ) -> Option<(f64, Vec<T>)> {
        let too_small = self.hardly_seen(|effect| self.is_enough(&is_found, |seeds| play(effect, seeds)))?;
        let effects = std::iter::successors(Some(rounded_up(too_small)), |it| Some(rounded_up(1.001 * it)));
        let seen = effects.map(|effect| effect.min(self.largest)).find_map(|effect| {
            let ends = play(effect, 1..1 + self.experiments);
            let is_seen = part(&ends, &is_found) >= self.chance || effect >= self.largest;
            is_seen.then_some((effect, ends))
        });
        Some(seen.expect("the effects rise until the largest"))
    }

    /// An effect that is a little too small, as far as few experiments tell; `None` where all are.
    fn hardly_seen(&self, mut is_seen: impl FnMut(f64) -> bool) -> Option<f64> {
        let (mut too_small, mut enough) = (self.above, self.largest);
        if enough <= too_small || !is_seen(enough) {
            return None;
        }
        while enough > too_small * (1.0 + NEAR) {
            let middle = (too_small * enough).sqrt();
            if is_seen(middle) { enough = middle } else { too_small = middle }
        }
        Some(too_small)
    }

    /// Whether enough are found, by as many of few experiments as it takes to tell.
    fn is_enough<T>(
        &self,
        is_found: impl Fn(&T) -> bool,
        mut play: impl FnMut(Range<u64>) -> Vec<T>,
    ) -> bool {
        let mut ends = Vec::new();
        for first in (1..=FEW).step_by(BATCH as usize) {
            ends.extend(play(first..first + BATCH));
            let error = (self.chance * (1.0 - self.chance) / ends.len() as f64).sqrt();
            if (part(&ends, &is_found) - self.chance).abs() > 2.0 * error {
                break;
            }
        }
        part(&ends, &is_found) >= self.chance
    }
}

/// In two digits.
fn rounded_up(effect: f64) -> f64 {
    let unit = 10_f64.powi(effect.log10().floor() as i32 - 1);
    (effect / unit - 1e-9).ceil() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifts_are_told_in_two_digits() {
        let check = |lift: f64, expected: f64| {
            assert!((rounded_up(lift) - expected).abs() < 1e-12, "{lift}: {}", rounded_up(lift));
        };
        check(0.05231, 0.053);
        check(0.053, 0.053);
        check(1.001 * 0.053, 0.054);
        check(1.001 * 0.099, 0.1);
        check(1.001 * 0.1, 0.11);
        check(1.31, 1.4);
    }
}
