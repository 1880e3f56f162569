//! Shares by segment, where segments have features: what is learned in one helps in those that are like it.
//!
//! The mean reward of an arm in a segment with features x is taken for x'θ. With A = I + Σ n xx' and b = Σ (S − nm) x over
//! the arm's segments, m being the mean of all rewards, x'θ is believed to be normal around m + x'A⁻¹b with variance
//! v x'A⁻¹x (Agrawal & Goyal 2013, Algorithm 1, in closed form and with the variance of rewards in place of a bound for it).
//! Features of a thousand and counts of 10¹⁵ are allowed, so A is kept as its root.

use super::{Allocated, Policy, Reason, divide, divided, is_explored};
use crate::belief::{Best, Mean};
use crate::design::Design;
use crate::interval::Spread;
use crate::numeric::cholesky::dot;
use crate::numeric::root::Root;
use crate::totals::{Cell, Totals, as_f64, sum};

/// How much of the variance of rewards is explored with. The whole of it is what a posterior would have, and explores for
/// longer than a campaign lasts: of the gap between an even split and the best arm of each segment it closes some two
/// thirds, a quarter closes more than three (`make bench-experiment ARGS="--rows 10"`).
const EXPLORED: f64 = 0.25;

/// The features of every segment; all have equally many.
#[derive(Clone, Debug, PartialEq)]
pub struct Features(Vec<Vec<f64>>);

/// Why features can't be used.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum FeaturesError {
    /// There is nothing to learn from.
    #[error("segments need at least one feature; 1 for all of them is the intercept")]
    Empty,
    /// Lists of different length.
    #[error("segment {segment} has {found} features and the first one has {expected}")]
    Length {
        /// The segment's index.
        segment: usize,
        /// Its features.
        found: usize,
        /// The first segment's.
        expected: usize,
    },
    /// Too many, or too large, to be solved.
    #[error("segment {segment} has a feature that is not between -1000 and 1000, or more than 256 of them")]
    Range {
        /// The segment's index.
        segment: usize,
    },
}

impl Features {
    /// The features of each segment, by its index. An intercept is a feature that is 1 everywhere.
    ///
    /// # Errors
    /// When there are none, when lists differ in length, or when a value is out of range.
    pub fn new(by_segment: Vec<Vec<f64>>) -> Result<Self, FeaturesError> {
        let expected = by_segment.first().map_or(0, Vec::len);
        if expected == 0 {
            return Err(FeaturesError::Empty);
        }
        for (segment, features) in by_segment.iter().enumerate() {
            if features.len() != expected {
                return Err(FeaturesError::Length { segment, found: features.len(), expected });
            }
            if expected > 256 || features.iter().any(|feature| !(-1000.0..=1000.0).contains(feature)) {
                return Err(FeaturesError::Range { segment });
            }
        }
        Ok(Self(by_segment))
    }
}

/// Divides the next round of every segment among the candidates of `design`, by the cells of all segments; the rule of
/// `policy` is not asked, its floor, control and minimum are kept. A cell of a segment without features is left out.
#[must_use]
pub fn allocate_linear(
    cells: &[Cell],
    design: &Design,
    policy: &Policy,
    features: &Features,
) -> Vec<Allocated> {
    let arms = design.arms().len();
    let divided = divided(design, policy);
    let allocated =
        |weights: &[f64], reason| Allocated { allocation: divide(arms, &divided, weights, policy), reason };
    if divided.is_empty() || !is_explored(cells, &divided, policy) {
        return features.0.iter().map(|_| allocated(&vec![1.0; divided.len()], Reason::Exploring)).collect();
    }
    let level = Level::new(cells, design, &divided);
    let models: Vec<Model> = divided.iter().map(|&arm| Model::new(cells, arm, features, &level)).collect();
    let share = |x: &Vec<f64>| {
        let beliefs: Vec<Mean> = models
            .iter()
            .map(|model| {
                let (mean, variance) = model.at(x);
                Mean::new(level.mean + mean, (level.variance * variance).sqrt(), design.metric().direction)
            })
            .collect();
        allocated(&Best::of(&beliefs).p_best, Reason::LinearThompson)
    };
    features.0.iter().map(share).collect()
}

/// What all arms have in common.
struct Level {
    mean: f64,
    /// v; above 0.
    variance: f64,
}

impl Level {
    fn new(cells: &[Cell], design: &Design, arms: &[usize]) -> Self {
        let all = arms.iter().map(|&arm| sum(cells, arm)).fold(Totals::default(), |all, arm| all + arm);
        let mean = if all.exposures > 0 { all.rewards / as_f64(all.exposures) } else { 0.0 };
        let phi = Spread::new(design.metric().kind, &[all]).phi(0);
        let variance = EXPLORED * mean * (phi - mean);
        // Without a reward, or without a miss, nothing is known; any width will do.
        Self { mean, variance: if variance > 0.0 && variance.is_finite() { variance } else { 1.0 } }
    }
}

/// One arm's regression.
struct Model {
    coefficients: Vec<f64>,
    /// Of A.
    root: Root,
}

impl Model {
    fn new(cells: &[Cell], arm: usize, features: &Features, level: &Level) -> Self {
        let mut root = Root::identity(features.0[0].len());
        for (x, totals) in features.0.iter().zip(in_segments(cells, arm, features.0.len())) {
            let n = as_f64(totals.exposures);
            if n > 0.0 {
                // n exposures with a mean of S/n tell as much as one of √n times the features.
                let beyond = (totals.rewards - n * level.mean) / n.sqrt();
                root.observe(x.iter().map(|feature| n.sqrt() * feature).collect(), beyond);
            }
        }
        Self { coefficients: root.solution(), root }
    }

    /// x'A⁻¹b and x'A⁻¹x.
    fn at(&self, x: &[f64]) -> (f64, f64) {
        (dot(&self.coefficients, x), self.root.variance(x))
    }
}

/// The arm's totals by segment, of so many.
fn in_segments(cells: &[Cell], arm: usize, segments: usize) -> Vec<Totals> {
    let mut by_segment = vec![Totals::default(); segments];
    for cell in cells {
        if let Some(totals) = by_segment.get_mut(cell.segment()) {
            *totals = *totals + cell.totals()[arm];
        }
    }
    by_segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_that_cannot_be_used_are_refused() {
        let check = |features: Vec<Vec<f64>>, expected| assert_eq!(Features::new(features).err(), expected);
        check(vec![vec![1.0, 0.3], vec![1.0, -0.2]], None);
        check(vec![], Some(FeaturesError::Empty));
        check(vec![vec![]], Some(FeaturesError::Empty));
        check(
            vec![vec![1.0], vec![1.0, 2.0]],
            Some(FeaturesError::Length { segment: 1, found: 2, expected: 1 }),
        );
        check(vec![vec![1.0], vec![f64::NAN]], Some(FeaturesError::Range { segment: 1 }));
        check(vec![vec![1.0; 257]], Some(FeaturesError::Range { segment: 0 }));
    }
}
