//! `Campaign, Seen, now` → `Plan`: everything that is to be done and said, so exact that the doer has no choices left.
//!
//! ```text
//! variants    which copy exists, which may be served       generation   is the Job needed, how does it stand
//! approval    what people said of it                       withdrawn    arms whose approval was taken back
//! cells       table + totals → what `experiment` reads      placement    the step of one experiment, its verdict
//! shares      what should be in force, and its round        rounds       questions about a row's rounds
//! table       the placements as one numbered table          words        figures as people read them
//! guardrails  arms that do harm, by another metric          edits        other texts in place of a variant's
//! spent       tokens, GPU time and money                    cost         what rewards beyond the control's cost
//! ```

mod approval;
mod cells;
mod cost;
mod edits;
mod generation;
mod guardrails;
mod placement;
mod rounds;
mod shares;
mod spent;
mod table;
mod variants;
mod withdrawn;
mod words;

use std::time::Duration;

use api::condition::Reason;
use api::{
    AdCampaign, AdReviewStatus, AdTable, AdVariant, AdVariantStatus, GenerationStatus, PlacementStatus,
    TablePlacement,
};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use serde::Deserialize;

use crate::campaign::{Activity, Campaign, Copy, Ending, ending};
use crate::objects::evidence;
use crate::objects::job::WorkerImage;
use crate::objects::winner::{Ended, Gone, holds, winner};
use crate::observe::{Seen, Totals};
use approval::Approvals;
use placement::Lack;
pub use rounds::ROUNDS_KEPT;
pub use withdrawn::{Recall, recall};

/// All that one pass is to do and to say.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Variants of people's copy that do not exist yet.
    pub variants: Vec<AdVariant>,
    /// What a worker needs to write variants, while one is to write.
    pub generate: Option<Generate>,
    /// Stops the Job or lets it go on.
    pub job_change: Option<JobChange>,
    /// The table, when it changes.
    pub table: Option<AdTable>,
    /// The number of the table that is in force after this plan.
    pub table_number: i64,
    /// Variants of which something else is to be said, by name.
    pub variant_statuses: Vec<(String, AdVariantStatus)>,
    /// The records of verdicts that were reached now.
    pub evidence: Vec<ConfigMap>,
    /// What GitOps reads, once every placement has ended, where it is not what is there.
    pub winner: Option<ConfigMap>,
    /// How generation stands, where a model was asked.
    pub generation: Option<GenerationStatus>,
    /// Whether what was asked of the model exists.
    pub writing: Answer,
    /// Whether what was written may be served.
    pub approved: Answer,
    /// How many variants wait for a person's word.
    pub awaited: usize,
    /// Reviews of which something else is to be said.
    pub review_statuses: Vec<Reviewed>,
    /// Whether the numbers are of now; nothing where they were not asked for.
    pub data: Option<Answer>,
    /// Whether a person must do something.
    pub stalled: Option<Answer>,
    /// Every experiment, as status shows it.
    pub placements: Vec<PlacementStatus>,
    /// Whether every verdict was there when the pass began.
    pub ended: Ending,
    /// The moment that experiments wait for, where nothing else keeps them from beginning.
    pub starts_at: Option<Timestamp>,
    /// What changed, for people who follow the events.
    pub notes: Vec<Note>,
    /// When to look again.
    pub again: Again,
}

/// When a campaign is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// After so long at the latest, at whichever moment; numbers and ConfigMaps change without telling.
    pub within: Duration,
    /// Exactly then, unless it is looked at before: a day of its schedule begins or ends.
    pub turn: Option<Duration>,
}

/// The answer to one of the questions that conditions ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Yes, no, or not known.
    pub state: State,
    /// The fixed word for it.
    pub reason: Reason,
    /// The same for people; it ends with what they can do, where they can.
    pub message: String,
}

/// The state of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum State {
    /// Yes.
    True,
    /// No.
    False,
    /// Not known.
    Unknown,
}

/// What is there so that a worker can write.
#[derive(Clone, Debug)]
pub struct Generate {
    /// What the Job's next pod reads, written where it is not what is there: somebody may have deleted it, and then a pod would wait
    /// for it in vain.
    pub brief: ConfigMap,
    /// The Job where there is none; the worker's account and rights come before it.
    pub job: Option<NewJob>,
}

/// A Job that there is to be.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Whether it is made by this pass.
    pub attempt: Attempt,
    /// The Job.
    pub job: Box<Job>,
}

/// Whether something is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The API server checks it and makes nothing.
    Rehearsal,
    /// It is made.
    InEarnest,
}

/// What is done to a Job that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobChange {
    /// The Job.
    pub job: String,
    /// What is done to it.
    pub change: Change,
}

/// A change of a Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its pods may run again.
    Resume,
    /// Its pods end, and others may come later.
    Suspend,
    /// Another has resumed it, and whatever they do next is theirs.
    Concede,
    /// What was conceded is over, and it may be suspended again.
    Forget,
    /// Its pods end, and none comes after them, whoever resumes it.
    End,
}

/// What is said of a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// Its name.
    pub name: String,
    /// Its UID: what was checked of one is not said of another that took its name.
    pub uid: Option<String>,
    /// Whether it counts.
    pub status: AdReviewStatus,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whether something is wrong.
    pub tone: Tone,
    /// The fixed word for it.
    pub reason: String,
    /// What happened.
    pub message: String,
}

/// How an event is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It went on.
    News,
    /// It does not go on as it was meant to.
    Warning,
}

impl Note {
    pub(crate) fn news(reason: &str, message: String) -> Self {
        Self { tone: Tone::News, reason: reason.to_owned(), message }
    }

    pub(crate) fn warning(reason: &str, message: String) -> Self {
        Self { tone: Tone::Warning, reason: reason.to_owned(), message }
    }
}

/// The event of a Job that was made.
pub(crate) const STARTED: &str = "GenerationStarted";

/// What a plan depends on beside the campaign and the world.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The worker's image.
    pub worker: WorkerImage,
    /// Figures in status move at most this often between rounds.
    pub figures_interval: Duration,
}

/// Decides everything.
pub fn plan(
    object: &AdCampaign,
    campaign: &Campaign,
    seen: &Seen,
    settings: &Settings,
    now: Timestamp,
) -> Plan {
    let accepted = variants::sort_out(campaign, seen);
    let approvals = Approvals::read(campaign.into(), seen);
    let edits = edits::read(campaign, seen, &accepted, approvals.honored());
    let accepted = accepted.with_edits(&edits);
    let approvals = approvals.with_edits(edits);
    let written = generation::look(object, campaign, seen, &accepted, settings, now);
    let before = object.status.as_ref().map_or(&[][..], |status| &status.placements);
    let steps = campaign
        .placements
        .iter()
        .map(|placement| {
            let situation = placement::Situation {
                campaign,
                placement,
                arms: accepted.arms(
                    placement,
                    written.stage,
                    &approvals,
                    campaign.schedule.starts_after(now),
                ),
                variants: &seen.variants,
                approvals: &approvals,
                served: served(seen, &placement.name),
                totals: totals(seen, &placement.name),
                before: before.iter().find(|before| before.name == placement.name),
                writing: writing(campaign, &written),
                figures_interval: settings.figures_interval,
                now,
            };
            placement::step(&situation)
        })
        .collect();
    Material { object, campaign, seen, accepted, approvals, now }.plan(written, steps)
}

/// What writing cost, where that is known.
fn writing<'a>(campaign: &Campaign, written: &'a generation::Written) -> Option<cost::Writing<'a>> {
    let cost = written.status.as_ref()?.cost.as_deref()?;
    Some(cost::Writing { cost, asked: campaign.generation.as_ref()?.asked })
}

/// What a plan is made of, beside its steps.
struct Material<'a> {
    object: &'a AdCampaign,
    campaign: &'a Campaign,
    seen: &'a Seen,
    accepted: variants::SortedOut,
    approvals: Approvals<'a>,
    now: Timestamp,
}

impl Material<'_> {
    fn plan(&self, written: generation::Written, steps: Vec<placement::Step>) -> Plan {
        let Self { object, campaign, seen, accepted, approvals, now } = self;
        let rows: Vec<TablePlacement> = steps.iter().map(|step| step.row.clone()).collect();
        let told = object.status.as_ref().and_then(|status| status.table_number);
        let known = told.into_iter().chain(steps.iter().filter_map(|step| step.above)).max();
        let spec = table::spec(campaign, seen.table.as_ref(), known, rows.clone());
        let table_number = spec.number;
        let table = table::next(campaign, seen.table.as_ref(), spec);
        let inconsistent = steps.iter().find_map(|step| step.inconsistent.clone());
        let stalled = written.stalled.clone().or_else(|| nothing_to_test(campaign, &written, &steps));
        let copies: Vec<&Copy> =
            campaign.placements.iter().flat_map(|placement| accepted.to_be_approved(placement)).collect();
        let controls: Vec<&Copy> = campaign.placements.iter().map(|placement| &placement.control).collect();
        let approved = approvals.answer(&copies, written.stage);
        // What is served stays known, though somebody deleted its AdVariant.
        let served: Vec<Copy> = rows.iter().flat_map(|row| &row.variants).map(variants::copy).collect();
        let known: Vec<&Copy> = copies.iter().copied().chain(&served).collect();
        let again = self.again(&approved, steps.iter().map(|step| step.again).chain(written.again));
        let mut notes = written.notes;
        notes.extend(steps.iter().flat_map(|step| step.notes.clone()));
        let record = |step: &placement::Step| Some(evidence::config(campaign, step.evidence.as_deref()?));
        let evidence = steps.iter().filter_map(record).collect();
        let starts_at = steps.iter().find_map(|step| step.starts_at);
        let placements: Vec<PlacementStatus> = steps.into_iter().map(|step| step.status).collect();
        let ended = ending(object, campaign);
        Plan {
            variants: accepted.missing(campaign, seen),
            generate: written.generate,
            job_change: written.job_change,
            variant_statuses: variants::statuses(seen, accepted, approvals, &rows),
            approved,
            awaited: approvals.awaited(&copies).len(),
            review_statuses: approvals.statuses(&known, &controls),
            evidence,
            winner: (ended == Ending::Settled)
                .then(|| winner_of(campaign, seen, &placements, &rows, *now))
                .filter(|winner| !seen.winner.as_ref().is_some_and(|live| holds(live, winner))),
            table,
            table_number,
            generation: written.status,
            writing: written.answer,
            data: inconsistent.map_or_else(|| data(&seen.totals), |what| Some(inconsistent_data(&what))),
            stalled,
            placements,
            ended,
            starts_at,
            notes,
            again,
        }
    }

    /// When to look again: what the steps ask for, or sooner.
    fn again(&self, approved: &Answer, steps: impl Iterator<Item = Duration>) -> Again {
        // Nobody tells when the policy is there again.
        let policy = (approved.reason == Reason::PolicyMissing).then_some(LOOK_FOR_POLICY);
        let deferred = matches!(self.seen.totals, Totals::Deferred).then_some(SOON);
        Again {
            within: steps.chain(policy).chain(deferred).min().unwrap_or(AT_LEAST_EVERY),
            turn: self.campaign.schedule.next_turn(self.now).map(|turn| until(turn, self.now)),
        }
    }
}

/// A moment counts as come once it has.
fn until(moment: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(moment.duration_since(now)).unwrap_or_default() + Duration::from_millis(1)
}

/// After a pass that asked for no numbers. What it wrote starts the next one sooner.
const SOON: Duration = Duration::from_secs(1);

/// How often it is looked whether reviews are checked again.
const LOOK_FOR_POLICY: Duration = Duration::from_secs(60);

/// Nothing is left alone for longer. What campaigns consist of is watched, but for ConfigMaps that somebody may have changed.
const AT_LEAST_EVERY: Duration = Duration::from_secs(1800);

fn served<'a>(seen: &'a Seen, placement: &str) -> Option<&'a TablePlacement> {
    seen.table.as_ref()?.spec.placements.iter().find(|row| row.name == placement)
}

fn totals<'a>(seen: &'a Seen, placement: &str) -> placement::Counted<'a> {
    match &seen.totals {
        Totals::NotAsked | Totals::Deferred | Totals::Unreachable(_) => placement::Counted::NotKnown,
        Totals::Known(totals) => placement::Counted::Known(
            totals.placements.iter().filter(|counted| counted.name == placement).collect(),
        ),
    }
}

fn data(totals: &Totals) -> Option<Answer> {
    match totals {
        Totals::Deferred => None,
        Totals::NotAsked => Some(Answer {
            state: State::Unknown,
            reason: Reason::NotServed,
            message: "nothing was served when this pass began, so nothing was counted".to_owned(),
        }),
        Totals::Known(_) => Some(Answer {
            state: State::True,
            reason: Reason::Fresh,
            message: "the ledger answers".to_owned(),
        }),
        Totals::Unreachable(why) => Some(Answer {
            state: State::False,
            reason: Reason::LedgerUnreachable,
            message: format!("{why}. The last shares stay; see whether the ledger's pod runs"),
        }),
    }
}

fn inconsistent_data(what: &str) -> Answer {
    let message = format!("the ledger's totals don't fit the table: {what}. The last shares stay");
    Answer { state: State::False, reason: Reason::LedgerInconsistent, message }
}

fn winner_of(
    campaign: &Campaign,
    seen: &Seen,
    placements: &[PlacementStatus],
    rows: &[TablePlacement],
    now: Timestamp,
) -> ConfigMap {
    let expired = campaign.schedule.is_offer_over(now).then_some(Gone::Expired);
    let ended: Vec<Ended<'_>> = placements
        .iter()
        .zip(rows)
        .filter_map(|(status, row)| {
            let verdict = status.verdict.as_ref()?;
            let named = row.variants.iter().find(|variant| variant.name == verdict.served)?;
            // What is not approved any more, or promises what is over, is handed on no more either.
            let gone = expired.or(named.withdrawn.then_some(Gone::Withdrawn));
            let served = if gone.is_some() { row.variants.first()? } else { named };
            let evidence = seen.evidence.get(&status.name);
            Some(Ended {
                placement: &status.name,
                verdict,
                served: (&served.name, &served.slots),
                gone,
                evidence,
            })
        })
        .collect();
    winner(campaign, &ended)
}

/// A person must do something where nothing could be written, or all was rejected, and people wrote nothing but the control.
fn nothing_to_test(
    campaign: &Campaign,
    written: &generation::Written,
    steps: &[placement::Step],
) -> Option<Answer> {
    let why = |lack| match lack {
        Lack::Review => None,
        Lack::Copy => Some(NOTHING_WRITTEN.to_owned()),
        Lack::Approval => Some(nothing_approved(campaign)),
        Lack::Safety => Some(nothing_safe(campaign)),
    };
    let lacks = |step: &placement::Step| Some((step.row.name.clone(), why(step.lacks?)?));
    let (placement, why) = steps.iter().find_map(lacks)?;
    let message = format!("placement {placement} has nothing to test but its control, since {why}");
    let over = written.stage == variants::Stage::Over;
    over.then_some(Answer { state: State::True, reason: Reason::NothingToTest, message })
}

const NOTHING_WRITTEN: &str = "no variant could be written: see VariantsReady, then apply the campaign under a new name, with \
    challengers or a richer brief";

fn nothing_approved(campaign: &Campaign) -> String {
    let Campaign { namespace, name, .. } = campaign;
    format!(
        "all others were rejected: apply the campaign under a new name with other copy, or approve one of them after all, as `kubectl broadside review -n {namespace} {name}` says"
    )
}

fn nothing_safe(campaign: &Campaign) -> String {
    let Campaign { namespace, name, .. } = campaign;
    format!(
        "guardrails show all others to do harm: apply the campaign under a new name with other copy, or approve one of them all the same, as `kubectl broadside review -n {namespace} {name}` says"
    )
}

/// Whether people stopped the campaign; a word for where it is asked often.
pub(crate) fn is_suspended(campaign: &Campaign) -> bool {
    campaign.activity == Activity::Suspended
}
