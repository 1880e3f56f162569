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
    /// The truly best variant, each held against the control over the rounds in which it is served; the control may be.
    pub best: String,
    /// When a verdict was reached. Null where none was until the end.
    pub decided: Option<Decided>,
    /// Whether the verdict is true of the rounds that it rests on, each variant held against the control over those in
    /// which it was served: a winner that is better than the control, `ControlWins` where every variant is worse,
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
    /// Its true mean reward over the rounds in which it is served, and all segments.
    pub mean: Figure,
    /// That over the control's in the same rounds, minus one. Null for the control, and where the control's is 0.
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
            mean: Figure(truth.mean(arm)),
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
    /// By arm: its mean and the control's over the rounds in which it is served; `None` where there are none.
    means: Vec<Option<[f64; 2]>>,
    /// 1 where more is better, else −1.
    sign: f64,
}

impl Truth {
    /// Over the first so many rounds.
    fn of(played: &Played, rounds: usize) -> Self {
        let metric = played.question.design.metric();
        let arms = 0..played.question.names.len();
        let means = arms.map(|arm| played.world.means(arm, rounds, metric.kind)).collect();
        Self { means, sign: metric.direction.sign() }
    }

    fn best(&self) -> usize {
        let worth =
            |arm: usize| (self.improvement(arm).unwrap_or(f64::NEG_INFINITY), self.sign * self.mean(arm));
        (0..self.means.len())
            .reduce(|best, arm| if worth(arm) > worth(best) { arm } else { best })
            .expect("there is a control")
    }

    fn mean(&self, arm: usize) -> f64 {
        self.means[arm].map_or(f64::NAN, |[mean, _]| mean)
    }

    fn lift(&self, arm: usize) -> Option<f64> {
        self.means[arm]
            .filter(|[_, control]| arm > 0 && *control > 0.0)
            .map(|[mean, control]| mean / control - 1.0)
    }

    /// How much better than the control an arm is, as a fraction; infinite where the control earns nothing. `None` where
    /// the arm was never served.
    fn improvement(&self, arm: usize) -> Option<f64> {
        let [mean, control] = self.means[arm]?;
        let ahead = self.sign * (mean - control);
        Some(if ahead == 0.0 { 0.0 } else { ahead / control })
    }

    fn is_right(&self, played: &Played, estimate: &EstimateAnswer) -> Option<bool> {
        let mut improvements = (1..self.means.len()).filter_map(|arm| self.improvement(arm));
        let names = &played.question.names;
        match estimate.verdict? {
            VerdictWord::Winner => {
                let arm = names.iter().position(|name| Some(name) == estimate.winner.as_ref())?;
                Some(self.improvement(arm)? > 0.0)
            }
            VerdictWord::ControlWins => Some(improvements.all(|improvement| improvement < 0.0)),
            VerdictWord::NoWorthwhileDifference => {
                let worthwhile = played.question.design.stopping().worthwhile_lift()?;
                Some(improvements.all(|improvement| improvement < worthwhile))
            }
            VerdictWord::WinnerAsDelivered
            | VerdictWord::Inconclusive
            | VerdictWord::Unhealthy
            | VerdictWord::Collecting => None,
        }
    }
}
