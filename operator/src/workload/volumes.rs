//! What a pod waits for that has its node and not its volumes.

use api::condition::Reason;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;

use super::warnings;
use crate::model::Source;

/// What comes by itself, such as a ConfigMap of which the kubelet has not heard yet, has come by then.
const SETTLED: SignedDuration = SignedDuration::from_secs(10);

/// Volumes are mounted within this time, unless something is missing.
const MOUNTED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// What the kubelet and the controller of volumes call it that one can't be had.
const OF_VOLUMES: [&str; 2] = ["FailedMount", "FailedAttachVolume"];

/// The newest pod, where it has had its node since then and not its volumes.
pub(crate) fn waits(pods: &[Pod]) -> Option<(&Pod, Timestamp)> {
    let pod = pods.iter().max_by_key(|pod| pod.creation_timestamp())?;
    let conditions = pod.status.as_ref()?.conditions.iter().flatten();
    let is_true = |type_: &str| conditions.clone().find(|it| it.type_ == type_ && it.status == "True");
    let since = is_true("PodScheduled")?.last_transition_time.as_ref()?;
    is_true("PodReadyToStartContainers").is_none().then_some((pod, since.0))
}

/// What to look at, where the newest pod has had its node for a while and not its volumes.
pub(crate) fn missing(
    pods: &[Pod],
    warnings: &[Event],
    models: &[Source],
    now: Timestamp,
) -> Option<(Reason, String)> {
    let (pod, since) = waits(pods)?;
    let waited = now.duration_since(since);
    let see = format!("see kubectl describe pod {}", pod.name_any());
    match warnings::last(warnings).filter(|_| waited > SETTLED) {
        Some((reason, words)) if OF_VOLUMES.contains(&reason) => {
            let needs = needs(models).map_or_else(String::new, |needs| format!("; see whether {needs}"));
            Some((Reason::VolumeMissing, format!("{WAITS}: {words}{needs}; {see}")))
        }
        Some((reason, words)) => {
            Some((Reason::PodNotStarted, format!("the worker's pod can't start: {reason}: {words}; {see}")))
        }
        None if waited > MOUNTED_WITHIN => {
            Some((Reason::VolumeMissing, format!("{WAITS}: see whether {}; {see}", needs(models)?)))
        }
        None => None,
    }
}

pub(crate) const WAITS: &str = "the worker's pod waits for its volumes";

/// What pods of these models can wait for, as a sentence that follows `see whether`.
pub(crate) fn needs(models: &[Source]) -> Option<String> {
    let needs: Vec<String> = models.iter().map(need).collect();
    (!needs.is_empty()).then(|| needs.join(", and whether "))
}

fn need(source: &Source) -> String {
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
