//! What was settled before the first exposure.

use std::collections::BTreeSet;

use crate::metric::Metric;
use crate::stopping::Stopping;

/// The question of an experiment: its metric, when it may end, and what its arms are.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    metric: Metric,
    stopping: Stopping,
    arms: Vec<Standing>,
}

/// What an arm is, besides its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How often the variants had been replaced when this one came, from 1.
    pub generation: u32,
    /// Whether it is served no more. Arms that are not stay in the estimate: leaving out what was looked at before would
    /// make false winners.
    pub retired: bool,
}

impl Standing {
    /// Of the first generation, and served.
    pub const FIRST: Self = Self { generation: 1, retired: false };
}

/// Why arms make no experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DesignError {
    /// Nothing to compare with.
    #[error("an experiment needs at least its control")]
    NoArms,
    /// Generations are counted from one.
    #[error("arm {arm} is of generation 0: generations are counted from 1")]
    Generation {
        /// The arm's index.
        arm: usize,
    },
}

impl Design {
    /// An experiment with these arms, of which the first is the control. What the control's standing says is ignored:
    /// there is always something to serve.
    ///
    /// # Errors
    /// Without arms, or with a generation 0.
    pub fn new(metric: Metric, stopping: Stopping, arms: Vec<Standing>) -> Result<Self, DesignError> {
        if arms.is_empty() {
            return Err(DesignError::NoArms);
        }
        if let Some(arm) = arms.iter().position(|standing| standing.generation == 0) {
            return Err(DesignError::Generation { arm });
        }
        Ok(Self { metric, stopping, arms })
    }

    /// The metric.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// When it may end.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        self.stopping
    }

    /// The arms; the first is the control.
    #[must_use]
    pub fn arms(&self) -> &[Standing] {
        &self.arms
    }

    /// Whether `arm` may be served and win.
    #[must_use]
    pub fn is_candidate(&self, arm: usize) -> bool {
        arm == 0 || !self.arms[arm].retired
    }

    /// The generations of the variants, each once.
    pub(crate) fn generations(&self) -> BTreeSet<u32> {
        self.arms.iter().skip(1).map(|standing| standing.generation).collect()
    }
}
