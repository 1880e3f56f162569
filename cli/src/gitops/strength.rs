//! How strong the evidence of a record was, about every variant and about its harm, held against the record's own sums.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use api::{EValues, Evidence, EvidenceVariant, GuardrailEValues, Safety};
use experiment::{Estimate, Guarded};
use operator::objects::evidence::{e_values, guardrail_e_values};

use super::recount::Difference;
use crate::offline::Question;

/// What a record does not have, so that it can't be held against anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// How strong the evidence was.
    EValues,
    /// The sums of a guardrail that showed harm.
    Guardrail(String),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EValues => f.write_str("e-values, which operators of before did not write down"),
            Self::Guardrail(metric) => write!(f, "the sums of {metric}, by which it tells of harm"),
        }
    }
}

/// What it lacks.
pub(super) fn lacks(evidence: &Evidence, question: &Question) -> Vec<Lack> {
    let harms = evidence.variants.iter().flat_map(|variant| &variant.harms);
    let told: BTreeSet<&String> = harms.map(|harm| &harm.metric).collect();
    let is_uncounted = |metric: &&String| question.guarded().all(|(known, ..)| known != metric.as_str());
    let uncounted = told.into_iter().filter(is_uncounted).cloned().map(Lack::Guardrail);
    is_of_before(evidence).then_some(Lack::EValues).into_iter().chain(uncounted).collect()
}

fn is_of_before(evidence: &Evidence) -> bool {
    evidence.variants.iter().all(|variant| variant.e_values.is_none())
}

/// Where it is of another strength than its sums, if it tells of any.
pub(super) fn differences(evidence: &Evidence, question: &Question, estimate: &Estimate) -> Vec<Difference> {
    if is_of_before(evidence) {
        return Vec::new();
    }
    evidence.variants.iter().flat_map(|variant| of_variant(variant, question, estimate)).collect()
}

fn of_variant(variant: &EvidenceVariant, question: &Question, estimate: &Estimate) -> Vec<Difference> {
    let arms = estimate.arms.iter().enumerate();
    let mut against = arms.filter(|(arm, _)| question.name(*arm) == variant.name);
    let found = against.find_map(|(_, known)| known.against_control.as_ref()).map(e_values);
    let guarded = question.guarded().filter(|(_, name, _)| *name == variant.name);
    let guarded: Vec<_> = guarded.map(|(metric, _, known)| guardrail_e_values(metric, &known)).collect();
    let recorded = figures(variant.e_values.as_ref(), &variant.guardrails);
    let found = figures(found.as_ref(), &guarded);
    let names: BTreeSet<&String> = recorded.keys().chain(found.keys()).collect();
    let differs = |figure: &&String| recorded.get(*figure) != found.get(*figure);
    let text = |figures: &BTreeMap<String, String>, figure: &String| {
        figures.get(figure).cloned().unwrap_or_else(|| "nothing".to_owned())
    };
    let difference = |figure: &String| Difference::Variant {
        name: variant.name.clone(),
        figure: figure.clone(),
        recorded: text(&recorded, figure),
        found: text(&found, figure),
    };
    names.into_iter().filter(differs).map(difference).collect()
}

/// By what people call them.
fn figures(e_values: Option<&EValues>, guardrails: &[GuardrailEValues]) -> BTreeMap<String, String> {
    let of_metric = e_values.into_iter().flat_map(|it| {
        let EValues { log_e, log_threshold, log_e_not_worthwhile } = it.clone();
        let always = [("ln e", log_e), ("what ln e has to reach", log_threshold)];
        let named = log_e_not_worthwhile.map(|log_e| ("ln e against the worthwhile lift", log_e));
        always.into_iter().chain(named).map(|(figure, text)| (figure.to_owned(), text))
    });
    let of_guardrails = guardrails.iter().map(|guardrail| {
        let GuardrailEValues { metric, safety, log_e_harm, log_e_safe } = guardrail;
        let text = format!("{safety:?} (ln e {log_e_harm} of harm, {log_e_safe} of safety)");
        (format!("harm by {metric}"), text)
    });
    of_metric.chain(of_guardrails).collect()
}

/// Where the sums of guardrails show harm that no sentence tells of, or none where one tells of that moment. What was shown before
/// stays, though later numbers be kinder.
pub(super) fn harms(evidence: &Evidence, question: &Question) -> Vec<Difference> {
    let differs = |(metric, name, known): (&str, &str, Guarded)| {
        let variant = evidence.variants.iter().find(|variant| variant.name == name)?;
        let told = variant.harms.iter().find(|harm| harm.metric == metric);
        let found = guardrail_e_values(metric, &known).safety;
        let agrees = match (found, told) {
            (Safety::Harmful, told) => told.is_some(),
            (Safety::Safe | Safety::NotYetShownSafe, told) => {
                told.is_none_or(|harm| harm.shown_at != evidence.verdict.at)
            }
        };
        (!agrees).then(|| Difference::Harm { name: name.to_owned(), metric: metric.to_owned(), found })
    };
    question.guarded().filter_map(differs).collect()
}
