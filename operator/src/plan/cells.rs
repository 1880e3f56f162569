//! Table and totals → the cells that `experiment` reads.

use std::collections::HashMap;

use crate::objects::evidence::CountedCell;
use api::wire::totals::{CovariateTotals, PlacementTotals};
use api::{TablePlacement, TableRound};
use experiment::{
    Allocation, AllocationError, Cell, CellError, Counts, Covariate, Estimate, PartsPerMillion, Totals,
};

/// How sums and table contradict each other.
#[derive(Debug, thiserror::Error)]
pub(super) enum TotalsError {
    /// An allocation of the table is none.
    #[error("round {round} has no valid allocation")]
    Allocation {
        /// The round.
        round: u32,
        /// Why.
        #[source]
        source: AllocationError,
    },
    /// A cell's sums are impossible.
    #[error("round {round}, segment {segment}")]
    Cell {
        /// The round.
        round: u32,
        /// The segment.
        segment: String,
        /// Why.
        #[source]
        source: CellError,
    },
    /// Fewer exposures than were counted before: the record is not the one of this experiment any more.
    #[error(
        "{found} exposures are counted, and there were {known} when the round opened: see whether the ledger has its own volume, and restore it"
    )]
    Lost {
        /// Those that there are.
        found: i64,
        /// Those that there were.
        known: i64,
    },
    /// People fell on the arms as their shares can't have made them fall.
    #[error(
        "{} do not fit the shares that were in force (an e-value of 10^{log10_e_value:.0} against them, 10^3 is an alarm): {}", what(*counts), remedy(*counts)
    )]
    SampleRatio {
        /// The counts that fit least.
        counts: Counts,
        /// The decimal logarithm of the e-value.
        log10_e_value: f64,
    },
    /// A guardrail is counted nowhere.
    #[error(
        "{metric} is watched, and the ledger does not count it: see that ledger and gateway are as new as the operator"
    )]
    Unwatched {
        /// The guardrail's metric.
        metric: String,
    },
    /// The sums allow no estimate.
    #[error("no estimate is possible")]
    Estimate(#[source] experiment::EstimateError),
}

impl TotalsError {
    /// Counts that can't have come from the shares.
    pub(super) fn mismatch(estimate: &Estimate) -> Option<Self> {
        let ratio = estimate.sample_ratio;
        let log10_e_value = ratio.log_e_value / std::f64::consts::LN_10;
        (!ratio.ok).then_some(Self::SampleRatio { counts: ratio.worst, log10_e_value })
    }
}

fn what(counts: Counts) -> &'static str {
    match counts {
        Counts::Exposures => "exposures",
        Counts::Decisions => "decisions",
        Counts::Unexposed => "decisions without an exposure",
    }
}

fn remedy(counts: Counts) -> &'static str {
    match counts {
        Counts::Exposures => "look for exposures that are reported for some variants only, or twice",
        Counts::Decisions => "look for decisions that are reported for some variants only",
        Counts::Unexposed => {
            "look for variants that are chosen, and then shown or reported less often than others"
        }
    }
}

/// The cells of [`counted`]. There is always at least one, so that an experiment without data has an estimate too.
pub(super) fn cells(row: &TablePlacement, totals: &[&PlacementTotals]) -> Result<Vec<Cell>, TotalsError> {
    let mut cells: Vec<Cell> = counted(row, totals)?.into_iter().map(|counted| counted.cell).collect();
    if cells.is_empty() {
        cells.extend(empty(row.variants.len()));
    }
    Ok(cells)
}

/// What was counted in each round and segment in which something can be compared: rounds in which one arm was served alone
/// say nothing about another, and would only let a change over time pass for a difference between arms.
pub(super) fn counted<'a>(
    row: &'a TablePlacement,
    totals: &[&PlacementTotals],
) -> Result<Vec<CountedCell<'a>>, TotalsError> {
    let sums = sums(row, totals);
    let mut segments = Vec::new();
    let mut cells = Vec::new();
    for round in &row.rounds {
        for (segment, allocation) in allocations(round, row.variants.len()) {
            let allocation =
                allocation.map_err(|source| TotalsError::Allocation { round: round.number, source })?;
            if allocation.shares().contains(&PartsPerMillion::ONE) {
                continue;
            }
            let counted: Vec<Sums> = row
                .variants
                .iter()
                .map(|variant| {
                    sums.get(&(round.number, segment, variant.name.as_str())).copied().unwrap_or_default()
                })
                .collect();
            let cell = cell(allocation, &counted).map_err(|source| TotalsError::Cell {
                round: round.number,
                segment: segment.to_owned(),
                source,
            })?;
            let cell = cell.in_segment(index(&mut segments, segment));
            cells.push(CountedCell { round: round.number, segment, cell });
        }
    }
    Ok(cells)
}

/// What was counted of one arm in one cell, and what was known before of all of them, where it was.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    totals: Totals,
    decisions: Option<u64>,
    covariate: Option<Covariate>,
}

/// A covariate that was told of some people only would compare them with others, so it is left out. Decisions are told of all
/// cells or of none; a variant that nobody was given has none, and no exposures.
fn cell(allocation: Allocation, counted: &[Sums]) -> Result<Cell, CellError> {
    let known = |sums: &Sums| match sums.totals.exposures {
        0 => Some(Covariate::default()),
        _ => sums.covariate,
    };
    let mut cell = Cell::new(allocation, counted.iter().map(|sums| sums.totals).collect())?;
    if counted.iter().any(|sums| sums.decisions.is_some()) {
        let decisions = |sums: &Sums| sums.decisions.unwrap_or(sums.totals.exposures);
        cell = cell.with_decisions(counted.iter().map(decisions).collect())?;
    }
    match counted.iter().map(known).collect::<Option<Vec<Covariate>>>() {
        Some(covariates) if counted.iter().any(|sums| sums.covariate.is_some()) => {
            cell.with_covariates(covariates)
        }
        _ => Ok(cell),
    }
}

/// The segment's place among those that were met, which it is added to.
fn index<'a>(segments: &mut Vec<&'a str>, segment: &'a str) -> usize {
    segments.iter().position(|known| *known == segment).unwrap_or_else(|| {
        segments.push(segment);
        segments.len() - 1
    })
}

fn empty(arms: usize) -> Option<Cell> {
    Cell::new(Allocation::even(arms)?, vec![Totals::default(); arms]).ok()
}

type Key<'a> = (u32, &'a str, &'a str);

/// Totals by round, segment and variant, of this row's seed: what was counted under another seed is another draw.
fn sums<'a>(row: &TablePlacement, counted: &[&'a PlacementTotals]) -> HashMap<Key<'a>, Sums> {
    let of_seed = counted.iter().filter(|counted| counted.seed == row.seed);
    of_seed
        .flat_map(|counted| &counted.cells)
        .map(|cell| {
            let totals = Totals {
                exposures: cell.exposures,
                rewards: cell.rewards,
                squared_rewards: cell.squared_rewards,
            };
            let of_all = cell.covariate.filter(|covariate| covariate.exposures == cell.exposures);
            let covariate = of_all.map(|CovariateTotals { exposures: _, sum, squares, products }| {
                Covariate { sum, squares, products }
            });
            let sums = Sums { totals, decisions: cell.decisions, covariate };
            ((cell.round, cell.segment.as_str(), cell.variant.as_str()), sums)
        })
        .collect()
}

/// Each segment's allocation in a round, filled up with zeros for arms that came later.
pub(super) fn allocations(
    round: &TableRound,
    arms: usize,
) -> impl Iterator<Item = (&str, Result<Allocation, AllocationError>)> {
    round.allocations.iter().flat_map(move |entry| {
        let shares = (0..arms).map(|arm| entry.shares.get(arm).copied().unwrap_or(0));
        let shares: Vec<PartsPerMillion> = shares.filter_map(PartsPerMillion::new).collect();
        entry.segments.iter().map(move |segment| (segment.as_str(), Allocation::try_from(shares.clone())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a cell has a covariate, by arm: how many were exposed, and of how many it was told.
    fn check(counted: [(u64, u64); 2], expected: bool) {
        let names = ["control", "warm"];
        let variants = names.map(|name| serde_json::json!({"name": name, "digest": "", "slots": {}}));
        let row: TablePlacement = serde_json::from_value(serde_json::json!({
            "name": "hero", "format": "WebBanner", "seed": 1,
            "metric": {"name": "view", "kind": "Binary", "windowSeconds": 60},
            "variants": variants,
            "rounds": [{
                "number": 1, "openedAt": "2026-11-24T00:00:00Z", "maturedExposures": 0,
                "allocations": [{"segments": ["all"], "shares": [500_000, 500_000]}],
            }],
        }))
        .expect("it is sound");
        let cells = names.into_iter().zip(counted).map(|(variant, (exposures, told))| {
            serde_json::json!({
                "round": 1, "segment": "all", "variant": variant,
                "exposures": exposures, "rewards": 0.0, "squaredRewards": 0.0,
                "covariate": (told > 0).then(|| serde_json::json!({
                    "exposures": told, "sum": told, "squares": told, "products": 0.0,
                })),
            })
        });
        let totals = serde_json::json!({
            "name": "hero", "seed": 1, "pendingExposures": 0, "cells": cells.collect::<Vec<_>>(),
        });
        let totals: PlacementTotals = serde_json::from_value(totals).expect("it is sound");
        let found = super::cells(&row, &[&totals]).expect("it is sound");
        assert_eq!(found.iter().map(Cell::has_covariate).collect::<Vec<_>>(), [expected], "{counted:?}");
    }

    #[test]
    fn a_covariate_is_used_where_it_was_told_of_everybody() {
        check([(9, 9), (8, 8)], true);
        check([(9, 9), (0, 0)], true);
        check([(9, 9), (8, 7)], false);
        check([(9, 9), (8, 0)], false);
        check([(9, 0), (8, 0)], false);
        check([(0, 0), (0, 0)], false);
    }
}
