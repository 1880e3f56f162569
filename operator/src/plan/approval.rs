//! What people have said of copy, and which of their words count.
//!
//! ```text
//!   reviews ──┬─ nobody checked who wrote it ──▶ told so, and nothing else
//!             └─ honored, oldest first: an approval is added, a rejection takes away all before it
//! ```
//!
//! So the last word counts, whoever's it is, and of two in the same second a rejection.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use api::condition::Reason;
use api::{AdCampaign, AdReview, AdReviewStatus, Approval, Decision, ReviewState, ReviewedVariant};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::edits::Edits;
use super::variants::Stage;
use super::{Answer, Reviewed, State};
use crate::campaign::{Campaign, Copy};
use crate::observe::Seen;
use crate::world::ReviewPolicy;

/// How long a server may take objects without a policy that another server has already: it learns of it by a watch, and
/// compiles it within a second.
const IN_FORCE_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// The most variants that a message names.
const MOST_NAMES: usize = 3;

/// The longest message that a review's status takes.
const MESSAGE_CHARACTERS: usize = 1_000;

/// The campaign of which people speak, and how many of them have to agree.
#[derive(Clone, Debug)]
pub(super) struct Matter {
    namespace: String,
    name: String,
    uid: String,
    approval: Approval,
}

impl From<&Campaign> for Matter {
    fn from(campaign: &Campaign) -> Self {
        let Campaign { namespace, name, uid, approval, .. } = campaign;
        Self { namespace: namespace.clone(), name: name.clone(), uid: uid.clone(), approval: *approval }
    }
}

impl From<&AdCampaign> for Matter {
    fn from(object: &AdCampaign) -> Self {
        Self {
            namespace: object.namespace().unwrap_or_else(|| "default".to_owned()),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            approval: object.spec.approval,
        }
    }
}

/// What people have said of a campaign's copy.
pub(super) struct Approvals<'a> {
    matter: Matter,
    policy: ReviewPolicy,
    reviews: &'a [AdReview],
    /// Honored reviews, the oldest first.
    honored: Vec<&'a AdReview>,
    /// What becomes of those that are edits.
    edits: Edits,
}

/// What is said of one piece of copy, all words together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It may be served.
    Approved,
    /// Somebody has to say something: so many people.
    Awaited(usize),
    /// It must not be served.
    Rejected(Rejection),
}

/// What one review says of one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Says {
    Yes,
    /// And why.
    No(Option<String>),
}

/// The last word against a piece of copy, and what was said since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    by: String,
    reason: Option<String>,
    /// How many people have approved it since.
    approved: usize,
    /// How many more have to before it comes back.
    needs: usize,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, reason, approved, needs } = self;
        write!(f, "by {by}")?;
        reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))?;
        match approved {
            0 => Ok(()),
            approved => write!(f, "; {approved} {} since, and {needs} more brings it back", has(*approved)),
        }
    }
}

fn has(people: usize) -> &'static str {
    if people == 1 { "has approved it" } else { "have approved it" }
}

impl<'a> Approvals<'a> {
    /// Reads the reviews of a campaign.
    pub(super) fn read(matter: Matter, seen: &'a Seen) -> Self {
        let policy = seen.review_policy;
        let mut honored: Vec<&AdReview> =
            seen.reviews.iter().filter(|review| refusal(&matter, review, policy).is_none()).collect();
        honored.sort_by_key(|review| (created(review), review.spec.decision, review.name_any()));
        Self { matter, policy, reviews: &seen.reviews, honored, edits: Edits::default() }
    }

    /// Honored reviews, the oldest first.
    pub(super) fn honored(&self) -> &[&'a AdReview] {
        &self.honored
    }

    /// The same, with what becomes of edits.
    pub(super) fn with_edits(self, edits: Edits) -> Self {
        Self { edits, ..self }
    }

    /// What is said of `copy`, which is not the control: that is always served.
    pub(super) fn word(&self, copy: &Copy) -> Word {
        self.word_on(&meant(copy))
    }

    fn word_on(&self, meant: &ReviewedVariant) -> Word {
        let needed = needed(self.matter.approval);
        let mut approving = BTreeSet::new();
        let mut rejected = None;
        for review in &self.honored {
            let person = review.spec.person();
            match self.says(review, meant) {
                Some(Says::No(reason)) => {
                    approving.clear();
                    rejected = Some((person.to_owned(), reason));
                }
                Some(Says::Yes) => {
                    approving.insert(person);
                    // Where nobody has to agree, one still has to before what was rejected comes back.
                    rejected = rejected.filter(|_| approving.len() < needed.max(1));
                }
                None => {}
            }
        }
        match rejected {
            Some((by, reason)) => Word::Rejected(Rejection {
                by,
                reason,
                approved: approving.len(),
                needs: needed.max(1) - approving.len(),
            }),
            None if approving.len() < needed => Word::Awaited(needed - approving.len()),
            None => Word::Approved,
        }
    }

    /// What a review says of a variant; nothing where it is not about it.
    fn says(&self, review: &AdReview, meant: &ReviewedVariant) -> Option<Says> {
        let is_meant = review.spec.variants.contains(meant);
        match review.spec.decision {
            Decision::Approve => is_meant.then_some(Says::Yes),
            Decision::Reject => is_meant.then(|| Says::No(review.spec.reason.clone())),
            Decision::Edit => {
                let edit = self.edits.made.iter().find(|edit| edit.review == review.name_any())?;
                if self::meant(&edit.copy) == *meant {
                    return Some(Says::Yes);
                }
                is_meant.then(|| Says::No(Some(format!("edited: {} is in its place", edit.copy.name))))
            }
        }
    }

    /// Whether as many people as have to agree, and one at least, have approved `copy` since a moment. Reviews know their second
    /// alone, and one in that of the moment came before it for all we know.
    pub(super) fn is_approved_since(&self, copy: &Copy, moment: Timestamp) -> bool {
        let meant = meant(copy);
        let approving = self.honored.iter().filter(|review| {
            self.says(review, &meant) == Some(Says::Yes) && created(review).is_some_and(|at| at > moment)
        });
        let people: BTreeSet<&str> = approving.map(|review| review.spec.person()).collect();
        people.len() >= needed(self.matter.approval).max(1)
    }

    /// Whether `copy` may be served.
    pub(super) fn lets(&self, copy: &Copy) -> bool {
        self.word(copy) == Word::Approved
    }

    /// The answer to whether what was written may be served, of all `copies` but the controls.
    pub(super) fn answer(&self, copies: &[&Copy], stage: Stage) -> Answer {
        let awaited = self.awaited(copies);
        let rejected = copies.iter().filter(|copy| matches!(self.word(copy), Word::Rejected(_))).count();
        let (state, reason, message) = match (self.matter.approval, self.policy) {
            (_, ReviewPolicy::Missing) if self.is_asked() => {
                (State::Unknown, Reason::PolicyMissing, missing())
            }
            (Approval::Automatic, _) => (State::True, Reason::Automatic, automatic(rejected)),
            _ if !awaited.is_empty() => (State::False, Reason::AwaitingReview, self.awaiting(&awaited)),
            _ if stage == Stage::Writing => (State::False, Reason::AwaitingReview, unwritten()),
            _ => (State::True, Reason::Reviewed, reviewed(copies.len(), rejected)),
        };
        Answer { state, reason, message }
    }

    /// Whether it matters that reviews are checked: where people have to agree, and where somebody said something.
    fn is_asked(&self) -> bool {
        self.matter.approval != Approval::Automatic || !self.reviews.is_empty()
    }

    /// The names of those that wait for a person's word.
    pub(super) fn awaited(&self, copies: &[&Copy]) -> Vec<String> {
        let waits = |copy: &&&Copy| matches!(self.word(copy), Word::Awaited(_));
        copies.iter().filter(waits).map(|copy| copy.name.clone()).collect()
    }

    fn awaiting(&self, awaited: &[String]) -> String {
        let (named, rest) = awaited.split_at(awaited.len().min(MOST_NAMES));
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        let people = if self.matter.approval == Approval::FourEyes { "two people" } else { "somebody" };
        let Matter { namespace, name, .. } = &self.matter;
        format!(
            "{}{more}: to be approved or rejected by {people}; `kubectl broadside review -n {namespace} {name}` shows the texts",
            named.join(", ")
        )
    }

    /// What is to be said of each review, where that is not said yet.
    pub(super) fn statuses(&self, copies: &[&Copy], controls: &[&Copy]) -> Vec<Reviewed> {
        let said = |review: &AdReview| {
            let refused = refusal(&self.matter, review, self.policy);
            let status = match refused.or_else(|| self.edits.refused.get(&review.name_any()).cloned()) {
                Some(why) => {
                    let message = Some(why.chars().take(MESSAGE_CHARACTERS).collect());
                    AdReviewStatus { state: Some(ReviewState::NotHonored), message }
                }
                None => AdReviewStatus {
                    state: Some(ReviewState::Honored),
                    message: beside_the_point(review, copies, controls),
                },
            };
            let told = review.status.as_ref() == Some(&status);
            (!told).then(|| Reviewed { name: review.name_any(), uid: review.uid(), status })
        };
        self.reviews.iter().filter_map(said).collect()
    }
}

/// A piece of copy as reviews name it.
fn meant(copy: &Copy) -> ReviewedVariant {
    ReviewedVariant { name: copy.name.clone(), digest: copy.digest.clone() }
}

fn needed(approval: Approval) -> usize {
    match approval {
        Approval::Automatic => 0,
        Approval::Manual => 1,
        Approval::FourEyes => 2,
    }
}

fn created(review: &AdReview) -> Option<Timestamp> {
    review.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// Why a review does not count, where it does not.
fn refusal(matter: &Matter, review: &AdReview, policy: ReviewPolicy) -> Option<String> {
    if review.spec.campaign.uid != matter.uid {
        let uid = &matter.uid;
        return Some(format!(
            "it is of another campaign of this name: this one's UID is {uid}; write one for it"
        ));
    }
    let known = review.status.as_ref().and_then(|status| status.state) == Some(ReviewState::Honored);
    let is_since =
        |since: Timestamp| created(review).is_some_and(|at| at.duration_since(since) >= IN_FORCE_AFTER);
    let checked = match policy {
        ReviewPolicy::Missing => false,
        ReviewPolicy::OwnWordsSince(since) => review.spec.on_behalf_of.is_none() && is_since(since),
        ReviewPolicy::Since(since) => is_since(since),
    };
    (!known && !checked).then(|| {
        "nobody checked who wrote it: the admission policy of reviews was not there when it came; see that it is, then write the review anew".to_owned()
    })
}

/// What of an honored review changes nothing.
fn beside_the_point(review: &AdReview, copies: &[&Copy], controls: &[&Copy]) -> Option<String> {
    let digests = |copies: &[&Copy]| -> BTreeMap<String, String> {
        copies.iter().map(|copy| (copy.name.clone(), copy.digest.clone())).collect()
    };
    let (variants, controls) = (digests(copies), digests(controls));
    let what = review.spec.variants.iter().filter_map(|ReviewedVariant { name, digest }| {
        match (controls.contains_key(name), variants.get(name)) {
            (true, _) => Some(format!("{name} is a control, which is always served")),
            (false, Some(known)) if known == digest => None,
            (false, Some(_)) => Some(format!("{name} has other texts than those of the digest")),
            (false, None) => Some(format!("{name} is none of the variants that may be served")),
        }
    });
    let what: Vec<String> = what.collect();
    (!what.is_empty()).then(|| what.join("; ").chars().take(MESSAGE_CHARACTERS).collect())
}

fn automatic(rejected: usize) -> String {
    match rejected {
        0 => "what passes the rules is approved".to_owned(),
        count => format!("what passes the rules is approved, and {count} of it {} rejected", was(count)),
    }
}

fn reviewed(all: usize, rejected: usize) -> String {
    let approved = all - rejected;
    match rejected {
        0 => format!("{approved} {} approved", was(approved)),
        _ => format!("{approved} {} approved, {rejected} {} rejected", was(approved), was(rejected)),
    }
}

fn was(count: usize) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

fn unwritten() -> String {
    "variants are being written: each can be approved or rejected as soon as it is there".to_owned()
}

fn missing() -> String {
    "nothing checks who writes reviews, so none that comes now counts: see that the chart's admission policy of reviews and its binding are there, such as by helm upgrade".to_owned()
}
