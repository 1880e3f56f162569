//! What was settled beforehand: metric, stopping, time, policy.

use api::Percent;
use experiment::{Cell, Control, Kind, Metric, PartsPerMillion, Policy, Rule, Stopping, StoppingError};
use operator::sentence::Ended;

use super::super::document::{self, Document, PolicyType};
use super::super::fault::{Fault, Problem};
use super::super::number::{Count, Sum};
use super::super::place::{Place, shortened};
use super::Plan;
use super::arms::check_name;
use super::cells::is_alone;

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

/// When an experiment was meant to end, and how long it has run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Horizon {
    elapsed: Option<u64>,
    maximum: Option<u64>,
    planned: Option<u64>,
}

/// The planned end of a network's days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// How many of the first days count.
    pub(super) days: usize,
    pub(super) over: Ended,
}

const SECONDS_OF_A_DAY: u64 = 86_400;

impl Horizon {
    pub(super) fn of(document: &Document) -> Result<Self, Fault> {
        let root = Place::default();
        let seconds = |field: &str, duration: &Option<api::Duration>| {
            let seconds = duration.as_ref().map(api::Duration::seconds).transpose();
            seconds.map_err(|error| Fault::at(&root.field(field), error.into()))
        };
        let place = root.field("plannedExposures");
        let planned = optional_count(&place, document.planned_exposures.as_ref())?;
        if planned == Some(0) {
            return Err(Fault::at(&place, Problem::PlannedNothing));
        }
        Ok(Self {
            elapsed: seconds("elapsed", &document.elapsed)?,
            maximum: seconds("maximumDuration", &document.maximum_duration)?,
            planned,
        })
    }

    /// Of an experiment whose verdicts hold at every look: all that was counted counts.
    pub(super) fn plan(&self, cells: &[Cell]) -> Plan {
        let over = if self.is_time_up() {
            Some(Ended::Time)
        } else {
            let counted = cells.iter().map(exposures).sum::<u64>();
            self.planned.is_some_and(|planned| counted >= planned).then_some(Ended::Exposures)
        };
        self.planned(over, 0)
    }

    /// Of a network's days, of which so many came after `end` and do not count.
    pub(super) fn plan_of_days(&self, days_after: usize, end: Option<End>) -> Plan {
        self.planned(end.map(|end| end.over), days_after)
    }

    fn planned(&self, over: Option<Ended>, days_after: usize) -> Plan {
        let elapsed_days = self.elapsed.map(|seconds| seconds as f64 / SECONDS_OF_A_DAY as f64);
        Plan { exposures: self.planned, elapsed_days, over, days_after }
    }

    /// The planned end of a network's days, once it is there: limits that hold at one look need the same look whenever one
    /// asks, so days after it change nothing. A day that goes on is none yet.
    pub(super) fn end(&self, days: &[Cell], is_open: bool) -> Option<End> {
        let of_time = self.maximum.filter(|_| self.is_time_up()).map(|maximum| {
            let longest = usize::try_from(maximum.div_ceil(SECONDS_OF_A_DAY)).unwrap_or(usize::MAX);
            End { days: longest.min(days.len()), over: Ended::Time }
        });
        let of_exposures = self.planned.and_then(|planned| {
            let mut counted = days.iter().scan(0_u64, |counted, day| {
                *counted += if is_alone(day) { 0 } else { exposures(day) };
                Some(*counted)
            });
            let last = counted.position(|counted| counted >= planned)?;
            Some(End { days: last + 1, over: Ended::Exposures })
        });
        let closed = days.len() - usize::from(is_open);
        of_time.into_iter().chain(of_exposures).min_by_key(|end| end.days).filter(|end| end.days <= closed)
    }

    /// There is time, unless both times are known and say otherwise.
    fn is_time_up(&self) -> bool {
        self.elapsed.zip(self.maximum).is_some_and(|(elapsed, maximum)| elapsed >= maximum)
    }
}

fn exposures(cell: &Cell) -> u64 {
    cell.totals().iter().map(|totals| totals.exposures).sum()
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
