//! What rewards cost that the control would not have brought.

use api::{CostStatus, Origin, TablePlacement};
use experiment::{Direction, Estimate};

use super::words;
use crate::campaign::Placement;

/// What writing took of money for one placement: its part of the campaign's cost, by the variants that it asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing<'a> {
    /// What all placements cost.
    pub(super) cost: &'a str,
    /// The variants that all of them asked for.
    pub(super) asked: u32,
}

/// What each of the rewards cost that the leader brought beyond what the control would have brought in its place. Where the
/// lift may be nothing the cost may be anything, and nothing is said.
pub(super) fn per_extra_reward(
    writing: Writing<'_>,
    placement: &Placement,
    row: &TablePlacement,
    estimate: &Estimate,
) -> Option<CostStatus> {
    let leader = estimate.leader;
    let is_written = words::origin(placement, &row.variants[leader]) == Origin::Generated;
    let (arm, against) = (&estimate.arms[leader], estimate.arms[leader].against_control?);
    if !is_written || placement.direction == Direction::Minimize || against.lift_anytime.low <= 0.0 {
        return None;
    }
    let placements_alike = f64::from(writing.asked) / f64::from(placement.asked);
    // Of what an arm brought at a lift L over the control, the part L / (1 + L) is beyond it.
    let extra = |lift: f64| arm.rewards * (1.0 - (1.0 + lift).recip());
    let each = |lift| api::cost_of_each(writing.cost, extra(lift) * placements_alike).ok()?;
    Some(CostStatus {
        shrunken: each(against.lift_shrunken)?,
        lower: each(against.lift_anytime.high)?,
        upper: each(against.lift_anytime.low)?,
    })
}
