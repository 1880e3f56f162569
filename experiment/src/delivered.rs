//! Results of a network that chose by itself who saw what.
//!
//! An ad network splits traffic by a share that is known, and then shows each arm to whom it likes. Differences are then
//! of arm and audience together, so nothing here can become a [`crate::Verdict`]: the best that can be said is
//! [`DeliveredVerdict::WinnerAsDelivered`], which holds for this network, these days and this way of delivering, once, at a
//! planned end.
//!
//! Within a day whatever the network does moves all exposures of an arm together, so days are what is counted; and both
//! the network's share and people's mood may change from day to day, so exposures of different days are not put together.
//! Each day is weighed alike in both arms: with N, S the exposures and rewards of the arm on a day and N₀, S₀ those of the
//! control, and Mantel's and Haenszel's weight w = N N₀/(N + N₀), the ratio of the means is
//!
//! ```text
//! P/Q,   P = Σ w S/N = Σ S N₀/(N + N₀),   Q = Σ w S₀/N₀ = Σ S₀ N/(N + N₀)
//! ```
//!
//! (Greenland & Robins 1985). Where θ is the ratio on each day, every day's part of P − θQ has mean 0 whatever its share and
//! rate, so a change of both at once makes no difference out of none. The variance of ln(P/Q) is that of the jackknife over
//! B days (Tukey 1958), (B − 1)/B Σ d² with
//!
//! ```text
//! d = ln(1 − p) − ln(1 − q)
//! ```
//!
//! which is what the logarithm becomes without a day that has the parts p of P and q of Q. The limits are those of
//! Student's t, Bonferroni over arms, with one degree of freedom less than days that matter: 1/Σ h² of them (Kish 1965), h
//! being the mean of p and q, since of ten days of which one has nearly everything, one was seen. An arm is compared over
//! the days that had exposures of it and of the control.

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
    /// The mean reward of an exposure, all days together: what was counted, which compares with no other arm's where
    /// shares changed.
    pub mean: f64,
    /// How many days had exposures of the arm and of the control.
    pub days: usize,
    /// The lift over the control as delivered, day by day, with limits that hold for all arms at once. `None` for the
    /// control, and where no two days matter: there is one, or one has nearly all rewards.
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

/// The fewest degrees of freedom with which Student's t says anything: limits of half a one lie 165 standard
/// errors away at 95 %.
const LEAST_FREEDOM: f64 = 0.5;

fn lift(days: &[&Cell], arm: usize, level: f64) -> Option<Interval> {
    let parts: Vec<(f64, f64)> = days.iter().map(|day| parts(day, arm)).collect();
    let (p, q) = parts.iter().fold((0.0, 0.0), |(p, q), part| (p + part.0, q + part.1));
    if p <= 0.0 || q <= 0.0 {
        return None;
    }
    let parts = parts.iter().map(|(of_arm, of_control)| (of_arm / p, of_control / q));
    let (squares, matter) = parts.fold((0.0, 0.0), |(squares, matter), (p, q)| {
        let without = (-p).ln_1p() - (-q).ln_1p();
        (squares + without * without, matter + (0.5 * (p + q)).powi(2))
    });
    let freedom = matter.recip() - 1.0;
    let student = StudentsT::new(0.0, 1.0, freedom).ok().filter(|_| freedom >= LEAST_FREEDOM)?;
    let count = days.len() as f64;
    let half = student.inverse_cdf(1.0 - 0.5 * level) * (squares * (count - 1.0) / count).sqrt();
    let ratio = (p / q).ln();
    Some(Interval { estimate: ratio.exp_m1(), low: (ratio - half).exp_m1(), high: (ratio + half).exp_m1() })
}

/// A day's parts of P and Q.
fn parts(day: &Cell, arm: usize) -> (f64, f64) {
    let (one, control) = (day.totals()[arm], day.totals()[0]);
    let (n, n0) = (as_f64(one.exposures), as_f64(control.exposures));
    (one.rewards * (n0 / (n + n0)), control.rewards * (n / (n + n0)))
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

    /// Simpson's: an arm gets more of the traffic when everybody acts more, and pooled days would call it the winner.
    #[test]
    fn shares_that_change_with_the_mood_make_no_winner() {
        let day = |day: u64| match day {
            0..7 => [(9000, 180 + day % 3), (1000, 20 + (day + 1) % 2)],
            _ => [(1000, 50 + day % 2), (9000, 450 + (day + 1) % 3)],
        };
        let delivered = delivered(&(0..14).map(day).collect::<Vec<_>>());
        let [control, arm] = &delivered.arms[..] else { panic!("two arms") };
        assert!(arm.mean / control.mean > 1.9, "what a sum over days would say");
        let lift = arm.lift.unwrap();
        assert!(lift.low < 0.0 && lift.high > 0.0 && lift.estimate.abs() < 0.02, "{lift:?}");
        assert_eq!(judge_delivered(&delivered, Remaining::Nothing), DeliveredVerdict::Inconclusive);
    }

    /// The ratio of each day is the same whatever the shares, so nothing is uncertain either.
    #[test]
    fn a_lift_that_is_the_same_on_each_day_is_found_under_any_shares() {
        let days = (1..=9).map(|day| [(10_000 - 1000 * day, 200 - 20 * day), (1000 * day, 30 * day)]);
        let lift = delivered(&days.collect::<Vec<_>>()).arms[1].lift.unwrap();
        assert!((lift.estimate - 0.5).abs() < 1e-12 && lift.high - lift.low < 1e-9, "{lift:?}");
    }

    #[test]
    fn one_day_that_has_nearly_everything_is_one_day() {
        let mut days: Vec<_> = (0..9).map(|day| [(100, 2 + day % 2), (100, 3 + day % 3)]).collect();
        days.push([(100_000, 2000), (100_000, 3000)]);
        assert_eq!(delivered(&days).arms[1].lift, None);
        days.push([(100_000, 2000), (100_000, 2500)]);
        let lift = delivered(&days).arms[1].lift.unwrap();
        assert!(lift.low < -0.5 && lift.high > 3.0, "two days, which is next to nothing: {lift:?}");
    }

    #[test]
    fn a_day_without_which_nothing_is_left_has_no_limits() {
        let days = [[(1000, 20), (1000, 30)], [(1000, 20), (1000, 0)], [(1000, 20), (1000, 0)]];
        let lift = delivered(&days).arms[1].lift.unwrap();
        assert_eq!((lift.low, lift.high), (-1.0, f64::INFINITY));
    }
}
