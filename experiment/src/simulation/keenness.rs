//! How keen people are who come back: what their rates are multiplied by, a gamma distribution of shape ½ and mean 1, so that
//! few are keen and most are not. It is that of the square of a standard normal number.

use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::numeric::normal;

/// One person's.
pub(super) fn draw(random: &mut Xoshiro256PlusPlus) -> f64 {
    let z: f64 = StandardNormal.sample(random);
    z * z
}

/// The mean of min(1, `rate`·K) over the keenness K of people, which is the square of a standard normal number: with
/// a = √(1/rate), rate·(P − 2a·φ(a)) + 1 − P, P being the chance of ±a.
pub(super) fn mean_rate(rate: f64) -> f64 {
    if rate <= 0.0 {
        return 0.0;
    }
    let bound = rate.recip().sqrt();
    let inside = 1.0 - 2.0 * normal::cdf(-bound);
    let density = (-0.5 * bound * bound).exp() / (2.0 * std::f64::consts::PI).sqrt();
    rate * (inside - 2.0 * bound * density) + 1.0 - inside
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the mean over quantiles of |Z|.
    #[test]
    fn nobody_acts_more_than_always() {
        let steps = 200_000;
        for rate in [0.001, 0.05, 0.4, 0.8, 1.0] {
            let quantiles = (0..steps)
                .map(|step| normal::quantile(0.5 + (f64::from(step) + 0.5) * 0.5 / f64::from(steps)));
            let mean = quantiles.map(|z| (rate * z * z).min(1.0)).sum::<f64>() / f64::from(steps);
            assert!((mean_rate(rate) - mean).abs() < 1e-4 * rate, "{rate}: {} {mean}", mean_rate(rate));
        }
        assert_eq!(mean_rate(0.0), 0.0);
    }
}
