//! What was settled beforehand: metric, stopping, time, policy.

use api::Percent;
use experiment::{Cell, Control, Kind, Metric, PartsPerMillion, Policy, Rule, Stopping, StoppingError};

use super::super::document::{self, Document, PolicyType};
use super::super::fault::{Fault, Problem};
use super::super::number::{Count, Sum};
use super::super::place::{Place, shortened};
use super::arms::check_name;
use super::{Over, Plan};

pub(super) fn metric(metric: &document::Metric) -> Result<Metric, Fault> {
    let place = Place::default().field("metric");
    check_name(&place.field("name"), &metric.name)?;
    window(&place.field("window"), metric.window.as_ref())?;
    let direction = match metric.direction {
        api::Direction::Maximize => experiment::Direction::Maximize,
        api::Direction::Minimize => experiment::Direction::Minimize,
    };
    Ok(Metric { kind: kind(metric.kind, metric.cap.as_ref(), &place.field("cap"))?, direction })
}

/// A window is only shown, but has to be one.
pub(super) fn window(place: &Place, window: Option<&api::Duration>) -> Result<(), Fault> {
    match window.map(api::Duration::seconds) {
        Some(Err(error)) => Err(Fault::at(place, error.into())),
        Some(Ok(_)) | None => Ok(()),
    }
}

pub(super) fn kind(kind: document::Kind, cap: Option<&Sum>, place: &Place) -> Result<Kind, Fault> {
    let cap = cap.map(Sum::get).transpose().map_err(|problem| Fault::at(place, problem))?;
    match (kind, cap) {
        (document::Kind::Value, Some(cap)) if cap <= 0.0 => Err(Fault::at(place, Problem::Cap)),
        (document::Kind::Value, cap) => Ok(Kind::Value { cap }),
        (document::Kind::Binary, None) => Ok(Kind::Binary),
        (document::Kind::Binary, Some(_)) => Err(Fault::at(place, Problem::CapOfBinary)),
    }
}

pub(super) fn stopping(document: &Document) -> Result<Stopping, Fault> {
    let root = Place::default();
    let confidence = fraction(&root.field("confidence"), &document.confidence)?;
    let maximum_loss = fraction(&root.field("maximumLoss"), &document.maximum_loss)?;
    let rule = Stopping::new(confidence, maximum_loss);
    let rule = match &document.worthwhile_lift {
        Some(lift) => {
            let lift = fraction(&root.field("worthwhileLift"), lift)?;
            rule.and_then(|rule| rule.with_worthwhile_lift(lift))
        }
        None => rule,
    };
    rule.map_err(|error| refused(document, &error))
}

fn refused(document: &Document, error: &StoppingError) -> Fault {
    let (field, problem) = match error {
        StoppingError::Confidence(_) => ("confidence", Problem::Confidence(document.confidence.0.clone())),
        StoppingError::MaximumLoss(_) => {
            ("maximumLoss", Problem::MaximumLoss(document.maximum_loss.0.clone()))
        }
        StoppingError::WorthwhileLift(_) => {
            let lift = document.worthwhile_lift.as_ref().map_or_else(String::new, |lift| lift.0.clone());
            ("worthwhileLift", Problem::WorthwhileLift(lift))
        }
    };
    Fault::at(&Place::default().field(field), problem)
}

pub(in crate::offline) fn fraction(place: &Place, percent: &Percent) -> Result<f64, Fault> {
    let parts = percent.parts_per_million().map_err(|error| Fault::at(place, error.into()))?;
    Ok(f64::from(parts) / 1e6)
}

/// What was planned, and whether it is over: there is time, unless both times are known and say otherwise.
pub(super) fn plan(document: &Document, cells: &[Cell]) -> Result<Plan, Fault> {
    let root = Place::default();
    let seconds = |field: &str, duration: &Option<api::Duration>| match duration {
        Some(duration) => {
            let seconds = duration.seconds().map_err(|error| Fault::at(&root.field(field), error.into()))?;
            Ok(Some(seconds))
        }
        None => Ok(None),
    };
    let elapsed = seconds("elapsed", &document.elapsed)?;
    let maximum = seconds("maximumDuration", &document.maximum_duration)?;
    let planned = optional_count(&root.field("plannedExposures"), document.planned_exposures.as_ref())?;
    if planned == Some(0) {
        return Err(Fault::at(&root.field("plannedExposures"), Problem::PlannedNothing));
    }
    let counted: u64 = cells.iter().flat_map(Cell::totals).map(|totals| totals.exposures).sum();
    let over = if elapsed.zip(maximum).is_some_and(|(elapsed, maximum)| elapsed >= maximum) {
        Some(Over::Time)
    } else {
        planned.is_some_and(|planned| counted >= planned).then_some(Over::Exposures)
    };
    let elapsed_days = elapsed.map(|seconds| seconds as f64 / 86_400.0);
    Ok(Plan { exposures: planned, elapsed_days, over })
}

pub(super) fn optional_count(place: &Place, number: Option<&Count>) -> Result<Option<u64>, Fault> {
    number.map(|number| count(place, number)).transpose()
}

pub(in crate::offline) fn count(place: &Place, count: &Count) -> Result<u64, Fault> {
    count.get().map_err(|problem| Fault::at(place, problem))
}

/// The policy of an experiment with so many `candidates`, the control included.
pub(super) fn policy(
    policy: &document::Policy,
    minimum_per_variant: u64,
    candidates: usize,
) -> Result<Policy, Fault> {
    let place = Place::default().field("policy");
    let rule = match policy.kind {
        // The linear one learns over segments, and asks no rule.
        PolicyType::Thompson | PolicyType::LinearThompson => Rule::Thompson,
        PolicyType::TopTwo => Rule::TopTwo,
        PolicyType::Even => Rule::Even,
    };
    let floor = floor(&place.field("floor"), &policy.floor)?;
    let control = control(&place.field("controlShare"), &policy.control_share)?;
    let minimum = match &policy.minimum_per_variant {
        Some(minimum) => count(&place.field("minimumPerVariant"), minimum)?,
        None => minimum_per_variant,
    };
    let look_back = optional_count(&place.field("lookBack"), policy.look_back.as_ref())?;
    if look_back.is_some() && policy.kind == PolicyType::LinearThompson {
        return Err(Fault::at(&place.field("lookBack"), Problem::LinearLookBack));
    }
    let kept = Policy::new(rule, candidates, floor, control, minimum);
    let kept = kept.and_then(|kept| match look_back {
        Some(exposures) => kept.with_look_back(exposures as f64),
        None => Ok(kept),
    });
    kept.map_err(|error| Fault::at(&place, Problem::Policy(error)))
}

fn floor(place: &Place, floor: &Percent) -> Result<PartsPerMillion, Fault> {
    let parts = floor.parts_per_million().map_err(|error| Fault::at(place, error.into()))?;
    PartsPerMillion::new(parts).ok_or_else(|| Fault::at(place, Problem::Floor(floor.0.clone())))
}

fn control(place: &Place, share: &str) -> Result<Control, Fault> {
    if share == "none" {
        return Ok(Control::Competes);
    }
    let parts = Percent(share.to_owned()).parts_per_million().ok();
    let fixed = parts.and_then(PartsPerMillion::new).map(Control::Fixed);
    fixed.ok_or_else(|| Fault::at(place, Problem::ControlShare(shortened(share))))
}
