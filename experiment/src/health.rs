//! Whether the counts can be those of the shares that are said to have made them.

use crate::anytime::curve::{Curve, Share};
use crate::anytime::rates;
use crate::totals::{Cell, as_f64};

/// The e-value at which shares and counts are called contradictory: one false alarm in a thousand experiments, however
/// often one looks.
const ALARM: f64 = 1000.0;

/// The sequential test of a sample-ratio mismatch: whether what was counted fell on the arms by the shares of their
/// cells.
///
/// For each arm against all others the e-process of `anytime::rates` runs over the counts instead of the rewards. Counts are
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
        let logs = log_e_values(cells, counts);
        let log_e_value = log_mean(&logs);
        let worst =
            (0..counts.len()).reduce(|worst, next| if logs[next] > logs[worst] { next } else { worst });
        let worst = counts[worst.expect("exposures are always counted")];
        Self { log_e_value, ok: log_e_value < ALARM.ln(), worst }
    }
}

impl Counts {
    /// The count of an arm in a cell, if it is known.
    fn of(self, cell: &Cell, arm: usize) -> Option<u64> {
        let exposures = cell.totals()[arm].exposures;
        match self {
            Self::Exposures => Some(exposures),
            Self::Decisions => Some(cell.decisions()?[arm]),
            Self::Unexposed => Some(cell.decisions()?[arm] - exposures),
        }
    }
}

/// The logarithms of the mean e-values over arms, one for each of `counts`; cells whose counts are not known are left out.
fn log_e_values(cells: &[Cell], counts: &[Counts]) -> Vec<f64> {
    let arms = cells.first().map_or(0, Cell::arms);
    let mut curves = vec![vec![Curve::ZERO; arms]; counts.len()];
    for cell in cells {
        let sum = |counts: &Counts| (0..arms).map(|arm| counts.of(cell, arm)).sum::<Option<u64>>();
        let sums: Vec<Option<u64>> = counts.iter().map(sum).collect();
        for arm in (0..arms).filter(|&arm| cell.share(arm) > 0.0 && cell.share(arm) < 1.0) {
            let share = Share::new(cell.share(arm));
            for ((curves, counts), all) in curves.iter_mut().zip(counts).zip(&sums) {
                if let (Some(own), Some(all)) = (counts.of(cell, arm), *all) {
                    curves[arm].add(&share, as_f64(own), as_f64(all));
                }
            }
        }
    }
    let of_arms = |curves: &Vec<Curve>| curves.iter().map(rates::log_e_value).collect::<Vec<f64>>();
    curves.iter().map(|curves| log_mean(&of_arms(curves))).collect()
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
        check([200, 350], [10_000, 10_010], Some(Counts::Exposures));
        check([5_000, 6_000], [10_000, 12_000], Some(Counts::Decisions));
        // 95 and 94 % shown: against the shares alone, both exposures and decisions look well.
        check([47_500, 47_000], [50_000, 50_000], Some(Counts::Unexposed));
        check([47_500, 47_450], [50_000, 50_000], None);
    }
}
