//! A world, round by round.

use experiment::simulation::Course;
use experiment::{Cell, Design, Remaining, Verdict};
use operator::sentence::Ended;

use super::super::fault::{Fault, Problem};
use super::super::place::Place;
use super::super::read::{Question, comparable, is_alone};
use super::read::Played;

/// What became of an experiment in a world.
#[derive(Clone, Debug)]
pub struct Story {
    /// What was counted when it was decided, or else to the end.
    pub(super) question: Question,
    /// The last round that was counted when it was decided, if it was.
    pub(super) decided: Option<usize>,
    /// Of all rounds, by arm.
    pub(super) exposures: Vec<u64>,
    /// Expected rewards that were lost against always the best.
    pub(super) regret: f64,
    /// The same of an even split.
    pub(super) even_regret: f64,
}

/// What an experiment is asked at one look.
struct Look {
    cells: Vec<Cell>,
    /// The numbers of their rounds.
    numbers: Vec<u64>,
    design: Design,
}

impl Played {
    /// Plays all rounds, telling `tell` how many have passed, of how many. The policy goes on after a decision, so that the
    /// regret of two policies is one of equally many people.
    ///
    /// # Errors
    /// Never for a world that could be read, as far as is known.
    pub fn play(&self, mut tell: impl FnMut(usize, usize)) -> Result<Story, Fault> {
        let course = Course::new(&self.world, &self.question.design, &self.policy, self.seed);
        let mut course = match &self.features {
            Some(features) => course.with_features(features),
            None => course,
        };
        let all = self.world.rounds.len() + self.world.delay;
        let (mut decision, mut seen) = (None, 0);
        while course.play() {
            tell(course.passed(), all);
            if decision.is_none() && course.matured().len() > seen {
                seen = course.matured().len();
                let look = self.look(&course);
                decision = look.is_decided()?.then_some((look, course.passed() - self.world.delay));
            }
        }
        let (look, decided) = match decision {
            Some((look, round)) => (look, Some(round)),
            None => (self.look(&course), None),
        };
        let by_arm = |arm: usize| course.cells().iter().map(|cell| cell.totals()[arm].exposures).sum();
        Ok(Story {
            exposures: (0..self.question.names.len()).map(by_arm).collect(),
            regret: course.regret(),
            even_regret: course.even_regret(),
            question: self.asked(look, decided),
            decided,
        })
    }

    fn look(&self, course: &Course) -> Look {
        let segments = self.question.segments.as_ref().map_or(1, Vec::len);
        let numbered = course.matured().iter().enumerate().filter(|(_, cell)| !is_alone(cell));
        let numbers = numbered.map(|(index, _)| (index / segments) as u64 + 1).collect();
        let cells = comparable(course.matured().to_vec(), self.question.names.len());
        Look { cells, numbers, design: course.design() }
    }

    fn asked(&self, look: Look, decided: Option<usize>) -> Question {
        let mut question = self.question.clone();
        question.rounds = decided.unwrap_or(self.world.rounds.len());
        question.plan.over = decided.is_none().then_some(Ended::Time);
        (question.cells, question.numbers, question.design) = (look.cells, look.numbers, look.design);
        question
    }
}

impl Look {
    fn is_decided(&self) -> Result<bool, Fault> {
        let estimate = experiment::estimate(&self.cells, &self.design).map_err(|error| {
            Fault::at(&Place::default().field("rounds"), Problem::Refused(error.to_string()))
        })?;
        Ok(match experiment::judge(&estimate, Remaining::Some) {
            Verdict::Winner { .. } | Verdict::ControlWins | Verdict::NoWorthwhileDifference { .. } => true,
            Verdict::Inconclusive { .. } | Verdict::Unhealthy(_) | Verdict::Collecting { .. } => false,
        })
    }
}
