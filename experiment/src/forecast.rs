//! How an experiment will go, before its first exposure.
//!
//! A formula for a sample of fixed size promises too much: here the shares move, several variants answer for one chance of
//! error, the verdict may be looked at whenever one likes, and a winner has to lose little against the best arm. So the
//! experiment is played, again and again, by what decides it later: [`crate::allocate()`] at every round, [`crate::judge()`]
//! at every look. One variant is better by a lift that is taken for true, all others are as good as the control. Of values it is
//! each value that is larger by the lift, before a cap cuts it.
//!
//! ```text
//! Design, Policy, Prospect ──▶ Forecast ── play(lift, seed) ──▶ End: after how long, with which verdict
//!                                  ├────── smallest_lift ─────▶ the least lift that is found often enough
//!                                  └────── smallest_harm ─────▶ the least harm that a guardrail shows often enough
//! ```
//!
//! Time is that of the campaign: an exposure counts once its window has passed, a round closes once its least time has
//! passed and what has matured has grown, and the end is there when the longest time is up. People come evenly. Looks are
//! a twentieth of the matured time apart, where the operator looks every few seconds, so an end is told late by so much
//! at most, and by half of it on average.

mod evidence;
mod harm;
mod run;
mod search;

use std::ops::Range;
use std::time::Duration;

use crate::design::{Design, Standing};
use crate::metric::{Direction, Kind};
use crate::policy::Policy;
use crate::simulation::{Truth, Worth};
use crate::stopping::StoppingError;
use crate::verdict::Verdict;
pub use harm::{Course, Harm, Watch};
use run::Run;
use search::Search;

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

/// What is known of the people before the first one comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prospect {
    /// The part of the people who act, of those who are shown the control.
    pub rate: f64,
    /// What one of them is worth: 1 where the metric is of 0 and 1.
    pub worth: Worth,
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
    /// How values spread is not told by how many act, and 0 and 1 do not spread.
    #[error("values need a mean and a deviation, and a metric of 0 and 1 has neither")]
    Worth,
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
/// use experiment::simulation::Worth;
/// use experiment::{Control, Design, Metric, PartsPerMillion, Policy, Rule, Standing, Stopping, Verdict};
///
/// let percent = |p: u32| PartsPerMillion::new(p * 10_000).expect("below 100 %");
/// let design = Design::new(Metric::CLICKS, Stopping::new(0.95, 0.01)?, vec![Standing::FIRST; 3])?;
/// let policy = Policy::new(Rule::Thompson, 3, percent(1), Control::Fixed(percent(20)), 100)?;
/// let day = Duration::from_secs(86_400);
/// let prospect = Prospect {
///     rate: 0.04,
///     worth: Worth::One,
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
pub fn part<T>(ends: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    ends.iter().filter(|end| holds(end)).count() as f64 / ends.len() as f64
}

impl Forecast {
    /// An experiment of these arms under this policy.
    ///
    /// # Errors
    /// Where `prospect` makes no sense or does not fit the metric, or where there is no variant.
    pub fn new(design: Design, policy: Policy, prospect: Prospect) -> Result<Self, ForecastError> {
        let Prospect { rate, worth, people_per_second: people, window, longest, .. } = prospect;
        let is_binary = design.metric().kind == Kind::Binary;
        match () {
            () if is_binary != (worth == Worth::One) => Err(ForecastError::Worth),
            () if design.arms().len() < 2 => Err(ForecastError::NoVariants),
            // Everybody may be worth something.
            () if !(rate > 0.0 && rate <= 1.0 && (rate < 1.0 || !is_binary)) => {
                Err(ForecastError::Rate(rate))
            }
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

    /// The largest lift that a variant can have and that can be told, as a fraction of the control's mean.
    #[must_use]
    pub fn largest_lift(&self) -> f64 {
        match (self.design.metric().direction, self.design.metric().kind) {
            (Direction::Maximize, Kind::Binary) => largest_rise(self.prospect.rate),
            (Direction::Maximize, Kind::Value { .. }) => LARGEST_RISE,
            (Direction::Minimize, _) => LARGEST_FALL,
        }
    }

    /// Plays the experiment of `seed`, in which one variant improves on the control by `lift`, as 0.1 for 10 % more, or 10 %
    /// less where less is better. A lift of 0 is a world without any difference.
    #[must_use]
    pub fn play(&self, lift: f64, seed: u64) -> End {
        match self.run(lift, seed) {
            (run, Some(verdict)) => End { after: self.at(run.matured()), verdict },
            (run, None) => End { after: self.prospect.longest, verdict: run.last_verdict() },
        }
    }

    /// The experiment until something can be said, or its time is up.
    fn run(&self, lift: f64, seed: u64) -> (Run<'_>, Option<Verdict>) {
        let mut run = Run::new(self, self.truths(lift), seed);
        for &matured in &self.looks() {
            run.mature(matured);
            if let Some(verdict) = run.verdict() {
                return (run, Some(verdict));
            }
            run.turn();
        }
        (run, None)
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
        let search = Search { chance, experiments, above: SMALLEST, largest: self.largest_lift() };
        let (lift, ends) = search.smallest(End::is_found, &mut play)?;
        Some(Seen { lift, ends })
    }

    /// By arm.
    fn truths(&self, lift: f64) -> Vec<Truth> {
        let better = self.truth(1.0 + self.design.metric().direction.sign() * lift);
        let truth = |arm: usize| if arm == BETTER { better } else { self.truth(1.0) };
        (0..self.design.arms().len()).map(truth).collect()
    }

    /// Of an arm whose mean is that of the control times a factor.
    fn truth(&self, factor: f64) -> Truth {
        let Prospect { rate, worth, .. } = self.prospect;
        match worth {
            Worth::One => Truth::rate((rate * factor).clamp(0.0, 1.0)),
            Worth::LogNormal { location, spread } => Truth {
                worth: Worth::LogNormal { location: location + factor.ln(), spread },
                ..Truth::rate(rate)
            },
        }
    }

    /// How much time has matured at each look, in seconds; the last look is when the time is up.
    fn looks(&self) -> Vec<f64> {
        let last = (self.prospect.longest - self.prospect.window).as_secs_f64();
        let first = FIRST_LOOK / self.prospect.people_per_second;
        let looks = std::iter::successors(Some(first), |look| Some(look * LOOK_GROWTH));
        looks.take_while(|look| *look < last).chain([last]).collect()
    }

    /// How many were exposed until then, in seconds.
    fn people(&self, until: f64) -> u64 {
        (self.prospect.people_per_second * until) as u64
    }

    fn at(&self, matured: f64) -> Duration {
        self.prospect.window + Duration::from_secs_f64(matured)
    }
}

/// How much more often than with `rate` something can happen, and be told.
fn largest_rise(rate: f64) -> f64 {
    LARGEST_RISE.min(rate.recip() - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
