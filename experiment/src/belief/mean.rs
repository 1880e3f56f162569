//! What is believed about one mean: a normal distribution.

use std::f64::consts::PI;

use super::{Belief, NODES, Panel};
use crate::metric::Direction;

/// How many standard deviations from its mean a density is taken for zero: as far as e⁻²⁰.
const BORDER: f64 = 6.33;

/// A normal distribution, on an axis whose right end is the better one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    mean: f64,
    deviation: f64,
    direction: Direction,
}

impl Mean {
    /// A mean that is believed to be `mean` give or take `deviation`, which is above 0.
    pub(crate) fn new(mean: f64, deviation: f64, direction: Direction) -> Self {
        Self { mean, deviation, direction }
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
