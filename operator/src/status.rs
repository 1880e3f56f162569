//! `Pass` → status: all that is known at the end of a pass, however far it came.

use api::condition::{Reason, Type};
use api::{AdCampaign, AdCampaignStatus, GenerationOutcome, Phase, PlacementStatus, Summary, VerdictReason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::apply::Applied;
use crate::campaign::Ending;
use crate::campaign::{Campaign, Mode};
use crate::error::{Error, chain};
use crate::plan::{Answer, Note, Plan, STARTED, State, is_suspended};

/// One pass, as far as it came.
#[derive(Debug, Default)]
pub struct Pass {
    /// The campaign, once it was read.
    pub campaign: Option<Campaign>,
    /// The plan, once it was made.
    pub plan: Option<Plan>,
    /// That the plan was carried out.
    pub applied: Option<Applied>,
}

/// The longest message of a condition that we write; the API server allows 32 KiB, people read less.
const MESSAGE_CHARACTERS: usize = 2_000;

/// What is to be said of `object` after a pass that ended well or with `error`.
///
/// What a pass did not come to know stays as it was: an API server that hiccups takes nothing back.
pub fn report(object: &AdCampaign, pass: &Pass, error: Option<&Error>, now: Timestamp) -> AdCampaignStatus {
    let before = object.status.clone().unwrap_or_default();
    let conditions = conditions(object, pass, error, &before, now);
    let (asked, table_number, placements) = match &pass.plan {
        // A plan that was not carried out is not told: its rounds are not in force.
        Some(plan) if pass.applied.is_some() => {
            (plan.generation.clone(), Some(plan.table_number), plan.placements.clone())
        }
        _ => (before.generation.clone(), before.table_number, before.placements),
    };
    let mode = Mode::of(object);
    // Without a plan it is as it was.
    let reviewing =
        pass.plan.as_ref().map_or(before.phase == Some(Phase::Reviewing), |plan| plan.awaited > 0);
    let scheduled =
        pass.plan.as_ref().map_or(before.phase == Some(Phase::Scheduled), |plan| plan.starts_at.is_some());
    let phase = match phase(pass, &conditions, asked.as_ref().map(|generation| generation.outcome)) {
        Phase::Running if reviewing => Phase::Reviewing,
        Phase::Running if scheduled => Phase::Scheduled,
        Phase::Running if mode == Mode::DryRun => Phase::DryRun,
        phase => phase,
    };
    AdCampaignStatus {
        observed_generation: match is_seen_to(pass, error) {
            true => object.metadata.generation,
            false => before.observed_generation,
        },
        phase: Some(phase),
        summary: Some(summary(&placements, mode, phase, &conditions)),
        conditions,
        // Before the API server would take its Job nothing has begun, and the spec may still be changed.
        generation: if job_refused(pass).is_some() { before.generation } else { asked },
        table_number,
        placements,
    }
}

fn job_refused(pass: &Pass) -> Option<&str> {
    pass.applied.as_ref()?.job_refused.as_deref()
}

/// What is to be told as events once that status is written: what the plan changed, and what has begun to be in the way.
pub fn notes(object: &AdCampaign, pass: &Pass, status: &AdCampaignStatus) -> Vec<Note> {
    let planned = pass.plan.iter().filter(|_| pass.applied.is_some()).flat_map(|plan| &plan.notes);
    let happened = planned.filter(|note| note.reason != STARTED || job_refused(pass).is_none()).cloned();
    let was = |now: &Condition| {
        let before = object.status.as_ref()?.conditions.iter().find(|it| it.type_ == now.type_)?;
        Some(&before.reason)
    };
    let hindrances = status.conditions.iter().filter(|it| is_hindrance(it) && was(it) != Some(&it.reason));
    happened.chain(hindrances.map(|it| Note::warning(&it.reason, it.message.clone()))).collect()
}

/// Whether a condition says what keeps a campaign from going on. That writing has failed is told when it does.
fn is_hindrance(condition: &Condition) -> bool {
    let is_one_of = |reasons: &[Reason]| reasons.iter().any(|reason| reason.to_string() == condition.reason);
    match condition.type_.as_str() {
        "Stalled" => condition.status == "True",
        "VariantsReady" => is_one_of(&HINDRANCES),
        _ => false,
    }
}

/// What keeps a Job from writing.
const HINDRANCES: [Reason; 8] = [
    Reason::JobRefused,
    Reason::Queued,
    Reason::QuotaExceeded,
    Reason::PodRefused,
    Reason::Unschedulable,
    Reason::VolumeMissing,
    Reason::ImageNotPulled,
    Reason::PodNotStarted,
];

/// Whether the object's generation was carried out, or can't be: only then somebody who waits for it may go on.
fn is_seen_to(pass: &Pass, error: Option<&Error>) -> bool {
    pass.applied.is_some() || matches!(error, Some(Error::Invalid(_)))
}

fn conditions(
    object: &AdCampaign,
    pass: &Pass,
    error: Option<&Error>,
    before: &AdCampaignStatus,
    now: Timestamp,
) -> Vec<Condition> {
    let known = answers(Mode::of(object), pass, error, before);
    let all = [
        Type::Ready,
        Type::Reconciling,
        Type::Stalled,
        Type::VariantsReady,
        Type::Approved,
        Type::DataFresh,
        Type::Decided,
    ];
    all.into_iter()
        .map(|type_| {
            let was = find(before, type_);
            let answer = known.iter().find(|(of, _)| *of == type_).map(|(_, answer)| answer);
            match (answer, was) {
                (Some(answer), was) => condition(object, type_, answer, was, now),
                // It holds for this generation too: what may still change does not touch it.
                (None, Some(was)) if type_ == Type::Decided => {
                    Condition { observed_generation: object.metadata.generation, ..was.clone() }
                }
                (None, Some(was)) => was.clone(),
                (None, None) => condition(object, type_, &unknown(), None, now),
            }
        })
        .collect()
}

fn unknown() -> Answer {
    answer(State::Unknown, Reason::Preparing, "not known yet")
}

fn condition(
    object: &AdCampaign,
    type_: Type,
    answer: &Answer,
    was: Option<&Condition>,
    now: Timestamp,
) -> Condition {
    let status = format!("{:?}", answer.state);
    let since = was.filter(|was| was.status == status).map(|was| was.last_transition_time.clone());
    Condition {
        type_: type_.to_string(),
        status,
        reason: answer.reason.to_string(),
        message: answer.message.chars().take(MESSAGE_CHARACTERS).collect(),
        last_transition_time: since.unwrap_or(Time(now)),
        observed_generation: object.metadata.generation,
    }
}

fn find(status: &AdCampaignStatus, type_: Type) -> Option<&Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_.to_string())
}

/// The answers that this pass has.
fn answers(mode: Mode, pass: &Pass, error: Option<&Error>, before: &AdCampaignStatus) -> Vec<(Type, Answer)> {
    let mut answers = Vec::new();
    match error {
        None => answers.extend(ready(mode)),
        Some(error) => answers.extend(failed(error, before)),
    }
    if let Some(plan) = &pass.plan {
        let healthy = answer(State::False, Reason::Healthy, "nothing needs a person");
        answers.push((Type::Stalled, plan.stalled.clone().unwrap_or(healthy)));
        answers.push((Type::VariantsReady, job_refused(pass).map_or_else(|| plan.writing.clone(), refused)));
        answers.push((Type::Approved, plan.approved.clone()));
        answers.extend(plan.data.clone().map(|data| (Type::DataFresh, data)));
    }
    if !is_decided(before) {
        answers.extend(decided(mode, pass).map(|answer| (Type::Decided, answer)));
    }
    answers
}

fn refused(words: &str) -> Answer {
    let message = format!(
        "the API server refuses the worker's Job: {words}; ask whoever keeps that rule to let it pass: it is tried again every few seconds"
    );
    answer(State::False, Reason::JobRefused, &message)
}

fn ready(mode: Mode) -> [(Type, Answer); 2] {
    let serving = match mode {
        Mode::Live => "the table is published; gateways serve it",
        Mode::DryRun => "a dry run: gateways draw and count by the table, and show everybody the control",
    };
    [
        (Type::Ready, answer(State::True, Reason::Serving, serving)),
        (Type::Reconciling, answer(State::False, Reason::SetUp, "there is nothing left to set up")),
    ]
}

fn failed(error: &Error, before: &AdCampaignStatus) -> Vec<(Type, Answer)> {
    let message = chain(error);
    let no = |reason| answer(State::False, reason, &message);
    match error {
        Error::Invalid(_) => vec![
            (Type::Ready, no(error.reason())),
            (Type::Reconciling, no(error.reason())),
            (Type::Stalled, answer(State::True, error.reason(), &message)),
        ],
        Error::Api { .. } | Error::Outdated | Error::TimedOut(_) => {
            // What is served goes on being served while the API server is away.
            let served = find(before, Type::Ready).is_some_and(|ready| ready.status == "True");
            let pending = (Type::Reconciling, answer(State::True, error.reason(), &message));
            if served { Vec::new() } else { vec![(Type::Ready, no(error.reason())), pending] }
        }
    }
}

fn is_decided(before: &AdCampaignStatus) -> bool {
    find(before, Type::Decided).is_some_and(|decided| decided.status == "True")
}

/// Decided once every verdict is stored and what follows from it is done.
fn decided(mode: Mode, pass: &Pass) -> Option<Answer> {
    let (plan, _) = (pass.plan.as_ref()?, pass.applied.as_ref()?);
    if plan.ended == Ending::Settled {
        return Some(end(mode, &plan.placements));
    }
    let suspended = pass.campaign.as_ref().is_some_and(is_suspended);
    let (reason, message) = match plan.starts_at {
        _ if suspended => {
            (Reason::Suspended, "the campaign is suspended: set suspend to false to go on".to_owned())
        }
        Some(start) => (
            Reason::Scheduled,
            format!("until {start} the control is served: change schedule.startsAt to begin sooner"),
        ),
        None => (Reason::Collecting, "the numbers don't allow a verdict in every placement yet".to_owned()),
    };
    Some(answer(State::False, reason, &message))
}

fn end(mode: Mode, placements: &[PlacementStatus]) -> Answer {
    let reasons: Vec<VerdictReason> = placements.iter().filter_map(verdict).collect();
    let reason = match reasons.first() {
        // A pipeline that waits for a winner must not take one of these for it.
        _ if mode == Mode::DryRun => Reason::DryRun,
        Some(first) if reasons.iter().all(|reason| reason == first) => match first {
            VerdictReason::Winner => Reason::Winner,
            VerdictReason::ControlWins => Reason::ControlWins,
            VerdictReason::NoWorthwhileDifference => Reason::NoWorthwhileDifference,
            VerdictReason::Inconclusive => Reason::Inconclusive,
        },
        _ => Reason::Mixed,
    };
    let sentences: Vec<&str> = placements
        .iter()
        .filter_map(|placement| Some(placement.verdict.as_ref()?.sentence.as_str()))
        .collect();
    answer(State::True, reason, &sentences.join("; "))
}

fn verdict(placement: &PlacementStatus) -> Option<VerdictReason> {
    placement.verdict.as_ref().map(|verdict| verdict.reason)
}

fn answer(state: State, reason: Reason, message: &str) -> Answer {
    Answer { state, reason, message: message.to_owned() }
}

fn phase(pass: &Pass, conditions: &[Condition], generation: Option<GenerationOutcome>) -> Phase {
    let is = |type_: Type| {
        conditions.iter().any(|condition| condition.type_ == type_.to_string() && condition.status == "True")
    };
    let suspended = pass.campaign.as_ref().is_some_and(is_suspended);
    match () {
        () if is(Type::Decided) => Phase::Decided,
        () if is(Type::Stalled) => Phase::Stalled,
        () if suspended => Phase::Suspended,
        () if generation == Some(GenerationOutcome::Running) => Phase::Generating,
        () => Phase::Running,
    }
}

/// The columns: of the first undecided placement, else of the first.
fn summary(placements: &[PlacementStatus], mode: Mode, phase: Phase, conditions: &[Condition]) -> Summary {
    let reason = Some(telling(phase, conditions));
    let shown = placements.iter().find(|placement| placement.verdict.is_none()).or(placements.first());
    let Some(shown) = shown else {
        return Summary { reason, ..Summary::default() };
    };
    let leader = shown.variants.iter().find(|variant| Some(&variant.name) == shown.leader.as_ref());
    let others = match placements.len() {
        1 => String::new(),
        count => format!(" +{}", count - 1),
    };
    let verdict = match (verdict(shown), mode) {
        (None, _) => "Collecting".to_owned(),
        (Some(reason), Mode::Live) => format!("{reason:?}"),
        (Some(reason), Mode::DryRun) => format!("{reason:?} (dry run)"),
    };
    Summary {
        leader: leader.map(|leader| format!("{}{others}", leader.name)),
        lift: leader
            .and_then(|leader| leader.lift.as_ref())
            .map(|lift| format!("{}..{}", lift.lower, lift.upper)),
        probability_best: leader.and_then(|leader| leader.probability_best.clone()),
        samples: Some(shown.samples),
        verdict: Some(verdict),
        reason,
    }
}

/// The reason of the condition that matters most in a phase.
fn telling(phase: Phase, conditions: &[Condition]) -> String {
    let of = |type_: Type| conditions.iter().find(|condition| condition.type_ == type_.to_string());
    let wrong = |type_| of(type_).filter(|condition| condition.status == "False");
    let told = match phase {
        Phase::Stalled => of(Type::Stalled),
        Phase::Generating => of(Type::VariantsReady),
        Phase::Reviewing => of(Type::Approved),
        // That no verdict is reached yet is seen beside it.
        Phase::Running | Phase::DryRun => {
            wrong(Type::DataFresh).or_else(|| wrong(Type::VariantsReady)).or_else(|| of(Type::Decided))
        }
        Phase::Scheduled | Phase::Suspended | Phase::Decided => of(Type::Decided),
    };
    told.map(|condition| condition.reason.clone()).unwrap_or_default()
}
