//! What must not get worse, in the answer of `estimate`. The comments of fields are their descriptions in
//! `docs/schemas/estimate-answer.json`.

use experiment::{Guarded, Safety};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Figure;
use super::read::{Question, Watched};

/// A guardrail, and what is known of each variant's harm.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardrailAnswer {
    /// What is watched.
    pub metric: String,
    /// The most that a variant may have more of it than the control, as a fraction.
    pub maximum_increase: Figure,
    /// Every variant that was served, but the control.
    pub variants: Vec<GuardedAnswer>,
}

/// What is known of a variant's harm.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardedAnswer {
    /// Its name.
    pub name: String,
    /// What may be said, at every look.
    pub safety: SafetyWord,
    /// The natural logarithm of the evidence against "within the limit".
    pub log_e_harm: Figure,
    /// The natural logarithm of the evidence against "at the limit or beyond".
    pub log_e_safe: Figure,
    /// While it is not yet shown safe: how many more exposures, of all variants together, would show a variant that does no
    /// harm at all to be safe, at the last shares. Null where that can't be said.
    pub still_needed: Option<u64>,
}

/// What may be said of a variant's harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum SafetyWord {
    /// It rose by more than the limit: the variant is served no more, and can't win.
    Harmful,
    /// It did not rise by the limit.
    Safe,
    /// Neither is shown.
    NotYetShownSafe,
}

/// Every guardrail of `question`, in the order of the document.
pub(super) fn answers(question: &Question) -> Vec<GuardrailAnswer> {
    question.guardrails.iter().map(|watched| answer(question, watched)).collect()
}

fn answer(question: &Question, watched: &Watched) -> GuardrailAnswer {
    let Watched { name, maximum_increase, arms } = watched;
    let known =
        question.names.iter().zip(arms).filter_map(|(name, known)| Some(guarded(name, known.as_ref()?)));
    GuardrailAnswer {
        metric: name.clone(),
        maximum_increase: Figure(*maximum_increase),
        variants: known.collect(),
    }
}

fn guarded(name: &str, known: &Guarded) -> GuardedAnswer {
    let (safety, still_needed) = match known.safety {
        Safety::Harmful => (SafetyWord::Harmful, None),
        Safety::Safe => (SafetyWord::Safe, None),
        Safety::NotYetShownSafe { still_needed } => (SafetyWord::NotYetShownSafe, still_needed),
    };
    GuardedAnswer {
        name: name.to_owned(),
        safety,
        log_e_harm: Figure(known.log_e_harm),
        log_e_safe: Figure(known.log_e_safe),
        still_needed,
    }
}
