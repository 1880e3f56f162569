//! How people respond to one arm.

use crate::metric::Kind;
use crate::numeric::normal;

/// How people respond to one arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// The chance that an exposure is rewarded, at the trend's 1.
    pub rate: f64,
    /// That chance in the second half of the rounds.
    pub later_rate: f64,
    /// What a rewarded exposure is worth.
    pub worth: Worth,
}

/// What a rewarded exposure is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Worth {
    /// 1.
    One,
    /// Drawn from a log-normal distribution.
    LogNormal {
        /// The mean of the logarithm.
        location: f64,
        /// The standard deviation of the logarithm.
        spread: f64,
    },
}

impl Truth {
    /// A constant rate of rewards of 1.
    #[must_use]
    pub const fn rate(rate: f64) -> Self {
        Self { rate, later_rate: rate, worth: Worth::One }
    }

    /// The mean reward of an exposure, at the trend's 1 and in the first half.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.rate * self.worth.mean(f64::INFINITY)
    }

    /// The same for a metric of `kind`, which may cap what one exposure counts for.
    #[must_use]
    pub fn mean_of(&self, kind: Kind) -> f64 {
        self.rate * self.worth.mean(cap(kind))
    }
}

impl Worth {
    /// The log-normal distribution of this mean and standard deviation, of which the mean is above 0.
    ///
    /// ```
    /// use experiment::simulation::{Truth, Worth};
    ///
    /// let basket = Truth { worth: Worth::log_normal(40.0, 30.0), ..Truth::rate(0.05) };
    /// assert!((basket.mean() - 2.0).abs() < 1e-12);
    /// ```
    #[must_use]
    pub fn log_normal(mean: f64, deviation: f64) -> Self {
        let variance = (deviation / mean).powi(2).ln_1p();
        Self::LogNormal { location: mean.ln() - 0.5 * variance, spread: variance.sqrt() }
    }

    /// Its mean and its standard deviation.
    #[must_use]
    pub fn moments(self) -> (f64, f64) {
        match self {
            Self::One => (1.0, 0.0),
            Self::LogNormal { spread, .. } => {
                let mean = self.mean(f64::INFINITY);
                (mean, mean * (spread * spread).exp_m1().sqrt())
            }
        }
    }

    /// The mean of what counts where no more than `cap` does: of min(X, c) for X log-normal.
    fn mean(self, cap: f64) -> f64 {
        match self {
            Self::One => cap.min(1.0),
            Self::LogNormal { location, spread } if spread > 0.0 && cap.is_finite() => {
                let z = (cap.ln() - location) / spread;
                let below = (location + 0.5 * spread * spread).exp() * normal::cdf(z - spread);
                below + cap * normal::cdf(-z)
            }
            Self::LogNormal { location, spread } => (location + 0.5 * spread * spread).exp().min(cap),
        }
    }
}

/// The most that one exposure counts for.
pub(crate) fn cap(kind: Kind) -> f64 {
    match kind {
        Kind::Value { cap: Some(cap) } => cap,
        Kind::Binary | Kind::Value { cap: None } => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the integral of the survival function, ∫₀ᶜ P(X > x) dx.
    #[test]
    fn a_cap_lowers_the_mean() {
        let worth = Worth::log_normal(40.0, 30.0);
        assert!((worth.mean(f64::INFINITY) - 40.0).abs() < 1e-12);
        assert!((worth.mean(1e9) - 40.0).abs() < 1e-9);
        let Worth::LogNormal { location, spread } = worth else { unreachable!() };
        let survival = |x: f64| 1.0 - normal::cdf((x.ln() - location) / spread);
        let steps = 200_000;
        let sum: f64 =
            (0..steps).map(|step| survival((f64::from(step) + 0.5) * 50.0 / f64::from(steps))).sum();
        assert!((worth.mean(50.0) - sum * 50.0 / f64::from(steps)).abs() < 1e-6);
        assert_eq!(Worth::log_normal(40.0, 0.0).mean(30.0), 30.0);
        assert_eq!(Worth::One.mean(f64::INFINITY), 1.0);
        let (mean, deviation) = worth.moments();
        assert!((mean - 40.0).abs() < 1e-9 && (deviation - 30.0).abs() < 1e-9, "{mean} {deviation}");
    }
}
