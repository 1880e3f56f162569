//! Fixed weights over alternatives.

use super::curve::{Curve, Table, WIDEST};
use crate::numeric::cholesky::dot;
use crate::numeric::elementary;

/// Alternatives to a null: the places at which a likelihood is asked, and weights that sum to one. Such a mean likelihood
/// ratio is an e-process.
#[derive(Clone, Debug)]
pub(crate) struct Mixture {
    /// The log ratio of the null, or where it begins.
    pub(super) border: f64,
    places: Vec<f64>,
    weights: Vec<f64>,
    table: Table,
}

/// A likelihood at the places of a mixture.
#[derive(Clone, Debug)]
pub(super) struct Likelihoods {
    /// The logarithm of the largest.
    largest: f64,
    /// All as fractions of the largest.
    relative: Vec<f64>,
}

/// Points of a one-sided mixture.
const POINTS: u32 = 128;

impl Mixture {
    /// For places within ±[`WIDEST`], rising, and weights in any unit.
    pub(super) fn new(border: f64, places: Vec<f64>, weights: Vec<f64>) -> Self {
        Self { border, weights: normalized(weights), table: Table::new(&places), places }
    }

    /// Alternatives below the null "the log ratio is at least `border`": half normal densities of ½, 1 and 2 times `scale`,
    /// in equal parts.
    pub(crate) fn below(border: f64, scale: f64) -> Self {
        let reach = (8.0 * scale).min(border + WIDEST);
        // Steps grow with the distance, as what is far away is told apart easily.
        let distance = |point: f64| reach * (point / f64::from(POINTS)).powi(2);
        let points: Vec<f64> = (0..POINTS).rev().map(|point| f64::from(point) + 0.5).collect();
        let places = points.iter().map(|&point| border - distance(point)).collect();
        let density = |distance: f64| {
            let half_normal = |part: &f64| (-0.5 * (distance / (part * scale)).powi(2)).exp() / part;
            [0.5, 1.0, 2.0].iter().map(half_normal).sum::<f64>()
        };
        let weights = points.iter().map(|&point| point * density(distance(point))).collect();
        Self::new(border, places, weights)
    }

    /// The alternatives, rising.
    pub(super) fn places(&self) -> &[f64] {
        &self.places
    }

    /// The likelihood `curve` at the alternatives.
    pub(super) fn likelihoods(&self, curve: &Curve) -> Likelihoods {
        let mut relative = curve.values(&self.table);
        let largest = relative.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for value in &mut relative {
            *value -= largest;
        }
        elementary::exp(&mut relative);
        Likelihoods { largest, relative }
    }

    /// ln Σ weight · likelihood
    pub(super) fn log_mean(&self, likelihoods: &Likelihoods) -> f64 {
        likelihoods.largest + dot(&self.weights, &likelihoods.relative).ln()
    }

    /// The mean place after the data, with `weights` in place of the mixture's own.
    pub(super) fn posterior_mean(&self, likelihoods: &Likelihoods, weights: &[f64]) -> f64 {
        let posterior =
            weights.iter().zip(&likelihoods.relative).map(|(weight, likelihood)| weight * likelihood);
        let (total, moment) = posterior
            .zip(&self.places)
            .fold((0.0, 0.0), |(total, moment), (part, place)| (total + part, moment + part * place));
        moment / total
    }
}

impl Likelihoods {
    /// The first and last place where the logarithm is above `target`.
    pub(super) fn above(&self, target: f64) -> Option<(usize, usize)> {
        let least = (target - self.largest).exp();
        let first = self.relative.iter().position(|&value| value > least)?;
        Some((first, self.relative.iter().rposition(|&value| value > least)?))
    }
}

/// Weights that sum to one.
pub(super) fn normalized(weights: Vec<f64>) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}
