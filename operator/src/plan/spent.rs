//! What writing took: tokens, time, GPU time and money.
//!
//! Pods are what tells it, and pods go: with a node, by somebody's hand, or all of them where a queue takes the Job's turn away.
//! So each pass writes down what is known, and the next one goes on from there. Of a pod that went while it ran its last minute
//! at most is not known, nor the tokens that it had not told.

use std::collections::BTreeMap;

use api::wire::report::Effort;
use api::{GenerationStatus, Price, Spending, Taken, TokensTaken};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::workload::job::{started, suspended_at};
use crate::workload::pods;

/// What a Job took so far.
pub(super) struct Spent<'a> {
    job: Option<&'a Job>,
    pods: &'a [Pod],
    now: Timestamp,
    /// Of pods that are gone, by index.
    gone: Vec<Taken>,
    /// Seconds for which it ran before it was last let run.
    earlier_seconds: i64,
}

/// Pods that are remembered at most. A Job has as many as it has indexes, and those that failed; were there more, the last of them
/// would count only while they are there.
const PODS_REMEMBERED: usize = 64;

impl<'a> Spent<'a> {
    /// As it stands `now`, after what was remembered `before`.
    pub(super) fn of(
        job: Option<&'a Job>,
        pods: &'a [Pod],
        before: Option<&Spending>,
        now: Timestamp,
    ) -> Self {
        let remembered = before.cloned().unwrap_or_default();
        let Spending { started_at, seconds, earlier_seconds, gone, pods: known } = remembered;
        let is_there = |name: &String| pods.iter().any(|pod| pod.name_any() == *name);
        let went = known.into_iter().filter(|(name, _)| !is_there(name)).map(|(_, taken)| taken);
        let started_at = started_at.map(|start| start.0);
        let goes_on = started_at == job.and_then(started);
        Self {
            job,
            pods,
            now,
            gone: by_index(gone.into_iter().chain(went)),
            earlier_seconds: match goes_on {
                true => earlier_seconds,
                false => earlier_seconds.saturating_add(ended_run(started_at, seconds, job)),
            },
        }
    }

    /// What the next pass has to know; nothing where nothing has begun.
    pub(super) fn remembered(&self) -> Option<Spending> {
        let ran = self.ran_lately();
        // All that grows with time grows together, so that status does not move with each look.
        let told = if self.job.and_then(suspended_at).is_some() {
            ran
        } else {
            SignedDuration::from_mins(ran.as_mins())
        };
        let started = self.job.and_then(started);
        let until = started.map_or(self.now, |start| start + told);
        let named = |pod: &Pod| (pod.name_any(), pods::taken(pod, until));
        let spending = Spending {
            started_at: started.map(Time),
            seconds: told.as_secs(),
            earlier_seconds: self.earlier_seconds,
            gone: self.gone.clone(),
            pods: self.pods.iter().take(PODS_REMEMBERED).map(named).collect(),
        };
        (spending != Spending::default()).then_some(spending)
    }

    /// For how long the Job ran; not while it waited for its turn.
    pub(super) fn ran(&self) -> SignedDuration {
        self.ran_lately() + SignedDuration::from_secs(self.earlier_seconds)
    }

    fn ran_lately(&self) -> SignedDuration {
        let until = self.job.and_then(suspended_at).unwrap_or(self.now);
        self.job
            .and_then(started)
            .map_or(SignedDuration::ZERO, |start| until.duration_since(start).max(SignedDuration::ZERO))
    }

    /// GPUs of a pod, times the seconds for which pods held theirs; nothing where no GPU was asked for.
    pub(super) fn gpu_seconds(&self) -> Option<u64> {
        let gpus = self.job.and_then(gpus).filter(|gpus| *gpus > 0)?;
        let there = self.pods.iter().map(|pod| pods::taken(pod, self.now));
        let held = there.chain(self.gone.iter().copied()).map(|taken| known(taken.held_seconds));
        Some(held.fold(0, u64::saturating_add).saturating_mul(gpus))
    }

    /// The same of a Job that has ended, and so of pods of which both ends are known; nothing where none is.
    fn gpu_seconds_at_end(&self) -> Option<u64> {
        let gpus = self.job.and_then(gpus).filter(|gpus| *gpus > 0)?;
        let gone = self.gone.iter().map(|taken| known(taken.held_seconds));
        let held = gone.chain(pods::held_seconds(self.pods)).reduce(u64::saturating_add)?;
        Some(held.saturating_mul(gpus))
    }

    /// What pods said at their end the writing took; nothing where none has.
    fn effort(&self) -> Option<Effort> {
        let gone = self.gone.iter().filter_map(|taken| taken.effort());
        let told: Vec<Effort> = gone.chain(pods::efforts(self.pods)).collect();
        (!told.is_empty()).then(|| told.into_iter().sum())
    }

    /// Tokens that pods say they wrote.
    pub(super) fn tokens(&self) -> Option<u64> {
        self.effort().map(|effort| effort.tokens)
    }

    /// The same by index.
    pub(super) fn tokens_by_index(&self) -> TokensTaken {
        let there = self.pods.iter().map(|pod| pods::taken(pod, self.now));
        let all = by_index(self.gone.iter().copied().chain(there)).into_iter();
        all.filter(|taken| taken.tokens > 0).map(|taken| (taken.index, known(taken.tokens))).collect()
    }

    /// The status of a Job that has ended, with what it took.
    pub(super) fn in_all(&self, status: GenerationStatus, price: Option<&Price>) -> GenerationStatus {
        let effort = self.effort();
        let gpu_seconds = self.gpu_seconds_at_end();
        with_cost_per_variant(GenerationStatus {
            spending: None,
            tokens: effort.map(|effort| whole(effort.tokens)),
            seconds: effort.map(|effort| whole(effort.milliseconds.div_ceil(1_000))),
            tokens_per_second: effort.and_then(Effort::tokens_per_second).map(whole),
            gpu_seconds: gpu_seconds.map(whole),
            // A price that is none was refused by the definition of `AdModel`.
            cost: gpu_seconds.zip(price).and_then(|(seconds, price)| price.of(seconds).ok()),
            ..status
        })
    }

    /// The status of a Job that runs, with what it took so far: whole minutes, so that status does not move with each look.
    pub(super) fn so_far(&self, status: GenerationStatus, price: Option<&Price>) -> GenerationStatus {
        let minutes = self.gpu_seconds().map(|seconds| seconds / 60 * 60).filter(|it| *it > 0);
        with_cost_per_variant(GenerationStatus {
            gpu_seconds: minutes.map(whole),
            cost: minutes.zip(price).and_then(|(seconds, price)| price.of(seconds).ok()),
            ..status
        })
    }
}

/// Adds up what is of the same index.
fn by_index(all: impl Iterator<Item = Taken>) -> Vec<Taken> {
    let mut sums: BTreeMap<u32, Taken> = BTreeMap::new();
    for Taken { index, held_seconds, tokens, milliseconds } in all {
        let sum = sums.entry(index).or_insert(Taken { index, ..Taken::default() });
        sum.held_seconds = sum.held_seconds.saturating_add(held_seconds);
        sum.tokens = sum.tokens.saturating_add(tokens);
        sum.milliseconds = sum.milliseconds.saturating_add(milliseconds);
    }
    sums.into_values().collect()
}

/// Seconds of a run that was remembered and is over: to the second where the Job has no other start and still tells when it was
/// suspended.
fn ended_run(started_at: Option<Timestamp>, seconds: i64, job: Option<&Job>) -> i64 {
    let suspended = job.filter(|job| started(job).is_none()).and_then(suspended_at);
    let ran = started_at.zip(suspended).map(|(start, end)| end.duration_since(start).as_secs());
    ran.unwrap_or(0).max(seconds)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What status holds is never negative, unless somebody wrote it by hand.
fn known(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn with_cost_per_variant(status: GenerationStatus) -> GenerationStatus {
    let each = |cost: &String| api::cost_of_each(cost, status.delivered as f64).ok()?;
    GenerationStatus { cost_per_variant: status.cost.as_ref().and_then(each), ..status }
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
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + seconds).expect("a moment")
    }

    fn job(start: Option<i64>, suspended: Option<i64>) -> Job {
        let condition =
            |since| json!({ "type": "Suspended", "status": "True", "lastTransitionTime": at(since) });
        let conditions: Vec<_> = suspended.map(condition).into_iter().collect();
        let status = json!({ "startTime": start.map(at), "conditions": conditions });
        serde_json::from_value(json!({ "status": status })).expect("a Job")
    }

    #[test]
    fn a_job_ran_while_it_was_not_suspended() {
        let before = |start, seconds, earlier_seconds| {
            let started_at = Some(Time(at(start)));
            Spending { started_at, seconds, earlier_seconds, ..Spending::default() }
        };
        for (told, before, job, ran) in [
            ("it runs", None, job(Some(100), None), 900),
            ("it waits for its first turn", None, job(None, Some(100)), 0),
            ("it ran before", Some(before(100, 840, 60)), job(Some(100), None), 960),
            ("it is suspended, its start stays", Some(before(100, 180, 60)), job(Some(100), Some(300)), 260),
            ("it is suspended, its start goes", Some(before(100, 180, 60)), job(None, Some(300)), 260),
            ("it is still suspended", Some(before(100, 200, 60)), job(Some(100), Some(300)), 260),
            ("it was suspended and has begun anew", Some(before(100, 180, 60)), job(Some(900), None), 340),
            ("the same, since nobody looked", Some(before(100, 180, 60)), job(Some(900), Some(950)), 290),
            ("somebody deleted it", Some(before(100, 180, 60)), Job::default(), 240),
        ] {
            let spent = Spent::of(Some(&job), &[], before.as_ref(), at(1_000));
            assert_eq!(spent.ran().as_secs(), ran, "{told}");
            let again = spent.remembered().unwrap_or_default();
            let later = Spent::of(Some(&job), &[], Some(&again), at(1_000));
            assert_eq!(later.ran().as_secs(), ran, "{told}, looked at again");
        }
    }

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
