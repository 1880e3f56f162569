//! Is a Job needed, how does it stand, and what keeps it?

use std::time::Duration;

use api::condition::Reason;
use api::wire::report::{Outcome, Report};
use api::{AdCampaign, GenerationOutcome, GenerationStatus};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use super::variants::{SortedOut, Stage};
use super::{Answer, Note, Pause, Settings, State, is_suspended};
use crate::campaign::{Activity, Campaign, Fault, Generation};
use crate::model::{Model, Source};
use crate::objects;
use crate::observe::Seen;

/// How the generation of a campaign stands.
pub(super) struct Written {
    pub(super) stage: Stage,
    pub(super) status: Option<GenerationStatus>,
    pub(super) answer: Answer,
    /// The Job to make.
    pub(super) job: Option<Job>,
    /// Stops the Job or lets it go on.
    pub(super) pause: Option<Pause>,
    pub(super) stalled: Option<Answer>,
    pub(super) notes: Vec<Note>,
    pub(super) again: Option<Duration>,
}

impl Written {
    fn new(stage: Stage, answer: Answer) -> Self {
        Self {
            stage,
            status: None,
            answer,
            job: None,
            pause: None,
            stalled: None,
            notes: Vec::new(),
            again: None,
        }
    }
}

/// While a Job runs, its pod is looked at this often: what keeps a pod from starting raises no event on the Job.
const POD_INTERVAL: Duration = Duration::from_secs(5);

/// A Job has its pod within this time, unless something refuses it.
const POD_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// Volumes are mounted within this time, unless something is missing.
const MOUNTED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// The longest words of others that status takes, below the bound of its definition.
const MESSAGE_CHARACTERS: usize = 1_000;

/// Looks at the generation of a campaign.
pub(super) fn look(
    object: &AdCampaign,
    campaign: &Campaign,
    seen: &Seen,
    accepted: &SortedOut,
    settings: &Settings,
    now: Timestamp,
) -> Written {
    let Some(generation) = &campaign.generation else {
        return Written::new(
            Stage::Over,
            answer(State::True, Reason::NotAsked, "no variants are asked of a model"),
        );
    };
    let look = Look { object, campaign, generation, seen, now, delivered: accepted.delivered() };
    match (look.recorded(), &seen.job) {
        (Some(recorded), _) => look.over(recorded.clone()),
        // Before anything else: a Job that ended may be deleted, and its outcome with it.
        (None, Some(job)) if has_ended(job) => look.running_or_over(job),
        (None, _) if is_suspended(campaign) => look.suspended(),
        (None, _) => look.under_way(settings),
    }
}

fn has(job: &Job, type_: &str) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == type_ && condition.status == "True")
}

fn has_ended(job: &Job) -> bool {
    has(job, "Complete") || has(job, "Failed")
}

struct Look<'a> {
    object: &'a AdCampaign,
    campaign: &'a Campaign,
    generation: &'a Generation,
    seen: &'a Seen,
    now: Timestamp,
    delivered: usize,
}

impl Look<'_> {
    fn job_name(&self) -> String {
        api::name::generation_job(&self.campaign.name, &self.generation.inputs)
    }

    /// The outcome that status holds already: finished work is never repeated, though its Job be gone.
    fn recorded(&self) -> Option<&GenerationStatus> {
        let before = self.object.status.as_ref()?.generation.as_ref()?;
        (before.job == self.job_name() && before.outcome != GenerationOutcome::Running).then_some(before)
    }

    fn under_way(&self, settings: &Settings) -> Written {
        match (&self.seen.job, &self.seen.model) {
            (Some(job), _) => self.running_or_over(job),
            (None, Some(model)) => match Model::try_from(model) {
                Ok(model) => self.start(&model, settings),
                Err(fault) => self.invalid_model(&fault),
            },
            (None, None) => self.no_model(),
        }
    }

    fn start(&self, model: &Model, settings: &Settings) -> Written {
        let mut written =
            self.writing(answer(State::False, Reason::Generating, "the worker is being started"));
        written.job = Some(objects::job::job(self.campaign, self.generation, model, &settings.worker));
        written.notes.push(Note {
            reason: "GenerationStarted",
            message: format!("asking {} for {} variants", self.generation.model, self.generation.asked),
        });
        written
    }

    /// A Job that runs is stopped, and goes on later with what it has written.
    fn suspended(&self) -> Written {
        let message = "the campaign is suspended: set suspend to false to go on";
        let mut written = Written::new(Stage::Writing, answer(State::False, Reason::Suspended, message));
        if let Some(job) = &self.seen.job {
            written.status = Some(self.status(GenerationOutcome::Running, None));
            written.pause = self.pause(job, Activity::Suspended);
        }
        written
    }

    fn pause(&self, job: &Job, activity: Activity) -> Option<Pause> {
        let stopped = job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false);
        let differs = stopped != (activity == Activity::Suspended);
        differs.then(|| Pause { job: self.job_name(), activity })
    }

    fn no_model(&self) -> Written {
        let message = format!(
            "spec.generation.model: there is no AdModel {} in namespace {}: ask the platform team for it, or name another (kubectl get admodels)",
            self.generation.model, self.campaign.namespace
        );
        self.stalled(Reason::ModelNotFound, &message)
    }

    fn invalid_model(&self, fault: &Fault) -> Written {
        let message = format!("AdModel {}: {fault}", self.generation.model);
        self.stalled(Reason::InvalidModel, &message)
    }

    fn stalled(&self, reason: Reason, message: &str) -> Written {
        let stalled = answer(State::True, reason, message);
        let mut written = Written::new(Stage::Writing, Answer { state: State::False, ..stalled.clone() });
        written.stalled = Some(stalled);
        written
    }

    fn writing(&self, answer: Answer) -> Written {
        let mut written = Written::new(Stage::Writing, answer);
        written.status = Some(self.status(GenerationOutcome::Running, None));
        written.again = Some(POD_INTERVAL);
        written
    }

    fn status(&self, outcome: GenerationOutcome, message: Option<String>) -> GenerationStatus {
        GenerationStatus {
            job: self.job_name(),
            outcome,
            asked: self.generation.asked.into(),
            delivered: i64::try_from(self.delivered).unwrap_or(i64::MAX),
            message: message.map(|message| message.chars().take(MESSAGE_CHARACTERS).collect()),
        }
    }

    fn running_or_over(&self, job: &Job) -> Written {
        let complete = i64::try_from(self.delivered).unwrap_or(i64::MAX) >= i64::from(self.generation.asked);
        let report = self.report();
        match () {
            () if !has_ended(job) => {
                let obstacle = self.obstacle().or_else(|| self.no_pod(job)).or_else(|| self.not_mounted());
                let mut written = self.writing(obstacle.unwrap_or_else(|| self.progress()));
                written.pause = self.pause(job, Activity::Active);
                written
            }
            () if complete => self.over(self.status(GenerationOutcome::Complete, None)),
            () if has(job, "Complete")
                || report.as_ref().is_some_and(|report| report.outcome == Outcome::Shortfall) =>
            {
                self.over(self.status(GenerationOutcome::Shortfall, report.and_then(|report| report.message)))
            }
            () => self.over(self.status(GenerationOutcome::Failed, Some(self.failure(job, report)))),
        }
    }

    fn progress(&self) -> Answer {
        let message = format!("{} of {} variants are written", self.delivered, self.generation.asked);
        answer(State::False, Reason::Generating, &message)
    }

    /// What keeps the worker's pod from starting, in the words of the scheduler or the kubelet.
    fn obstacle(&self) -> Option<Answer> {
        let pod = self.newest_pod()?;
        let status = pod.status.as_ref()?;
        let unscheduled = status
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
        let waiting = containers(pod).find_map(|container| container.state.as_ref()?.waiting.as_ref());
        let words = match (unscheduled, waiting) {
            (Some(unscheduled), _) => unscheduled.message.clone().unwrap_or_default(),
            (None, Some(waiting)) if !STARTING.contains(&waiting.reason.as_deref().unwrap_or_default()) => {
                let reason = waiting.reason.clone().unwrap_or_default();
                format!("{reason}: {}", waiting.message.clone().unwrap_or_default())
            }
            _ => return None,
        };
        let remedy = format!("see kubectl describe pod {}", pod.name_any());
        Some(answer(
            State::False,
            Reason::PodNotStarted,
            &format!("the worker's pod can't start: {words}; {remedy}"),
        ))
    }

    /// A Job whose pods are refused, by a quota or a policy, has none; what refused them is told on the Job.
    fn no_pod(&self, job: &Job) -> Option<Answer> {
        let started = job.status.as_ref()?.start_time.as_ref()?;
        let waits = self.seen.pods.is_empty() && self.now.duration_since(started.0) > POD_WITHIN;
        let message = format!("no pod was made for the worker: see kubectl describe job {}", job.name_any());
        waits.then(|| answer(State::False, Reason::PodNotStarted, &message))
    }

    /// A pod whose Secret or claim is missing waits for it, and only its events say so. What it waits for is known here.
    fn not_mounted(&self) -> Option<Answer> {
        let pod = self.newest_pod()?;
        let conditions = pod.status.as_ref()?.conditions.iter().flatten();
        let scheduled = conditions.clone().find(|it| it.type_ == "PodScheduled" && it.status == "True")?;
        let has_volumes =
            conditions.clone().any(|it| it.type_ == "PodReadyToStartContainers" && it.status == "True");
        let since = scheduled.last_transition_time.as_ref()?;
        if has_volumes || self.now.duration_since(since.0) <= MOUNTED_WITHIN {
            return None;
        }
        let model = Model::try_from(self.seen.model.as_ref()?).ok()?;
        let message = format!(
            "the worker's pod waits for its volumes: see whether {}; see kubectl describe pod {}",
            needs(&model.source),
            pod.name_any()
        );
        Some(answer(State::False, Reason::PodNotStarted, &message))
    }

    fn newest_pod(&self) -> Option<&Pod> {
        self.seen.pods.iter().max_by_key(|pod| pod.creation_timestamp())
    }

    /// What the worker said at its end.
    fn report(&self) -> Option<Report> {
        let ended = self.newest_pod().into_iter().flat_map(containers);
        // What brings the model speaks only when it failed, and then no worker ran.
        let speaks = |container: &&ContainerStatus| {
            [objects::job::WORKER, objects::job::MODEL].contains(&container.name.as_str())
        };
        ended.filter(speaks).find_map(|container| {
            let message = container.state.as_ref()?.terminated.as_ref()?.message.as_ref()?;
            serde_json::from_str(message).ok()
        })
    }

    /// The worker's own words, else those of the Job.
    fn failure(&self, job: &Job, report: Option<Report>) -> String {
        let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
        let failed = conditions.into_iter().flatten().find(|condition| condition.type_ == "Failed");
        let of_job = failed.and_then(|failed| failed.message.clone());
        report.and_then(|report| report.message).or(of_job).unwrap_or_default()
    }

    fn over(&self, status: GenerationStatus) -> Written {
        let so_far = format!("{} of {} variants are written", status.delivered, status.asked);
        let refused = "some of it was refused: see the reasons in kubectl get advariants -o wide";
        let why = status.message.clone().unwrap_or_else(|| refused.to_owned());
        let (answer, reason) = match status.outcome {
            GenerationOutcome::Running | GenerationOutcome::Complete => {
                (answer(State::True, Reason::Complete, &so_far), "GenerationComplete")
            }
            GenerationOutcome::Shortfall => {
                let message = format!("{so_far}: {why}; a new attempt needs a new name");
                (answer(State::False, Reason::Shortfall, &message), "GenerationShortfall")
            }
            GenerationOutcome::Failed => {
                let message =
                    format!("{so_far}, then the Job failed ({why}): see kubectl logs job/{}", status.job);
                (answer(State::False, Reason::GenerationFailed, &message), "GenerationFailed")
            }
        };
        let mut written = Written::new(Stage::Over, answer);
        if self.recorded().is_none() {
            written.notes.push(Note { reason, message: written.answer.message.clone() });
        }
        written.status = Some(status);
        written
    }
}

/// What a pod of a model can wait for, as a sentence that follows `see whether`.
fn needs(source: &Source) -> String {
    match source {
        Source::Image(_) => "the nodes support image volumes, where the chart asks for them".to_owned(),
        Source::Pvc(pvc) => {
            format!("PersistentVolumeClaim {} is bound and holds spec.source.pvc.path", pvc.claim_name)
        }
        Source::HuggingFace(repository) => {
            let secret = repository.secret_ref.as_ref().map(|secret| {
                format!(
                    "Secret {} of type broadside.dev/model-hub has the key broadside-hub-token",
                    secret.name
                )
            });
            let claim = repository.cache.as_ref();
            let claim = claim.map(|cache| format!("PersistentVolumeClaim {} is bound", cache.claim_name));
            match (secret, claim) {
                (Some(secret), Some(claim)) => format!("{secret}, and {claim}"),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => "its node works".to_owned(),
            }
        }
        Source::Endpoint(endpoint) => format!(
            "Secret {} of type broadside.dev/model-endpoint has the keys broadside-endpoint-url and broadside-endpoint-key",
            endpoint.secret_ref.name
        ),
    }
}

/// Why a container waits when nothing is wrong.
const STARTING: [&str; 3] = ["", "PodInitializing", "ContainerCreating"];

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_ref()).into_iter().flatten();
    init.chain(status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten())
}

fn answer(state: State, reason: Reason, message: &str) -> Answer {
    Answer { state, reason, message: message.to_owned() }
}
