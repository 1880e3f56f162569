//! Is a Job needed, how does it stand, and what keeps it?

mod obstacle;

use std::time::Duration;

use api::condition::Reason;
use api::wire::report::{Outcome, Report};
use api::{AdCampaign, AdModel, GenerationFailure, GenerationOutcome, GenerationStatus, Price, TokensTaken};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;

use super::spent::Spent;
use super::variants::{SortedOut, Stage};
use super::{
    Answer, Attempt, Change, Generate, JobChange, NewJob, Note, STARTED, Settings, State, is_suspended,
};
use crate::campaign::{Activity, Budget, Campaign, Ending, Fault, Generation, ending};
use crate::objects;
use crate::objects::job::{Models, SUSPENDED};
use crate::observe::Seen;
use crate::workload::job::{has, has_ended, is_ours, is_stopped, is_to_end, mark, memory_limit};
use crate::workload::pods;

/// How the generation of a campaign stands.
pub(super) struct Written {
    pub(super) stage: Stage,
    pub(super) status: Option<GenerationStatus>,
    pub(super) answer: Answer,
    /// What is made for a worker.
    pub(super) generate: Option<Generate>,
    /// Stops the Job or lets it go on.
    pub(super) job_change: Option<JobChange>,
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
            generate: None,
            job_change: None,
            stalled: None,
            notes: Vec::new(),
            again: None,
        }
    }
}

/// While a Job runs, its pod is looked at this often: what keeps a pod from starting raises no event on the Job.
const POD_INTERVAL: Duration = Duration::from_secs(5);

/// Why nothing more is written, though it was asked for.
const DECIDED: &str = "the campaign is decided: no more is written for it";

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
        (Some(recorded), _) => look.recorded_and_ended(recorded),
        // Before anything else: a Job that ended may be deleted, and its outcome with it.
        (None, Some(job)) if has_ended(job) => look.running_or_over(job),
        (None, job) if ending(object, campaign) == Ending::Settled => {
            match job.is_some() || look.before().is_some() {
                true => look.called_off(),
                false => look.stopped(DECIDED),
            }
        }
        (None, _) if is_suspended(campaign) => look.suspended(),
        (None, _) => look.under_way(settings),
    }
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
        self.generation.job.clone()
    }

    /// What status says of this Job.
    fn before(&self) -> Option<&GenerationStatus> {
        let before = self.object.status.as_ref()?.generation.as_ref()?;
        (before.job == self.job_name()).then_some(before)
    }

    /// The outcome that status holds already: finished work is never repeated, though its Job be gone.
    fn recorded(&self) -> Option<&GenerationStatus> {
        self.before().filter(|before| before.outcome != GenerationOutcome::Running)
    }

    fn spent(&self) -> Spent<'_> {
        let before = self.before().and_then(|before| before.spending.as_ref());
        let pods = self.seen.pods.iter().chain(&self.seen.departed);
        Spent::of(self.seen.job.as_ref(), pods, before, self.now)
    }

    fn under_way(&self, settings: &Settings) -> Written {
        match &self.seen.job {
            Some(job) => self.running_or_over(job),
            None => match self.models() {
                Ok(models) => self.start(&models, settings),
                Err(stalled) => self.stalled(stalled),
            },
        }
    }

    /// The models that a worker is given, or what keeps it from being given one.
    fn models(&self) -> Result<Models, Answer> {
        let Generation { model, embedder, .. } = self.generation;
        let writer = self.model("spec.generation.model", model, self.seen.model.as_ref())?;
        let embedder = embedder
            .as_ref()
            .map(|name| self.model("spec.generation.embedder.model", name, self.seen.embedder.as_ref()));
        Ok(Models { writer, embedder: embedder.transpose()? })
    }

    /// A model that the campaign names in a field.
    fn model<'m, M: TryFrom<&'m AdModel, Error = Fault>>(
        &self,
        field: &str,
        name: &str,
        seen: Option<&'m AdModel>,
    ) -> Result<M, Answer> {
        let missing = || {
            let namespace = &self.campaign.namespace;
            let message = format!(
                "{field}: there is no AdModel {name} in namespace {namespace}: ask the platform team for it, or name another (kubectl get admodels)"
            );
            answer(State::True, Reason::ModelNotFound, &message)
        };
        let unfit = |fault| answer(State::True, Reason::InvalidModel, &format!("AdModel {name}: {fault}"));
        M::try_from(seen.ok_or_else(missing)?).map_err(unfit)
    }

    /// Status tells of a Job before there is one. From then on the definition lets nobody change what it is to write, and whoever
    /// comes after us knows of it.
    fn start(&self, models: &Models, settings: &Settings) -> Written {
        let mut written =
            self.writing(answer(State::False, Reason::Generating, "the worker is being started"));
        let attempt = if self.before().is_some() { Attempt::InEarnest } else { Attempt::Rehearsal };
        let job = Box::new(objects::job::job(self.campaign, self.generation, models, &settings.worker));
        written.generate = Some(Generate { brief: self.brief(), job: Some(NewJob { attempt, job }) });
        if attempt == Attempt::Rehearsal {
            return written;
        }
        let message = format!("asking {} for {} variants", self.generation.model, self.generation.asked);
        written.notes.push(Note::news(STARTED, message));
        written
    }

    /// What the next pod reads, with what those before it took of its budget.
    fn brief(&self) -> ConfigMap {
        let taken =
            self.generation.budget.tokens.map_or_else(TokensTaken::new, |_| self.spent().tokens_by_index());
        objects::brief::brief(self.campaign, self.object, &taken)
    }

    /// A Job that runs is stopped, and may go on later with what it has written. One that a queue resumes against that goes on, and
    /// its budget binds it.
    fn suspended(&self) -> Written {
        let mut written = self.stopped("the campaign is suspended: set suspend to false to go on");
        let Some(job) = &self.seen.job else { return written };
        written.job_change = self.paused(job, Activity::Suspended);
        if !is_stopped(job) {
            if let Some(ended) = self.cut_short(job) {
                return ended;
            }
            written.generate = Some(Generate { brief: self.brief(), job: None });
            written.again = Some(POD_INTERVAL);
        }
        written
    }

    fn stopped(&self, message: &str) -> Written {
        let mut written = Written::new(Stage::Writing, answer(State::False, Reason::Suspended, message));
        written.status = self.status_if_begun();
        written
    }

    /// A Job that nobody waits for any more.
    fn called_off(&self) -> Written {
        self.ended(self.status(GenerationOutcome::Shortfall, Some(DECIDED.to_owned())))
    }

    /// What another suspended is not ours to resume, and what another resumed, as a queue does, is not suspended against them.
    fn paused(&self, job: &Job, activity: Activity) -> Option<JobChange> {
        let change = match (activity, mark(job)) {
            (Activity::Active, _) if is_ours(job) => Change::Resume,
            (Activity::Active, Some(_)) => Change::Forget,
            (Activity::Suspended, None) if !is_stopped(job) => Change::Suspend,
            (Activity::Suspended, Some(SUSPENDED)) if !is_stopped(job) => Change::Concede,
            _ => return None,
        };
        Some(JobChange { job: self.job_name(), change })
    }

    fn stalled(&self, stalled: Answer) -> Written {
        let mut written = Written::new(Stage::Writing, Answer { state: State::False, ..stalled.clone() });
        written.status = self.status_if_begun().filter(|status| self.has_made_something(status));
        written.stalled = Some(stalled);
        written
    }

    fn writing(&self, answer: Answer) -> Written {
        let mut written = Written::new(Stage::Writing, answer);
        written.status = Some(self.running_status());
        written.again = Some(POD_INTERVAL);
        written
    }

    /// What was begun stays begun, and what it took stays taken, though somebody deletes the Job.
    fn status_if_begun(&self) -> Option<GenerationStatus> {
        (self.seen.job.is_some() || self.before().is_some()).then(|| self.running_status())
    }

    /// Whether there is a Job, or was one. One that status told of and that nobody made yet binds the spec no longer where something
    /// in it has to be mended.
    fn has_made_something(&self, status: &GenerationStatus) -> bool {
        self.seen.job.is_some() || status.spending.is_some() || status.delivered > 0
    }

    /// How it stands while it has not ended.
    fn running_status(&self) -> GenerationStatus {
        // Without a Job nothing tells how many GPUs its pods had.
        if let (None, Some(before)) = (&self.seen.job, self.before()) {
            let delivered = self.status(GenerationOutcome::Running, None).delivered;
            return GenerationStatus { delivered, spending: self.spent().remembered(), ..before.clone() };
        }
        let spent = self.spent();
        let status = GenerationStatus {
            spending: spent.remembered(),
            ..self.status(GenerationOutcome::Running, None)
        };
        spent.so_far(status, self.price())
    }

    fn status(&self, outcome: GenerationOutcome, message: Option<String>) -> GenerationStatus {
        GenerationStatus {
            job: self.job_name(),
            outcome,
            asked: self.generation.asked.into(),
            delivered: i64::try_from(self.delivered).unwrap_or(i64::MAX),
            failure: None,
            message: message.map(|message| message.chars().take(MESSAGE_CHARACTERS).collect()),
            spending: None,
            tokens: None,
            seconds: None,
            tokens_per_second: None,
            gpu_seconds: None,
            cost: None,
            cost_per_variant: None,
        }
    }

    fn running_or_over(&self, job: &Job) -> Written {
        let complete = self.is_complete();
        let pods = &self.seen.pods;
        let report = pods::report(pods);
        let shortfall = report.as_ref().is_some_and(|report| report.outcome == Outcome::Shortfall);
        let status = match () {
            () if !has_ended(job) => {
                return self.cut_short(job).unwrap_or_else(|| self.running(job));
            }
            () if complete => self.status(GenerationOutcome::Complete, None),
            () if pods::ran_out_of_memory(pods) => self.out_of_memory(job),
            // Whoever stopped by itself says by which budget.
            () if report.as_ref().is_some_and(|it| it.failure == Some(GenerationFailure::BudgetSpent)) => {
                self.failed(job, report.as_ref())
            }
            () if has(job, "Complete") || shortfall => {
                let message = report.as_ref().and_then(|report| report.message.clone());
                self.status(GenerationOutcome::Shortfall, message)
            }
            () => self.failed(job, report.as_ref()),
        };
        self.over(self.spent().in_all(status, self.price()))
    }

    fn price(&self) -> Option<&Price> {
        self.seen.model.as_ref()?.spec.price.as_ref()
    }

    fn running(&self, job: &Job) -> Written {
        let mut written = self.writing(self.obstacle(job).unwrap_or_else(|| self.progress()));
        written.generate = Some(Generate { brief: self.brief(), job: None });
        written.job_change = self.paused(job, Activity::Active);
        written
    }

    fn is_complete(&self) -> bool {
        i64::try_from(self.delivered).unwrap_or(i64::MAX) >= i64::from(self.generation.asked)
    }

    /// What ends a Job before it ends by itself, where something does.
    fn cut_short(&self, job: &Job) -> Option<Written> {
        if let Some(why) = self.overspent() {
            let status = self.status(GenerationOutcome::Failed, Some(why));
            return Some(
                self.ended(GenerationStatus { failure: Some(GenerationFailure::BudgetSpent), ..status }),
            );
        }
        self.is_doomed(job).then(|| self.ended(self.out_of_memory(job)))
    }

    /// A Job that we end: all that was asked for may be there by then, and else it is as `otherwise` says.
    fn ended(&self, otherwise: GenerationStatus) -> Written {
        let status = match self.is_complete() {
            true => self.status(GenerationOutcome::Complete, None),
            false => otherwise,
        };
        let over = self.over(self.spent().in_all(status, self.price()));
        // It is ended once this is recorded.
        Written { again: Some(POD_INTERVAL), ..over }
    }

    /// Whether each further pod would end as the last one: it used all the memory that it may, and would use it again.
    fn is_doomed(&self, job: &Job) -> bool {
        let pods = &self.seen.pods;
        pods::ran_out_of_memory(pods) && !pods::any_runs(pods) && memory_limit(job).is_some()
    }

    /// What a Job that runs took more of than it may.
    fn overspent(&self) -> Option<String> {
        let Budget { gpu_seconds, duration, tokens } = self.generation.budget;
        let spent = self.spent();
        let held = spent.gpu_seconds().unwrap_or(0);
        if let Some(most) = gpu_seconds.filter(|most| held >= *most) {
            return Some(format!(
                "GPUs were held for {held} of the {most} seconds that budget.gpuSeconds allows"
            ));
        }
        // A pod stops by itself; one whose followers have nothing left would be followed all the same.
        let wrote = spent.tokens().unwrap_or(0);
        if let Some(most) = tokens.filter(|most| wrote >= *most) {
            return Some(format!("the model wrote {wrote} of the {most} tokens that budget.tokens allows"));
        }
        let ran = spent.ran();
        duration.filter(|most| ran >= *most).map(|most| {
            format!(
                "the Job ran for {} of the {} seconds that budget.duration allows",
                ran.as_secs(),
                most.as_secs()
            )
        })
    }

    /// The Job is ended once it is recorded why: who reads it later finds the pods gone, and with them what they took.
    fn recorded_and_ended(&self, recorded: &GenerationStatus) -> Written {
        let mut written = self.over(recorded.clone());
        let job = self.seen.job.as_ref().filter(|job| !has_ended(job));
        let change = job.and_then(|job| match is_to_end(job) {
            false => Some(Change::End),
            // Nothing ends while it is suspended, and nobody else resumes what we suspended.
            true => is_ours(job).then_some(Change::Resume),
        });
        written.job_change = change.map(|change| JobChange { job: self.job_name(), change });
        written
    }

    fn progress(&self) -> Answer {
        let so_far = format!("{} of {} variants are written", self.delivered, self.generation.asked);
        // Of a Job that has not ended: it starts another pod, or is about to end.
        let failed = pods::report(&self.seen.pods).and_then(|report| report.message);
        let message = match failed {
            Some(why) => format!("{so_far}; a pod ended ({why}), and another goes on"),
            None => so_far,
        };
        answer(State::False, Reason::Generating, &message)
    }

    fn out_of_memory(&self, job: &Job) -> GenerationStatus {
        let limit = memory_limit(job).map_or_else(String::new, |limit| format!(", {limit}"));
        let message = format!("the worker was killed because it used more memory than it may{limit}");
        GenerationStatus {
            failure: Some(GenerationFailure::OutOfMemory),
            ..self.status(GenerationOutcome::Failed, Some(message))
        }
    }

    /// In the worker's own words, else in those of the Job.
    fn failed(&self, job: &Job, report: Option<&Report>) -> GenerationStatus {
        let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
        let failed = conditions.into_iter().flatten().find(|condition| condition.type_ == "Failed");
        let of_job = failed.and_then(|failed| failed.message.clone());
        let message = report.and_then(|report| report.message.clone()).or(of_job).unwrap_or_default();
        GenerationStatus {
            failure: report.and_then(|report| report.failure),
            ..self.status(GenerationOutcome::Failed, Some(message))
        }
    }

    fn over(&self, status: GenerationStatus) -> Written {
        let so_far = format!("{} of {} variants are written", status.delivered, status.asked);
        let refused = "some of it was refused: see the reasons in kubectl get advariants -o wide";
        let why = status.message.clone().unwrap_or_else(|| refused.to_owned());
        let (answer, note): (_, fn(String) -> Note) = match status.outcome {
            GenerationOutcome::Running | GenerationOutcome::Complete => {
                (answer(State::True, Reason::Complete, &so_far), |it| Note::news("GenerationComplete", it))
            }
            GenerationOutcome::Shortfall => {
                let message = format!("{so_far}: {why}; a new attempt needs a new name");
                let answer = answer(State::False, Reason::Shortfall, &message);
                (answer, |it| Note::warning("GenerationShortfall", it))
            }
            GenerationOutcome::Failed => {
                (self.failure(&status, &so_far, &why), |it| Note::warning("GenerationFailed", it))
            }
        };
        let mut written = Written::new(Stage::Over, answer);
        if self.recorded().is_none() {
            written.notes.push(note(written.answer.message.clone()));
        }
        written.status = Some(status);
        written
    }

    fn failure(&self, status: &GenerationStatus, so_far: &str, why: &str) -> Answer {
        let Some(failure) = status.failure else {
            let message =
                format!("{so_far}, then the Job failed ({why}): see kubectl logs job/{}", status.job);
            return answer(State::False, Reason::GenerationFailed, &message);
        };
        let model = &self.generation.model;
        let (reason, remedy) = match failure {
            GenerationFailure::OutOfMemory => (
                Reason::OutOfMemory,
                format!(
                    "raise resources.limits.memory of AdModel {model} to what worker plan says, or offer a smaller model"
                ),
            ),
            GenerationFailure::ModelFilesMissing => (
                Reason::ModelFilesMissing,
                format!(
                    "give AdModel {model} a source with config.json, tokenizer.json and the weights, and with the folder of its adapter if it names one"
                ),
            ),
            GenerationFailure::ModelFamilyUnknown => (
                Reason::ModelFamilyUnknown,
                format!("give AdModel {model} a source of one of these families"),
            ),
            GenerationFailure::ModelFilesDamaged => (
                Reason::ModelFilesDamaged,
                format!("give AdModel {model} a source whose files are complete and belong together"),
            ),
            GenerationFailure::BudgetSpent => (
                Reason::BudgetSpent,
                "the Job is stopped, and what is written is tested; for more, raise spec.generation.budget"
                    .to_owned(),
            ),
            GenerationFailure::EmbedderUnfit => (
                Reason::EmbedderUnfit,
                format!(
                    "give AdModel {} a source with an embedder, or leave spec.generation.embedder out",
                    self.generation.embedder.as_deref().unwrap_or(model)
                ),
            ),
        };
        let message = format!("{so_far}: {why}; {remedy}; a new attempt needs a new name");
        answer(State::False, reason, &message)
    }
}

fn answer(state: State, reason: Reason, message: &str) -> Answer {
    Answer { state, reason, message: message.to_owned() }
}
