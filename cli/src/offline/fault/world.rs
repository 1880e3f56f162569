//! What can be wrong with a world, besides what can be wrong with totals.

use super::super::limits::{MOST_DELAY, MOST_EXPOSURES, MOST_PARTS, MOST_STEPS, MOST_TRENDS, MOST_VISITS};

/// What can be wrong with a world. Each problem ends with a remedy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WorldProblem {
    /// There is only the control.
    #[error("hold nothing to compare with the control: add a variant")]
    Alone,
    /// A control that is no variant.
    #[error("{control:?} is not among `variants`: use one of {known}")]
    UnknownControl {
        /// The control.
        control: String,
        /// Those that there are.
        known: String,
    },
    /// More than one experiment can tell apart.
    #[error("and `segments` make more than {MOST_PARTS} groups: leave some out")]
    TooManyParts,
    /// None of the three, or several in one.
    #[error("must have exactly one of linear, wave and sale: write each as an entry of its own")]
    OneTrend,
    /// More than anything has.
    #[error("hold more than {MOST_TRENDS}: leave some out")]
    TooManyTrends,
    /// Nobody waits as long.
    #[error("is above {MOST_DELAY} rounds: write fewer")]
    Delay,
    /// A chance above one.
    #[error("{0} is above 100%: more than everybody can't act; write a lower one")]
    Rate(String),
    /// Values need a value.
    #[error("is missing: a metric of kind Value needs it; add {{\"mean\": \"40\", \"deviation\": \"30\"}}")]
    WorthMissing,
    /// 0 and 1 are worth what they are.
    #[error("is for metrics of kind Value: leave it out, or write \"kind\": \"Value\"")]
    WorthOfBinary,
    /// Nothing is worth nothing.
    #[error("is 0: write a number above 0")]
    Mean,
    /// The control is always there.
    #[error("is for variants that come and go, and the control stays: leave it out")]
    ControlStays,
    /// Rounds are counted from one, and end.
    #[error("is {found}, and must be a round from {first} to {last}")]
    Round {
        /// What it is.
        found: u64,
        /// The first round that it may be.
        first: u64,
        /// The last round that it may be.
        last: u64,
    },
    /// Somebody would be left over, or there twice.
    #[error("have shares that sum to {0}, and must sum to 100%: mend them")]
    Shares(String),
    /// A rate of something else.
    #[error("is not among `variants`: add it there, or remove it")]
    UnknownVariant,
    /// Rates below 0.
    #[error("{0} is above 100%, and rates can't fall below 0: write at most 100%")]
    Amplitude(String),
    /// A part of all rounds.
    #[error("{0} is no part of all rounds: write at most 100%, and an end after its beginning")]
    Part(String),
    /// Nothing that repeats.
    #[error("is no wave: write 2 rounds or more")]
    Period,
    /// Nothing happens.
    #[error("is 0: write at least 1")]
    Zero,
    /// More than a computer plays while one waits.
    #[error(
        "take too long: rounds × (rounds + delay) × segments × variants may be {MOST_STEPS} at most; play fewer rounds"
    )]
    TooLong,
    /// More than can be counted.
    #[error("have more than {MOST_EXPOSURES} exposures in all: write fewer, or a smaller growth")]
    TooManyExposures,
    /// More than a computer draws while one waits.
    #[error("come more than {MOST_VISITS} times in all: write fewer people, or fewer rounds")]
    TooManyVisits,
    /// Nobody was asked.
    #[error("is not in the file of the world: add its rate to `variants`, which has {0}")]
    NotInWorld(String),
}
