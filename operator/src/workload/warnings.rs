//! What events say of a Job or a pod of which nothing else says why it does not go on.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;

use super::{job, volumes};

/// What the Job controller calls it that a pod of a Job was refused.
const REFUSED: &str = "FailedCreate";

/// The UID of what has to be asked for its events: a Job that is to run and has no pod, or a pod that has its node and not its
/// volumes. Of everything else the status says it, so that events are read seldom.
pub(crate) fn unexplained(job: &Job, pods: &[Pod]) -> Option<String> {
    match () {
        () if job::has_ended(job) || job::is_stopped(job) => None,
        () if pods.is_empty() => job.uid(),
        () => volumes::waits(pods).and_then(|(pod, _)| pod.uid()),
    }
}

/// Why no pod could be made, in the words of the API server: without the pod's name, which is another at each attempt.
pub(crate) fn refusal(warnings: &[Event]) -> Option<&str> {
    let (_, words) = last(warnings).filter(|(reason, _)| *reason == REFUSED)?;
    let cut = words.split_once(" is forbidden: ").map(|(_, why)| why);
    Some(cut.unwrap_or_else(|| words.strip_prefix("Error creating: ").unwrap_or(words)))
}

/// What was warned of last: its reason and its words.
pub(crate) fn last(warnings: &[Event]) -> Option<(&str, &str)> {
    let last = warnings.iter().max_by_key(|it| seen_at(it))?;
    Some((last.reason.as_deref()?, last.note.as_deref()?))
}

/// Events of controllers have one time or another, by the interface that they were written through.
fn seen_at(event: &Event) -> Option<Timestamp> {
    let of_series = event.series.as_ref().map(|series| series.last_observed_time.0);
    let of_old = event.deprecated_last_timestamp.as_ref().map(|time| time.0);
    of_series.or(of_old).or(event.event_time.as_ref().map(|time| time.0))
}
