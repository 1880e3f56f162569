//! What a pod waits for that has its node and not its volumes.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::model::Source;

/// Volumes are mounted within this time, unless something is missing.
const MOUNTED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// What to look at, where the newest pod has had its node for a while and not its volumes.
pub(super) fn missing(pods: &[Pod], models: &[Source], now: Timestamp) -> Option<String> {
    let pod = pods.iter().max_by_key(|pod| pod.creation_timestamp())?;
    let conditions = pod.status.as_ref()?.conditions.iter().flatten();
    let scheduled = conditions.clone().find(|it| it.type_ == "PodScheduled" && it.status == "True")?;
    let has_volumes =
        conditions.clone().any(|it| it.type_ == "PodReadyToStartContainers" && it.status == "True");
    let since = scheduled.last_transition_time.as_ref()?;
    if has_volumes || now.duration_since(since.0) <= MOUNTED_WITHIN {
        return None;
    }
    let needs: Vec<String> = models.iter().map(needs).collect();
    (!needs.is_empty()).then(|| {
        format!(
            "the worker's pod waits for its volumes: see whether {}; see kubectl describe pod {}",
            needs.join(", and whether "),
            pod.name_any()
        )
    })
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
