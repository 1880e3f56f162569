//! A seeded generator of our own small alphabet of draws.
//!
//! Copy must be the same byte for byte for the same seed, also after an update of a dependency, so the draws are
//! written out here instead of taken from `rand`, whose distributions may change between releases.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A deterministic source of draws: equal seeds give equal sequences on every platform.
#[derive(Clone, Debug)]
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// Starts the sequence that belongs to `seed`.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A number in `0..count`, by the high half of a 128-bit product.
    /// Its bias is below `count / 2^64`, far under what any corpus or sample could show.
    ///
    /// # Panics
    /// When `count` is zero: there is nothing to draw.
    pub fn below(&mut self, count: usize) -> usize {
        assert!(count > 0, "a draw needs something to draw from");
        ((u128::from(self.0.next_u64()) * count as u128) >> 64) as usize
    }

    /// A number in `[0, 1)` with 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of `items`, each equally likely.
    ///
    /// # Panics
    /// When `items` is empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// A standard normal draw (Box and Muller, 1958, the cosine half).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Puts `items` in a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_draws_for_ever() {
        let mut random = Random::from_seed(7);
        let draws: Vec<usize> = (0..6).map(|_| random.below(100)).collect();
        let mut again = Random::from_seed(7);
        assert_eq!(draws, (0..6).map(|_| again.below(100)).collect::<Vec<_>>());
        assert_ne!(draws, {
            let mut other = Random::from_seed(8);
            (0..6).map(|_| other.below(100)).collect::<Vec<_>>()
        });
    }

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let mut random = Random::from_seed(1);
        let draws: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        // Four standard errors of 20,000 draws: 0.028 for the mean, 0.04 for the variance.
        assert!(mean.abs() < 0.028, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.04, "variance {variance}");
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<usize> = (0..50).collect();
        Random::from_seed(3).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
