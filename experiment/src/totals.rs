//! What was counted: sums per arm, and the round and segment that they belong to.

use std::ops::Add;

use crate::allocation::Allocation;
use crate::metric::Kind;

/// The largest count that a double holds exactly: 2⁵³ ≈ 9·10¹⁵, a million exposures for each person on Earth.
const LARGEST: u64 = 1 << 53;

/// The sums of one arm in one cell, over exposures whose reward window has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// n: how many subjects were exposed, each counted once per seed.
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

    /// What makes these sums impossible for a metric of `kind`, if anything does.
    pub(crate) fn fault(&self, kind: Kind) -> Option<Fault> {
        let n = as_f64(self.exposures);
        // Sums of doubles may be off by a few units in the last place.
        let slack = 1.0 + 1e-9;
        let faults = [
            (self.exposures > LARGEST, Fault::Exposures),
            (!is_sum(self.rewards) || !is_sum(self.squared_rewards), Fault::NotASum),
            (self.exposures == 0 && self.rewards + self.squared_rewards > 0.0, Fault::Unexposed),
            (kind == Kind::Binary && !self.is_binary(), Fault::NotBinary),
            (self.rewards * self.rewards > n * self.squared_rewards * slack, Fault::SquaresTooSmall),
            (self.exceeds(kind, slack), Fault::AboveCap),
        ];
        faults.into_iter().find_map(|(is_so, fault)| is_so.then_some(fault))
    }

    /// Whether these can be the totals of a 0/1 metric: a whole number of rewards, at most one per exposure.
    fn is_binary(&self) -> bool {
        self.rewards.fract() == 0.0
            && self.rewards <= as_f64(self.exposures)
            && self.rewards.to_bits() == self.squared_rewards.to_bits()
    }

    /// Σ y² ≤ cap · Σ y, when no y exceeds the cap.
    fn exceeds(&self, kind: Kind, slack: f64) -> bool {
        matches!(kind, Kind::Value { cap: Some(cap) } if self.squared_rewards > cap * self.rewards * slack)
    }
}

fn is_sum(y: f64) -> bool {
    y.is_finite() && y >= 0.0
}

/// Why sums can't be those of any exposures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More than a double counts.
    #[error("more exposures than 2^53, beyond which counts are not exact")]
    Exposures,
    /// Negative, infinite or no number.
    #[error("rewards, or their squares, that are negative or not finite")]
    NotASum,
    /// Something out of nothing.
    #[error("rewards without an exposure")]
    Unexposed,
    /// Rewards other than 0 and 1.
    #[error(
        "totals that no 0/1 metric has: rewards are whole, at most one per exposure, and equal their squares"
    )]
    NotBinary,
    /// (Σ y)² ≤ n Σ y² holds for all numbers.
    #[error("squared rewards that are smaller than so many exposures with such rewards can have")]
    SquaresTooSmall,
    /// Some exposure was counted with more than the metric allows.
    #[error("squared rewards that are larger than the metric's cap allows")]
    AboveCap,
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

/// The sums of what was known of an arm's subjects before they were exposed, such as how often they bought before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Covariate {
    /// Σ x, over the exposures of the totals.
    pub sum: f64,
    /// Σ x².
    pub squares: f64,
    /// Σ x y, with the rewards y.
    pub products: f64,
}

impl Add for Covariate {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
            products: self.products + other.products,
        }
    }
}

impl Covariate {
    fn fault(&self, totals: &Totals) -> Option<Fault> {
        let Self { sum, squares, products } = *self;
        let (n, slack) = (as_f64(totals.exposures), 1.0 + 1e-9);
        let finite = sum.is_finite() && squares.is_finite() && squares >= 0.0 && products.is_finite();
        let possible = sum * sum <= n * squares * slack
            && products * products <= squares * totals.squared_rewards * slack;
        match (finite, possible) {
            (false, _) => Some(Fault::NotASum),
            (true, false) => Some(Fault::SquaresTooSmall),
            (true, true) => None,
        }
    }
}

/// One round in one segment: the shares that were in force, and what was counted under them.
///
/// Within a cell each exposure had the same, known probability of each arm. All inference rests on that, so a cell
/// holds only decisions that were drawn from its allocation, and counts that contradict it are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    segment: usize,
    allocation: Allocation,
    totals: Vec<Totals>,
    decisions: Option<Vec<u64>>,
    covariates: Option<Vec<Covariate>>,
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
    /// Sums that no exposures can have.
    #[error("arm {arm} has {fault}")]
    Totals {
        /// The arm's index.
        arm: usize,
        /// What is wrong.
        fault: Fault,
    },
    /// An exposure without a decision.
    #[error("arm {arm} has more exposures than decisions")]
    Decisions {
        /// The arm's index.
        arm: usize,
    },
}

impl Cell {
    /// Joins an allocation with what was counted under it, both by arm; arm 0 is the control, and an arm that was not
    /// served has share 0 and no counts. The cell belongs to segment 0.
    ///
    /// # Errors
    /// When the lists differ in length, when an arm of share 0 has counts, or when sums are impossible whatever the
    /// metric.
    pub fn new(allocation: Allocation, totals: Vec<Totals>) -> Result<Self, CellError> {
        if allocation.shares().len() != totals.len() {
            return Err(CellError::Arms { shares: allocation.shares().len(), totals: totals.len() });
        }
        for (arm, (share, counted)) in allocation.shares().iter().zip(&totals).enumerate() {
            if let Some(fault) = counted.fault(Kind::Value { cap: None }) {
                return Err(CellError::Totals { arm, fault });
            }
            if share.get() == 0 && counted.exposures > 0 {
                return Err(CellError::Unserved { arm });
            }
        }
        Ok(Self { segment: 0, allocation, totals, decisions: None, covariates: None })
    }

    /// The same cell in another segment.
    #[must_use]
    pub fn in_segment(self, segment: usize) -> Self {
        Self { segment, ..self }
    }

    /// The same cell with how many decisions were made for each arm, of which the exposures are those that were shown.
    ///
    /// # Errors
    /// When the list has another length, when an arm of share 0 has decisions, or when an arm has more exposures than
    /// decisions.
    pub fn with_decisions(self, decisions: Vec<u64>) -> Result<Self, CellError> {
        if decisions.len() != self.arms() {
            return Err(CellError::Arms { shares: self.arms(), totals: decisions.len() });
        }
        for (arm, &decided) in decisions.iter().enumerate() {
            if decided < self.totals[arm].exposures {
                return Err(CellError::Decisions { arm });
            }
            if decided > LARGEST {
                return Err(CellError::Totals { arm, fault: Fault::Exposures });
            }
            if decided > 0 && self.allocation.shares()[arm].get() == 0 {
                return Err(CellError::Unserved { arm });
            }
        }
        Ok(Self { decisions: Some(decisions), ..self })
    }

    /// The same cell with the sums of a covariate, by arm: what correlates with the reward narrows the planned interval, if
    /// all cells in which anybody was exposed have them.
    ///
    /// # Errors
    /// When the list has another length, or when sums are impossible for the arm's exposures and rewards.
    pub fn with_covariates(self, covariates: Vec<Covariate>) -> Result<Self, CellError> {
        if covariates.len() != self.arms() {
            return Err(CellError::Arms { shares: self.arms(), totals: covariates.len() });
        }
        for (arm, (covariate, totals)) in covariates.iter().zip(&self.totals).enumerate() {
            if let Some(fault) = covariate.fault(totals) {
                return Err(CellError::Totals { arm, fault });
            }
        }
        Ok(Self { covariates: Some(covariates), ..self })
    }

    /// The segment's index.
    #[must_use]
    pub fn segment(&self) -> usize {
        self.segment
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

    /// How many decisions were made, by arm, if that is known.
    #[must_use]
    pub fn decisions(&self) -> Option<&[u64]> {
        self.decisions.as_deref()
    }

    /// Whether the cell has the sums of a covariate.
    #[must_use]
    pub fn has_covariate(&self) -> bool {
        self.covariates.is_some()
    }

    /// The sums of the covariate, by arm, if there is one.
    #[must_use]
    pub fn covariates(&self) -> Option<&[Covariate]> {
        self.covariates.as_deref()
    }

    /// This cell and another one of the same shares and segment as one, with the covariate if both have it.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        let totals = self.totals.iter().zip(&other.totals).map(|(&one, &two)| one + two).collect();
        let covariates = self
            .covariates
            .as_ref()
            .zip(other.covariates.as_ref())
            .map(|(one, two)| one.iter().zip(two).map(|(&one, &two)| one + two).collect());
        Self { totals, covariates, decisions: None, ..self.clone() }
    }

    /// How many arms the cell knows, the control included.
    #[must_use]
    pub fn arms(&self) -> usize {
        self.totals.len()
    }

    /// The arm's share as a fraction.
    pub(crate) fn share(&self, arm: usize) -> f64 {
        self.allocation.shares()[arm].fraction()
    }
}

/// The arm's sums over all cells.
pub(crate) fn sum(cells: &[Cell], arm: usize) -> Totals {
    cells.iter().map(|cell| cell.totals()[arm]).fold(Totals::default(), |sum, totals| sum + totals)
}

/// Exact up to [`LARGEST`].
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
        let impossible = Totals { exposures: 10, rewards: -1.0, squared_rewards: 1.0 };
        let expected = CellError::Totals { arm: 1, fault: Fault::NotASum };
        check(Allocation::even(2), vec![good, impossible], Some(expected));
    }

    #[test]
    fn decisions_are_at_least_as_many_as_exposures() {
        let check = |decisions: Vec<u64>, expected| {
            let cell =
                Cell::new(Allocation::only(0, 2).unwrap(), vec![Totals::binary(10, 3), Totals::default()]);
            assert_eq!(cell.unwrap().with_decisions(decisions).err(), expected);
        };
        check(vec![10, 0], None);
        check(vec![12], Some(CellError::Arms { shares: 2, totals: 1 }));
        check(vec![9, 0], Some(CellError::Decisions { arm: 0 }));
        check(vec![12, 1], Some(CellError::Unserved { arm: 1 }));
        check(vec![u64::MAX, 0], Some(CellError::Totals { arm: 0, fault: Fault::Exposures }));
    }

    #[test]
    fn sums_that_no_exposures_have_are_named() {
        let value = Kind::Value { cap: None };
        let check = |kind, (exposures, rewards, squared_rewards), expected| {
            let totals = Totals { exposures, rewards, squared_rewards };
            assert_eq!(totals.fault(kind), expected, "{totals:?} of {kind:?}");
        };
        check(Kind::Binary, (10, 10.0, 10.0), None);
        check(value, (10, 2.5, 2.5), None);
        check(value, (0, 0.0, 0.0), None);
        check(Kind::Value { cap: Some(2.0) }, (10, 2.0, 4.0), None);
        check(Kind::Binary, (10, 11.0, 11.0), Some(Fault::NotBinary));
        check(Kind::Binary, (10, 2.5, 2.5), Some(Fault::NotBinary));
        check(Kind::Binary, (10, 2.0, 4.0), Some(Fault::NotBinary));
        check(value, (10, -1.0, 1.0), Some(Fault::NotASum));
        check(value, (10, f64::NAN, 1.0), Some(Fault::NotASum));
        check(value, (10, 1.0, f64::INFINITY), Some(Fault::NotASum));
        check(value, (0, 1.0, 1.0), Some(Fault::Unexposed));
        check(value, (10, 10.0, 9.0), Some(Fault::SquaresTooSmall));
        check(value, (u64::MAX, 1.0, 1.0), Some(Fault::Exposures));
        check(Kind::Value { cap: Some(2.0) }, (10, 2.0, 4.1), Some(Fault::AboveCap));
    }
}
