//! The sums of one experiment.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::wire::totals::{CellTotals, CovariateTotals, LateTotals, PlacementTotals};
use serde::{Deserialize, Serialize};

use super::name;
use crate::ledger::amount::{Amount, Products, Sum};
use crate::ledger::check::Experiment;
use crate::ledger::unit::{Arm, Corrected, Open};

/// The sums of one experiment, by cell and variant.
#[derive(Debug)]
pub(super) struct Book {
    experiment: Experiment,
    pending: u64,
    cells: BTreeMap<Arc<Arm>, Sums>,
}

/// The sums of one variant in one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Sums {
    exposures: u64,
    rewards: Sum,
    squares: Products,
    covariate: Covariate,
    late: Late,
    clicks: u64,
}

/// Of those exposures that told one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Covariate {
    exposures: u64,
    sum: Sum,
    squares: Products,
    products: Products,
}

/// What came after it was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Late {
    exposures: u64,
    rewards: Sum,
    squares: Products,
}

impl Book {
    pub(super) fn new(experiment: Experiment) -> Self {
        Self { experiment, pending: 0, cells: BTreeMap::new() }
    }

    /// One with these sums.
    pub(super) fn with(experiment: Experiment, cells: BTreeMap<Arc<Arm>, Sums>) -> Self {
        Self { experiment, pending: 0, cells }
    }

    pub(super) fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// The sums, by what was shown.
    pub(super) fn cells(&self) -> impl Iterator<Item = (&Arc<Arm>, &Sums)> {
        self.cells.iter()
    }

    /// The window of a unit begins.
    pub(super) fn begin(&mut self) {
        self.pending += 1;
    }

    /// A unit whose window runs is no more.
    pub(super) fn end(&mut self) {
        self.pending -= 1;
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.pending == 0 && self.cells.is_empty()
    }

    /// The window of a unit has passed.
    pub(super) fn count(&mut self, open: &Open) {
        self.pending -= 1;
        self.cells.entry(Arc::clone(&open.arm)).or_default().add(open);
    }

    /// Somebody followed a link, for the first time.
    pub(super) fn click(&mut self, arm: Arc<Arm>) {
        self.cells.entry(arm).or_default().clicks += 1;
    }

    /// A reward came late, for a unit of which `before` had come late already.
    pub(super) fn correct(&mut self, corrected: &Corrected, before: Amount) {
        // Whoever was counted is in a cell; where only a part of the log is read, the cell may not be.
        let cell = self.cells.iter_mut().find(|(arm, _)| name(&***arm) == corrected.past.arm);
        if let Some((_, sums)) = cell {
            sums.late.add(corrected, before);
        }
    }

    pub(super) fn totals(&self) -> PlacementTotals {
        let Self { experiment: Experiment { campaign: _, placement, seed }, pending, cells } = self;
        let cells = cells.iter().map(|(arm, sums)| sums.totals(arm)).collect();
        PlacementTotals { name: placement.clone(), seed: *seed, pending_exposures: *pending, cells }
    }
}

impl Sums {
    fn add(&mut self, open: &Open) {
        self.exposures += 1;
        self.rewards.add(open.value);
        self.squares.add(open.value, open.value);
        if let Some(known) = open.covariate {
            self.covariate.add(known, open.value);
        }
    }

    fn totals(&self, arm: &Arm) -> CellTotals {
        let Self { exposures, rewards, squares, covariate, late, clicks } = *self;
        let Arm { round, segment, variant } = arm.clone();
        CellTotals {
            round,
            segment,
            variant,
            exposures,
            rewards: rewards.value(),
            squared_rewards: squares.value(),
            covariate: covariate.totals(),
            late: late.totals(),
            unconfirmed_clicks: clicks,
        }
    }
}

impl Covariate {
    fn add(&mut self, known: Amount, value: Amount) {
        self.exposures += 1;
        self.sum.add(known);
        self.squares.add(known, known);
        self.products.add(known, value);
    }

    fn totals(self) -> Option<CovariateTotals> {
        let Self { exposures, sum, squares, products } = self;
        let (sum, squares, products) = (sum.value(), squares.value(), products.value());
        (exposures > 0).then_some(CovariateTotals { exposures, sum, squares, products })
    }
}

impl Late {
    fn add(&mut self, Corrected { past, more, .. }: &Corrected, before: Amount) {
        let (was, is) = (past.value + before, past.value + *more);
        self.exposures += u64::from(before == Amount::ZERO && *more > Amount::ZERO);
        self.rewards.add(is - was);
        self.squares.add(is, is);
        self.squares.subtract(was, was);
    }

    fn totals(self) -> LateTotals {
        let Self { exposures, rewards, squares } = self;
        LateTotals { exposures, rewards: rewards.value(), squared_rewards: squares.value() }
    }
}
