//! Figures as people read them: decimal strings and one sentence for a verdict.

use api::figure::{loss, probability, signed};
use api::{
    CostStatus, LiftStatus, Origin, Percent, PlacementStatus, TablePlacement, TableVariant, VariantFigures,
    VerdictReason, VerdictStatus,
};
use experiment::{Estimate, Evidence, Limits, Missing, Problem};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::placement::Known;
use super::{guardrails, rounds, variants};
use crate::campaign::Placement;
use crate::sentence::{Ended, Sentences};

/// The figures of a placement.
pub(super) struct Figures {
    pub(super) leader: Option<String>,
    pub(super) samples: i64,
    pub(super) still_needed: Option<i64>,
    pub(super) days_left: Option<i64>,
    pub(super) cost_per_extra_reward: Option<CostStatus>,
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
            days_left: before.days_left,
            cost_per_extra_reward: before.cost_per_extra_reward.clone(),
            at: before.figures_at.clone(),
            variants: before.variants.clone(),
        }
    }

    /// Those of what is known.
    pub(super) fn fresh(
        placement: &Placement,
        row: &TablePlacement,
        known: Option<&Known<'_>>,
        now: Timestamp,
    ) -> Self {
        let estimate = known.map(|known| &known.estimate);
        let samples = estimate.map_or(0, samples);
        let leader =
            estimate.filter(|_| samples > 0).map(|estimate| row.variants[estimate.leader].name.clone());
        let watched = known.map_or(&[][..], |known| &known.watched);
        let of_arm = |arm| VariantFigures {
            guardrails: guardrails::figures(watched, arm),
            ..figures(placement, row, estimate, arm)
        };
        let variants = (0..row.variants.len()).map(of_arm).collect();
        let still_needed = known.and_then(|known| experiment::still_needed(&known.cells, &known.estimate));
        let still_needed = still_needed.and_then(|more| i64::try_from(more).ok()).filter(|&more| more > 0);
        let elapsed = rounds::begun(row).map(|begun| now.duration_since(begun));
        let days_left =
            still_needed.zip(elapsed).and_then(|(more, elapsed)| days_left(more, samples, elapsed));
        Self {
            leader,
            samples,
            still_needed,
            days_left,
            cost_per_extra_reward: None,
            at: Some(Time(now)),
            variants,
        }
    }
}

fn figures(
    placement: &Placement,
    row: &TablePlacement,
    estimate: Option<&Estimate>,
    arm: usize,
) -> VariantFigures {
    let variant = &row.variants[arm];
    let known = estimate.map(|estimate| &estimate.arms[arm]);
    VariantFigures {
        name: variant.name.clone(),
        origin: origin(placement, variant),
        share: Percent("0%".to_owned()),
        exposures: known.map_or(0, |arm| i64::try_from(arm.exposures).unwrap_or(i64::MAX)),
        // Far below 2^53. Of values the whole part is enough to look at.
        rewards: known.map_or(0, |arm| arm.rewards as i64),
        probability_best: known.map(|arm| probability(arm.p_best)),
        lift: known
            .and_then(|arm| arm.against_control)
            .map(|against| lift(against.lift_shrunken, against.lift_anytime)),
        guardrails: Vec::new(),
    }
}

/// How many days `more` exposures take if they come as `samples` did in what has `elapsed`, rounded up: figures that move
/// with each minute would move status with each.
fn days_left(more: i64, samples: i64, elapsed: SignedDuration) -> Option<i64> {
    let per_day = samples as f64 / (elapsed.as_secs_f64() / 86_400.0);
    let days = (more as f64 / per_day).ceil();
    // A double of at most a million million days is a whole number.
    (per_day > 0.0 && days < 1e12).then_some(days as i64)
}

pub(super) fn origin(placement: &Placement, variant: &TableVariant) -> Origin {
    let name = &variant.name;
    if placement.control.name == *name {
        Origin::Control
    } else if variant.edit_of.is_some() {
        Origin::Edited
    } else if placement.challengers.iter().any(|copy| copy.name == *name) {
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

/// The verdict that the time was up before anything was tested, after which the control is shown.
pub(super) fn nothing_tested(placement: &Placement, now: Timestamp) -> VerdictStatus {
    VerdictStatus {
        reason: VerdictReason::Inconclusive,
        winner: None,
        served: placement.control.name.clone(),
        at: Time(now),
        sentence: format!(
            "the days of the campaign were over before anything was tested in {}; test it under a new name",
            placement.name
        ),
        samples: 0,
        p_value: None,
        lift: None,
        expected_loss: None,
        evidence: None,
    }
}

/// The same verdict of a dry run: what everybody saw was the control, so that stays, and whatever differs from it is a false
/// alarm.
pub(super) fn rehearsed(placement: &Placement, verdict: VerdictStatus) -> VerdictStatus {
    let so = match verdict.reason {
        VerdictReason::Winner | VerdictReason::ControlWins => {
            "a false alarm, since everybody saw the control in this dry run: see that events are reported alike for all variants"
        }
        VerdictReason::NoWorthwhileDifference | VerdictReason::Inconclusive => {
            "the dry run is over, and everybody saw the control"
        }
    };
    VerdictStatus {
        served: placement.control.name.clone(),
        sentence: format!("{so}; of a launch with these numbers one would say: {}", verdict.sentence),
        ..verdict
    }
}

/// What is said of one placement's estimate.
pub(super) struct Said<'a> {
    pub(super) placement: &'a Placement,
    pub(super) row: &'a TablePlacement,
    pub(super) estimate: &'a Estimate,
    pub(super) now: Timestamp,
}

impl Said<'_> {
    /// The verdict that `arm` is better.
    pub(super) fn winner(&self, arm: usize, evidence: &Evidence) -> VerdictStatus {
        let winner = &self.row.variants[arm].name;
        let samples = evidence.exposures + evidence.control_exposures;
        VerdictStatus {
            reason: VerdictReason::Winner,
            winner: Some(winner.clone()),
            served: winner.clone(),
            at: Time(self.now),
            sentence: self.with(|sentences| sentences.winner(arm, evidence)),
            samples: i64::try_from(samples).unwrap_or(i64::MAX),
            p_value: Some(format!("{:.1e}", evidence.adjusted_p_value)),
            lift: Some(lift(evidence.lift_shrunken, evidence.lift_anytime)),
            expected_loss: Some(loss(evidence.relative_loss)),
            evidence: None,
        }
    }

    /// The verdict that every variant is worse, after which the control is shown.
    pub(super) fn control_wins(&self) -> VerdictStatus {
        self.without_winner(VerdictReason::ControlWins, 0, |sentences| sentences.control_wins())
    }

    /// The verdict that nothing is to be gained, after which the control is shown.
    pub(super) fn nothing_worthwhile(&self, worthwhile_lift: f64) -> VerdictStatus {
        self.without_winner(VerdictReason::NoWorthwhileDifference, 0, |sentences| {
            sentences.nothing_worthwhile(worthwhile_lift)
        })
    }

    /// The verdict that the time was up, or as many people took part as may, after which `served` is shown.
    pub(super) fn inconclusive(
        &self,
        ended: Ended,
        served: usize,
        leader: usize,
        missing: &[Missing],
    ) -> VerdictStatus {
        self.without_winner(VerdictReason::Inconclusive, served, |sentences| {
            sentences.inconclusive(ended, leader, missing)
        })
    }

    /// The verdict that the time was up and nothing can be said, after which the control is shown.
    pub(super) fn unhealthy(&self, problem: Problem) -> VerdictStatus {
        let why = match problem {
            Problem::NoData => "nothing was counted",
            Problem::SampleRatio(_) => "what was counted does not fit the shares that were in force",
        };
        self.without_winner(VerdictReason::Inconclusive, 0, |_| {
            format!(
                "the longest time that was allowed is over, and of {} nothing can be said, since {why}; see that every exposure is reported once, and test again under a new name",
                self.placement.name
            )
        })
    }

    fn without_winner(
        &self,
        reason: VerdictReason,
        served: usize,
        say: impl FnOnce(&Sentences<'_>) -> String,
    ) -> VerdictStatus {
        VerdictStatus {
            reason,
            winner: None,
            served: self.row.variants[served].name.clone(),
            at: Time(self.now),
            sentence: self.with(say),
            samples: samples(self.estimate),
            p_value: None,
            lift: None,
            expected_loss: None,
            evidence: None,
        }
    }

    fn with(&self, say: impl FnOnce(&Sentences<'_>) -> String) -> String {
        let variants = self.row.variants.iter().skip(1).map(|variant| variant.name.clone());
        let names: Vec<String> = std::iter::once("the control".to_owned()).chain(variants).collect();
        say(&Sentences {
            names: &names,
            placement: Some(&self.placement.name),
            metric: &self.placement.metric.name,
            estimate: self.estimate,
        })
    }
}

/// A lift with its interval.
fn lift(shrunken: f64, limits: Limits) -> LiftStatus {
    LiftStatus { shrunken: signed(shrunken), lower: signed(limits.low), upper: signed(limits.high) }
}
