//! One experiment, from its first exposure to its end.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::evidence::Evidence;
use super::{Forecast, Rounds};
use crate::allocation::Allocation;
use crate::estimate::estimate;
use crate::policy::allocate;
use crate::simulation::{Truth, cap, draw};
use crate::totals::{Cell, Totals, as_f64};
use crate::verdict::{Remaining, Verdict, judge};

/// An experiment as far as it has come.
pub(super) struct Run<'a> {
    forecast: &'a Forecast,
    truths: Vec<Truth>,
    random: Xoshiro256PlusPlus,
    rounds: Vec<Round>,
    evidence: Evidence,
    /// Who was exposed until then, in seconds, has matured.
    matured: f64,
}

/// A period of the same shares.
struct Round {
    /// In seconds from the first exposure.
    opened: f64,
    /// How many exposures had matured then.
    before: u64,
    allocation: Allocation,
    /// What has matured of it, by arm.
    totals: Vec<Totals>,
}

impl Round {
    fn new(opened: f64, before: u64, allocation: Allocation) -> Self {
        let totals = vec![Totals::default(); allocation.shares().len()];
        Self { opened, before, allocation, totals }
    }

    fn cell(&self) -> Cell {
        cell(&self.allocation, self.totals.clone())
    }

    fn add(&mut self, more: &[Totals]) {
        self.totals.iter_mut().zip(more).for_each(|(totals, more)| *totals = *totals + *more);
    }
}

fn cell(allocation: &Allocation, totals: Vec<Totals>) -> Cell {
    Cell::new(allocation.clone(), totals).expect("counts follow from the allocation")
}

impl<'a> Run<'a> {
    /// The experiment whose arms are of these truths, at its first exposure.
    pub(super) fn new(forecast: &'a Forecast, truths: Vec<Truth>, seed: u64) -> Self {
        let even = Allocation::even(truths.len()).expect("there are arms");
        let nothing = Round::new(0.0, 0, even).cell();
        let first = allocate(&[nothing], &forecast.design, &forecast.policy).allocation;
        Self {
            forecast,
            truths,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            rounds: vec![Round::new(0.0, 0, first)],
            evidence: Evidence::new(&forecast.design),
            matured: 0.0,
        }
    }

    /// Counts who was exposed until then.
    pub(super) fn mature(&mut self, until: f64) {
        for round in 0..self.rounds.len() {
            let closed = self.rounds.get(round + 1).map_or(f64::INFINITY, |next| next.opened);
            let (from, to) = (self.matured.max(self.rounds[round].opened), until.min(closed));
            if from < to {
                self.count(round, self.people(to) - self.people(from));
            }
        }
        self.matured = until;
    }

    fn people(&self, until: f64) -> u64 {
        self.forecast.people(until)
    }

    fn count(&mut self, round: usize, exposures: u64) {
        let round = &mut self.rounds[round];
        let counts = draw::divide(&mut self.random, exposures, &round.allocation);
        let arms = self.truths.iter().zip(counts);
        let random = &mut self.random;
        let most = cap(self.forecast.design.metric().kind);
        let totals = arms.map(|(truth, count)| draw::respond(random, truth, most, count)).collect();
        let more = cell(&round.allocation, totals);
        round.add(more.totals());
        self.evidence.add(&more);
    }

    /// What may be said now, if that is an end.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        if !self.evidence.may_end(|| self.cells()) {
            return None;
        }
        let verdict = self.judge(Remaining::Some);
        (!matches!(verdict, Verdict::Collecting { .. } | Verdict::Unhealthy(_))).then_some(verdict)
    }

    /// What may be said when the time is up.
    pub(super) fn last_verdict(&self) -> Verdict {
        self.judge(Remaining::Nothing)
    }

    pub(super) fn judge(&self, remaining: Remaining) -> Verdict {
        let estimate = estimate(&self.cells(), &self.forecast.design).expect("counts are possible");
        judge(&estimate, remaining)
    }

    fn cells(&self) -> Vec<Cell> {
        self.rounds.iter().map(Round::cell).collect()
    }

    /// Who was exposed until then, in seconds, has matured.
    pub(super) fn matured(&self) -> f64 {
        self.matured
    }

    /// What was served so far, and from when on.
    pub(super) fn served(&self) -> Vec<(f64, Allocation)> {
        self.rounds.iter().map(|round| (round.opened, round.allocation.clone())).collect()
    }

    /// Opens a round where one may open and has other shares.
    pub(super) fn turn(&mut self) {
        if !self.may_close() {
            return;
        }
        let next = allocate(&self.cells(), &self.forecast.design, &self.forecast.policy).allocation;
        if next != self.current().allocation {
            self.rounds.push(Round::new(self.now(), self.people(self.matured), next));
        }
    }

    fn may_close(&self) -> bool {
        let Rounds { minimum, growth, most } = self.forecast.prospect.rounds;
        let round = self.current();
        let grown = (as_f64(round.before) * (1.0 + growth)).max(as_f64(round.before + 1));
        self.rounds.len() < most
            && self.now() - round.opened >= minimum.as_secs_f64()
            && as_f64(self.people(self.matured)) >= grown
    }

    fn current(&self) -> &Round {
        self.rounds.last().expect("there is a first one")
    }

    /// Seconds from the first exposure.
    fn now(&self) -> f64 {
        self.matured + self.forecast.prospect.window.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::forecast::Prospect;
    use crate::metric::Kind;
    use crate::simulation::Worth;
    use crate::{Control, Design, Direction, Metric, PartsPerMillion, Policy, Rule, Standing, Stopping};

    fn percent(percent: u32) -> PartsPerMillion {
        PartsPerMillion::new(10_000 * percent).unwrap()
    }

    fn forecast(variants: usize, metric: Metric, worth: Worth, stopping: Stopping) -> Forecast {
        let design = Design::new(metric, stopping, vec![Standing::FIRST; 1 + variants]).unwrap();
        let policy =
            Policy::new(Rule::Thompson, 1 + variants, percent(1), Control::Fixed(percent(20)), 100).unwrap();
        let prospect = Prospect {
            rate: 0.05,
            worth,
            people_per_second: 0.2,
            window: Duration::from_secs(3_600),
            longest: Duration::from_secs(14 * 86_400),
            rounds: Rounds { minimum: Duration::from_secs(600), growth: 0.3, most: 58 },
        };
        Forecast::new(design, policy, prospect).unwrap()
    }

    /// What is looked at before the verdict only spares work: at every look of many experiments an end is seen exactly where
    /// the verdict itself sees one.
    #[test]
    fn no_end_is_passed_over() {
        let plain = Stopping::new(0.95, 0.01).unwrap();
        let ending = plain.with_worthwhile_lift(0.2).unwrap();
        let values = Kind::Value { cap: Some(60.0) };
        for (kind, worth) in [(Kind::Binary, Worth::One), (values, Worth::log_normal(40.0, 20.0))] {
            let mut ends = [0; 3];
            for (variants, direction, stopping, better, others) in [
                (1, Direction::Maximize, plain, 0.065, 0.05),
                (1, Direction::Maximize, ending, 0.05, 0.05),
                (3, Direction::Maximize, ending, 0.05, 0.05),
                (3, Direction::Minimize, ending, 0.04, 0.05),
                (2, Direction::Maximize, plain, 0.035, 0.03),
                (2, Direction::Minimize, plain, 0.07, 0.075),
            ] {
                let forecast = forecast(variants, Metric { kind, direction }, worth, stopping);
                let rates = (0..=variants).map(|arm| [0.05, better, others][arm.min(2)]);
                let truths = rates.map(|rate| Truth { worth, ..Truth::rate(rate) });
                check_looks(&forecast, &truths.collect::<Vec<_>>(), &mut ends);
            }
            assert!(
                ends.iter().all(|&seen| seen > 100),
                "each kind of end has to be seen: {kind:?} {ends:?}"
            );
        }
    }

    fn check_looks(forecast: &Forecast, truths: &[Truth], ends: &mut [u32; 3]) {
        for seed in 1..=12 {
            let mut run = Run::new(forecast, truths.to_vec(), seed);
            for matured in forecast.looks() {
                run.mature(matured);
                let (found, expected) = (run.verdict(), run.judge(Remaining::Some));
                match expected {
                    Verdict::Collecting { .. } | Verdict::Unhealthy(_) => assert_eq!(found, None),
                    end => {
                        ends[match end {
                            Verdict::Winner { .. } => 0,
                            Verdict::ControlWins => 1,
                            _ => 2,
                        }] += 1;
                        assert_eq!(found, Some(end), "{truths:?} {seed}");
                    }
                }
                run.turn();
            }
        }
    }

    #[test]
    fn exposures_fall_into_the_rounds_in_which_they_were_made() {
        let forecast = forecast(2, Metric::CLICKS, Worth::One, Stopping::new(0.95, 0.01).unwrap());
        let mut run = Run::new(&forecast, forecast.truths(0.1), 1);
        for matured in forecast.looks() {
            run.mature(matured);
            run.turn();
        }
        let exposures = |round: &Round| round.totals.iter().map(|totals| totals.exposures).sum::<u64>();
        let last = run.rounds.len() - 1;
        for (index, round) in run.rounds.iter().enumerate() {
            let closed = run.rounds.get(index + 1).map_or(run.matured, |next| next.opened.min(run.matured));
            let expected = 0.2 * (closed - round.opened).max(0.0);
            assert!((exposures(round) as f64 - expected).abs() <= 1.0, "round {index} of {last}");
        }
        let grown = |(one, next): (&Round, &Round)| {
            next.before as f64 >= 1.3 * one.before as f64 && next.opened - one.opened >= 600.0
        };
        assert!(last > 10 && run.rounds.iter().zip(&run.rounds[1..]).all(grown));
        assert_eq!(run.people(run.matured), (0.2 * (14.0 * 86_400.0 - 3_600.0)) as u64);
    }
}
