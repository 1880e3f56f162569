//! A Job whose work several pods share, none of which talks to another.

use k8s_openapi::api::batch::v1::JobSpec;

use super::job::WORKER;

/// Makes of a Job of one pod an Indexed Job of `pods`, each of which has its share of the placements.
///
/// A pod that can't go on fails its own index: what the others write is still wanted.
pub(super) fn spread(job: JobSpec, pods: u32) -> JobSpec {
    let mut job = job;
    if pods == 1 {
        return job;
    }
    let count = i32::try_from(pods).expect("as many pods as placements at most");
    job.completion_mode = Some("Indexed".to_owned());
    job.completions = Some(count);
    job.parallelism = Some(count);
    job.backoff_limit_per_index = job.backoff_limit.take();
    for rule in job.pod_failure_policy.iter_mut().flat_map(|policy| &mut policy.rules) {
        if rule.action == "FailJob" {
            "FailIndex".clone_into(&mut rule.action);
        }
    }
    let containers = job.template.spec.iter_mut().flat_map(|pod| &mut pod.containers);
    for worker in containers.filter(|container| container.name == WORKER) {
        // The Job controller gives each pod its index in this variable.
        worker.args.get_or_insert_default().push(format!("--share=$(JOB_COMPLETION_INDEX)/{pods}"));
    }
    job
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::batch::v1::{PodFailurePolicy, PodFailurePolicyRule};
    use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};

    use super::*;

    fn job() -> JobSpec {
        let rule = |action: &str| PodFailurePolicyRule { action: action.to_owned(), ..Default::default() };
        let worker = Container {
            name: WORKER.to_owned(),
            args: Some(vec!["generate".to_owned()]),
            ..Default::default()
        };
        let pod = PodSpec { containers: vec![worker], ..Default::default() };
        JobSpec {
            backoff_limit: Some(6),
            pod_failure_policy: Some(PodFailurePolicy { rules: vec![rule("Ignore"), rule("FailJob")] }),
            template: PodTemplateSpec { spec: Some(pod), ..Default::default() },
            ..Default::default()
        }
    }

    #[test]
    fn one_pod_needs_no_index() {
        assert_eq!(spread(job(), 1), job());
    }

    #[test]
    fn each_of_several_pods_has_its_share_and_its_own_tries() {
        let spread = spread(job(), 3);
        assert_eq!((spread.completion_mode.as_deref(), spread.completions), (Some("Indexed"), Some(3)));
        assert_eq!((spread.parallelism, spread.backoff_limit), (Some(3), None));
        assert_eq!(spread.backoff_limit_per_index, Some(6));
        let rules = spread.pod_failure_policy.expect("a policy").rules;
        assert_eq!(
            rules.iter().map(|rule| rule.action.as_str()).collect::<Vec<_>>(),
            ["Ignore", "FailIndex"]
        );
        let worker = spread.template.spec.expect("a pod").containers.remove(0);
        assert_eq!(worker.args.expect("arguments"), ["generate", "--share=$(JOB_COMPLETION_INDEX)/3"]);
    }
}
