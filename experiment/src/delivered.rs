//! Results of a network that chose by itself who saw what.
//!
//! An ad network splits traffic by a share that is known, and then shows each arm to whom it likes. Differences are then
//! of arm and audience together, so nothing here can become a [`crate::Verdict`]: the best that can be said is
//! [`DeliveredVerdict::WinnerAsDelivered`], which holds for this network, these days and this way of delivering, once, at a
//! planned end.
//!
//! Within a day whatever the network does moves all exposures of an arm together, so days are what is counted: with R and
//! R₀ the means of arm and control over all days, each day contributes
//!
//! ```text
//! u = (S − R N)/ΣS − (S₀ − R₀N₀)/ΣS₀
//! ```
//!
//! to ln(R/R₀), whose variance is B/(B − 1) Σ u² over B days (the linearization of a ratio, Cochran 1977, eq. 2.44 and
//! section 6.4), and Student's t with B − 1 degrees of freedom gives the limits, Bonferroni over arms. An arm is
//! compared over the days that had exposures of it and of the control.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::design::Design;
use crate::estimate::{EstimateError, check};
use crate::interval::Interval;
use crate::totals::{Cell, Totals, as_f64, sum};
use crate::verdict::Remaining;

/// The days that a verdict needs at least: below a week the weekend alone can make a winner.
pub const LEAST_DAYS: usize = 7;

/// What a network's numbers say.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Delivered {
    /// The question.
    pub design: Design,
    /// By arm; arm 0 is the control.
    pub arms: Vec<DeliveredArm>,
}

/// What is known about one arm.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeliveredArm {
    /// Exposures.
    pub exposures: u64,
    /// Their rewards.
    pub rewards: f64,
    /// The mean reward of an exposure.
    pub mean: f64,
    /// How many days had exposures of the arm and of the control.
    pub days: usize,
    /// The lift over the control as delivered, with limits that hold for all arms at once; `None` for the control, and
    /// before there are two days.
    pub lift: Option<Interval>,
}

/// What may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveredVerdict {
    /// At the planned end this arm did better than the control, as this network delivered both.
    WinnerAsDelivered {
        /// The arm's index; never 0.
        arm: usize,
    },
    /// At the planned end no arm is shown to have done better, or there were too few days.
    Inconclusive,
    /// The planned end is not there yet: looking earlier would make false winners.
    Collecting,
}

/// Estimates a network's numbers, a cell for each day.
///
/// # Errors
/// As [`crate::estimate()`].
pub fn estimate_delivered(days: &[Cell], design: &Design) -> Result<Delivered, EstimateError> {
    check(days, design)?;
    let exposed = |day: &&Cell, arm: usize| day.totals()[arm].exposures > 0;
    let compared =
        |arm: usize| days.iter().filter(|day| exposed(day, 0) && exposed(day, arm)).collect::<Vec<&Cell>>();
    let tested = (1..design.arms().len()).filter(|&arm| !compared(arm).is_empty()).count();
    let level = design.stopping().alpha() / tested.max(1) as f64;
    let arm = |arm: usize| {
        let (totals, days) = (sum(days, arm), compared(arm));
        DeliveredArm {
            exposures: totals.exposures,
            rewards: totals.rewards,
            mean: mean(&totals),
            days: days.len(),
            lift: (arm > 0).then(|| lift(&days, arm, level)).flatten(),
        }
    };
    let arms = (0..design.arms().len()).map(arm).collect();
    Ok(Delivered { design: design.clone(), arms })
}

/// What a network's numbers allow one to say.
#[must_use]
pub fn judge_delivered(delivered: &Delivered, remaining: Remaining) -> DeliveredVerdict {
    if remaining == Remaining::Some {
        return DeliveredVerdict::Collecting;
    }
    let direction = delivered.design.metric().direction.sign();
    let better = delivered.arms.iter().enumerate().filter_map(|(arm, known)| {
        let lift = known.lift.filter(|_| known.days >= LEAST_DAYS)?;
        let worst = if direction > 0.0 { lift.low } else { -lift.high };
        (delivered.design.is_candidate(arm) && worst > 0.0).then_some((arm, direction * lift.estimate))
    });
    let best = better.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(DeliveredVerdict::Inconclusive, |(arm, _)| DeliveredVerdict::WinnerAsDelivered { arm })
}

fn mean(totals: &Totals) -> f64 {
    totals.rewards / as_f64(totals.exposures)
}

fn lift(days: &[&Cell], arm: usize, level: f64) -> Option<Interval> {
    let total =
        |arm: usize| days.iter().map(|day| day.totals()[arm]).fold(Totals::default(), |sum, day| sum + day);
    let (one, control) = (total(arm), total(0));
    if days.len() < 2 || one.rewards <= 0.0 || control.rewards <= 0.0 {
        return None;
    }
    let part = |day: &Cell, arm: usize, all: &Totals| {
        let of_day = day.totals()[arm];
        (of_day.rewards - mean(all) * as_f64(of_day.exposures)) / all.rewards
    };
    let squares: f64 = days.iter().map(|day| (part(day, arm, &one) - part(day, 0, &control)).powi(2)).sum();
    let count = days.len() as f64;
    let student = StudentsT::new(0.0, 1.0, count - 1.0).expect("two days or more");
    let half = student.inverse_cdf(1.0 - 0.5 * level) * (squares * count / (count - 1.0)).sqrt();
    let ratio = (mean(&one) / mean(&control)).ln();
    Some(Interval { estimate: ratio.exp_m1(), low: (ratio - half).exp_m1(), high: (ratio + half).exp_m1() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allocation, Metric, Standing, Stopping};

    fn delivered(days: &[[(u64, u64); 2]]) -> Delivered {
        let design =
            Design::new(Metric::CLICKS, Stopping::new(0.95, 0.01).unwrap(), vec![Standing::FIRST; 2])
                .unwrap();
        let day = |counts: &[(u64, u64); 2]| {
            let totals = counts.iter().map(|&(n, s)| Totals::binary(n, s)).collect();
            Cell::new(Allocation::even(2).unwrap(), totals).unwrap()
        };
        estimate_delivered(&days.iter().map(day).collect::<Vec<_>>(), &design).unwrap()
    }

    /// Ten days of a thousand each, the arm better by about a half on each of them.
    fn better() -> Vec<[(u64, u64); 2]> {
        (0..10).map(|day| [(1000, 20 + day % 3), (1000, 30 + day % 4)]).collect()
    }

    #[test]
    fn a_winner_is_named_at_the_planned_end_alone() {
        let check = |days: &[[(u64, u64); 2]], remaining, expected| {
            assert_eq!(judge_delivered(&delivered(days), remaining), expected);
        };
        check(&better(), Remaining::Nothing, DeliveredVerdict::WinnerAsDelivered { arm: 1 });
        check(&better(), Remaining::Some, DeliveredVerdict::Collecting);
        check(&better()[..5], Remaining::Nothing, DeliveredVerdict::Inconclusive);
        let equal: Vec<_> = (0..10).map(|day| [(1000, 20 + day % 3), (1000, 20 + day % 4)]).collect();
        check(&equal, Remaining::Nothing, DeliveredVerdict::Inconclusive);
        check(&[[(0, 0), (0, 0)]], Remaining::Nothing, DeliveredVerdict::Inconclusive);
    }

    #[test]
    fn an_arm_that_came_later_is_compared_over_its_own_days() {
        let design =
            Design::new(Metric::CLICKS, Stopping::new(0.95, 0.01).unwrap(), vec![Standing::FIRST; 4])
                .unwrap();
        let day = |day: u64| {
            let late = if day < 5 { (0, 0) } else { (1000, 40 + day % 2) };
            let counts = [(1000, 20 + day % 3), (1000, 20 + (day + 1) % 3), late, (0, 0)];
            let totals = counts.map(|(n, s)| Totals::binary(n, s)).to_vec();
            Cell::new(Allocation::even(4).unwrap(), totals).unwrap()
        };
        let check = |days: u64, expected| {
            let delivered = estimate_delivered(&(0..days).map(day).collect::<Vec<_>>(), &design).unwrap();
            assert_eq!(judge_delivered(&delivered, Remaining::Nothing), expected, "{delivered:?}");
            assert_eq!(delivered.arms[3].lift, None);
        };
        check(15, DeliveredVerdict::WinnerAsDelivered { arm: 2 });
        check(11, DeliveredVerdict::Inconclusive);
    }

    #[test]
    fn days_that_differ_widen_the_interval_and_not_exposures() {
        // The same sums; in the second case one day has all of the difference.
        let steady: Vec<_> = (0..10).map(|_| [(1000, 20), (1000, 30)]).collect();
        let mut uneven = steady.clone();
        for day in &mut uneven {
            day[1].1 = 20;
        }
        uneven[3][1].1 = 120;
        let width = |days: &[_]| {
            let lift = delivered(days).arms[1].lift.unwrap();
            assert!((lift.estimate - 0.5).abs() < 1e-12);
            lift.high - lift.low
        };
        assert!(width(&steady) < 1e-9 && width(&uneven) > 0.5);
    }
}
