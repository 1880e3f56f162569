//! Evidence → the verdict, reached again with the operator's own statistics.

use std::fmt;

use api::figure::{loss, signed};
use api::{Evidence, EvidenceVariant, LiftStatus, Safety, VerdictReason, VerdictStatus};
use experiment::Verdict;

use super::record::{HandedOn, Record};
use super::strength::{self, Lack};
use crate::offline::Question;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recount {
    /// People that were counted.
    pub people: i64,
    /// Rounds in which something was compared.
    pub rounds: usize,
    /// Where record and recount differ.
    pub differences: Vec<Difference>,
    /// What the record does not have, so that nothing could be held against it.
    pub lacks: Vec<Lack>,
}

/// What is not as the record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A variant's name is not that of its texts, in this campaign and placement.
    Name(String),
    /// A variant's digest is not that of its texts.
    Digest(String),
    /// A variant of a dry run has other texts than the control.
    Shown(String),
    /// The totals make no sense.
    Totals(String),
    /// A figure differs.
    Figure {
        /// Which one.
        name: &'static str,
        /// What the record says.
        recorded: String,
        /// What was found.
        found: String,
    },
    /// A figure of a variant differs.
    Variant {
        /// The variant.
        name: String,
        /// Which figure.
        figure: String,
        /// What the record says.
        recorded: String,
        /// What was found.
        found: String,
    },
    /// The harm of a variant is not what its guardrail's sums show.
    Harm {
        /// The variant.
        name: String,
        /// The guardrail's metric.
        metric: String,
        /// What they show.
        found: Safety,
    },
    /// The verdict that is handed on is not the record's.
    HandedOn,
    /// The digest that the verdict names is not that of the record.
    Record,
    /// The texts that are handed on are not those of the variant that the verdict names.
    Texts(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name} is not the name of its texts"),
            Self::Digest(name) => write!(f, "the digest of {name} is not that of its texts"),
            Self::Shown(name) => {
                write!(f, "{name} is not as variants of a dry run are, in which everybody saw the control")
            }
            Self::Totals(why) => write!(f, "the totals can't be estimated from: {why}"),
            Self::Figure { name, recorded, found } => {
                write!(f, "{name} is {found}, and the record says {recorded}")
            }
            Self::Variant { name, figure, recorded, found } => {
                write!(f, "{figure} of {name} is {found}, and the record says {recorded}")
            }
            Self::Harm { name, metric, found } => {
                write!(f, "by {metric} {name} is {found:?}, and the record's harms say otherwise")
            }
            Self::HandedOn => f.write_str("the verdict that is handed on is another one than the record's"),
            Self::Record => f.write_str("the verdict names another record: this one was changed"),
            Self::Texts(name) => write!(f, "the texts that are handed on are not those of {name}"),
        }
    }
}

/// Reaches the verdict of a record again.
pub fn recount(record: &Record) -> Recount {
    let Record { evidence, digest, handed_on } = record;
    let mut recount = totals(evidence);
    recount.differences.extend(evidence.variants.iter().flat_map(|variant| copy(evidence, variant)));
    if let Some(handed_on) = handed_on {
        recount.differences.extend(handed(evidence, digest, handed_on));
    }
    recount
}

fn copy(evidence: &Evidence, variant: &EvidenceVariant) -> Vec<Difference> {
    let name = api::name::variant(&evidence.campaign.name, &evidence.placement, &variant.slots);
    let digest = api::name::copy_digest(&variant.slots);
    let digest = (digest != variant.digest).then(|| Difference::Digest(variant.name.clone()));
    // The name is that of copy that nobody saw, and that is not in the record.
    let control = evidence.variants.first().filter(|_| variant.stands_for.is_some());
    let name = match (control, evidence.dry_run) {
        (Some(control), true) if control.slots == variant.slots => None,
        (None, false) => (name != variant.name).then(|| Difference::Name(variant.name.clone())),
        _ => Some(Difference::Shown(variant.name.clone())),
    };
    name.into_iter().chain(digest).collect()
}

fn handed(evidence: &Evidence, digest: &str, handed_on: &HandedOn) -> Vec<Difference> {
    let HandedOn { variant, slots, verdict, dry_run, withdrawn, expired } = handed_on;
    let mut differences = Vec::new();
    if verdict.evidence.as_deref() != Some(digest) {
        differences.push(Difference::Record);
    }
    if (VerdictStatus { evidence: None, ..verdict.clone() }) != evidence.verdict
        || *dry_run != evidence.dry_run
    {
        differences.push(Difference::HandedOn);
    }
    // What was withdrawn, or promises what is over, is handed on no more: the control is.
    let expected = match withdrawn.as_ref().or(expired.as_ref()) {
        Some(gone) => evidence.variants.first().filter(|_| *gone == verdict.served),
        None => evidence.variants.iter().find(|known| known.name == verdict.served),
    };
    if expected.is_none_or(|known| known.name != *variant || known.slots != *slots) {
        differences.push(Difference::Texts(verdict.served.clone()));
    }
    differences
}

/// The verdict, from the totals.
fn totals(evidence: &Evidence) -> Recount {
    let fault =
        |fault: String| Recount { differences: vec![Difference::Totals(fault)], ..Recount::default() };
    let bytes = serde_json::to_vec(&evidence.totals).expect("a value is JSON");
    let question = match Question::parse(&bytes) {
        Ok(question) => question,
        Err(error) => return fault(error.to_string()),
    };
    let (estimate, verdict) = match question.judge() {
        Ok(judged) => judged,
        Err(error) => return fault(error.to_string()),
    };
    let recorded = &evidence.verdict;
    let people = estimate.arms.iter().map(|arm| arm.exposures).sum::<u64>();
    let mut differences = Vec::new();
    let mut compare = |name, recorded: String, found: String| {
        if recorded != found {
            differences.push(Difference::Figure { name, recorded, found });
        }
    };
    compare("the verdict", format!("{:?}", recorded.reason), said(&verdict));
    compare("what is served", recorded.served.clone(), served(evidence, &question, &verdict));
    if let (Verdict::Winner { arm, evidence: shown }, VerdictReason::Winner) = (&verdict, recorded.reason) {
        let lift = LiftStatus {
            shrunken: signed(shown.lift_shrunken),
            lower: signed(shown.lift_anytime.low),
            upper: signed(shown.lift_anytime.high),
        };
        compare("the winner", text(recorded.winner.as_ref()), question.name(*arm).to_owned());
        let shown_people = shown.exposures + shown.control_exposures;
        compare("the people", recorded.samples.to_string(), shown_people.to_string());
        compare("the p-value", text(recorded.p_value.as_ref()), format!("{:.1e}", shown.adjusted_p_value));
        compare("the lift", recorded.lift.as_ref().map(lifted).unwrap_or_default(), lifted(&lift));
        compare("the expected loss", text(recorded.expected_loss.as_ref()), loss(shown.relative_loss));
    }
    differences.extend(strength::differences(evidence, &question, &estimate));
    if !matches!(verdict, Verdict::Unhealthy(_)) {
        // On numbers that can't be trusted nothing is taken out.
        differences.extend(strength::harms(evidence, &question));
    }
    Recount {
        people: i64::try_from(people).unwrap_or(i64::MAX),
        rounds: question.rounds(),
        differences,
        lacks: strength::lacks(evidence, &question),
    }
}

fn text(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
}

/// What the verdict lets be served: its winner; else the control, or, where time was up, also the one that leads. After a dry run
/// the control.
fn served(evidence: &Evidence, question: &Question, verdict: &Verdict) -> String {
    let recorded = &evidence.verdict;
    let arm = match verdict {
        _ if evidence.dry_run => 0,
        Verdict::Winner { arm, .. } => *arm,
        Verdict::Inconclusive { leader, .. } if recorded.served == question.name(*leader) => *leader,
        _ => 0,
    };
    question.name(arm).to_owned()
}

fn lifted(lift: &LiftStatus) -> String {
    let LiftStatus { shrunken, lower, upper } = lift;
    format!("{shrunken} ({lower}..{upper})")
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Winner { .. } => "Winner",
        Verdict::ControlWins => "ControlWins",
        Verdict::NoWorthwhileDifference { .. } => "NoWorthwhileDifference",
        // Where time is up, counts that can't be trusted end an experiment like any that shows nothing.
        Verdict::Inconclusive { .. } | Verdict::Unhealthy(_) => "Inconclusive",
        Verdict::Collecting { .. } => "Collecting",
    }
    .to_owned()
}
