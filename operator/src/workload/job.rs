//! What a Job says of itself.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

use crate::objects::job::{NO_MORE_SECONDS, SUSPENDED, SUSPENDED_BY_US, WORKER};

/// Whether a condition of it is true.
pub(crate) fn has(job: &Job, type_: &str) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == type_ && condition.status == "True")
}

/// Whether it is over, however it went.
pub(crate) fn has_ended(job: &Job) -> bool {
    has(job, "Complete") || has(job, "Failed")
}

/// Whether its pods may not run.
pub(crate) fn is_stopped(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false)
}

/// Whether it is we who have it suspended. Once another has resumed it, it is theirs, whatever they do next.
pub(crate) fn is_ours(job: &Job) -> bool {
    is_stopped(job) && mark(job) == Some(SUSPENDED)
}

/// What we said of it when we suspended it, or saw that another had resumed it against that.
pub(crate) fn mark(job: &Job) -> Option<&str> {
    job.annotations().get(SUSPENDED_BY_US).map(String::as_str)
}

/// Whether it was ended before it ended by itself.
pub(crate) fn is_to_end(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.active_deadline_seconds) == Some(NO_MORE_SECONDS)
}

/// When it was last let run.
pub(crate) fn started(job: &Job) -> Option<Timestamp> {
    Some(job.status.as_ref()?.start_time.as_ref()?.0)
}

/// Since when its pods may not run. Kubernetes may take the Job's start away then, or leave it until there is another.
pub(crate) fn suspended_at(job: &Job) -> Option<Timestamp> {
    let mut conditions = job.status.as_ref()?.conditions.iter().flatten();
    let suspended = conditions.find(|it| it.type_ == "Suspended" && it.status == "True")?;
    Some(suspended.last_transition_time.as_ref()?.0)
}

/// What the worker may use of memory, where it is bound.
pub(crate) fn memory_limit(job: &Job) -> Option<&str> {
    let containers = &job.spec.as_ref()?.template.spec.as_ref()?.containers;
    let worker = containers.iter().find(|container| container.name == WORKER)?;
    Some(worker.resources.as_ref()?.limits.as_ref()?.get("memory")?.0.as_str())
}
