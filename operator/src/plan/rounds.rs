//! Questions about the rounds of a row.

use api::{TablePlacement, TableRound};
use experiment::{Allocation, PartsPerMillion};
use jiff::Timestamp;

use super::cells;
use crate::campaign::{Copy, bytes_of, copy_bytes, json_bytes, row_bytes};
use crate::objects::evidence;

/// Rounds that a table keeps, where there is room for as many. With the usual growth of 30 % this many last for a hundred
/// million exposures; beyond it the last shares stay and the experiment goes on to its verdict.
pub const ROUNDS_KEPT: usize = 58;

/// Matured exposures of the experiment when the round in force was opened: there can't be fewer now.
pub(super) fn matured_at_opening(row: &TablePlacement) -> i64 {
    row.rounds.last().map_or(0, |round| round.matured_exposures)
}

/// Edits for which a row that fills with rounds keeps room.
const EDITS: usize = 4;

/// Whether the table, with so many placements, takes no further round of this experiment. What came since the last one is shown
/// in the room that was kept for it.
pub(super) fn is_full(row: &TablePlacement, placements: usize) -> bool {
    let (compared, most) =
        (row.rounds.iter().filter(|round| !is_alone(round)).count(), row_bytes(placements));
    match json_bytes(row) {
        _ if compared >= ROUNDS_KEPT => true,
        bytes if has_newcomer(row) => bytes >= most,
        bytes => {
            bytes + kept_for_edits(row, placements) >= most
                || evidence::bytes_of_cells(row) >= evidence::MOST_BYTES_OF_CELLS
        }
    }
}

fn kept_for_edits(row: &TablePlacement, placements: usize) -> usize {
    let sizes = || row.variants.iter().map(json_bytes);
    let (taken, largest): (usize, usize) = (sizes().sum(), sizes().max().unwrap_or_default());
    let each = largest + row.rounds.last().map_or(0, json_bytes);
    copy_bytes(placements).saturating_sub(taken).min(EDITS * each)
}

/// Whether a row has room for a piece of copy and the round that shows it.
pub(super) fn has_room(row: &TablePlacement, placements: usize, copy: &Copy) -> bool {
    let round = row.rounds.last().map_or(0, json_bytes);
    json_bytes(row) + bytes_of(copy) + round <= row_bytes(placements)
}

/// The shares of the last round in which something was compared.
pub(super) fn last_compared(row: &TablePlacement) -> Option<Allocation> {
    let last = row.rounds.iter().rev().find(|round| !is_alone(round))?;
    cells::allocations(last, row.variants.len()).next()?.1.ok()
}

/// Whether a round has these shares in every segment.
pub(super) fn has_shares(round: &TableRound, arms: usize, shares: &Allocation) -> bool {
    cells::allocations(round, arms).all(|(_, allocation)| allocation.as_ref() == Ok(shares))
}

/// Whether an arm that may be served has never been.
pub(super) fn has_newcomer(row: &TablePlacement) -> bool {
    let served = |arm| row.rounds.iter().any(|round| round.gives(arm));
    row.variants.iter().enumerate().any(|(arm, variant)| arm > 0 && !variant.withdrawn && !served(arm))
}

/// When the experiment began: when its first round that shows more than one arm was opened.
pub(super) fn begun(row: &TablePlacement) -> Option<Timestamp> {
    row.rounds.iter().find(|round| !is_alone(round)).map(|round| round.opened_at.0)
}

/// Whether one arm alone is served in a round.
pub(super) fn is_alone(round: &TableRound) -> bool {
    round.allocations.iter().all(|entry| entry.shares.contains(&PartsPerMillion::ONE.get()))
}
