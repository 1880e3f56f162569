//! The answer of `estimate`: what `experiment` knows, under the names that people gave. The comments of fields are their
//! descriptions in `docs/schemas/estimate-answer.json`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use experiment::{
    AgainstControl, ArmEstimate, Cell, Counts, Estimate, Interval, Limits, Missing, Problem as Unhealthy,
    SampleRatio, Verdict,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::document::Basis;
use super::fault::{Fault, Problem};
use super::read::Question;
use super::safety::{self, GuardrailAnswer};
use super::words;

/// What is known about each variant, and what it allows one to say.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EstimateAnswer {
    /// Who chose what people saw, as the document says.
    pub basis: Basis,
    /// The control first, then the others by name.
    pub variants: Vec<VariantAnswer>,
    /// Whether the counts fit the shares. Null where they need not.
    pub sample_ratio: Option<SampleRatioAnswer>,
    /// What is known of harm, for each guardrail in the order of the document.
    pub guardrails: Vec<GuardrailAnswer>,
    /// What may be said. Null where nobody was randomized.
    pub verdict: Option<VerdictWord>,
    /// The same in a sentence for people.
    pub sentence: String,
    /// Who is most likely the best at present; the control may be. Null before anything was counted.
    pub leader: Option<String>,
    /// The winner, as the verdict calls it; null without one.
    pub winner: Option<String>,
    /// What the leader lacks to be the winner while the verdict is `Collecting` or `Inconclusive`, else nothing.
    pub missing: Vec<MissingAnswer>,
    /// How many more exposures, of all variants together, it takes at the last shares until the leader is expected to be
    /// shown better than the control, if its shrunken lift is the truth; 0 when that is shown. Null where the control leads,
    /// and where it would take for ever.
    pub still_needed: Option<u64>,
    /// How many days that takes at the traffic so far. Null where `elapsed` or `stillNeeded` is unknown.
    pub days_left: Option<Figure>,
    /// The look that was planned, at which the limits of `mean`, `difference` and `lift` hold. Null without a plan.
    pub planned_look: Option<PlannedLook>,
    /// The exposures of each of two variants with which a planned look at the same confidence shows the worthwhile lift, over
    /// the control's rate as counted, in 80 of 100 experiments. Null for values, and without a worthwhile lift.
    pub planned_size: Option<Figure>,
    /// The same for each segment by itself, where the document tells segments apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<BTreeMap<String, SegmentAnswer>>,
}

/// The one look that was planned.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PlannedLook {
    /// The exposures of all variants together that it was planned for.
    pub exposures: u64,
    /// Whether so many are counted.
    pub reached: bool,
}

/// What is known about each variant in one segment, from that segment's totals alone. It carries no verdict: who looks
/// at many segments will find a winner in some of them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SegmentAnswer {
    /// The control first, then the others by name.
    pub variants: Vec<VariantAnswer>,
}

/// What is known about one variant. What compares with the control is null for the control.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VariantAnswer {
    /// Its name.
    pub name: String,
    /// Exposures, over all rounds in which there was something to compare.
    pub exposures: u64,
    /// The sum of their rewards.
    pub rewards: Figure,
    /// The mean reward of an exposure, with limits for one planned look.
    pub mean: IntervalAnswer,
    /// The rounds that the comparison with the control describes. Null while there is none, and for a network's days.
    pub rounds: Option<RoundsAnswer>,
    /// Its mean minus the control's, with limits for one planned look.
    pub difference: Option<IntervalAnswer>,
    /// Its mean over the control's, minus one, with limits for one planned look: 0.1 is 10 % more.
    pub lift: Option<IntervalAnswer>,
    /// Limits of the lift that hold however often one looks. They lie on one side of 0 exactly when the variant is shown to
    /// be better, or worse, among all that were tested.
    pub lift_anytime: Option<LimitsAnswer>,
    /// The lift to report: shrunken towards 0 by what is typical, since what one stops at is else too high.
    pub lift_shrunken: Option<Figure>,
    /// The evidence against equal means: 1 is none, 20 refutes at 5 % for a variant that was alone in question. Null where
    /// it is too large for a double.
    pub e_value: Option<Figure>,
    /// Its natural logarithm.
    pub log_e_value: Option<Figure>,
    /// The p-value of equal means that holds however often one looks, for this variant alone.
    pub p_anytime: Option<Figure>,
    /// The chance that it is the best, 0 for retired ones. It is not protected against looking often: half of all
    /// experiments without any difference pass 95 % at some time.
    pub p_best: Figure,
    /// How much worse its mean is expected to be than that of the best one. Null for retired ones.
    pub expected_loss: Figure,
    /// The expected loss as a fraction of its own mean. Null for retired ones.
    pub relative_loss: Figure,
}

/// From the first to the last round in which a variant ran beside the control. Where the difference wanders, its limits
/// are about an average over these, and say nothing about what came before or will come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RoundsAnswer {
    /// The first one's number.
    pub first: u64,
    /// The last one's number.
    pub last: u64,
}

/// An estimate with limits that hold at one planned look.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct IntervalAnswer {
    /// The estimate. Null without data.
    pub estimate: Figure,
    /// The lower limit.
    pub low: Figure,
    /// The upper limit. Null where there is none.
    pub high: Figure,
}

/// Limits without an estimate between them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LimitsAnswer {
    /// The lower limit; -1 where the data give none.
    pub low: Figure,
    /// The upper limit. Null where there is none.
    pub high: Figure,
}

/// Whether the counts can be those of the shares.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SampleRatioAnswer {
    /// The evidence that they can't; 1000 is an alarm. Null where it is too large for a double.
    pub e_value: Figure,
    /// Its natural logarithm.
    pub log_e_value: Figure,
    /// Whether all is well.
    pub ok: bool,
    /// The counts that fit the shares least.
    pub worst: CountsWord,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum CountsWord {
    /// What was shown.
    Exposures,
    /// What was chosen.
    Decisions,
    /// What was chosen and not shown.
    Unexposed,
}

/// What may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum VerdictWord {
    /// One variant is better than the control, and hardly worse than the best one.
    Winner,
    /// At the planned end one variant did better than the control, as a network delivered both.
    WinnerAsDelivered,
    /// Every variant that was ever served is worse than the control.
    ControlWins,
    /// No variant that was ever served improves on the control by the worthwhile lift.
    NoWorthwhileDifference,
    /// The time is up without a winner.
    Inconclusive,
    /// The counts can't be trusted, so nothing is said.
    Unhealthy,
    /// Nothing yet.
    Collecting,
}

/// A condition of a winner that the leader does not meet.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "reason", rename_all_fields = "camelCase")]
pub enum MissingAnswer {
    /// No variant leads.
    ControlLeads {
        /// The control's chance of being the best.
        p_best: Figure,
    },
    /// The leader is not yet shown to be better than the control.
    BetterThanControl {
        /// The p-value of "not better", over all variants of its generation and all looks.
        adjusted_p_value: Figure,
        /// What it has to fall to.
        level: Figure,
    },
    /// Another variant may well be better than the leader.
    SmallLoss {
        /// The leader's expected loss as a fraction of its mean.
        relative_loss: Figure,
        /// The loss that is accepted.
        maximum_loss: Figure,
    },
}

/// A number; null where it is infinite or unknown, since JSON has no word for either.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Figure(pub f64);

impl JsonSchema for Figure {
    fn schema_name() -> Cow<'static, str> {
        "Figure".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "null"] })
    }
}

/// The one place where an answer is put together.
pub(super) fn answer(question: &Question) -> Result<EstimateAnswer, Fault> {
    let (estimate, verdict) = judged(question)?;
    let still_needed = experiment::still_needed(&question.cells, &estimate);
    Ok(EstimateAnswer {
        basis: question.basis,
        variants: variants(question, &question.numbers, &estimate),
        sample_ratio: Some(estimate.sample_ratio.into()),
        guardrails: safety::answers(question),
        verdict: Some(VerdictWord::from(&verdict)),
        sentence: words::sentence(question, &estimate, &verdict),
        leader: leader(question, &estimate, &verdict),
        winner: winner(question, &verdict),
        missing: missing(&verdict),
        still_needed,
        days_left: days_left(question, &estimate, still_needed),
        planned_look: planned_look(question, exposures(&estimate)),
        planned_size: planned_size(&estimate),
        segments: segments(question)?,
    })
}

/// What is known, and what may be said.
pub(super) fn judged(question: &Question) -> Result<(Estimate, Verdict), Fault> {
    let estimate = estimated(question, &question.cells)?;
    let verdict = experiment::judge(&estimate, question.plan.remaining());
    Ok((estimate, verdict))
}

fn estimated(question: &Question, cells: &[Cell]) -> Result<Estimate, Fault> {
    experiment::estimate(cells, &question.design)
        .map_err(|error| Fault::at(&"rounds", Problem::Refused(error.to_string())))
}

fn days_left(question: &Question, estimate: &Estimate, still_needed: Option<u64>) -> Option<Figure> {
    let per_day = exposures(estimate) as f64 / question.plan.elapsed_days.filter(|days| *days > 0.0)?;
    let days = still_needed? as f64 / per_day;
    days.is_finite().then_some(Figure(days))
}

pub(super) fn planned_look(question: &Question, counted: u64) -> Option<PlannedLook> {
    let planned = question.plan.exposures?;
    Some(PlannedLook { exposures: planned, reached: counted >= planned })
}

fn planned_size(estimate: &Estimate) -> Option<Figure> {
    /// The power that tests are usually planned with.
    const POWER: f64 = 0.8;
    let (metric, stopping) = (estimate.design.metric(), estimate.design.stopping());
    let lift = stopping.worthwhile_lift().filter(|_| metric.kind == experiment::Kind::Binary)?;
    let control = &estimate.arms[0];
    let rate = control.rewards / control.exposures as f64;
    let size = experiment::planned_size(rate, metric.direction.sign() * lift, stopping.alpha(), POWER);
    size.is_finite().then_some(Figure(size))
}

fn exposures(estimate: &Estimate) -> u64 {
    estimate.arms.iter().map(|arm| arm.exposures).sum()
}

fn segments(question: &Question) -> Result<Option<BTreeMap<String, SegmentAnswer>>, Fault> {
    let Some(names) = &question.segments else { return Ok(None) };
    let mut segments = BTreeMap::new();
    for (segment, name) in names.iter().enumerate() {
        let estimate = estimated(question, &question.in_segment(segment))?;
        let numbers = question.numbers_in_segment(segment);
        segments.insert(name.clone(), SegmentAnswer { variants: variants(question, &numbers, &estimate) });
    }
    Ok(Some(segments))
}

/// `numbers` are those of the rounds of the estimate's cells.
fn variants(question: &Question, numbers: &[u64], estimate: &Estimate) -> Vec<VariantAnswer> {
    question.names.iter().zip(&estimate.arms).map(|(name, arm)| variant(name, numbers, arm)).collect()
}

fn variant(name: &str, numbers: &[u64], arm: &ArmEstimate) -> VariantAnswer {
    let period = arm.against_control.and_then(|against| against.period);
    let figure =
        |of: fn(&AgainstControl) -> f64| arm.against_control.as_ref().map(|against| Figure(of(against)));
    VariantAnswer {
        name: name.to_owned(),
        exposures: arm.exposures,
        rewards: Figure(arm.rewards),
        mean: arm.mean.into(),
        rounds: period.and_then(|period| {
            Some(RoundsAnswer { first: *numbers.get(period.first)?, last: *numbers.get(period.last)? })
        }),
        difference: arm.against_control.map(|against| against.difference.into()),
        lift: arm.against_control.map(|against| against.lift.into()),
        lift_anytime: arm.against_control.map(|against| against.lift_anytime.into()),
        lift_shrunken: figure(|against| against.lift_shrunken),
        e_value: figure(|against| against.log_e_value.exp()),
        log_e_value: figure(|against| against.log_e_value),
        p_anytime: figure(|against| against.p_anytime),
        p_best: Figure(arm.p_best),
        expected_loss: Figure(arm.expected_loss),
        relative_loss: Figure(arm.relative_loss),
    }
}

fn leader(question: &Question, estimate: &Estimate, verdict: &Verdict) -> Option<String> {
    let is_known = !matches!(verdict, Verdict::Unhealthy(Unhealthy::NoData));
    is_known.then(|| question.names[estimate.leader].clone())
}

fn winner(question: &Question, verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Winner { arm, .. } => Some(question.names[*arm].clone()),
        _ => None,
    }
}

fn missing(verdict: &Verdict) -> Vec<MissingAnswer> {
    match verdict {
        Verdict::Collecting { missing, .. } | Verdict::Inconclusive { missing, .. } => {
            missing.iter().map(MissingAnswer::from).collect()
        }
        _ => Vec::new(),
    }
}

impl From<Interval> for IntervalAnswer {
    fn from(Interval { estimate, low, high }: Interval) -> Self {
        Self { estimate: Figure(estimate), low: Figure(low), high: Figure(high) }
    }
}

impl From<Limits> for LimitsAnswer {
    fn from(Limits { low, high }: Limits) -> Self {
        Self { low: Figure(low), high: Figure(high) }
    }
}

impl From<SampleRatio> for SampleRatioAnswer {
    fn from(ratio: SampleRatio) -> Self {
        Self {
            e_value: Figure(ratio.log_e_value.exp()),
            log_e_value: Figure(ratio.log_e_value),
            ok: ratio.ok,
            worst: match ratio.worst {
                Counts::Exposures => CountsWord::Exposures,
                Counts::Decisions => CountsWord::Decisions,
                Counts::Unexposed => CountsWord::Unexposed,
            },
        }
    }
}

impl From<&Verdict> for VerdictWord {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Winner { .. } => Self::Winner,
            Verdict::ControlWins => Self::ControlWins,
            Verdict::NoWorthwhileDifference { .. } => Self::NoWorthwhileDifference,
            Verdict::Inconclusive { .. } => Self::Inconclusive,
            Verdict::Unhealthy(_) => Self::Unhealthy,
            Verdict::Collecting { .. } => Self::Collecting,
        }
    }
}

impl From<&Missing> for MissingAnswer {
    fn from(missing: &Missing) -> Self {
        match *missing {
            Missing::ControlLeads { p_best } => Self::ControlLeads { p_best: Figure(p_best) },
            Missing::BetterThanControl { adjusted_p_value, level } => {
                Self::BetterThanControl { adjusted_p_value: Figure(adjusted_p_value), level: Figure(level) }
            }
            Missing::SmallLoss { relative_loss, maximum_loss } => {
                Self::SmallLoss { relative_loss: Figure(relative_loss), maximum_loss: Figure(maximum_loss) }
            }
        }
    }
}
