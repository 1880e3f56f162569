//! What keeps a Job that is to run from writing, and what helps.
//!
//! | Where it is told | Reason |
//! | --- | --- |
//! | the Job's `suspend`, which is not ours | `Queued` |
//! | an event of a Job without a pod | `QuotaExceeded`, `PodRefused` |
//! | the pod's condition `PodScheduled` | `Unschedulable`, `VolumeMissing` |
//! | a container that waits | `ImageNotPulled`, `PodNotStarted` |
//! | an event of a pod without its volumes | `VolumeMissing`, `PodNotStarted` |

use api::condition::Reason;
use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

use super::{Look, answer};
use crate::model::{Embedder, Model, QUEUE_LABEL, Source};
use crate::plan::{Answer, State};
use crate::workload::job::{is_ours, is_stopped};
use crate::workload::{pods, volumes, warnings};

/// A Job has its pod within this time, unless something keeps it.
const POD_WITHIN: SignedDuration = SignedDuration::from_mins(1);

impl Look<'_> {
    pub(super) fn obstacle(&self, job: &Job) -> Option<Answer> {
        let (reason, message) = queued(job)
            .or_else(|| self.refused(job))
            .or_else(|| self.not_started())
            .or_else(|| self.no_pod(job))
            .or_else(|| volumes::missing(&self.seen.pods, &self.seen.warnings, &self.sources(), self.now))?;
        Some(answer(State::False, reason, &message))
    }

    /// A pod that the API server refuses is told on the Job alone.
    fn refused(&self, job: &Job) -> Option<(Reason, String)> {
        let words = warnings::refusal(&self.seen.warnings).filter(|_| self.seen.pods.is_empty())?;
        let (model, namespace, job) = (&self.generation.model, &self.campaign.namespace, job.name_any());
        Some(match words.contains("exceeded quota") {
            true => (
                Reason::QuotaExceeded,
                format!(
                    "the namespace's quota has no room for the worker's pod: {words}; wait until there is room, ask for more, or lower resources of AdModel {model}: see kubectl describe resourcequota -n {namespace}"
                ),
            ),
            false => (
                Reason::PodRefused,
                format!(
                    "the worker's pod is refused: {words}; ask whoever keeps that rule to let it pass, or change AdModel {model}: see kubectl describe job -n {namespace} {job}"
                ),
            ),
        })
    }

    fn not_started(&self) -> Option<(Reason, String)> {
        let pods::Obstacle { pod, reason, words } = pods::obstacle(&self.seen.pods)?;
        let see = format!("see kubectl describe pod {pod}");
        let message = match reason {
            Reason::Unschedulable => format!(
                "no node takes the worker's pod: {words}; add such a node or wait for one, or change resources, nodeSelector or tolerations of AdModel {}: {see}",
                self.generation.model
            ),
            Reason::VolumeMissing => {
                let needs = volumes::needs(&self.sources());
                let needs = needs.map_or_else(String::new, |needs| format!("; see whether {needs}"));
                format!("{}: {words}{needs}; {see}", volumes::WAITS)
            }
            Reason::ImageNotPulled => format!(
                "an image of the worker's pod can't be pulled: {words}; see whether its registry has it and lets the nodes pull it; {see}"
            ),
            _ => format!("the worker's pod can't start: {words}; {see}"),
        };
        Some((reason, message))
    }

    /// Nothing tells why, or not any more: events are kept for an hour.
    fn no_pod(&self, job: &Job) -> Option<(Reason, String)> {
        let started = job.status.as_ref()?.start_time.as_ref()?;
        let waits = self.seen.pods.is_empty() && self.now.duration_since(started.0) > POD_WITHIN;
        let message = format!("no pod was made for the worker: see kubectl describe job {}", job.name_any());
        waits.then_some((Reason::PodNotStarted, message))
    }

    /// Where the models lie that the pod is given.
    fn sources(&self) -> Vec<Source> {
        let writer = self.seen.model.as_ref().and_then(|it| Model::try_from(it).ok()).map(|it| it.source);
        let embedder = self.seen.embedder.as_ref().and_then(|it| Embedder::try_from(it).ok());
        writer.into_iter().chain(embedder.map(|it| it.source)).collect()
    }
}

/// A Job that somebody else suspended is theirs to let go on.
fn queued(job: &Job) -> Option<(Reason, String)> {
    let message = match job.labels().get(QUEUE_LABEL) {
        Some(queue) => format!(
            "the Job waits for its turn in queue {queue}: see kubectl describe localqueue {queue}, and kubectl get workloads"
        ),
        None => format!(
            "somebody suspended Job {}: it goes on once its spec.suspend is false, which is left to them",
            job.name_any()
        ),
    };
    (is_stopped(job) && !is_ours(job)).then_some((Reason::Queued, message))
}
