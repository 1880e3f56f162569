//! Whether the counts can be those of the shares that are said to have made them.

use crate::anytime::rates::{RateRatio, Split};
use crate::totals::{Cell, as_f64};

/// The e-value at which shares and counts are called contradictory: one false alarm in a thousand experiments, however
/// often one looks.
const ALARM: f64 = 1000.0;

/// The sequential test of a sample-ratio mismatch: whether what was counted fell on the arms by the shares of their
/// cells.
///
/// For each arm against all others the e-process of [`RateRatio`] runs over the counts instead of the rewards. Counts are
/// exposures; where decisions are known, these, and decisions without an exposure, too. Where one rate of being shown is
/// common to all arms, whatever it is and however it changes, both those that were shown and those that were not fall on
/// the arms by the shares: of copy that is nearly always shown, the few that were not tell of an arm that is shown less.
/// The mean over counts and arms is one e-value (Vovk & Wang 2021). A mismatch means that assignment or counting is
/// broken, so nothing else can be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SampleRatio {
    /// The natural logarithm of the e-value.
    pub log_e_value: f64,
    /// Whether all is well.
    pub ok: bool,
    /// The counts that fit the shares least.
    pub worst: Counts,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// What was really shown.
    Exposures,
    /// What was chosen.
    Decisions,
    /// What was chosen, and was not shown.
    Unexposed,
}

impl SampleRatio {
    /// The test over `cells`, all of one experiment: alone, what [`crate::estimate()`] says of it.
    #[must_use]
    pub fn new(cells: &[Cell]) -> Self {
        let is_decided = cells.iter().any(|cell| cell.decisions().is_some());
        let counts: &[Counts] = if is_decided {
            &[Counts::Exposures, Counts::Decisions, Counts::Unexposed]
        } else {
            &[Counts::Exposures]
        };
        let logs: Vec<f64> = counts.iter().map(|counts| log_e_value(cells, *counts)).collect();
        let log_e_value = log_mean(&logs);
        let worst =
            (0..counts.len()).reduce(|worst, next| if logs[next] > logs[worst] { next } else { worst });
        let worst = counts[worst.expect("exposures are always counted")];
        Self { log_e_value, ok: log_e_value < ALARM.ln(), worst }
    }
}

impl Counts {
    /// The counts of a cell by arm, if they are known.
    fn of(self, cell: &Cell) -> Option<Vec<u64>> {
        let exposures = cell.totals().iter().map(|totals| totals.exposures);
        match self {
            Self::Exposures => Some(exposures.collect()),
            Self::Decisions => cell.decisions().map(<[u64]>::to_vec),
            Self::Unexposed => Some(
                cell.decisions()?.iter().zip(exposures).map(|(decided, shown)| decided - shown).collect(),
            ),
        }
    }
}

/// The logarithm of the mean e-value over arms; cells whose counts are not known are left out.
fn log_e_value(cells: &[Cell], counts: Counts) -> f64 {
    let arms = cells.first().map_or(0, Cell::arms);
    let known: Vec<(&Cell, Vec<u64>)> =
        cells.iter().filter_map(|cell| Some((cell, counts.of(cell)?))).collect();
    let of_arm = |arm: usize| {
        let split = |(cell, counts): &(&Cell, Vec<u64>)| {
            let (share, both) = (cell.share(arm), as_f64(counts.iter().sum()));
            let arm = as_f64(counts[arm]);
            (share > 0.0 && share < 1.0 && both > 0.0).then_some(Split { share, arm, both })
        };
        RateRatio::new(known.iter().filter_map(split).collect()).log_e_value()
    };
    log_mean(&(0..arms).map(of_arm).collect::<Vec<_>>())
}

fn log_mean(logs: &[f64]) -> f64 {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = logs.iter().map(|log| (log - largest).exp()).sum::<f64>() / logs.len() as f64;
    largest + mean.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allocation, Totals};

    fn check(counts: &[[u64; 2]], expected: bool) {
        let cell = |&[control, arm]: &[u64; 2]| {
            let totals = vec![Totals::binary(control, 0), Totals::binary(arm, 0)];
            Cell::new(Allocation::even(2).unwrap(), totals).unwrap()
        };
        let found = SampleRatio::new(&counts.iter().map(cell).collect::<Vec<_>>());
        assert_eq!(found.ok, expected, "{counts:?}: {found:?}");
    }

    #[test]
    fn a_lasting_mismatch_is_found_and_chance_is_not() {
        check(&[[0, 0]], true);
        check(&[[10, 0]], true);
        check(&[[5_000, 5_100]], true);
        check(&[[50_000, 50_300], [30_000, 29_800]], true);
        check(&[[51_000, 49_000]; 2], false);
        check(&[[5_000, 4_000]], false);
    }

    #[test]
    fn decisions_and_what_was_not_shown_are_held_against_the_shares_too() {
        let check = |exposures: [u64; 2], decisions: [u64; 2], expected: Option<Counts>| {
            let totals = exposures.map(|exposures| Totals::binary(exposures, 20)).to_vec();
            let cell = Cell::new(Allocation::even(2).unwrap(), totals).unwrap();
            let found = SampleRatio::new(&[cell.with_decisions(decisions.to_vec()).unwrap()]);
            let alarm = (!found.ok).then_some(found.worst);
            assert_eq!(alarm, expected, "{exposures:?} of {decisions:?}: {found:?}");
        };
        check([1_000, 1_010], [2_000, 2_010], None);
        check([1_000, 1_010], [2_000, 3_000], Some(Counts::Unexposed));
        check([1_000, 1_500], [2_000, 2_010], Some(Counts::Exposures));
        check([5_000, 6_000], [10_000, 12_000], Some(Counts::Decisions));
        // 95 and 94 % shown: against the shares alone, both exposures and decisions look well.
        check([47_500, 47_000], [50_000, 50_000], Some(Counts::Unexposed));
        check([47_500, 47_450], [50_000, 50_000], None);
    }
}
