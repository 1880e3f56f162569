//! What must not get worse, and what the totals say of it.

use experiment::{Cell, Design, Guarded, Guardrail, Kind};

use super::super::document::{self, Basis, Document};
use super::super::fault::{Fault, Problem};
use super::super::limits::MOST_GUARDRAILS;
use super::super::place::Place;
use super::arms::check_name;
use super::settings::{fraction, kind, window};

/// A guardrail.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// Of its metric.
    pub(super) name: String,
    pub(super) kind: Kind,
    maximum_increase: f64,
    rule: Guardrail,
}

/// A guardrail, and what is known of each arm's harm.
#[derive(Clone, Debug)]
pub(in crate::offline) struct Watched {
    /// Of its metric.
    pub(in crate::offline) name: String,
    pub(in crate::offline) maximum_increase: f64,
    /// By arm; `None` for the control, and where nothing was counted.
    pub(in crate::offline) arms: Vec<Option<Guarded>>,
}

/// The guardrails of a document, each name once.
pub(super) fn watches(document: &Document, confidence: f64) -> Result<Vec<Watch>, Fault> {
    let place = Place::default().field("guardrails");
    if document.basis != Basis::Randomized && !document.guardrails.is_empty() {
        return Err(Fault::at(&place, Problem::GuardrailsNotRandomized));
    }
    if document.guardrails.len() > MOST_GUARDRAILS {
        return Err(Fault::at(&place, Problem::TooManyGuardrails));
    }
    let mut watches: Vec<Watch> = Vec::new();
    for (index, guardrail) in document.guardrails.iter().enumerate() {
        let place = place.index(index);
        let watch = watch(guardrail, confidence, &place)?;
        if watches.iter().any(|before| before.name == watch.name) {
            return Err(Fault::at(&place.field("metric").field("name"), Problem::GuardrailTwice));
        }
        watches.push(watch);
    }
    Ok(watches)
}

fn watch(guardrail: &document::Guardrail, confidence: f64, place: &Place) -> Result<Watch, Fault> {
    let document::Guardrail { metric, maximum_increase } = guardrail;
    let of_metric = place.field("metric");
    check_name(&of_metric.field("name"), &metric.name)?;
    window(&of_metric.field("window"), metric.window.as_ref())?;
    let kind = kind(metric.kind, metric.cap.as_ref(), &of_metric.field("cap"))?;
    let place = place.field("maximumIncrease");
    let increase = fraction(&place, maximum_increase)?;
    let rule = Guardrail::new(kind, increase, confidence)
        .map_err(|_| Fault::at(&place, Problem::MaximumIncrease(maximum_increase.0.clone())))?;
    Ok(Watch { name: metric.name.clone(), kind, maximum_increase: increase, rule })
}

/// What the cells of each guardrail's metric say.
pub(super) fn watched(
    watches: Vec<Watch>,
    cells: &[Vec<Cell>],
    design: &Design,
) -> Result<Vec<Watched>, Fault> {
    let watched = watches.into_iter().zip(cells).map(|(watch, cells)| {
        let Watch { name, kind: _, maximum_increase, rule } = watch;
        let arms = experiment::guard(cells, design, &rule).map_err(|error| {
            Fault::at(&Place::default().field("guardrails"), Problem::Refused(error.to_string()))
        })?;
        Ok(Watched { name, maximum_increase, arms })
    });
    watched.collect()
}
