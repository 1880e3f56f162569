//! Which variants exist, and which may be served.

use std::collections::BTreeSet;

use api::{AdVariant, AdVariantStatus, Harm, Origin, Percent, TablePlacement, TableVariant, VariantState};
use jiff::Timestamp;
use kube::ResourceExt;

use super::approval::{Approvals, Word};
use super::edits::{Edit, Edits};
use super::guardrails;
use crate::campaign::{Campaign, Copy, Placement, bytes_of, copy_bytes};
use crate::objects;
use crate::observe::Seen;

/// Whether variants are still being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// They are, or soon will be: the control is served alone.
    Writing,
    /// All that will come is there.
    Over,
}

/// The generated variants of a campaign, judged.
pub(super) struct SortedOut {
    generated: Vec<Generated>,
    edited: Vec<Edit>,
}

/// What keeps an experiment from beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Variants are written.
    Writing,
    /// Variants wait for a person's word.
    Review,
    /// All is there, and its day has not come.
    Start(Timestamp),
}

/// What a placement can show.
#[derive(Clone, Debug)]
pub(super) struct Arms {
    /// What may be served now, the control first.
    pub(super) shown: Vec<Copy>,
    /// What keeps the rest from being served.
    pub(super) held: Option<Held>,
    /// What waits for a person's word.
    pub(super) in_review: Vec<Copy>,
    /// How many were rejected.
    pub(super) rejected: usize,
    /// The edits among those that are approved, each with the variant that it is of: they join an experiment that has begun.
    pub(super) edits: Vec<(Copy, String)>,
}

struct Generated {
    placement: String,
    copy: Copy,
    judgment: Judgment,
}

/// What became of a generated variant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Judgment {
    Accepted,
    Refused(String),
    Surplus,
}

/// Judges every generated variant by the same rules that the worker has: its output is untrusted input.
pub(super) fn sort_out(campaign: &Campaign, seen: &Seen) -> SortedOut {
    let mut generated: Vec<&AdVariant> =
        seen.variants.iter().filter(|variant| variant.spec.origin == Origin::Generated).collect();
    generated.sort_by_key(|variant| {
        let index = variant.spec.provenance.as_ref().map_or(u32::MAX, |provenance| provenance.index);
        (index, variant.name_any())
    });
    let mut sorted = SortedOut { generated: Vec::new(), edited: Vec::new() };
    for variant in generated {
        let judgment = sorted.judge(campaign, seen, variant);
        let copy = Copy::new(variant.name_any(), variant.spec.slots.clone());
        sorted.generated.push(Generated { placement: variant.spec.placement.clone(), copy, judgment });
    }
    sorted
}

/// Whether it has its place: what was begun goes on.
fn is_served(seen: &Seen, copy: &Copy) -> bool {
    let rows = seen.table.iter().flat_map(|table| &table.spec.placements);
    rows.flat_map(|row| &row.variants).any(|variant| variant.name == copy.name)
}

/// Whether a table of so many placements has room for a piece of copy beside the others of its placement.
pub(super) fn has_room<'a>(placements: usize, others: impl Iterator<Item = &'a Copy>, copy: &Copy) -> bool {
    others.map(bytes_of).sum::<usize>() + bytes_of(copy) <= copy_bytes(placements)
}

impl SortedOut {
    fn judge(&self, campaign: &Campaign, seen: &Seen, variant: &AdVariant) -> Judgment {
        let spec = &variant.spec;
        let Some(placement) = campaign.placements.iter().find(|placement| placement.name == spec.placement)
        else {
            return Judgment::Refused("its placement is not in the campaign".to_owned());
        };
        if variant.name_any() != api::name::variant(&campaign.name, &placement.name, &spec.slots) {
            return Judgment::Refused("its name is not that of its copy".to_owned());
        }
        let hard = rules::check(&placement.format, &campaign.brand, &spec.slots)
            .into_iter()
            .find(|found| found.is_hard());
        if let Some(violation) = hard {
            return Judgment::Refused(violation.to_string());
        }
        let people = std::iter::once(&placement.control).chain(&placement.challengers);
        if people.clone().any(|copy| copy.slots == spec.slots) {
            return Judgment::Refused("people wrote the same copy".to_owned());
        }
        let accepted = self.accepted(&placement.name).count();
        if accepted >= usize::try_from(placement.asked).unwrap_or(usize::MAX) {
            return Judgment::Surplus;
        }
        let copy = Copy::new(variant.name_any(), spec.slots.clone());
        let others = people.chain(self.accepted(&placement.name));
        if !is_served(seen, &copy) && !has_room(campaign.placements.len(), others, &copy) {
            return Judgment::Refused(format!(
                "the table has room for no more copy of {}: ask for fewer variants, under a new name",
                placement.name
            ));
        }
        Judgment::Accepted
    }

    fn accepted(&self, placement: &str) -> impl Iterator<Item = &Copy> {
        self.generated
            .iter()
            .filter(move |generated| {
                generated.placement == placement && generated.judgment == Judgment::Accepted
            })
            .map(|generated| &generated.copy)
    }

    /// How many generated variants may be served, over all placements.
    pub(super) fn delivered(&self) -> usize {
        self.generated.iter().filter(|generated| generated.judgment == Judgment::Accepted).count()
    }

    /// What a placement can show now. The control alone while variants are written or reviewed, since an experiment begins
    /// for all its variants together, and before its `start`.
    pub(super) fn arms(
        &self,
        placement: &Placement,
        stage: Stage,
        approvals: &Approvals<'_>,
        start: Option<Timestamp>,
    ) -> Arms {
        let shown = vec![placement.control.clone()];
        let mut arms = Arms { shown, held: None, in_review: Vec::new(), rejected: 0, edits: Vec::new() };
        let mut approved = Vec::new();
        for copy in self.to_be_approved(placement) {
            match approvals.word(copy) {
                Word::Approved => approved.push(copy.clone()),
                Word::Awaited(_) => arms.in_review.push(copy.clone()),
                Word::Rejected(_) => arms.rejected += 1,
            }
        }
        arms.held = match start {
            _ if !arms.in_review.is_empty() => Some(Held::Review),
            _ if stage == Stage::Writing => Some(Held::Writing),
            start => start.filter(|_| !approved.is_empty()).map(Held::Start),
        };
        let edits = self.edited(&placement.name).filter(|edit| approved.contains(&edit.copy));
        arms.edits = edits.map(|edit| (edit.copy.clone(), edit.edit.of.clone())).collect();
        if arms.held.is_none() {
            arms.shown.extend(approved);
        }
        arms
    }

    /// The same, with what reviewers have edited.
    pub(super) fn with_edits(self, edits: &Edits) -> Self {
        Self { edited: edits.made.clone(), ..self }
    }

    fn edited(&self, placement: &str) -> impl Iterator<Item = &Edit> {
        self.edited.iter().filter(move |edit| edit.placement == placement)
    }

    /// What the rules let pass beside the control: challengers, then what a model wrote, then what was edited.
    pub(super) fn to_be_approved<'a>(&'a self, placement: &'a Placement) -> impl Iterator<Item = &'a Copy> {
        let written = placement.challengers.iter().chain(self.accepted(&placement.name));
        written.chain(self.edited(&placement.name).map(|edit| &edit.copy))
    }

    /// Variants of people's copy that are not there yet.
    pub(super) fn missing(&self, campaign: &Campaign, seen: &Seen) -> Vec<AdVariant> {
        let there: BTreeSet<String> = seen.variants.iter().map(ResourceExt::name_any).collect();
        let people = campaign.placements.iter().flat_map(|placement| {
            let control = std::iter::once((placement, &placement.control, Origin::Control));
            control.chain(placement.challengers.iter().map(move |copy| (placement, copy, Origin::Challenger)))
        });
        let people = people
            .filter(|(_, copy, _)| !there.contains(&copy.name))
            .map(|(placement, copy, origin)| objects::variant::variant(campaign, placement, copy, origin));
        let edited = campaign.placements.iter().flat_map(|placement| {
            let missing = self.edited(&placement.name).filter(|edit| !there.contains(&edit.copy.name));
            missing.map(|it| objects::variant::edited(campaign, placement, &it.copy, it.edit.clone()))
        });
        people.chain(edited).collect()
    }

    fn refusal(&self, name: &str) -> Option<&Judgment> {
        self.generated
            .iter()
            .find(|generated| generated.copy.name == name)
            .map(|generated| &generated.judgment)
    }
}

/// What is to be said of each variant, where that is not said yet.
pub(super) fn statuses(
    seen: &Seen,
    sorted: &SortedOut,
    approvals: &Approvals<'_>,
    rows: &[TablePlacement],
) -> Vec<(String, AdVariantStatus)> {
    let said = |variant: &AdVariant| {
        let name = variant.name_any();
        let word = match variant.spec.origin {
            Origin::Control => Word::Approved,
            Origin::Challenger | Origin::Generated | Origin::Edited => {
                approvals.word(&Copy::new(name.clone(), variant.spec.slots.clone()))
            }
        };
        let harm = rows
            .iter()
            .flat_map(|row| &row.variants)
            .filter(|it| it.name == name)
            .find_map(|it| guardrails::standing(it, approvals));
        let status = status(variant, sorted.refusal(&name), word, harm, rows);
        (variant.status.as_ref() != Some(&status)).then_some((name, status))
    };
    seen.variants.iter().filter_map(said).collect()
}

fn status(
    variant: &AdVariant,
    judgment: Option<&Judgment>,
    word: Word,
    harm: Option<&Harm>,
    rows: &[TablePlacement],
) -> AdVariantStatus {
    let row = rows.iter().find(|row| row.name == variant.spec.placement);
    let share = row.and_then(|row| share(row, &variant.name_any()));
    let (state, reason) = match (share, judgment, word) {
        (_, Some(Judgment::Refused(reason)), _) => (VariantState::Refused, Some(reason.clone())),
        (_, _, Word::Rejected(rejection)) => (VariantState::Rejected, Some(rejection.to_string())),
        (Some(_), _, Word::Approved | Word::Awaited(_)) if harm.is_some() => {
            (VariantState::Harmful, harm.map(harmed))
        }
        (None, Some(Judgment::Surplus), _) => (VariantState::Surplus, None),
        (_, _, Word::Awaited(people)) => (VariantState::InReview, Some(awaited(people))),
        (Some(_), _, Word::Approved) => (VariantState::Served, None),
        (None, _, Word::Approved) => {
            (VariantState::Waiting, row.filter(|row| row.variants.len() > 1).map(|_| TOO_LATE.to_owned()))
        }
    };
    AdVariantStatus { state: Some(state), share: share.map(Percent::from_parts_per_million), reason }
}

/// An experiment begins for all its variants together.
const TOO_LATE: &str = "the experiment began without it: test it in a campaign of another name";

fn harmed(harm: &Harm) -> String {
    format!("{}; it is back when somebody approves it", harm.sentence)
}

fn awaited(people: usize) -> String {
    match people {
        1 => "one more person has to approve it".to_owned(),
        people => format!("{people} people have to approve it"),
    }
}

/// The share of a variant in the round in force, of the first segment; none where it is not in the table.
pub(super) fn share(row: &TablePlacement, name: &str) -> Option<u32> {
    let arm = row.variants.iter().position(|variant| variant.name == name)?;
    let shares = &row.rounds.last()?.allocations.first()?.shares;
    Some(shares.get(arm).copied().unwrap_or(0))
}

/// A variant of a table as people speak of it: by the digest of its own copy, whatever texts stand there.
pub(super) fn copy(variant: &TableVariant) -> Copy {
    let digest = variant.stands_for.as_ref().unwrap_or(&variant.digest);
    Copy { name: variant.name.clone(), slots: variant.slots.clone(), digest: digest.clone() }
}
