//! The harm that a guardrail shows, before the first exposure.
//!
//! What is served follows the placement's own metric, in which no variant differs here; so the course of the experiment is played
//! first, and what the guardrail counts beside it is drawn for each harm that is tried. Harm is looked for whenever the operator
//! looks for a verdict, until there is one or the time is up.

use std::ops::Range;
use std::time::Duration;

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::search::Search;
use super::{BETTER, Forecast, ForecastError, largest_rise};
use crate::allocation::Allocation;
use crate::anytime::{AtLeast, Ratio};
use crate::design::Design;
use crate::guardrail::{Guardrail, harms};
use crate::metric::Kind;
use crate::simulation::{Truth, draw};
use crate::totals::{Cell, Totals};

/// The arm that does harm.
const HARMFUL: usize = BETTER;

/// Who does harm is drawn apart from who acts.
const APART: u64 = 0x6861_726d;

/// What an experiment serves, and until when.
#[derive(Clone, Debug)]
pub struct Course {
    /// When each round is opened, in seconds from the first exposure.
    rounds: Vec<(f64, Allocation)>,
    /// What has matured at the end, in seconds of exposures.
    ended: f64,
}

/// A guardrail, and what is known of the people.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    guardrail: Guardrail,
    rate: f64,
    window: Duration,
}

/// The smallest harm that is shown often enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Harm {
    /// By how much more often it happens than with the control, as 0.5 for half.
    pub increase: f64,
    /// After how long each experiment showed it, where it did.
    pub after: Vec<Option<Duration>>,
}

impl Watch {
    /// A guardrail on what happens to a part of `rate` of those who are shown the control, within a window.
    ///
    /// # Errors
    /// When it is of values, or happens to nobody or everybody.
    pub fn new(guardrail: Guardrail, rate: f64, window: Duration) -> Result<Self, ForecastError> {
        match () {
            () if guardrail.metric().kind != Kind::Binary => Err(ForecastError::Worth),
            () if !(rate > 0.0 && rate < 1.0) => Err(ForecastError::Rate(rate)),
            () => Ok(Self { guardrail, rate, window }),
        }
    }

    /// The largest increase that there can be and that can be told. Where it is within the guardrail's own limit, no harm is ever
    /// shown.
    #[must_use]
    pub fn largest_increase(&self) -> f64 {
        largest_rise(self.rate)
    }

    /// The smallest increase that is shown in a part of at least `chance` of so many `experiments`, in two digits; `None` where
    /// not even [`Watch::largest_increase`] is. `play` has those of an increase and of some seeds played, by
    /// [`Forecast::harm_after`].
    pub fn smallest_harm(
        &self,
        chance: f64,
        experiments: u64,
        mut play: impl FnMut(f64, Range<u64>) -> Vec<Option<Duration>>,
    ) -> Option<Harm> {
        let above = self.guardrail.maximum_increase();
        let search = Search { chance, experiments, above, largest: self.largest_increase() };
        let (increase, after) = search.smallest(Option::is_some, &mut play)?;
        Some(Harm { increase, after })
    }
}

impl Forecast {
    /// What the experiment of `seed` serves if no variant differs.
    #[must_use]
    pub fn course(&self, seed: u64) -> Course {
        let (run, _) = self.run(0.0, seed);
        Course { rounds: run.served(), ended: run.matured() }
    }

    /// After how long a variant of which a guardrail's metric rises by `increase` is shown to do harm, if it is before the end of
    /// its `course`.
    #[must_use]
    pub fn harm_after(&self, course: &Course, watch: &Watch, increase: f64, seed: u64) -> Option<Duration> {
        let mut watched = Watched::new(self, course, watch, increase, seed);
        self.looks().into_iter().take_while(|look| *look <= course.ended).map(|look| self.at(look)).find(
            |now| {
                watched.mature(now.saturating_sub(watch.window).as_secs_f64());
                watched.is_shown()
            },
        )
    }
}

/// What a guardrail has counted so far.
struct Watched<'a> {
    forecast: &'a Forecast,
    course: &'a Course,
    guardrail: &'a Guardrail,
    within: AtLeast,
    design: Design,
    truths: Vec<Truth>,
    random: Xoshiro256PlusPlus,
    counted: Vec<Vec<Totals>>,
    matured: f64,
}

impl<'a> Watched<'a> {
    fn new(forecast: &'a Forecast, course: &'a Course, watch: &'a Watch, increase: f64, seed: u64) -> Self {
        let arms = forecast.design.arms();
        let rate = |arm| if arm == HARMFUL { watch.rate * (1.0 + increase) } else { watch.rate };
        let design = Design::new(watch.guardrail.metric(), forecast.design.stopping(), arms.to_vec());
        Self {
            forecast,
            course,
            guardrail: &watch.guardrail,
            within: watch.guardrail.within(),
            design: design.expect("a design's arms make one"),
            truths: (0..arms.len()).map(|arm| Truth::rate(rate(arm).min(1.0))).collect(),
            random: Xoshiro256PlusPlus::seed_from_u64(seed ^ APART),
            counted: vec![vec![Totals::default(); arms.len()]; course.rounds.len()],
            matured: 0.0,
        }
    }

    /// Counts who was exposed until then.
    fn mature(&mut self, until: f64) {
        let course = self.course;
        for (round, (opened, allocation)) in course.rounds.iter().enumerate() {
            let closed = course.rounds.get(round + 1).map_or(f64::INFINITY, |(next, _)| *next);
            let (from, to) = (self.matured.max(*opened), until.min(closed));
            if from < to {
                let exposures = self.forecast.people(to) - self.forecast.people(from);
                self.count(round, exposures, allocation);
            }
        }
        self.matured = until;
    }

    fn count(&mut self, round: usize, exposures: u64, allocation: &Allocation) {
        let counts = draw::divide(&mut self.random, exposures, allocation);
        for ((truth, count), totals) in self.truths.iter().zip(counts).zip(&mut self.counted[round]) {
            *totals = *totals + draw::respond(&mut self.random, truth, f64::INFINITY, count);
        }
    }

    /// As [`crate::guard()`] says it, which is asked where the arm's own evidence may be enough.
    fn is_shown(&self) -> bool {
        let rounds = self.course.rounds.iter().zip(&self.counted);
        let cell = |((_, allocation), totals): (&(f64, Allocation), &Vec<Totals>)| {
            Cell::new(allocation.clone(), totals.clone()).expect("counts follow from the allocation")
        };
        let cells: Vec<Cell> = rounds.map(cell).collect();
        let ratio = Ratio::new(&cells, HARMFUL, self.guardrail.metric());
        self.within.log_e_value(&ratio) >= self.guardrail.enough()
            && harms(&cells, &self.design, self.guardrail)[HARMFUL].is_some_and(|harm| harm.is_harmful)
    }
}
