//! Each estimator as a ratio of sums by group.

use super::limits::Error;
use super::log::{Group, Sums};
use super::model::{Arm, Pooled};
use super::overlap::LeftOut;
use super::{Replay, Value, Weights};
use crate::interval::Interval;

/// A ratio of two sums, and each group's part of its error.
struct Scored {
    estimate: f64,
    errors: Vec<f64>,
}

impl Scored {
    fn new(numerators: &[f64], denominators: &[f64]) -> Self {
        let whole: f64 = denominators.iter().sum();
        let estimate = numerators.iter().sum::<f64>() / whole;
        let errors = numerators.iter().zip(denominators).map(|(t, b)| (t - estimate * b) / whole).collect();
        Self { estimate, errors }
    }

    fn minus(&self, other: &Self) -> Self {
        let errors = self.errors.iter().zip(&other.errors).map(|(one, other)| one - other).collect();
        Self { estimate: self.estimate - other.estimate, errors }
    }
}

/// The sums that all estimators share.
pub(super) struct Estimators<'a> {
    pooled: &'a Pooled,
    /// Rows by group.
    rows: Vec<f64>,
    logged: Scored,
}

impl<'a> Estimators<'a> {
    pub(super) fn new(pooled: &'a Pooled) -> Self {
        let by_group = |of: fn(&Sums) -> f64| pooled.all.groups.iter().map(of).collect::<Vec<f64>>();
        let rows = by_group(|sums| sums.rows);
        let logged = Scored::new(&by_group(|sums| sums.rewards), &rows);
        Self { pooled, rows, logged }
    }

    pub(super) fn replay(&self, left_out: Vec<LeftOut>, confidence: f64) -> Replay {
        let weights = self.by_group(|sums| sums.weights);
        let weighed = self.by_group(|sums| sums.weighed);
        let value = |numerators: &[f64], denominators: &[f64]| {
            self.value(&Scored::new(numerators, denominators), confidence)
        };
        Replay {
            rows: self.pooled.all.total.rows as u64,
            groups: self.groups(),
            logged: not_below_zero(self.interval(&self.logged, confidence)),
            doubly_robust: value(&self.doubly_robust(), &self.rows),
            self_normalized: value(&weighed, &weights),
            inverse_propensity: value(&weighed, &self.rows),
            direct: value(&self.direct(), &self.rows),
            weights: self.weights(&weights, confidence),
            left_out,
        }
    }

    fn by_group(&self, of: fn(&Sums) -> f64) -> Vec<f64> {
        self.pooled.all.groups.iter().map(of).collect()
    }

    fn groups(&self) -> usize {
        self.rows.iter().filter(|rows| **rows > 0.0).count()
    }

    /// Σ m + w (y − q), with the q of all other groups.
    fn doubly_robust(&self) -> Vec<f64> {
        let of_group = |group: usize| {
            let part = |(cell, arm, sums): (usize, usize, &Arm)| {
                let (sums, mean) = (sums.groups[group], self.pooled.mean_without(group, cell, arm));
                sums.shares * mean + sums.weighed - sums.weights * mean
            };
            self.pooled.entries().map(part).sum()
        };
        (0..Group::COUNT).map(of_group).collect()
    }

    /// Σ m, and behind it what a group's rows do to q, whose sum over all groups is 0.
    fn direct(&self) -> Vec<f64> {
        let mut numerators = vec![0.0; Group::COUNT];
        for (cell, arm, sums) in self.pooled.entries() {
            let mean = self.pooled.mean(cell, arm);
            let weight = if sums.total.rows > 0.0 { sums.total.shares / sums.total.rows } else { 0.0 };
            for (numerator, group) in numerators.iter_mut().zip(&sums.groups) {
                *numerator += group.shares * mean + weight * (group.rewards - group.rows * mean);
            }
        }
        numerators
    }

    fn weights(&self, weights: &[f64], confidence: f64) -> Weights {
        let (total, squares) = (self.pooled.all.total, self.pooled.squares);
        let kish = |sum: f64, squares: f64| if squares > 0.0 { sum * sum / squares } else { 0.0 };
        let mean = Scored::new(weights, &self.rows);
        Weights {
            effective_rows: kish(total.weights, squares.weights),
            effective_rewards: kish(total.weighed, squares.weighed),
            largest: squares.largest,
            standard_error: self.error(&mean).standard(),
            mean: self.interval(&mean, confidence),
        }
    }

    fn value(&self, scored: &Scored, confidence: f64) -> Value {
        let difference = scored.minus(&self.logged);
        let standard_error = self.error(scored).standard();
        // Where nothing that the policy would show was rewarded, nothing varies, and nothing is known.
        if self.pooled.all.total.weighed > 0.0 {
            let value = not_below_zero(self.interval(scored, confidence));
            Value { value, standard_error, difference: self.interval(&difference, confidence) }
        } else {
            let unknown = |estimate| Interval { estimate, low: f64::NEG_INFINITY, high: f64::INFINITY };
            let value = not_below_zero(unknown(scored.estimate));
            Value { value, standard_error, difference: unknown(difference.estimate) }
        }
    }

    fn error(&self, scored: &Scored) -> Error {
        Error::new(&scored.errors, self.groups())
    }

    fn interval(&self, scored: &Scored, confidence: f64) -> Interval {
        self.error(scored).interval(scored.estimate, confidence)
    }
}

/// Rewards are 0 or more, and so is any mean of them; an estimate may fall below.
fn not_below_zero(interval: Interval) -> Interval {
    Interval { low: interval.low.max(interval.estimate.min(0.0)), ..interval }
}
