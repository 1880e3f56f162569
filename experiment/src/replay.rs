//! What another policy would have brought, from a log of what this one showed.
//!
//! Of each row i the log has the arm a, the chance p with which it was drawn, and the reward y; of the other policy π the
//! chances of all arms are known. With w = π(a)/p and a model q of the rewards, over n rows:
//!
//! ```text
//! inverse propensity   1/n Σ w y                                 (Horvitz & Thompson 1952)
//! self-normalized      Σ w y / Σ w                               (Hájek 1971; Swaminathan & Joachims 2015)
//! direct               1/n Σ m,   m = Σ over arms of π q
//! doubly robust        1/n Σ m + w (y − q)                       (Dudík, Langford & Li 2011)
//! ```
//!
//! The chances are those that the arms were drawn with, so the first has no bias, and neither has the last, whatever q is;
//! a better q makes it surer. The second trades a little bias for less noise. The third has the bias of its model: here q is
//! the mean reward of an arm in a cell, so it takes the mood of the time at which an arm was shown much for the arm's own.
//!
//! **Groups.** Rows of one subject belong together, and subjects may be many millions. So each subject is dealt into one of
//! 256 groups by a hash, and only sums by group are kept: whatever ties the rows of a subject stays within a group. With t
//! and b a group's parts of numerator and denominator, r = (t − θb)/Σb is its part of the error of θ = Σt/Σb, and with G
//! groups that have rows
//!
//! ```text
//! se² = G/(G − 1) Σ r²
//! ```
//!
//! is the variance of random groups (Wolter 2007, chapter 2, linearized as in his chapter 6). In the doubly robust
//! estimate q is learned without the rows of the group that it is used for: cross-fitting (Chernozhukov et al. 2018,
//! definition 3.2) with the groups as folds. Without it a cell of few rows would explain its own rewards away, and the
//! interval would be too narrow. A difference from what the log brought has the parts of both errors subtracted, group by
//! group.
//!
//! **Limits.** Rewards are rare and weights differ, so errors are skewed: symmetric limits would miss the truth on one side.
//! With a = Σr³/(3 (Σr²)^{3/2}) the transformation of Hall (1992, "On the removal of skewness by transformation")
//!
//! ```text
//! g(t) = ((1 + a t)³ − 1)/(3a) + a/2
//! ```
//!
//! makes t = (estimate − truth)/se nearly normal; the limits are those of Student's t with G − 1 degrees of freedom, sent
//! back through g.
//!
//! **What they are about.** A row stands for its like: the estimate is of these people at that time. Rounds in which an arm
//! had no chance say nothing about a policy that shows it; they are left out, and [`Replay::left_out`] says so. A log of a
//! bandit has shares that followed results. Inverse propensity keeps having no bias, and limits keep holding while every
//! arm keeps a floor, since errors are then sums of martingale differences of bounded weight (Hall & Heyde 1980, theorem
//! 3.2). In the doubly robust estimate q may learn from rounds whose shares followed a row's reward, which is a bias of
//! smaller order than the noise.
//! `tests/replay.rs` measures both.
//!
//! ```
//! use experiment::replay::{Group, Log, Row, replay};
//!
//! let mut log = Log::default();
//! for number in 0..4_000_u32 {
//!     // Two arms, one half each, of which the second has twice the rewards; the other policy shows the second alone.
//!     let (arm, group) = ((number % 2) as usize, Group::of(&number.to_le_bytes()));
//!     let reward = if number % 20 < arm as u32 * 2 + 2 { 1.0 } else { 0.0 };
//!     log.add(&Row { round: 0, cell: 0, arm, probability: 0.5, reward, group, policy: &[(1, 1.0)] })?;
//! }
//! let found = replay(&log, 0.95)?;
//! assert!((found.doubly_robust.value.estimate - 0.2).abs() < 1e-3);
//! assert!(found.doubly_robust.difference.low > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod estimators;
mod limits;
mod log;
mod model;
mod overlap;

use crate::interval::Interval;
use estimators::Estimators;
use model::Pooled;

pub use log::{Group, Log, Row, RowError};
pub use overlap::LeftOut;

/// What a log says of the other policy.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Replay {
    /// How many rows it rests on: those of rounds that are not left out.
    pub rows: u64,
    /// How many groups have any of them.
    pub groups: usize,
    /// The mean reward of these rows: what the log's own policy brought.
    pub logged: Interval,
    /// The estimate to report.
    pub doubly_robust: Value,
    /// Weighed rewards over weights.
    pub self_normalized: Value,
    /// Weighed rewards over rows.
    pub inverse_propensity: Value,
    /// What the model of rewards alone says.
    pub direct: Value,
    /// How much of the log the policy makes use of.
    pub weights: Weights,
    /// Rounds that say nothing about the policy.
    pub left_out: Vec<LeftOut>,
}

/// The mean reward of the other policy by one estimator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// The mean reward. Its limits are 0 and infinite where no row that the policy would show was rewarded.
    pub value: Interval,
    /// The standard error of the mean reward.
    pub standard_error: f64,
    /// The mean reward minus what the log's own policy brought, on the same rows.
    pub difference: Interval,
}

/// How the rows are weighed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// As many rows of equal weight would say as much: (Σw)²/Σw² (Kish 1965).
    pub effective_rows: f64,
    /// The same of weighed rewards, (Σwy)²/Σ(wy)²: of rare rewards, on how many the estimate rests.
    pub effective_rewards: f64,
    /// The largest weight.
    pub largest: f64,
    /// Their mean, which is 1 but for chance where the chances of the log are those that arms were drawn with, and where
    /// the log gave every arm of the policy a chance.
    pub mean: Interval,
    /// The standard error of their mean.
    pub standard_error: f64,
}

/// Why nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// There is no row.
    #[error("the log is empty")]
    Empty,
    /// Below one half a coin would do; at one nothing is ever shown.
    #[error("confidence {0} is not from 0.5 up to, but not including, 1")]
    Confidence(f64),
    /// The policy would show an arm that no row has.
    #[error("arm {arm} is in no row, and the policy would show it")]
    NeverShown {
        /// The arm.
        arm: usize,
    },
    /// In none of its rounds did a cell give an arm a chance that the policy would show there; or in each round one of the
    /// cells did not.
    #[error(
        "arm {arm} never had a chance in cell {cell} where all others had one, and the policy would show it there"
    )]
    NoOverlap {
        /// The cell.
        cell: usize,
        /// The arm.
        arm: usize,
    },
}

/// Scores the policy that stands in the rows of `log`, with limits of `confidence`, such as 0.95, at one planned look.
///
/// # Errors
/// When the log has no row, no overlap with the policy, or `confidence` is not in [0.5, 1).
pub fn replay(log: &Log, confidence: f64) -> Result<Replay, ReplayError> {
    if !(0.5..1.0).contains(&confidence) {
        return Err(ReplayError::Confidence(confidence));
    }
    let left_out = overlap::left_out(log)?;
    let pooled = Pooled::new(log, &left_out);
    Ok(Estimators::new(&pooled).replay(left_out, confidence))
}
