//! What is believed about one mean: a normal distribution.

use std::f64::consts::PI;

use super::{Belief, NODES, Panel};
use crate::metric::Direction;

/// How many standard deviations from its mean a density is taken for zero: as far as e⁻²⁰.
const BORDER: f64 = 6.33;

/// The narrowest that a belief can be, as a part of its mean: four digits above what a double of that size tells apart, since
/// quadrature walks over it in steps that must get somewhere.
const NARROWEST: f64 = 1e-12;

/// The same of a mean of nothing: small beside all that is counted, and its density still a number.
const LEAST: f64 = 1e-150;

/// A normal distribution, on an axis whose right end is the better one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    mean: f64,
    deviation: f64,
    direction: Direction,
}

impl Mean {
    /// A mean that is believed to be `mean` give or take `deviation`, or [`NARROWEST`] of the mean if that is more.
    pub(crate) fn new(mean: f64, deviation: f64, direction: Direction) -> Self {
        Self { mean, deviation: deviation.max(NARROWEST * mean.abs()).max(LEAST), direction }
    }

    fn place(&self) -> f64 {
        self.direction.sign() * self.mean
    }
}

impl Belief for Mean {
    type Shared = ();

    fn mean(&self) -> f64 {
        self.mean
    }

    fn width(&self) -> f64 {
        self.deviation
    }

    fn lower_border(&self) -> f64 {
        self.place() - BORDER * self.deviation
    }

    fn upper_border(&self) -> f64 {
        self.place() + BORDER * self.deviation
    }

    fn value(&self, place: f64) -> f64 {
        self.direction.sign() * place
    }

    fn share(_: &Panel) {}

    fn densities(&self, panel: &Panel, (): &()) -> [f64; NODES] {
        let (peak, from) = (1.0 / (self.deviation * (2.0 * PI).sqrt()), panel.center - self.place());
        panel.steps.map(|step| peak * (-0.5 * ((from + step) / self.deviation).powi(2)).exp())
    }
}
