//! What is counted as a reward, and which way is better.

/// The metric of an experiment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// What one exposure can be worth.
    pub kind: Kind,
    /// Which way is better.
    pub direction: Direction,
}

/// What one exposure can be worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// 0 or 1: the mean is a rate.
    Binary,
    /// Any value of 0 or more, such as revenue: what one exposure earned in its window, capped, then squared for Σ y².
    Value {
        /// The most that one exposure counts for, above 0, where there is a limit. It must not change while the
        /// experiment runs.
        cap: Option<f64>,
    },
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// More is better.
    Maximize,
    /// Less is better, as of bounces.
    Minimize,
}

impl Metric {
    /// A 0/1 metric of which more is better, such as clicks.
    pub const CLICKS: Self = Self { kind: Kind::Binary, direction: Direction::Maximize };
}

impl Direction {
    /// 1 where more is better, else −1.
    #[must_use]
    pub fn sign(self) -> f64 {
        match self {
            Self::Maximize => 1.0,
            Self::Minimize => -1.0,
        }
    }
}
