//! The answer of `simulate --world`. The comments of fields are their descriptions in
//! `docs/schemas/simulate-answer.json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::answer::{EstimateAnswer, Figure, VerdictWord};
use super::super::fault::Fault;
use super::play::Story;
use super::read::Played;

/// What is true, what was done, and what was said of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimulateAnswer {
    /// The seed that drew all chance.
    pub seed: u64,
    /// What is true of each variant, the control first, then the others by name.
    pub variants: Vec<TrueVariant>,
    /// The truly best variant over all rounds; the control may be.
    pub best: String,
    /// When the verdict was reached before all rewards were in. Null otherwise.
    pub decided: Option<Decided>,
    /// Whether the verdict is true of the rounds that it rests on: a winner that is better than the control, `ControlWins` where every variant is worse,
    /// `NoWorthwhileDifference` where none has the worthwhile lift. Null where nothing was claimed.
    pub right: Option<bool>,
    /// Expected rewards that were lost over all rounds against always showing the best, in each segment, as it was there and
    /// then.
    pub regret: Figure,
    /// The same, had all variants had equal shares.
    pub even_regret: Figure,
    /// The answer of `estimate` when the verdict was reached, or at the end.
    pub estimate: EstimateAnswer,
}

/// What is true of a variant.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TrueVariant {
    /// Its name.
    pub name: String,
    /// Its true mean reward over all rounds, and all segments.
    pub mean: Figure,
    /// That over the control's, minus one. Null for the control, and where the control's is 0.
    pub lift: Option<Figure>,
    /// How many people were shown it over all rounds.
    pub exposures: u64,
}

/// When a verdict was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Decided {
    /// The last round that was counted by then; with a delay, more had passed.
    pub round: usize,
    /// How many exposures were counted by then, of all variants.
    pub exposures: u64,
}

impl Story {
    /// The story of `played` as an answer.
    ///
    /// # Errors
    /// As [`Played::play`].
    pub fn answer(&self, played: &Played) -> Result<SimulateAnswer, Fault> {
        let Self { question, decided, exposures, regret, even_regret } = self;
        let estimate = question.estimate()?;
        let truth = Truth::of(played, played.world.rounds.len());
        let counted = estimate.variants.iter().map(|variant| variant.exposures).sum();
        let variants = exposures.iter().enumerate().map(|(arm, &exposures)| TrueVariant {
            name: question.names[arm].clone(),
            mean: Figure(truth.means[arm]),
            lift: truth.lift(arm).map(Figure),
            exposures,
        });
        Ok(SimulateAnswer {
            seed: played.seed,
            variants: variants.collect(),
            best: question.names[truth.best()].clone(),
            decided: decided.map(|round| Decided { round, exposures: counted }),
            right: Truth::of(played, decided.unwrap_or(usize::MAX)).is_right(played, &estimate),
            regret: Figure(*regret),
            even_regret: Figure(*even_regret),
            estimate,
        })
    }
}

/// What is true over some rounds.
struct Truth {
    means: Vec<f64>,
    /// 1 where more is better, else −1.
    sign: f64,
}

impl Truth {
    /// Over the first so many rounds.
    fn of(played: &Played, rounds: usize) -> Self {
        let metric = played.question.design.metric();
        let arms = 0..played.question.names.len();
        let means = arms.map(|arm| played.world.mean(arm, rounds, metric.kind)).collect();
        Self { means, sign: metric.direction.sign() }
    }

    fn best(&self) -> usize {
        let is_better = |one: usize, other: usize| self.sign * (self.means[one] - self.means[other]) > 0.0;
        (0..self.means.len())
            .reduce(|best, arm| if is_better(arm, best) { arm } else { best })
            .expect("there is a control")
    }

    fn lift(&self, arm: usize) -> Option<f64> {
        (arm > 0 && self.means[0] > 0.0).then(|| self.means[arm] / self.means[0] - 1.0)
    }

    /// How much better than the control an arm is, as a fraction; infinite where the control earns nothing.
    fn improvement(&self, arm: usize) -> f64 {
        self.sign * (self.means[arm] - self.means[0]) / self.means[0]
    }

    fn is_right(&self, played: &Played, estimate: &EstimateAnswer) -> Option<bool> {
        let mut variants = 1..self.means.len();
        let names = &played.question.names;
        match estimate.verdict? {
            VerdictWord::Winner => {
                let arm = names.iter().position(|name| Some(name) == estimate.winner.as_ref())?;
                Some(self.improvement(arm) > 0.0)
            }
            VerdictWord::ControlWins => Some(variants.all(|arm| self.improvement(arm) < 0.0)),
            VerdictWord::NoWorthwhileDifference => {
                let worthwhile = played.question.design.stopping().worthwhile_lift()?;
                Some(variants.all(|arm| self.improvement(arm) < worthwhile))
            }
            VerdictWord::WinnerAsDelivered
            | VerdictWord::Inconclusive
            | VerdictWord::Unhealthy
            | VerdictWord::Collecting => None,
        }
    }
}
