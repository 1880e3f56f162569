//! What was seen of each arm once that is taken out which moved all arms alike.
//!
//! If a cell multiplies the means of all its arms by one unknown factor, then of T rewards in it an arm of N exposures and
//! relative mean θ is expected to have T·q, q = Nθ/Σ Nθ over the arms that were served. The θ that make the sums over
//! cells come true, Σ T q = S for each arm, maximize a likelihood that is concave in ln θ. Hunter's iteration (2004, Annals
//! of Statistics 32, eq. 3) finds them in a few steps where arms met often, Newton's method where they hardly met.
//!
//! The information about an arm against the rest is Σ T q(1 − q). It is that of (Σ T q(1 − q))²/Σ T q(1 − q)² rewards: at
//! constant shares that is S itself, so the samples are the counts; a cell in which the arm was alone says nothing about
//! it. Plain sums would take a change over time for a difference between arms that were served before it and after it.

use std::collections::BTreeMap;

use super::Sample;
use crate::numeric::cholesky::Factor;
use crate::totals::{Cell, as_f64};

/// Steps of Hunter's iteration before Newton's method goes on; at constant shares one is enough, and a second one, which
/// changes nothing but the last digits, shows it.
const QUICK_STEPS: u32 = 30;
const UNCHANGED: f64 = 1e-13;

/// So near to the maximum, in ln θ, Newton's method doubles the digits with each step. Hunter's iteration may go on for ever
/// in steps as small, so it ends here.
const NEAR: f64 = 1e-3;

/// After a step of this size the next one would be below 10⁻¹², far below any belief's width.
const PRECISE: f64 = 1e-6;

/// Steps of Newton's method; where the data know no maximum, as when an arm was rewarded only where it was alone, it ends
/// here.
const NEWTON_STEPS: u32 = 50;

/// How far one step of Newton's method goes in ln θ at most.
const LONGEST_STEP: f64 = 2.0;

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
    for _ in 0..QUICK_STEPS {
        match quick_step(rewarded, plain, &mut means) {
            change if change < UNCHANGED => return means,
            change if change < NEAR => break,
            _ => {}
        }
    }
    let mut likelihood = log_likelihood(rewarded, plain, &means);
    for _ in 0..NEWTON_STEPS {
        let step = newton_step(rewarded, plain, &means);
        let size = step.iter().fold(0.0_f64, |size, step| size.max(step.abs()));
        if size < NEAR {
            // The likelihood is too flat here for its digits to tell which place is higher.
            means = along(&means, &step, 1.0);
            if size < PRECISE {
                break;
            }
        } else {
            let Some((next, higher)) = climb(rewarded, plain, &means, &step, likelihood) else { break };
            (means, likelihood) = (next, higher);
        }
    }
    means
}

/// One step of Hunter's iteration; says by which part a mean changed at most.
fn quick_step(rewarded: &[Rewarded], plain: &[Sample], means: &mut [f64]) -> f64 {
    let mut expected = vec![0.0; means.len()];
    for cell in rewarded {
        let scale = cell.total / cell.weight(means);
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
    change
}

/// Σ S ln θ − Σ T ln Σ Nθ, over arms with rewards.
fn log_likelihood(rewarded: &[Rewarded], plain: &[Sample], means: &[f64]) -> f64 {
    let gained = plain.iter().zip(means).filter(|(sample, _)| sample.rewards > 0.0);
    let gained: f64 = gained.map(|(sample, mean)| sample.rewards * mean.ln()).sum();
    gained - rewarded.iter().map(|cell| cell.total * cell.weight(means).ln()).sum::<f64>()
}

/// The step in ln θ from the gradient S − Σ T q and the information Σ T(diag q − qq'). A common factor of all means, and of
/// all that never met the others, changes nothing: a trace on the diagonal keeps such directions still.
fn newton_step(rewarded: &[Rewarded], plain: &[Sample], means: &[f64]) -> Vec<f64> {
    let arms = means.len();
    let mut gradient: Vec<f64> = plain.iter().map(|sample| sample.rewards).collect();
    let mut information = vec![vec![0.0; arms]; arms];
    for cell in rewarded {
        let weight = cell.weight(means);
        let parts: Vec<f64> =
            cell.exposures.iter().zip(means).map(|(exposures, mean)| exposures * mean / weight).collect();
        for row in 0..arms {
            gradient[row] -= cell.total * parts[row];
            information[row][row] += cell.total * parts[row];
            // The lower triangle is all that is asked for.
            for column in 0..=row {
                information[row][column] -= cell.total * parts[row] * parts[column];
            }
        }
    }
    let all: f64 = plain.iter().map(|sample| sample.rewards).sum();
    for (row, line) in information.iter_mut().enumerate() {
        line[row] += 1e-12 * all;
    }
    let step = Factor::of(&information).solve(&gradient);
    let longest = step.iter().fold(0.0_f64, |longest, step| longest.max(step.abs()));
    let shorter = (LONGEST_STEP / longest).min(1.0);
    step.into_iter().map(|step| shorter * step).collect()
}

/// Goes along `step`, or a part of it, to where the likelihood is higher than `from`; nowhere when it is at its top.
fn climb(
    rewarded: &[Rewarded],
    plain: &[Sample],
    means: &[f64],
    step: &[f64],
    from: f64,
) -> Option<(Vec<f64>, f64)> {
    (0..30).find_map(|halvings| {
        let next = along(means, step, 0.5_f64.powi(halvings));
        let likelihood = log_likelihood(rewarded, plain, &next);
        (likelihood > from).then_some((next, likelihood))
    })
}

/// The means a `part` of a step further.
fn along(means: &[f64], step: &[f64], part: f64) -> Vec<f64> {
    means.iter().zip(step).map(|(mean, step)| mean * (part * step).exp()).collect()
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

    /// Two arms that met at a share of one in a thousand: the product of both comparisons, found here by halving.
    #[test]
    fn arms_that_hardly_met_are_compared_by_where_they_did() {
        let counts = [[(999_000, 20_000), (1_000, 23)], [(1_000, 40), (999_000, 39_000)]];
        let cells = [cell(&[999_000, 1_000], &counts[0]), cell(&[1_000, 999_000], &counts[1])];
        let slope = |ratio: f64| {
            let of = |counts: &[(u64, u64); 2]| {
                let [(n, s), (other_n, other_s)] = counts.map(|(n, s)| (n as f64, s as f64));
                other_s - (s + other_s) * other_n * ratio / (n + other_n * ratio)
            };
            counts.iter().map(of).sum::<f64>()
        };
        let (low, high) = (0..200).fold((0.01, 100.0), |(low, high), _| {
            let middle = 0.5 * (low + high);
            if slope(middle) > 0.0 { (middle, high) } else { (low, middle) }
        });
        let samples = samples(&cells, &[0, 1]);
        close(
            samples[1].rewards / samples[1].exposures,
            0.5 * (low + high) * samples[0].rewards / samples[0].exposures,
        );
    }

    /// The second arm was rewarded only where it was alone: no ratio is the likeliest, and the search ends all the same.
    #[test]
    fn where_no_ratio_is_the_likeliest_figures_are_still_figures() {
        let cells = [
            cell(&[500_000, 500_000], &[(1_000, 20), (1_000, 0)]),
            cell(&[0, 1_000_000], &[(0, 0), (1_000, 30)]),
        ];
        for sample in samples(&cells, &[0, 1]) {
            assert!(sample.exposures.is_finite() && sample.rewards.is_finite(), "{sample:?}");
            assert!((0.0..=sample.exposures).contains(&sample.rewards), "{sample:?}");
        }
    }

    #[test]
    fn without_rewards_the_counts_stay() {
        let samples = samples(&[cell(&[500_000, 500_000], &[(100, 0), (90, 3)])], &[0, 1]);
        assert_eq!((samples[0].exposures, samples[0].rewards), (100.0, 0.0));
        assert_eq!((samples[1].exposures, samples[1].rewards), (90.0, 3.0));
    }
}
