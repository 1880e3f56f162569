//! Whether the counts can be those of the shares that are said to have made them.

use crate::anytime::rates::{RateRatio, Split};
use crate::totals::{Cell, as_f64};

/// The e-value at which shares and counts are called contradictory: one false alarm in a thousand experiments, however
/// often one looks, and two where decisions are counted beside exposures.
const ALARM: f64 = 1000.0;

/// The sequential test of a sample-ratio mismatch: whether decisions, and exposures, fell on the arms by the shares of
/// their cells.
///
/// For each arm against all others the e-process of [`RateRatio`] runs over the counts instead of the rewards; the mean
/// over arms is one e-value (Vovk & Wang 2021). A mismatch means that assignment or counting is broken, so nothing else
/// can be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SampleRatio {
    /// The natural logarithm of the larger e-value, of decisions where they are known and of exposures.
    pub log_e_value: f64,
    /// Whether all is well.
    pub ok: bool,
}

impl SampleRatio {
    pub(crate) fn new(cells: &[Cell]) -> Self {
        let exposures = log_e_value(cells, |cell, arm| Some(cell.totals()[arm].exposures));
        let decided = cells.iter().any(|cell| cell.decisions().is_some());
        let decisions = decided.then(|| log_e_value(cells, |cell, arm| Some(cell.decisions()?[arm])));
        let log_e_value = decisions.map_or(exposures, |decisions| decisions.max(exposures));
        Self { log_e_value, ok: log_e_value < ALARM.ln() }
    }
}

/// The logarithm of the mean e-value over arms; cells that `count` does not know are left out.
fn log_e_value(cells: &[Cell], count: impl Fn(&Cell, usize) -> Option<u64>) -> f64 {
    let arms = cells.first().map_or(0, Cell::arms);
    let of_arm = |arm: usize| {
        let split = |cell: &Cell| {
            let counts: Option<Vec<u64>> = (0..arms).map(|arm| count(cell, arm)).collect();
            let (counts, share) = (counts?, cell.share(arm));
            let both = as_f64(counts.iter().sum());
            (share > 0.0 && share < 1.0 && both > 0.0).then(|| Split {
                share,
                arm: as_f64(counts[arm]),
                both,
            })
        };
        RateRatio::new(cells.iter().filter_map(split).collect()).log_e_value()
    };
    let logs: Vec<f64> = (0..arms).map(of_arm).collect();
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
    fn decisions_are_held_against_the_shares_too() {
        let totals = vec![Totals::binary(1_000, 20), Totals::binary(1_010, 20)];
        let cell = Cell::new(Allocation::even(2).unwrap(), totals).unwrap();
        let ok = |decisions| SampleRatio::new(&[cell.clone().with_decisions(decisions).unwrap()]).ok;
        assert!(ok(vec![2_000, 2_010]));
        assert!(!ok(vec![2_000, 3_000]));
    }
}
