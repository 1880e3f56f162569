//! Pods that are gone, as they were last.
//!
//! A worker that is told to end says what it took, and its pod is away within moments: mostly between two looks. The watch is told
//! of it once, with all that the pod said.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// A few megabytes. Those that are of use are looked at within moments.
const AT_MOST: usize = 1024;

/// On each pod of a Job.
pub(super) const JOB_LABEL: &str = "batch.kubernetes.io/job-name";

/// The pods that went last.
#[derive(Debug, Default)]
pub(super) struct Departed(Mutex<VecDeque<Pod>>);

impl Departed {
    /// Keeps of a pod that is gone how it was last, and forgets the one that went first where there are too many.
    pub(super) fn keep(&self, pod: Pod) {
        let mut pods = self.pods();
        pods.push_back(Pod { spec: None, ..pod });
        let too_many = pods.len().saturating_sub(AT_MOST);
        drop(pods.drain(..too_many));
    }

    /// Those of a Job.
    pub(super) fn of(&self, namespace: &str, job: &str) -> Vec<Pod> {
        self.pods().iter().filter(|pod| is_of(pod, namespace, job)).cloned().collect()
    }

    /// Forgets some of a Job.
    pub(super) fn forget(&self, namespace: &str, job: &str, which: impl Fn(&Pod) -> bool) {
        self.pods().retain(|pod| !(is_of(pod, namespace, job) && which(pod)));
    }

    fn pods(&self) -> MutexGuard<'_, VecDeque<Pod>> {
        // Whoever panicked left whole pods.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_of(pod: &Pod, namespace: &str, job: &str) -> bool {
    let of_job = pod.labels().get(JOB_LABEL).is_some_and(|it| it == job);
    of_job && pod.namespace().as_deref() == Some(namespace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(namespace: &str, name: &str, job: &str) -> Pod {
        let labels = json!({ JOB_LABEL: job });
        let metadata = json!({ "namespace": namespace, "name": name, "labels": labels });
        serde_json::from_value(json!({ "metadata": metadata })).expect("a pod")
    }

    #[test]
    fn pods_that_went_last_are_known_by_their_job() {
        let departed = Departed::default();
        departed.keep(pod("shop", "first", "cart"));
        for number in 1..AT_MOST {
            departed.keep(pod(if number == 1 { "other" } else { "shop" }, &number.to_string(), "cart"));
        }
        let names = || departed.of("shop", "cart").iter().map(ResourceExt::name_any).collect::<Vec<_>>();
        assert_eq!((names().len(), names()[0].as_str()), (AT_MOST - 1, "first"));
        departed.keep(pod("shop", "last", "cart"));
        assert_eq!((names().len(), names()[0].as_str()), (AT_MOST - 1, "2"));
        assert_eq!(departed.of("shop", "basket").len(), 0);
        departed.forget("shop", "cart", |pod| pod.name_any() != "last");
        assert_eq!(names(), ["last"]);
        assert_eq!(departed.of("other", "cart").len(), 1);
    }
}
