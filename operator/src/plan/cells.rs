//! Table and totals → the cells that `experiment` reads.

use std::collections::HashMap;

use api::wire::totals::PlacementTotals;
use api::{TablePlacement, TableRound};
use experiment::{Allocation, AllocationError, Cell, PartsPerMillion, Totals};

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
        source: experiment::CellError,
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
    /// Exposures fell on the arms as their shares can't have made them fall.
    #[error(
        "exposures do not fit the shares that were in force (an e-value of 10^{log10_e_value:.0} against them, 10^3 is an alarm): look for exposures that are reported for some variants only, or twice"
    )]
    SampleRatio {
        /// The decimal logarithm of the e-value.
        log10_e_value: f64,
    },
    /// The sums allow no estimate.
    #[error("no estimate is possible")]
    Estimate(#[source] experiment::EstimateError),
}

/// The cells of a placement in which something can be compared: rounds in which one arm was served alone say nothing
/// about another, and would only let a change over time pass for a difference between arms.
///
/// There is always at least one cell, so that an experiment without data has an estimate too.
pub(super) fn cells(row: &TablePlacement, counted: &[&PlacementTotals]) -> Result<Vec<Cell>, TotalsError> {
    let sums = sums(row, counted);
    let mut segments = Vec::new();
    let mut cells = Vec::new();
    for round in &row.rounds {
        for (segment, allocation) in allocations(round, row.variants.len()) {
            let allocation =
                allocation.map_err(|source| TotalsError::Allocation { round: round.number, source })?;
            if allocation.shares().contains(&PartsPerMillion::ONE) {
                continue;
            }
            let totals = row.variants.iter().map(|variant| {
                sums.get(&(round.number, segment, variant.name.as_str())).copied().unwrap_or_default()
            });
            let cell = Cell::new(allocation, totals.collect()).map_err(|source| TotalsError::Cell {
                round: round.number,
                segment: segment.to_owned(),
                source,
            })?;
            cells.push(cell.in_segment(index(&mut segments, segment)));
        }
    }
    if cells.is_empty() {
        cells.extend(empty(row.variants.len()));
    }
    Ok(cells)
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
fn sums<'a>(row: &TablePlacement, counted: &[&'a PlacementTotals]) -> HashMap<Key<'a>, Totals> {
    let of_seed = counted.iter().filter(|counted| counted.seed == row.seed);
    of_seed
        .flat_map(|counted| &counted.cells)
        .map(|cell| {
            let totals = Totals {
                exposures: cell.exposures,
                rewards: cell.rewards,
                squared_rewards: cell.squared_rewards,
            };
            ((cell.round, cell.segment.as_str(), cell.variant.as_str()), totals)
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
