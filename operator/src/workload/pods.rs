//! What the pods of a Job say of the writing: what keeps one from starting, how it ended, how long it held its GPUs.

use std::collections::BTreeMap;

use api::Taken;
use api::condition::Reason;
use api::wire::report::{Effort, Report};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube::ResourceExt;

use crate::objects::job::{EMBEDDER, MODEL, WORKER};

/// Why a container waits when nothing is wrong.
const STARTING: [&str; 3] = ["", "PodInitializing", "ContainerCreating"];

/// Why a container waits whose image can't be pulled, in the words of the kubelet.
const WITHOUT_IMAGE: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
];

/// What the kubelet says of a container that used more memory than it may.
const OUT_OF_MEMORY: &str = "OOMKilled";

/// The pod of each index of an Indexed Job; of any other Job the only one.
const INDEX_LABEL: &str = "batch.kubernetes.io/job-completion-index";

/// What keeps a pod from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(crate) pod: String,
    pub(crate) reason: Reason,
    /// The words of the scheduler or the kubelet.
    pub(crate) words: String,
}

/// What keeps one of the pods from starting, if anything does.
pub(crate) fn obstacle(pods: &[Pod]) -> Option<Obstacle> {
    newest(pods).find_map(|pod| {
        let (reason, words) = unscheduled(pod).or_else(|| waiting(pod))?;
        Some(Obstacle { pod: pod.name_any(), reason, words })
    })
}

fn unscheduled(pod: &Pod) -> Option<(Reason, String)> {
    let conditions = pod.status.as_ref()?.conditions.iter().flatten();
    let refused = conditions.into_iter().find(|it| it.type_ == "PodScheduled" && it.status == "False")?;
    let words = refused.message.as_deref().unwrap_or_default().trim_end_matches('.').to_owned();
    let reason = match words.to_lowercase().contains("persistentvolumeclaim") {
        true => Reason::VolumeMissing,
        false => Reason::Unschedulable,
    };
    Some((reason, words))
}

fn waiting(pod: &Pod) -> Option<(Reason, String)> {
    let waiting = states(pod).find_map(|(_, state)| state.waiting.as_ref())?;
    let reason = waiting.reason.clone().unwrap_or_default();
    let words = || format!("{reason}: {}", waiting.message.clone().unwrap_or_default());
    match reason.as_str() {
        starting if STARTING.contains(&starting) => None,
        pulling if WITHOUT_IMAGE.contains(&pulling) => Some((Reason::ImageNotPulled, words())),
        _ => Some((Reason::PodNotStarted, words())),
    }
}

/// What the workers said at their end, all together; nothing where none came so far.
pub(crate) fn report(pods: &[Pod]) -> Option<Report> {
    Report::of_all(newest(pods).filter_map(spoken).collect())
}

/// What writing took, of a pod that has said it, also where it failed.
pub(crate) fn effort(pod: &Pod) -> Option<Effort> {
    spoken(pod)?.effort
}

/// What brings a model speaks only when it failed, and then no worker ran.
fn spoken(pod: &Pod) -> Option<Report> {
    let ours = [WORKER, MODEL, EMBEDDER];
    let speaks = states(pod).filter(|(container, _)| ours.contains(&container.name.as_str()));
    let mut messages = speaks.filter_map(|(_, state)| state.terminated.as_ref()?.message.as_ref());
    messages.find_map(|message| serde_json::from_str(message).ok())
}

/// Whether a pod may still write.
pub(crate) fn any_runs(pods: &[Pod]) -> bool {
    newest(pods).any(is_running)
}

/// Whether a worker was killed for the memory that it used, and no other came after it.
pub(crate) fn ran_out_of_memory(pods: &[Pod]) -> bool {
    let ends = newest(pods).filter_map(|pod| worker(pod)?.terminated.as_ref());
    ends.into_iter().any(|end| end.reason.as_deref() == Some(OUT_OF_MEMORY))
}

/// What a pod took: from the kubelet's taking it to the end of its last container, and what it said then; up to `now` where it may
/// still run. What is not known counts as nothing.
pub(crate) fn taken(pod: &Pod, now: Timestamp) -> Taken {
    let held = if is_running(pod) { held_until(pod, now) } else { held(pod) };
    let effort = spoken(pod).and_then(|report| report.effort).unwrap_or_default();
    Taken::new(index(pod).parse().unwrap_or(0), held.unwrap_or(0), effort)
}

/// Whether nothing of a pod runs any more.
pub(crate) fn has_ended(pod: &Pod) -> bool {
    !is_running(pod)
}

/// Whether a pod that has ended took no more than is known of it.
pub(crate) fn is_known(pod: &Pod, known: &Taken) -> bool {
    has_ended(pod) && known.or_more(taken(pod, Timestamp::MIN)) == *known
}

/// Init containers end before those that follow them begin.
fn is_running(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

fn held(pod: &Pod) -> Option<u64> {
    let ends = states(pod).filter_map(|(_, state)| state.terminated.as_ref()?.finished_at.as_ref());
    held_until(pod, ends.map(|end| end.0).max()?)
}

fn held_until(pod: &Pod, end: Timestamp) -> Option<u64> {
    let start = pod.status.as_ref()?.start_time.as_ref()?.0;
    u64::try_from(end.duration_since(start).as_secs()).ok()
}

fn index(pod: &Pod) -> &str {
    pod.labels().get(INDEX_LABEL).map_or("", String::as_str)
}

/// The newest pod of each index.
fn newest(pods: &[Pod]) -> impl Iterator<Item = &Pod> {
    let mut newest: BTreeMap<&str, &Pod> = BTreeMap::new();
    for pod in pods {
        let known = newest.entry(index(pod)).or_insert(pod);
        if pod.creation_timestamp() >= known.creation_timestamp() {
            *known = pod;
        }
    }
    newest.into_values()
}

fn worker(pod: &Pod) -> Option<&ContainerState> {
    states(pod).find(|(container, _)| container.name == WORKER).map(|(_, state)| state)
}

fn states(pod: &Pod) -> impl Iterator<Item = (&ContainerStatus, &ContainerState)> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_ref()).into_iter().flatten();
    let all = init.chain(status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten());
    all.filter_map(|container| Some((container, container.state.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_known_once_it_has_ended_and_nothing_of_it_is_missing() {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a moment");
        let ended = json!({ "exitCode": 143, "finishedAt": "2026-03-01T12:01:00Z", "message":
            json!({ "outcome": "Failed", "effort": { "tokens": 40, "milliseconds": 900 } }).to_string() });
        let pod = |phase: &str| -> Pod {
            let worker = json!({
                "name": WORKER, "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "terminated": ended },
            });
            let status = json!({ "phase": phase, "startTime": start, "containerStatuses": [worker] });
            serde_json::from_value(json!({ "metadata": { "name": "worker-1" }, "status": status }))
                .expect("a pod")
        };
        let taken =
            |held_seconds, tokens, milliseconds| Taken { index: 0, held_seconds, tokens, milliseconds };
        for (told, phase, known, is) in [
            ("as it ended", "Failed", taken(60, 40, 900), true),
            ("it was seen to run for longer", "Failed", taken(61, 40, 900), true),
            ("its tokens are not known", "Failed", taken(60, 0, 900), false),
            ("nor its time", "Failed", taken(59, 40, 900), false),
            ("it was seen to run alone", "Failed", taken(60, 0, 0), false),
            ("it runs", "Running", taken(60, 40, 900), false),
        ] {
            assert_eq!(is_known(&pod(phase), &known), is, "{told}");
        }
    }
}
