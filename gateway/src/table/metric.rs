//! A metric of a placement, as the ledger counts it.

use api::{MetricKind, TableMetric};

use super::{TableError, shape};
use crate::ledger::Millis;
use crate::ledger::amount::Amount;

/// What the ledger counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name that rewards carry.
    pub name: String,
    /// What they are worth.
    pub worth: Worth,
    /// How long after an exposure they count.
    pub window: Millis,
}

/// What rewards are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Each is worth one, and an exposure counts for one at most.
    One,
    /// Each says it.
    Any {
        /// The most that an exposure counts for.
        cap: Amount,
    },
}

impl Worth {
    /// The most that an exposure counts for.
    pub fn cap(self) -> Amount {
        match self {
            Self::One => Amount::ONE,
            Self::Any { cap } => cap,
        }
    }
}

impl Metric {
    pub(super) fn new(place: &str, metric: &TableMetric) -> Result<Self, TableError> {
        let TableMetric { name, kind, cap_millionths, window_seconds } = metric;
        let worth = match (kind, cap_millionths) {
            (MetricKind::Binary, None) => Worth::One,
            (MetricKind::Binary, Some(_)) => {
                return Err(shape(place, "a cap is for the kind Value: leave it out"));
            }
            (MetricKind::Value, None) => Worth::Any { cap: Amount::LARGEST },
            (MetricKind::Value, Some(cap)) => {
                let cap = Amount::from_millionths(*cap).filter(|cap| *cap > Amount::ZERO);
                let unusable = || shape(place, "the cap is not above 0, or above a thousand million");
                Worth::Any { cap: cap.ok_or_else(unusable)? }
            }
        };
        Ok(Self { name: name.clone(), worth, window: Millis::from(*window_seconds) * 1000 })
    }
}
