//! What writing took: tokens, time, GPU time and money.

use api::wire::report::Effort;
use api::{GenerationStatus, Price};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, Pod};

use super::pods;

/// The status of a Job that has ended, with what it took.
pub(super) fn with_spent(
    status: GenerationStatus,
    job: &Job,
    pods: &[Pod],
    price: Option<&Price>,
) -> GenerationStatus {
    let effort = pods::effort(pods);
    let gpu_seconds = gpu_seconds(job, pods);
    with_cost_per_variant(GenerationStatus {
        tokens: tokens(pods),
        seconds: effort.map(|effort| whole(effort.milliseconds.div_ceil(1_000))),
        tokens_per_second: effort.and_then(Effort::tokens_per_second).map(whole),
        gpu_seconds: gpu_seconds.map(whole),
        // A price that is none was refused by the definition of `AdModel`.
        cost: gpu_seconds.zip(price).and_then(|(seconds, price)| price.of(seconds).ok()),
        ..status
    })
}

/// Tokens that pods say they wrote.
pub(super) fn tokens(pods: &[Pod]) -> Option<i64> {
    pods::effort(pods).map(|effort| whole(effort.tokens))
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn with_cost_per_variant(status: GenerationStatus) -> GenerationStatus {
    let each = |cost: &String| api::cost_of_each(cost, status.delivered as f64).ok()?;
    GenerationStatus { cost_per_variant: status.cost.as_ref().and_then(each), ..status }
}

/// The status of a Job that runs, with what it took so far: whole minutes, so that status does not move with each look.
pub(super) fn with_spent_so_far(
    status: GenerationStatus,
    job: &Job,
    pods: &[Pod],
    price: Option<&Price>,
    now: Timestamp,
) -> GenerationStatus {
    let minutes = gpu_seconds_so_far(job, pods, now).map(|seconds| seconds / 60 * 60).filter(|it| *it > 0);
    with_cost_per_variant(GenerationStatus {
        gpu_seconds: minutes.map(whole),
        cost: minutes.zip(price).and_then(|(seconds, price)| price.of(seconds).ok()),
        ..status
    })
}

/// As [`gpu_seconds`], of a Job that runs.
pub(super) fn gpu_seconds_so_far(job: &Job, pods: &[Pod], now: Timestamp) -> Option<u64> {
    let gpus = gpus(job).filter(|gpus| *gpus > 0)?;
    Some(pods::held_so_far(pods, now).saturating_mul(gpus))
}

/// GPUs of a pod, times the seconds for which pods held theirs; nothing where no GPU was asked for.
fn gpu_seconds(job: &Job, pods: &[Pod]) -> Option<u64> {
    let gpus = gpus(job).filter(|gpus| *gpus > 0)?;
    Some(pods::held_seconds(pods)?.saturating_mul(gpus))
}

fn gpus(job: &Job) -> Option<u64> {
    let containers = &job.spec.as_ref()?.template.spec.as_ref()?.containers;
    Some(containers.iter().map(gpus_of).sum())
}

fn gpus_of(container: &Container) -> u64 {
    let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    let gpus = limits.into_iter().flatten().filter(|(name, _)| is_gpu(name));
    // Kubernetes takes whole numbers alone for such resources.
    gpus.filter_map(|(_, quantity)| quantity.0.parse::<u64>().ok()).sum()
}

/// Whether a resource is a GPU, or a part of one that is sold like one: `nvidia.com/gpu`, `amd.com/gpu`,
/// `nvidia.com/mig-1g.10gb`, `gpu.intel.com/xe`.
fn is_gpu(resource: &str) -> bool {
    let (domain, name) = resource.split_once('/').unwrap_or(("", resource));
    name == "gpu" || name.starts_with("mig-") || domain == "gpu.intel.com"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_told_from_what_else_a_container_may_use() {
        for gpu in ["nvidia.com/gpu", "amd.com/gpu", "nvidia.com/mig-1g.10gb", "gpu.intel.com/xe"] {
            assert!(is_gpu(gpu), "{gpu}");
        }
        for other in ["cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "example.com/gpus"] {
            assert!(!is_gpu(other), "{other}");
        }
    }
}
