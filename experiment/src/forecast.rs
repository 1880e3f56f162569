//! How an experiment will go, before its first exposure.
//!
//! A formula for a sample of fixed size promises too much: here the shares move, several variants answer for one chance of
//! error, the verdict may be looked at whenever one likes, and a winner has to lose little against the best arm. So the
//! experiment is played, again and again, by what decides it later: [`crate::allocate()`] at every round, [`crate::judge()`]
//! at every look. One variant is better by a lift that is taken for true, all others are as good as the control.
//!
//! ```text
//! Design, Policy, Prospect ──▶ Forecast ── play(lift, seed) ──▶ End: after how long, with which verdict
//!                                  └────── smallest_lift ─────▶ the least lift that is found often enough
//! ```
//!
//! Time is that of the campaign: an exposure counts once its window has passed, a round closes once its least time has
//! passed and what has matured has grown, and the end is there when the longest time is up. People come evenly. Looks are
//! a twentieth of the matured time apart, where the operator looks every few seconds, so an end is told late by so much
//! at most, and by half of it on average.

mod evidence;
mod run;

use std::ops::Range;
use std::time::Duration;

use crate::design::{Design, Standing};
use crate::metric::{Direction, Kind};
use crate::policy::Policy;
use crate::stopping::StoppingError;
use crate::verdict::Verdict;
use run::Run;

/// The arm that is better than the control.
const BETTER: usize = 1;

/// By how much matured time grows from look to look.
const LOOK_GROWTH: f64 = 1.05;

/// Exposures before the first look: of fewer nothing can be said.
const FIRST_LOOK: f64 = 100.0;

/// A rise beyond fourfold is outside of what an e-process of rates knows.
const LARGEST_RISE: f64 = 3.0;

/// A fall by nearly all; the last part would take as many exposures as all before.
const LARGEST_FALL: f64 = 0.95;

/// Below this a lift is told as none.
const SMALLEST: f64 = 0.002;

/// How near a smallest lift is found by few experiments, as a fraction of itself, before as many are played as were asked
/// for.
const NEAR: f64 = 0.12;

/// Experiments by which a lift is judged on the way, and how many of them are played before it is asked whether all are needed.
const FEW: u64 = 80;
const BATCH: u64 = 40;

/// What is known of the people before the first one comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prospect {
    /// The control's rate.
    pub rate: f64,
    /// People of the experiment in a second, each counted once.
    pub people_per_second: f64,
    /// How long after an exposure a reward still counts.
    pub window: Duration,
    /// The time after which the experiment ends, from the first exposure on.
    pub longest: Duration,
    /// When shares may change.
    pub rounds: Rounds,
}

/// When shares may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounds {
    /// The least time that a round lasts.
    pub minimum: Duration,
    /// By which part of themselves matured exposures must have grown, as 0.3.
    pub growth: f64,
    /// How many there can be; the shares of the last one stay.
    pub most: usize,
}

/// Why nothing can be foretold.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ForecastError {
    /// How values spread is not told by their mean.
    #[error("a forecast is for metrics of 0 and 1")]
    Values,
    /// There is nothing to be found.
    #[error("a forecast needs a variant beside the control")]
    NoVariants,
    /// Nobody acts, or everybody.
    #[error("a rate of {0} is not above 0 and below 1")]
    Rate(f64),
    /// Nobody comes.
    #[error("{0} people in a second are not above 0")]
    People(f64),
    /// Nothing matures.
    #[error("the experiment ends before the first window has passed")]
    TooShort,
}

/// An experiment that has not begun.
///
/// ```
/// use std::time::Duration;
///
/// use experiment::forecast::{Forecast, Prospect, Rounds};
/// use experiment::{Control, Design, Metric, PartsPerMillion, Policy, Rule, Standing, Stopping, Verdict};
///
/// let percent = |p: u32| PartsPerMillion::new(p * 10_000).expect("below 100 %");
/// let design = Design::new(Metric::CLICKS, Stopping::new(0.95, 0.01)?, vec![Standing::FIRST; 3])?;
/// let policy = Policy::new(Rule::Thompson, 3, percent(1), Control::Fixed(percent(20)), 100)?;
/// let day = Duration::from_secs(86_400);
/// let prospect = Prospect {
///     rate: 0.04,
///     people_per_second: 60_000.0 / 86_400.0,
///     window: Duration::from_secs(1_800),
///     longest: 28 * day,
///     rounds: Rounds { minimum: Duration::from_secs(600), growth: 0.3, most: 58 },
/// };
/// let forecast = Forecast::new(design, policy, prospect)?;
/// let end = forecast.play(0.3, 1);
/// assert!(matches!(end.verdict, Verdict::Winner { arm: 1, .. }) && end.after < 7 * day);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Forecast {
    design: Design,
    policy: Policy,
    prospect: Prospect,
}

/// How one experiment ended.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// How long after its first exposure.
    pub after: Duration,
    /// With what.
    pub verdict: Verdict,
}

impl End {
    /// Whether the variant that is better was named.
    #[must_use]
    pub fn is_found(&self) -> bool {
        matches!(self.verdict, Verdict::Winner { arm: BETTER, .. })
    }

    /// Whether anything was shown before the time was up.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        matches!(
            self.verdict,
            Verdict::Winner { .. } | Verdict::ControlWins | Verdict::NoWorthwhileDifference { .. }
        )
    }
}

/// The smallest lift that is found often enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// As a fraction of the control's rate.
    pub lift: f64,
    /// What became of the experiments with it.
    pub ends: Vec<End>,
}

/// After how long a `part` of all experiments, as 0.5, are decided, to the time of the one that completes it; `None` where
/// fewer are.
#[must_use]
pub fn decided_after(ends: &[End], part: f64) -> Option<Duration> {
    let mut times: Vec<Duration> = ends.iter().filter(|end| end.is_decided()).map(|end| end.after).collect();
    times.sort_unstable();
    let enough = (part * ends.len() as f64).ceil() as usize;
    times.get(enough.max(1) - 1).copied()
}

/// The part of `ends` for which `holds`; NaN of none.
#[must_use]
pub fn part(ends: &[End], holds: impl Fn(&End) -> bool) -> f64 {
    ends.iter().filter(|end| holds(end)).count() as f64 / ends.len() as f64
}

impl Forecast {
    /// An experiment of these arms under this policy.
    ///
    /// # Errors
    /// Where `prospect` makes no sense, where there is no variant, or where the metric is of values.
    pub fn new(design: Design, policy: Policy, prospect: Prospect) -> Result<Self, ForecastError> {
        let Prospect { rate, people_per_second: people, window, longest, .. } = prospect;
        match () {
            () if design.metric().kind != Kind::Binary => Err(ForecastError::Values),
            () if design.arms().len() < 2 => Err(ForecastError::NoVariants),
            () if !(rate > 0.0 && rate < 1.0) => Err(ForecastError::Rate(rate)),
            () if !(people > 0.0 && people.is_finite()) => Err(ForecastError::People(people)),
            () if longest <= window => Err(ForecastError::TooShort),
            () => Ok(Self { design, policy, prospect }),
        }
    }

    /// What is known of the people.
    #[must_use]
    pub fn prospect(&self) -> Prospect {
        self.prospect
    }

    /// What is asked.
    #[must_use]
    pub fn design(&self) -> &Design {
        &self.design
    }

    /// The same experiment with so many variants of the first generation, at least one.
    #[must_use]
    pub fn with_variants(&self, variants: usize) -> Self {
        let arms = vec![Standing::FIRST; 1 + variants.max(1)];
        let design = Design::new(self.design.metric(), self.design.stopping(), arms).expect("there are arms");
        Self { design, ..self.clone() }
    }

    /// The same experiment, which may last as long.
    ///
    /// # Errors
    /// When it ends before the first window has passed.
    pub fn lasting(&self, longest: Duration) -> Result<Self, ForecastError> {
        Self::new(self.design.clone(), self.policy, Prospect { longest, ..self.prospect })
    }

    /// The same experiment, which also ends when no variant brings `lift`.
    ///
    /// # Errors
    /// As [`crate::Stopping::with_worthwhile_lift`].
    pub fn with_worthwhile_lift(&self, lift: f64) -> Result<Self, StoppingError> {
        let stopping = self.design.stopping().with_worthwhile_lift(lift)?;
        let design = Design::new(self.design.metric(), stopping, self.design.arms().to_vec());
        Ok(Self { design: design.expect("the same arms"), ..self.clone() })
    }

    /// The largest lift that a variant can have and that can be told, as a fraction of the control's rate.
    #[must_use]
    pub fn largest_lift(&self) -> f64 {
        match self.design.metric().direction {
            Direction::Maximize => LARGEST_RISE.min(self.prospect.rate.recip() - 1.0),
            Direction::Minimize => LARGEST_FALL,
        }
    }

    /// Plays the experiment of `seed`, in which one variant improves on the control by `lift`, as 0.1 for 10 % more, or 10 %
    /// less where less is better. A lift of 0 is a world without any difference.
    #[must_use]
    pub fn play(&self, lift: f64, seed: u64) -> End {
        let mut run = Run::new(self, &self.rates(lift), seed);
        let looks = self.looks();
        for &matured in &looks {
            run.mature(matured);
            if let Some(verdict) = run.verdict() {
                return End { after: self.at(matured), verdict };
            }
            run.turn();
        }
        End { after: self.prospect.longest, verdict: run.last_verdict() }
    }

    /// The smallest lift with which the better variant is found in a part of at least `chance` of so many `experiments`, as
    /// 0.8, of those that are written with two digits: more are not known. `None` where not even [`Forecast::largest_lift`]
    /// is.
    ///
    /// `play` has the experiments of a lift and of some seeds played, on as many threads as the caller likes: [`Forecast::play`]
    /// for each seed, in their order. All lifts are tried with the same seeds.
    pub fn smallest_lift(
        &self,
        chance: f64,
        experiments: u64,
        mut play: impl FnMut(f64, Range<u64>) -> Vec<End>,
    ) -> Option<Seen> {
        let too_small = self.hardly_seen(|lift| is_enough(chance, |seeds| play(lift, seeds)))?;
        let lifts = std::iter::successors(Some(rounded_up(too_small)), |lift| Some(rounded_up(1.001 * lift)));
        let seen = lifts.map(|lift| lift.min(self.largest_lift())).find_map(|lift| {
            let ends = play(lift, 1..1 + experiments);
            let is_seen = part(&ends, End::is_found) >= chance || lift >= self.largest_lift();
            is_seen.then_some(Seen { lift, ends })
        });
        Some(seen.expect("the lifts rise until the largest"))
    }

    /// A lift that is a little too small, as far as few experiments tell; `None` where all are.
    fn hardly_seen(&self, mut is_seen: impl FnMut(f64) -> bool) -> Option<f64> {
        let (mut too_small, mut enough) = (SMALLEST, self.largest_lift());
        if !is_seen(enough) {
            return None;
        }
        while enough > too_small * (1.0 + NEAR) {
            let middle = (too_small * enough).sqrt();
            if is_seen(middle) { enough = middle } else { too_small = middle }
        }
        Some(too_small)
    }

    /// By arm.
    fn rates(&self, lift: f64) -> Vec<f64> {
        let better = self.prospect.rate * (1.0 + self.design.metric().direction.sign() * lift);
        let rate = |arm: usize| if arm == BETTER { better.clamp(0.0, 1.0) } else { self.prospect.rate };
        (0..self.design.arms().len()).map(rate).collect()
    }

    /// How much time has matured at each look, in seconds; the last look is when the time is up.
    fn looks(&self) -> Vec<f64> {
        let last = (self.prospect.longest - self.prospect.window).as_secs_f64();
        let first = FIRST_LOOK / self.prospect.people_per_second;
        let looks = std::iter::successors(Some(first), |look| Some(look * LOOK_GROWTH));
        looks.take_while(|look| *look < last).chain([last]).collect()
    }

    fn at(&self, matured: f64) -> Duration {
        self.prospect.window + Duration::from_secs_f64(matured)
    }
}

/// Whether at least a part of `chance` is found, by as many of few experiments as it takes to tell.
fn is_enough(chance: f64, mut play: impl FnMut(Range<u64>) -> Vec<End>) -> bool {
    let mut ends: Vec<End> = Vec::new();
    for first in (1..=FEW).step_by(BATCH as usize) {
        ends.extend(play(first..first + BATCH));
        let error = (chance * (1.0 - chance) / ends.len() as f64).sqrt();
        if (part(&ends, End::is_found) - chance).abs() > 2.0 * error {
            break;
        }
    }
    part(&ends, End::is_found) >= chance
}

/// In two digits.
fn rounded_up(lift: f64) -> f64 {
    let unit = 10_f64.powi(lift.log10().floor() as i32 - 1);
    (lift / unit - 1e-9).ceil() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifts_are_told_in_two_digits() {
        let check = |lift: f64, expected: f64| {
            assert!((rounded_up(lift) - expected).abs() < 1e-12, "{lift}: {}", rounded_up(lift));
        };
        check(0.05231, 0.053);
        check(0.053, 0.053);
        check(1.001 * 0.053, 0.054);
        check(1.001 * 0.099, 0.1);
        check(1.001 * 0.1, 0.11);
        check(1.31, 1.4);
    }

    #[test]
    fn an_end_comes_after_the_part_that_was_asked() {
        let end = |hours: u64, verdict: Verdict| End { after: Duration::from_secs(3_600 * hours), verdict };
        let undecided = Verdict::Inconclusive { leader: 0, missing: Vec::new() };
        let ends = [
            end(9, Verdict::ControlWins),
            end(40, undecided),
            end(3, Verdict::NoWorthwhileDifference { worthwhile_lift: 0.1, log_e_value: 3.1 }),
            end(5, Verdict::ControlWins),
        ];
        let hours = |part| decided_after(&ends, part).map(|after| after.as_secs() / 3_600);
        assert_eq!([0.0, 0.25, 0.5, 0.75, 0.76].map(hours), [Some(3), Some(3), Some(5), Some(9), None]);
        assert_eq!((part(&ends, End::is_decided), part(&ends, End::is_found)), (0.75, 0.0));
        assert_eq!(decided_after(&[], 0.5), None);
    }
}
