//! Figures as people read them: decimal strings and one sentence for a verdict.

use api::figure::{loss, percent, probability, signed};
use api::{
    LiftStatus, Origin, Percent, PlacementStatus, TablePlacement, VariantFigures, VerdictReason,
    VerdictStatus,
};
use experiment::{Direction, Estimate, Evidence, Limits, Problem};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::placement::Known;
use super::variants;
use crate::campaign::Placement;

/// The figures of a placement.
pub(super) struct Figures {
    pub(super) leader: Option<String>,
    pub(super) samples: i64,
    pub(super) still_needed: Option<i64>,
    pub(super) at: Option<Time>,
    pub(super) variants: Vec<VariantFigures>,
}

impl Figures {
    /// Those that status has already.
    pub(super) fn kept(before: &PlacementStatus) -> Self {
        Self {
            leader: before.leader.clone(),
            samples: before.samples,
            still_needed: before.still_needed,
            at: before.figures_at.clone(),
            variants: before.variants.clone(),
        }
    }

    /// Those of what is known.
    pub(super) fn fresh(
        placement: &Placement,
        row: &TablePlacement,
        known: Option<&Known>,
        now: Timestamp,
    ) -> Self {
        let estimate = known.map(|known| &known.estimate);
        let samples = estimate.map_or(0, samples);
        let leader =
            estimate.filter(|_| samples > 0).map(|estimate| row.variants[estimate.leader].name.clone());
        let variants = (0..row.variants.len()).map(|arm| figures(placement, row, estimate, arm)).collect();
        let still_needed = known.and_then(|known| experiment::still_needed(&known.cells, &known.estimate));
        let still_needed = still_needed.and_then(|more| i64::try_from(more).ok()).filter(|&more| more > 0);
        Self { leader, samples, still_needed, at: Some(Time(now)), variants }
    }
}

fn figures(
    placement: &Placement,
    row: &TablePlacement,
    estimate: Option<&Estimate>,
    arm: usize,
) -> VariantFigures {
    let name = &row.variants[arm].name;
    let known = estimate.map(|estimate| &estimate.arms[arm]);
    VariantFigures {
        name: name.clone(),
        origin: origin(placement, name),
        share: Percent("0%".to_owned()),
        exposures: known.map_or(0, |arm| i64::try_from(arm.exposures).unwrap_or(i64::MAX)),
        // Rewards of a 0/1 metric are whole numbers far below 2^53.
        rewards: known.map_or(0, |arm| arm.rewards as i64),
        probability_best: known.map(|arm| probability(arm.p_best)),
        lift: known
            .and_then(|arm| arm.against_control)
            .map(|against| lift(against.lift_shrunken, against.lift_anytime)),
    }
}

fn origin(placement: &Placement, name: &str) -> Origin {
    if placement.control.name == name {
        Origin::Control
    } else if placement.challengers.iter().any(|copy| copy.name == name) {
        Origin::Challenger
    } else {
        Origin::Generated
    }
}

/// Matured exposures over all arms.
pub(super) fn samples(estimate: &Estimate) -> i64 {
    let exposures: u64 = estimate.arms.iter().map(|arm| arm.exposures).sum();
    i64::try_from(exposures).unwrap_or(i64::MAX)
}

/// The figures with the shares of the round in force, and a row for each variant that has none yet.
pub(super) fn with_shares(
    figures: &[VariantFigures],
    placement: &Placement,
    row: &TablePlacement,
) -> Vec<VariantFigures> {
    let share = |name: &str| Percent::from_parts_per_million(variants::share(row, name).unwrap_or(0));
    row.variants
        .iter()
        .enumerate()
        .map(|(arm, variant)| {
            let known = figures.iter().find(|figures| figures.name == variant.name).cloned();
            let known = known.unwrap_or_else(|| self::figures(placement, row, None, arm));
            VariantFigures { share: share(&variant.name), ..known }
        })
        .collect()
}

/// The verdict that `winner` is better.
pub(super) fn winner(
    placement: &Placement,
    winner: &str,
    evidence: &Evidence,
    now: Timestamp,
) -> VerdictStatus {
    let lift = lift(evidence.lift_shrunken, evidence.lift_anytime);
    let samples = evidence.exposures + evidence.control_exposures;
    let sentence = format!(
        "{winner} earns {} {} than the control: about {}, and between {} and {} with {} confidence, however often one looked; shown {} times, against {} for the control",
        better(placement),
        placement.metric.name,
        lift.shrunken,
        lift.lower,
        lift.upper,
        percent(placement.stopping.confidence()),
        evidence.exposures,
        evidence.control_exposures,
    );
    VerdictStatus {
        reason: VerdictReason::Winner,
        winner: Some(winner.to_owned()),
        served: winner.to_owned(),
        at: Time(now),
        sentence,
        samples: i64::try_from(samples).unwrap_or(i64::MAX),
        p_value: Some(format!("{:.1e}", evidence.adjusted_p_value)),
        lift: Some(lift),
        expected_loss: Some(loss(evidence.relative_loss)),
    }
}

/// The verdict that every variant is worse, after which `control` is shown.
pub(super) fn control_wins(
    placement: &Placement,
    control: &str,
    samples: i64,
    now: Timestamp,
) -> VerdictStatus {
    let sentence = format!(
        "after {samples} exposures every variant of {} is shown to earn {} {} than the control, with {} confidence, however often one looked; keep the control, or test other copy under a new name",
        placement.name,
        worse(placement),
        placement.metric.name,
        percent(placement.stopping.confidence()),
    );
    without_winner(VerdictReason::ControlWins, control, sentence, samples, now)
}

/// The verdict that nothing is to be gained, after which `control` is shown.
pub(super) fn nothing_worthwhile(
    placement: &Placement,
    control: &str,
    worthwhile_lift: f64,
    samples: i64,
    now: Timestamp,
) -> VerdictStatus {
    let sentence = format!(
        "after {samples} exposures no variant of {} earns {} {} {} than the control, with {} confidence, however often one looked; test bolder copy under a new name",
        placement.name,
        percent(worthwhile_lift),
        better(placement),
        placement.metric.name,
        percent(placement.stopping.confidence()),
    );
    without_winner(VerdictReason::NoWorthwhileDifference, control, sentence, samples, now)
}

/// The verdict that the time was up, after which `served` is shown.
pub(super) fn inconclusive(
    placement: &Placement,
    served: &str,
    samples: i64,
    now: Timestamp,
) -> VerdictStatus {
    let sentence = format!(
        "after {samples} exposures and the longest time that was allowed, no variant of {} is shown to be better than the control; test bolder copy, or allow more time under a new name",
        placement.name
    );
    without_winner(VerdictReason::Inconclusive, served, sentence, samples, now)
}

/// The verdict that the time was up and nothing can be said, after which `control` is shown.
pub(super) fn unhealthy(
    placement: &Placement,
    control: &str,
    problem: Problem,
    samples: i64,
    now: Timestamp,
) -> VerdictStatus {
    let why = match problem {
        Problem::NoData => "nothing was counted",
        Problem::SampleRatio(_) => "the exposures that were counted do not fit the shares that were in force",
    };
    let sentence = format!(
        "the longest time that was allowed is over, and of {} nothing can be said, since {why}; see that every exposure is reported once, and test again under a new name",
        placement.name
    );
    without_winner(VerdictReason::Inconclusive, control, sentence, samples, now)
}

fn better(placement: &Placement) -> &'static str {
    match placement.direction {
        Direction::Maximize => "more",
        Direction::Minimize => "less",
    }
}

fn worse(placement: &Placement) -> &'static str {
    match placement.direction {
        Direction::Maximize => "less",
        Direction::Minimize => "more",
    }
}

fn without_winner(
    reason: VerdictReason,
    served: &str,
    sentence: String,
    samples: i64,
    now: Timestamp,
) -> VerdictStatus {
    VerdictStatus {
        reason,
        winner: None,
        served: served.to_owned(),
        at: Time(now),
        sentence,
        samples,
        p_value: None,
        lift: None,
        expected_loss: None,
    }
}

/// A lift with its interval.
fn lift(shrunken: f64, limits: Limits) -> LiftStatus {
    LiftStatus { shrunken: signed(shrunken), lower: signed(limits.low), upper: signed(limits.high) }
}
