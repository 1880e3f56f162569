//! What was seen of each arm once that is taken out which moved all arms alike.
//!
//! If a cell multiplies the means of all its arms by one unknown factor, then of T rewards in it an arm of N exposures and
//! relative mean θ is expected to have T·q, q = Nθ/Σ Nθ over the arms that were served. The θ that make the sums over
//! cells come true, Σ T q = S for each arm, are found by Hunter's iteration (2004, Annals of Statistics 32, eq. 3).
//!
//! The information about an arm against the rest is Σ T q(1 − q). It is that of (Σ T q(1 − q))²/Σ T q(1 − q)² rewards: at
//! constant shares that is S itself, so the samples are the counts; a cell in which the arm was alone says nothing about
//! it. Plain sums would take a change over time for a difference between arms that were served before it and after it.

use std::collections::BTreeMap;

use super::Sample;
use crate::totals::{Cell, as_f64};

/// Where the iteration ends: relative means are known to this part, far below any belief's width.
const PRECISE: f64 = 1e-9;

/// Where it ends in any case. A dozen steps are usual; of arms that met at a share of one in a thousand only, less is known
/// after so many than could be.
const MOST_STEPS: u32 = 500;

/// What was rewarded under one allocation in one segment, however many cells that is.
struct Rewarded {
    exposures: Vec<f64>,
    total: f64,
}

/// The samples of `arms`, which are indices of arms of `cells`.
pub(crate) fn samples(cells: &[Cell], arms: &[usize]) -> Vec<Sample> {
    let plain: Vec<Sample> = arms.iter().map(|&arm| plain(cells, arm)).collect();
    let rewarded = rewarded(cells, arms);
    let relative = relative_means(&rewarded, &plain);
    let sum = |of: fn(&Sample, f64) -> f64| {
        plain.iter().zip(&relative).map(|(sample, &mean)| of(sample, mean)).sum::<f64>()
    };
    let (rewards, expected) = (sum(|sample, _| sample.rewards), sum(|sample, mean| sample.exposures * mean));
    let sample = |(index, plain): (usize, &Sample)| {
        if plain.rewards <= 0.0 || plain.rewards >= rewards {
            return *plain;
        }
        let (information, squares) = rewarded.iter().fold((0.0, 0.0), |(information, squares), cell| {
            let part = cell.part(index, &relative);
            let added = cell.total * part * (1.0 - part);
            (information + added, squares + added * (1.0 - part))
        });
        if squares <= 0.0 {
            // It never met another arm.
            return Sample::default();
        }
        let effective = information * information / squares;
        Sample { exposures: effective / (relative[index] * rewards / expected), rewards: effective }
    };
    plain.iter().enumerate().map(sample).collect()
}

/// The sums over all cells.
fn plain(cells: &[Cell], arm: usize) -> Sample {
    cells.iter().fold(Sample::default(), |sample, cell| Sample {
        exposures: sample.exposures + as_f64(cell.totals()[arm].exposures),
        rewards: sample.rewards + cell.totals()[arm].rewards,
    })
}

/// Means up to a common factor; 0 for an arm without rewards.
fn relative_means(rewarded: &[Rewarded], plain: &[Sample]) -> Vec<f64> {
    let mut means: Vec<f64> = plain
        .iter()
        .map(|sample| if sample.rewards > 0.0 { sample.rewards / sample.exposures } else { 0.0 })
        .collect();
    for _ in 0..MOST_STEPS {
        let mut expected = vec![0.0; means.len()];
        for cell in rewarded {
            let scale = cell.total / cell.weight(&means);
            for (expected, exposures) in expected.iter_mut().zip(&cell.exposures) {
                *expected += exposures * scale;
            }
        }
        let mut change: f64 = 0.0;
        for ((mean, expected), sample) in means.iter_mut().zip(&expected).zip(plain) {
            if sample.rewards > 0.0 {
                let next = sample.rewards / expected;
                change = change.max((next / *mean - 1.0).abs());
                *mean = next;
            }
        }
        if change < PRECISE {
            break;
        }
    }
    means
}

/// Cells of equal shares are one, so that it does not matter whether they were merged before.
fn rewarded(cells: &[Cell], arms: &[usize]) -> Vec<Rewarded> {
    let mut by_shares: BTreeMap<(usize, Vec<u32>), Rewarded> = BTreeMap::new();
    for cell in cells {
        let shares = arms.iter().map(|&arm| cell.allocation().shares()[arm].get()).collect();
        let nothing = || Rewarded { exposures: vec![0.0; arms.len()], total: 0.0 };
        let sums = by_shares.entry((cell.segment(), shares)).or_insert_with(nothing);
        for (exposures, &arm) in sums.exposures.iter_mut().zip(arms) {
            *exposures += as_f64(cell.totals()[arm].exposures);
            sums.total += cell.totals()[arm].rewards;
        }
    }
    by_shares.into_values().filter(|sums| sums.total > 0.0).collect()
}

impl Rewarded {
    fn weight(&self, means: &[f64]) -> f64 {
        self.exposures.iter().zip(means).map(|(exposures, mean)| exposures * mean).sum()
    }

    /// q
    fn part(&self, index: usize, means: &[f64]) -> f64 {
        self.exposures[index] * means[index] / self.weight(means)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allocation, PartsPerMillion, Totals};

    fn cell(parts: &[u32], counts: &[(u64, u64)]) -> Cell {
        let shares: Vec<PartsPerMillion> =
            parts.iter().map(|&parts| PartsPerMillion::new(parts).unwrap()).collect();
        let totals = counts.iter().map(|&(n, s)| Totals::binary(n, s)).collect();
        Cell::new(Allocation::try_from(shares).unwrap(), totals).unwrap()
    }

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-6, "{found} instead of {expected}");
    }

    #[test]
    fn at_constant_shares_samples_are_the_counts() {
        let cells = [
            cell(&[200_000, 300_000, 500_000], &[(200, 4), (300, 9), (500, 10)]),
            cell(&[200_000, 300_000, 500_000], &[(400, 20), (600, 45), (1000, 60)]),
        ];
        let samples = samples(&cells, &[0, 1, 2]);
        for (sample, (exposures, rewards)) in
            samples.iter().zip([(600.0, 24.0), (900.0, 54.0), (1500.0, 70.0)])
        {
            close(sample.rewards, rewards);
            close(sample.exposures, exposures);
        }
    }

    #[test]
    fn a_change_that_all_arms_share_is_no_difference() {
        // Rates triple in the second cell, where the second arm has nine times the share of the first.
        let cells = [
            cell(&[500_000, 500_000], &[(50_000, 1_000), (50_000, 1_000)]),
            cell(&[100_000, 900_000], &[(10_000, 600), (90_000, 5_400)]),
        ];
        let samples = samples(&cells, &[0, 1]);
        close(samples[0].rewards / samples[0].exposures, samples[1].rewards / samples[1].exposures);
        assert!(samples[1].rewards < 6_400.0 && samples[0].rewards <= 1_600.0, "{samples:?}");
    }

    #[test]
    fn an_arm_that_was_alone_is_not_compared() {
        let cells = [
            cell(&[1_000_000, 0], &[(9_000, 900), (0, 0)]),
            cell(&[500_000, 500_000], &[(100, 5), (100, 7)]),
        ];
        let samples = samples(&cells, &[0, 1]);
        assert!(samples[0].rewards < 6.0, "{samples:?}");
        close(
            samples[1].rewards / samples[1].exposures * 5.0,
            samples[0].rewards / samples[0].exposures * 7.0,
        );
    }

    #[test]
    fn arms_that_never_met_are_not_compared() {
        let cells =
            [cell(&[1_000_000, 0], &[(900, 20), (0, 0)]), cell(&[0, 1_000_000], &[(0, 0), (900, 30)])];
        assert!(
            samples(&cells, &[0, 1]).iter().all(|sample| sample.exposures == 0.0 && sample.rewards == 0.0)
        );
    }

    #[test]
    fn without_rewards_the_counts_stay() {
        let samples = samples(&[cell(&[500_000, 500_000], &[(100, 0), (90, 3)])], &[0, 1]);
        assert_eq!((samples[0].exposures, samples[0].rewards), (100.0, 0.0));
        assert_eq!((samples[1].exposures, samples[1].rewards), (90.0, 3.0));
    }
}
