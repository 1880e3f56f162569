//! What was counted: sums per arm, and the round and segment that they belong to.

use std::ops::Add;

use crate::allocation::Allocation;

/// The sums of one arm in one cell, over exposures whose reward window has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// How many subjects were exposed, each counted once per seed.
    pub exposures: u64,
    /// Σ y, the rewards of those exposures. For a 0/1 metric: how many were rewarded.
    pub rewards: f64,
    /// Σ y². For a 0/1 metric this equals `rewards`.
    pub squared_rewards: f64,
}

impl Totals {
    /// The totals of a 0/1 metric: `rewarded` of `exposures`.
    #[must_use]
    pub fn binary(exposures: u64, rewarded: u64) -> Self {
        let rewards = as_f64(rewarded);
        Self { exposures, rewards, squared_rewards: rewards }
    }

    /// Whether these can be the totals of a 0/1 metric: a whole number of rewards, at most one per exposure.
    pub(crate) fn is_binary(&self) -> bool {
        self.rewards.fract() == 0.0
            && self.rewards <= as_f64(self.exposures)
            && self.rewards.to_bits() == self.squared_rewards.to_bits()
    }

    fn is_possible(&self) -> bool {
        let sum = |y: f64| y.is_finite() && y >= 0.0;
        sum(self.rewards) && sum(self.squared_rewards) && (self.exposures > 0 || self.rewards == 0.0)
    }
}

impl Add for Totals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            exposures: self.exposures + other.exposures,
            rewards: self.rewards + other.rewards,
            squared_rewards: self.squared_rewards + other.squared_rewards,
        }
    }
}

/// One round in one segment: the shares that were in force, and what was counted under them.
///
/// Within a cell each exposure had the same, known probability of each arm. All inference rests on that, so a cell
/// holds only decisions that were drawn from its allocation, and counts that contradict it are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    allocation: Allocation,
    totals: Vec<Totals>,
}

/// Why totals do not fit the allocation that they are said to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// One of the lists belongs to another experiment.
    #[error("the allocation has {shares} arms and the totals have {totals}")]
    Arms {
        /// Arms of the allocation.
        shares: usize,
        /// Arms of the totals.
        totals: usize,
    },
    /// Counts of a decision that this allocation can't have made.
    #[error("arm {arm} was counted although its share is zero")]
    Unserved {
        /// The arm's index.
        arm: usize,
    },
    /// Sums that no rewards of zero or more can have.
    #[error("arm {arm} has rewards that are negative, not finite, or without an exposure")]
    Rewards {
        /// The arm's index.
        arm: usize,
    },
}

impl Cell {
    /// Joins an allocation with what was counted under it, both by arm; arm 0 is the control, and an arm that was not
    /// served has share 0 and no counts.
    ///
    /// # Errors
    /// When the lists differ in length, when an arm of share 0 has counts, or when a sum of rewards is impossible.
    pub fn new(allocation: Allocation, totals: Vec<Totals>) -> Result<Self, CellError> {
        if allocation.shares().len() != totals.len() {
            return Err(CellError::Arms { shares: allocation.shares().len(), totals: totals.len() });
        }
        for (arm, (share, counted)) in allocation.shares().iter().zip(&totals).enumerate() {
            if !counted.is_possible() {
                return Err(CellError::Rewards { arm });
            }
            if share.get() == 0 && counted.exposures > 0 {
                return Err(CellError::Unserved { arm });
            }
        }
        Ok(Self { allocation, totals })
    }

    /// The shares that were in force.
    #[must_use]
    pub fn allocation(&self) -> &Allocation {
        &self.allocation
    }

    /// What was counted, by arm.
    #[must_use]
    pub fn totals(&self) -> &[Totals] {
        &self.totals
    }

    /// How many arms the cell knows, the control included.
    #[must_use]
    pub fn arms(&self) -> usize {
        self.totals.len()
    }
}

/// Exact below 2⁵³ ≈ 9·10¹⁵, a million exposures for each person on Earth.
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_contradict_the_allocation_are_refused() {
        let check = |allocation: Option<Allocation>, totals: Vec<Totals>, expected| {
            assert_eq!(Cell::new(allocation.unwrap(), totals).err(), expected);
        };
        let good = Totals::binary(10, 3);
        let none = Totals::default();
        check(Allocation::even(2), vec![good, none], None);
        check(Allocation::only(0, 2), vec![good, none], None);
        check(Allocation::even(2), vec![good], Some(CellError::Arms { shares: 2, totals: 1 }));
        check(Allocation::only(0, 2), vec![good, good], Some(CellError::Unserved { arm: 1 }));
        let refused = [
            Totals { exposures: 10, rewards: -1.0, squared_rewards: 1.0 },
            Totals { exposures: 10, rewards: f64::NAN, squared_rewards: 1.0 },
            Totals { exposures: 10, rewards: 1.0, squared_rewards: f64::INFINITY },
            Totals { exposures: 0, rewards: 1.0, squared_rewards: 1.0 },
        ];
        for totals in refused {
            check(Allocation::even(2), vec![good, totals], Some(CellError::Rewards { arm: 1 }));
        }
    }

    #[test]
    fn only_whole_rewards_of_at_most_one_each_are_binary() {
        assert!(Totals::binary(10, 10).is_binary());
        assert!(!Totals::binary(10, 11).is_binary());
        assert!(!Totals { exposures: 10, rewards: 2.5, squared_rewards: 2.5 }.is_binary());
        assert!(!Totals { exposures: 10, rewards: 2.0, squared_rewards: 4.0 }.is_binary());
    }
}
