//! Where the log can speak of the policy: only where what the policy would show had a chance.

use std::collections::{BTreeMap, BTreeSet};

use super::ReplayError;
use super::log::{Block, Log, SLACK, Sums};

/// A round that says nothing about the policy: in one of its cells an arm had no chance that the policy would show there.
///
/// It is left out whole, so that the rounds that are kept have the mix of cells that there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// The round.
    pub round: usize,
    /// The first such cell.
    pub cell: usize,
    /// The first such arm.
    pub arm: usize,
    /// How many rows the round has.
    pub rows: u64,
}

/// The rounds to leave out.
pub(super) fn left_out(log: &Log) -> Result<Vec<LeftOut>, ReplayError> {
    never_shown(log)?;
    let mut rounds: BTreeMap<usize, LeftOut> = BTreeMap::new();
    let (mut covered, mut uncovered) = (BTreeSet::new(), BTreeMap::new());
    for (&(round, cell), arms) in &log.blocks {
        if let Some(arm) = without_chance(arms) {
            uncovered.entry(cell).or_insert(arm);
            rounds.entry(round).or_insert(LeftOut { round, cell, arm, rows: 0 });
        } else {
            covered.insert(cell);
        }
    }
    if let Some((&cell, &arm)) = uncovered.iter().find(|(cell, _)| !covered.contains(cell)) {
        return Err(ReplayError::NoOverlap { cell, arm });
    }
    for (&(round, _), arms) in &log.blocks {
        if let Some(left) = rounds.get_mut(&round) {
            left.rows += arms.iter().map(|block| block.total().rows as u64).sum::<u64>();
        }
    }
    let left: Vec<LeftOut> = rounds.into_values().collect();
    let is_left = |round: usize| left.iter().any(|left| left.round == round);
    match left.first() {
        Some(&LeftOut { cell, arm, .. }) if log.blocks.keys().all(|&(round, _)| is_left(round)) => {
            Err(ReplayError::NoOverlap { cell, arm })
        }
        _ => Ok(left),
    }
}

/// An empty log, and arms of the policy that no row has.
fn never_shown(log: &Log) -> Result<(), ReplayError> {
    if log.blocks.is_empty() {
        return Err(ReplayError::Empty);
    }
    let mut totals: Vec<Sums> = Vec::new();
    for arms in log.blocks.values() {
        totals.resize(totals.len().max(arms.len()), Sums::default());
        totals.iter_mut().zip(arms).for_each(|(total, block)| *total = total.plus(&block.total()));
    }
    match totals.iter().position(|total| total.shares > 0.0 && total.rows == 0.0) {
        Some(arm) => Err(ReplayError::NeverShown { arm }),
        None => Ok(()),
    }
}

/// The arm that the policy would show and that had no chance, which is known where the chances of those that were shown
/// are always the same and sum to 1. Else an arm that was not shown may have had bad luck.
fn without_chance(arms: &[Block]) -> Option<usize> {
    let shown = || arms.iter().filter(|block| block.chances.highest > 0.0);
    let is_known = shown().all(|block| block.chances.highest - block.chances.lowest <= SLACK);
    let sum: f64 = shown().map(|block| block.chances.highest).sum();
    if !is_known || sum < 1.0 - SLACK {
        return None;
    }
    arms.iter().position(|block| block.chances.highest == 0.0 && block.total().shares > 0.0)
}
