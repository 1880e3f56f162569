//! What is believed about one rate: a Beta distribution, looked at in log odds.
//!
//! With y = ln(x/(1−x)) the density of Beta(a, b) becomes eᵃʸ/(1+eʸ)ᵃ⁺ᵇ/B(a, b). It is log-concave and smooth, its
//! mode is ln(a/b), its width about √(1/a+1/b), and it has no corner at rates 0 and 1. So the same quadrature serves an
//! arm without data and an arm with a billion exposures.

use std::f64::consts::PI;

use super::{Belief, NODES, Panel};
use crate::metric::Direction;

/// How far below its peak, in natural logs, a density is taken for zero: e⁻²⁰ leaves less than 10⁻⁹ outside.
const NEGLIGIBLE: f64 = 20.0;

/// Beta(a, b) with a, b ≥ 1, on an axis whose right end is the better one: log odds of the rate, or their mirror image,
/// with a and b exchanged, where less is better.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    a: f64,
    b: f64,
    direction: Direction,
    mode: f64,
    /// The logarithm of the density, in log odds, at the mode.
    peak: f64,
}

impl Rate {
    /// The posterior of a rate after `rewards` of `exposures`, from the uniform prior Beta(1, 1). Both may be fractions, as
    /// effective counts are.
    pub(crate) fn new(exposures: f64, rewards: f64, direction: Direction) -> Self {
        let (reward, miss) = (1.0 + rewards, 1.0 + (exposures - rewards));
        let (a, b) = match direction {
            Direction::Maximize => (reward, miss),
            Direction::Minimize => (miss, reward),
        };
        // ln(aᵃbᵇ/(a+b)ᵃ⁺ᵇ/B(a, b)) by Stirling's formula: the large terms cancel on paper instead of in floating point.
        let peak = 0.5 * (a / (a + b) * b / (2.0 * PI)).ln() + stirling_remainder(a + b)
            - stirling_remainder(a)
            - stirling_remainder(b);
        Self { a, b, direction, mode: (a / b).ln(), peak }
    }

    /// The logarithm of the density at `log_odds`.
    fn log_density(&self, log_odds: f64) -> f64 {
        self.peak + self.log_ratio(log_odds - self.mode)
    }

    /// The coefficients c, d of ln density(y + s) − ln density(y) = c·s − d·[`growth`]\(y, s): two products for a step,
    /// and one growth for as many posteriors as there are.
    fn coefficients(&self, log_odds: f64) -> (f64, f64) {
        (if log_odds <= 0.0 { self.a } else { -self.b }, self.a + self.b)
    }

    fn log_ratio(&self, distance: f64) -> f64 {
        let (linear, total) = self.coefficients(self.mode);
        linear * distance - total * growth(self.mode, distance)
    }

    /// Newton's method on a concave function: after one step every iterate lies on the far side of the root, so a few
    /// steps give a border that is never too near.
    fn distance_to_border(&self, direction: f64) -> f64 {
        let mean = self.a / (self.a + self.b);
        (0..4).fold(self.width() * (2.0 * NEGLIGIBLE).sqrt(), |distance, _| {
            let step = direction * distance;
            let slope = direction * (self.a + self.b) * (mean - logistic(self.mode + step));
            distance - (self.log_ratio(step) + NEGLIGIBLE) / slope
        })
    }
}

impl Belief for Rate {
    /// [`growth`] from the panel's center to each node.
    type Shared = [f64; NODES];

    fn mean(&self) -> f64 {
        match self.direction {
            Direction::Maximize => self.a / (self.a + self.b),
            Direction::Minimize => self.b / (self.a + self.b),
        }
    }

    fn width(&self) -> f64 {
        (1.0 / self.a + 1.0 / self.b).sqrt()
    }

    fn lower_border(&self) -> f64 {
        self.mode - self.distance_to_border(-1.0)
    }

    fn upper_border(&self) -> f64 {
        self.mode + self.distance_to_border(1.0)
    }

    fn value(&self, place: f64) -> f64 {
        logistic(self.direction.sign() * place)
    }

    fn share(panel: &Panel) -> [f64; NODES] {
        panel.steps.map(|step| growth(panel.center, step))
    }

    fn densities(&self, panel: &Panel, growths: &[f64; NODES]) -> [f64; NODES] {
        let (at_center, (linear, total)) = (self.log_density(panel.center), self.coefficients(panel.center));
        std::array::from_fn(|n| (at_center + linear * panel.steps[n] - total * growths[n]).exp())
    }
}

/// How ln(1 + eʸ) grows from y = `log_odds` over `step`; right of 0 its mirror image ln(1 + e⁻ʸ), so that no large
/// numbers cancel on either side.
fn growth(log_odds: f64, step: f64) -> f64 {
    let step = if log_odds <= 0.0 { step } else { -step };
    (logistic(-log_odds.abs()) * step.exp_m1()).ln_1p()
}

/// The rate whose log odds are given.
fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// ln Γ(x) − ((x−½) ln x − x + ½ ln 2π), for x ≥ 1: DLMF 5.11.1, relative error below 10⁻¹² of the density.
fn stirling_remainder(x: f64) -> f64 {
    if x < 10.0 {
        return libm::lgamma(x) - ((x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln());
    }
    let inverse_square = 1.0 / (x * x);
    (1.0 / 12.0 - inverse_square * (1.0 / 360.0 - inverse_square * (1.0 / 1260.0 - inverse_square / 1680.0)))
        / x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_density_is_that_of_textbooks() {
        // ln B(1+s, 1+n−s) from log-gamma functions; only for counts where those still cancel well.
        for (exposures, rewarded) in
            [(0.0, 0.0), (1.0, 1.0), (8.0, 3.0), (9.0, 9.0), (30.5, 1.5), (1000.0, 20.0), (1000.0, 999.0)]
        {
            let (a, b) = (1.0 + rewarded, 1.0 + exposures - rewarded);
            let posterior = Rate::new(exposures, rewarded, Direction::Maximize);
            let mirrored = Rate::new(exposures, rewarded, Direction::Minimize);
            for log_odds in [-9.0, -3.0, -0.1, 0.0, 2.0, 7.0] {
                let x = logistic(log_odds);
                let beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
                let expected = a * x.ln() + b * logistic(-log_odds).ln() - beta;
                for found in [posterior.log_density(log_odds), mirrored.log_density(-log_odds)] {
                    assert!(
                        (found - expected).abs() < 1e-10 * expected.abs().max(1.0),
                        "{a} {b} {x}: {found} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn outside_the_borders_the_density_is_negligible() {
        for (exposures, rewarded) in [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (1e9, 0.0), (1e9, 2e7)] {
            let posterior = Rate::new(exposures, rewarded, Direction::Maximize);
            for border in [posterior.lower_border(), posterior.upper_border()] {
                let drop = posterior.peak - posterior.log_density(border);
                assert!((19.999..30.0).contains(&drop), "{rewarded} of {exposures} drops by {drop}");
            }
        }
    }
}
