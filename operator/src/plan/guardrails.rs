//! What must not get worse: what is known of each arm's harm, and which arms are taken out for it.
//!
//! ```text
//!   totals of a guardrail ──▶ harm is shown, at any look ──▶ stands in the row ──▶ withdrawn, until somebody approves it
//! ```
//!
//! What was shown once stands, though later numbers be kinder: whoever looks at each of them would else let an arm come and go.

use api::figure::signed;
use api::wire::totals::PlacementTotals;
use api::{GuardrailFigures, Harm, LiftStatus, TablePlacement, TableVariant};
use experiment::{Direction, Estimate, Guarded};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::cells::{self, TotalsError};
use super::{Note, approval::Approvals, variants};
use crate::campaign::{Guardrail, Mode, Placement};
use crate::objects::evidence::GuardedCells;

/// A guardrail, and what its numbers say.
pub(super) struct Watched<'a> {
    guardrail: &'a Guardrail,
    /// By arm; nothing of the control, and of what was never served.
    arms: Vec<Option<Guarded>>,
    estimate: Estimate,
}

/// What the ledger counted for each guardrail of a placement, or why it says nothing.
pub(super) fn watch<'a>(
    placement: &'a Placement,
    row: &TablePlacement,
    totals: &[&PlacementTotals],
) -> Vec<Result<Watched<'a>, TotalsError>> {
    placement.guardrails.iter().map(|guardrail| watched(placement, guardrail, row, totals)).collect()
}

fn watched<'a>(
    placement: &Placement,
    guardrail: &'a Guardrail,
    row: &TablePlacement,
    totals: &[&PlacementTotals],
) -> Result<Watched<'a>, TotalsError> {
    let metric = &guardrail.metric.name;
    let counted: Vec<PlacementTotals> = totals.iter().filter_map(|totals| of(metric, totals)).collect();
    let is_exposed = |totals: &PlacementTotals| totals.cells.iter().any(|cell| cell.exposures > 0);
    if counted.is_empty() && totals.iter().any(|it| it.seed == row.seed && is_exposed(it)) {
        return Err(TotalsError::Unwatched { metric: metric.clone() });
    }
    let cells = cells::cells(row, &counted.iter().collect::<Vec<_>>())?;
    let design = placement.design_for(&guardrail.metric, Direction::Minimize, &row.variants);
    let arms = experiment::guard(&cells, &design, &guardrail.limit).map_err(TotalsError::Estimate)?;
    let estimate = experiment::estimate(&cells, &design).map_err(TotalsError::Estimate)?;
    match TotalsError::mismatch(&estimate) {
        // Nothing is taken out on numbers that can't have come from the shares.
        Some(mismatch) => Err(mismatch),
        None => Ok(Watched { guardrail, arms, estimate }),
    }
}

/// The sums of a guardrail's metric, as if it were the placement's.
fn of(metric: &str, totals: &PlacementTotals) -> Option<PlacementTotals> {
    let PlacementTotals { name, seed, pending_exposures: _, cells: _, guardrails } = totals;
    let watched = guardrails.iter().find(|watched| watched.metric == metric)?;
    Some(PlacementTotals {
        name: name.clone(),
        seed: *seed,
        pending_exposures: watched.pending_exposures,
        cells: watched.cells.clone(),
        guardrails: Vec::new(),
    })
}

/// Writes into the row what is shown now and was not before, and tells what it is.
pub(super) fn take_down(
    row: &mut TablePlacement,
    watched: &[Result<Watched<'_>, TotalsError>],
    mode: Mode,
    now: Timestamp,
) -> Vec<Note> {
    let mut notes = Vec::new();
    for watched in watched.iter().flatten() {
        for (arm, variant) in row.variants.iter_mut().enumerate() {
            let metric = &watched.guardrail.metric.name;
            if watched.safety(arm) != Some(api::Safety::Harmful)
                || variant.harms.iter().any(|harm| harm.metric == *metric)
            {
                continue;
            }
            let alarm = match mode {
                Mode::Live => "",
                Mode::DryRun => "; a false alarm, since everybody sees the control in this dry run",
            };
            let sentence = watched.sentence(arm) + alarm;
            let message = format!("{}: {}: {sentence}", row.name, variant.name);
            notes.push(Note::warning("GuardrailHarm", message));
            variant.harms.push(Harm { metric: metric.clone(), shown_at: Time(now), sentence });
        }
    }
    notes
}

/// The harm for which an arm is not served: what was shown since somebody approved it last.
pub(super) fn standing<'v>(variant: &'v TableVariant, approvals: &Approvals<'_>) -> Option<&'v Harm> {
    let copy = variants::copy(variant);
    variant.harms.iter().find(|harm| !approvals.is_approved_since(&copy, harm.shown_at.0))
}

/// The figures of an arm, for each guardrail that knows of it.
pub(super) fn figures(watched: &[Result<Watched<'_>, TotalsError>], arm: usize) -> Vec<GuardrailFigures> {
    watched.iter().flatten().filter_map(|watched| watched.figures(arm)).collect()
}

impl<'a> Watched<'a> {
    /// What it was reached on; nothing where the ledger counts none of it.
    pub(super) fn counted<'c>(
        &'c self,
        row: &'c TablePlacement,
        totals: &[&PlacementTotals],
    ) -> Option<GuardedCells<'c>>
    where
        'a: 'c,
    {
        let own: Vec<_> = totals.iter().filter_map(|it| of(&self.guardrail.metric.name, it)).collect();
        let counted = cells::counted(row, &own.iter().collect::<Vec<_>>()).ok()?;
        (!own.is_empty()).then_some(GuardedCells { guardrail: self.guardrail, counted, arms: &self.arms })
    }

    fn safety(&self, arm: usize) -> Option<api::Safety> {
        self.arms.get(arm).copied().flatten().map(|known| match known.safety {
            experiment::Safety::Harmful => api::Safety::Harmful,
            experiment::Safety::Safe => api::Safety::Safe,
            experiment::Safety::NotYetShownSafe { .. } => api::Safety::NotYetShownSafe,
        })
    }

    fn figures(&self, arm: usize) -> Option<GuardrailFigures> {
        let known = self.arms.get(arm).copied().flatten()?;
        let still_needed = match known.safety {
            experiment::Safety::NotYetShownSafe { still_needed } => still_needed,
            experiment::Safety::Harmful | experiment::Safety::Safe => None,
        };
        Some(GuardrailFigures {
            metric: self.guardrail.metric.name.clone(),
            safety: self.safety(arm)?,
            increase: self.increase(arm),
            still_needed: still_needed.and_then(|more| i64::try_from(more).ok()),
        })
    }

    fn increase(&self, arm: usize) -> Option<LiftStatus> {
        let against = self.estimate.arms[arm].against_control?;
        let (shrunken, limits) = (signed(against.lift_shrunken), against.lift_anytime);
        Some(LiftStatus { shrunken, lower: signed(limits.low), upper: signed(limits.high) })
    }

    fn sentence(&self, arm: usize) -> String {
        let Guardrail { metric, maximum_increase, .. } = self.guardrail;
        let by = self.increase(arm).map_or_else(String::new, |LiftStatus { shrunken, lower, upper }| {
            format!(" by about {shrunken} ({lower}..{upper})")
        });
        let (shown, control) = (self.estimate.arms[arm].exposures, self.estimate.arms[0].exposures);
        format!(
            "{} rose{by}, and at most {} is allowed; shown {shown} times, against {control} for the control",
            metric.name, maximum_increase.0
        )
    }
}
