//! What is believed about each arm: for steering the traffic and for display, never for a verdict's promise.

mod best;
mod common;
mod mean;
mod rate;

use crate::metric::{Direction, Kind, Metric};

pub(crate) use best::{Best, NODES};
pub(crate) use common::samples;
pub(crate) use mean::Mean;
pub(crate) use rate::Rate;

/// A log-concave density on an axis whose right end is the better one.
pub(crate) trait Belief {
    /// What all beliefs need of a panel, found once.
    type Shared;

    /// The mean, as the metric counts.
    fn mean(&self) -> f64;

    /// The scale on which the density varies.
    fn width(&self) -> f64;

    /// The place below which the density is negligible.
    fn lower_border(&self) -> f64;

    /// The place above which the density is negligible.
    fn upper_border(&self) -> f64;

    /// The value, as the metric counts, at a place.
    fn value(&self, place: f64) -> f64;

    /// What all beliefs need of `panel`.
    fn share(panel: &Panel) -> Self::Shared;

    /// The density at the nodes of `panel`.
    fn densities(&self, panel: &Panel, shared: &Self::Shared) -> [f64; NODES];
}

/// A piece of the axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    center: f64,
    /// From the center to each node.
    steps: [f64; NODES],
}

/// What was seen of one arm. Both counts may be fractions, as effective ones are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) exposures: f64,
    pub(crate) rewards: f64,
}

/// What is believed about several arms.
#[derive(Clone, Debug)]
pub(crate) struct Believed {
    pub(crate) means: Vec<f64>,
    pub(crate) best: Best,
}

impl Believed {
    /// From at least one sample; `phi` is by arm, as in [`crate::interval::Spread`].
    pub(crate) fn new(metric: Metric, samples: &[Sample], phi: &[f64]) -> Self {
        match metric.kind {
            Kind::Binary => {
                let rate = |sample: &Sample| Rate::new(sample.exposures, sample.rewards, metric.direction);
                Self::of(&samples.iter().map(rate).collect::<Vec<_>>())
            }
            Kind::Value { .. } => Self::of(&means(metric.direction, samples, phi)),
        }
    }

    fn of<B: Belief>(beliefs: &[B]) -> Self {
        Self { means: beliefs.iter().map(B::mean).collect(), best: Best::of(beliefs) }
    }
}

/// Normal beliefs whose prior is one exposure with the pooled mean; the variance is φμ − μ², so that an arm of few and
/// small rewards is not believed to be known well. Without any reward all arms are alike.
fn means(direction: Direction, samples: &[Sample], phi: &[f64]) -> Vec<Mean> {
    let sum = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>();
    let (exposures, rewards) = (sum(|sample| sample.exposures), sum(|sample| sample.rewards));
    if rewards <= 0.0 {
        return vec![Mean::new(0.0, 1.0, direction); samples.len()];
    }
    let pooled = rewards / exposures;
    let belief = |(sample, phi): (&Sample, &f64)| {
        let known = sample.exposures + 1.0;
        let mean = (sample.rewards + pooled) / known;
        // Rewards that are all equal and never missing have no variance; a belief needs some.
        let variance = (mean * (phi - mean)).max(1e-12 * phi * phi);
        Mean::new(mean, (variance / known).sqrt(), direction)
    };
    samples.iter().zip(phi).map(belief).collect()
}
