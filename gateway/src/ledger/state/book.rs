//! The sums of one experiment.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::wire::totals::{CellTotals, CovariateTotals, GuardrailTotals, LateTotals, PlacementTotals};
use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use super::unexposed::Unexposed;
use super::{Name, name};
use crate::ledger::Millis;
use crate::ledger::amount::{Amount, Products, Sum};
use crate::ledger::check::Experiment;
use crate::ledger::unit::{Arm, Corrected, Decided, Open};

/// The sums of one experiment, by cell and variant.
#[derive(Debug)]
pub(super) struct Book {
    experiment: Experiment,
    pending: u64,
    /// Whether decisions are told at all.
    is_decided: bool,
    cells: BTreeMap<Arc<Arm>, Sums>,
    /// What was shown, by the hash that stands for it where it is kept.
    arms: HashMap<Name, Arc<Arm>>,
}

/// The sums of one variant in one cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Sums {
    /// Decisions go with exposures, so these are all others.
    unexposed: Unexposed,
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
        Self::with(experiment, false, BTreeMap::new())
    }

    /// One with these sums.
    pub(super) fn with(experiment: Experiment, is_decided: bool, cells: BTreeMap<Arc<Arm>, Sums>) -> Self {
        let arms = cells.keys().map(|arm| (name(&**arm), Arc::clone(arm))).collect();
        Self { experiment, pending: 0, is_decided, cells, arms }
    }

    pub(super) fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// Whether decisions are told at all.
    pub(super) fn is_decided(&self) -> bool {
        self.is_decided
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
        self.pending == 0 && self.nonempty().next().is_none()
    }

    /// The window of a unit has passed.
    pub(super) fn count(&mut self, open: &Open) {
        self.pending -= 1;
        self.sums(&open.arm).add(open);
    }

    /// Copy was chosen for somebody `now`, for the first time.
    pub(super) fn decide(&mut self, arm: &Arc<Arm>, now: Millis) {
        self.is_decided = true;
        self.sums(arm).unexposed.add(now);
    }

    /// Somebody for whom copy was chosen before sees copy now, of the same arm or another: the decision goes with the
    /// exposure.
    pub(super) fn expose(&mut self, Decided { arm, at }: Decided) {
        if let Some(sums) = self.named(arm) {
            sums.unexposed.remove(at);
        }
    }

    /// Somebody followed a link, for the first time.
    pub(super) fn click(&mut self, arm: &Arc<Arm>) {
        self.sums(arm).clicks += 1;
    }

    /// A reward came late, for a unit of which `before` had come late already.
    pub(super) fn correct(&mut self, corrected: &Corrected, before: Amount) {
        if let Some(sums) = self.named(corrected.past.arm) {
            sums.late.add(corrected, before);
        }
    }

    /// Whoever was counted is in a cell; where only a part of the log is read, the cell may not be.
    fn named(&mut self, arm: Name) -> Option<&mut Sums> {
        self.cells.get_mut(self.arms.get(&arm)?)
    }

    fn sums(&mut self, arm: &Arc<Arm>) -> &mut Sums {
        let Self { cells, arms, .. } = self;
        cells.entry(Arc::clone(arm)).or_insert_with(|| {
            arms.insert(name(&**arm), Arc::clone(arm));
            Sums::default()
        })
    }

    /// A cell that only decisions were in has nothing left once they went with their exposures.
    fn nonempty(&self) -> impl Iterator<Item = (&Arc<Arm>, &Sums)> {
        self.cells().filter(|(_, sums)| **sums != Sums::default())
    }

    /// The sums of a placement at a moment.
    pub(super) fn totals(&self, now: Millis) -> PlacementTotals {
        let Experiment { campaign: _, placement, seed, guardrail: _ } = &self.experiment;
        let (pending_exposures, cells) = (self.pending, self.cell_totals(now));
        PlacementTotals { pending_exposures, cells, ..no_totals(placement.clone(), *seed) }
    }

    /// The sums of a guardrail at a moment.
    pub(super) fn guardrail_totals(&self, metric: &str, now: Millis) -> GuardrailTotals {
        let (pending_exposures, cells) = (self.pending, self.cell_totals(now));
        GuardrailTotals { metric: metric.to_owned(), pending_exposures, cells }
    }

    fn cell_totals(&self, now: Millis) -> Vec<CellTotals> {
        let decisions =
            |sums: &Sums| self.is_decided.then(|| sums.unexposed.settled_at(now) + sums.exposures);
        self.nonempty().map(|(arm, sums)| sums.totals(arm, decisions(sums))).collect()
    }
}

/// A placement of which nothing was counted.
pub(super) fn no_totals(name: String, seed: i64) -> PlacementTotals {
    PlacementTotals { name, seed, pending_exposures: 0, cells: Vec::new(), guardrails: Vec::new() }
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

    fn totals(&self, arm: &Arm, decisions: Option<u64>) -> CellTotals {
        let Self { unexposed: _, exposures, rewards, squares, covariate, late, clicks } = self;
        let Arm { round, segment, variant } = arm.clone();
        CellTotals {
            round,
            segment,
            variant,
            decisions,
            exposures: *exposures,
            rewards: rewards.value(),
            squared_rewards: squares.value(),
            covariate: covariate.totals(),
            late: late.totals(),
            unconfirmed_clicks: *clicks,
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
