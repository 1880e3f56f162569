//! What writing took: tokens, time, GPU time and money.
//!
//! Pods are what tells it, and pods go: with a node, by somebody's hand, or all of them where a queue takes the Job's turn away.
//! So each pass writes down what is known, by the names of pods, and the next one goes on from there. A worker tells its tokens when
//! it ends, also where it is told to; of a pod that went without an end they are not known, nor is its last minute at most.

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
    /// Those that are gone and told how they ended are among them.
    pods: Vec<&'a Pod>,
    now: Timestamp,
    /// What pods had taken when they were last looked at, by their names.
    known: BTreeMap<String, Taken>,
    /// Of pods without a name, by index.
    gone: Vec<Taken>,
    /// When it was last let run, as far as that is not told for over.
    started_at: Option<Timestamp>,
    /// Seconds for which it had run since then when it was last looked at.
    seconds: i64,
    /// Seconds for which it ran before it was last let run.
    earlier_seconds: i64,
}

/// Pods that are remembered by their names at most, twice as many as write at once.
const PODS_REMEMBERED: usize = 64;

/// Between two looks a Job runs no longer than this beyond what is remembered, a whole minute and a late look; what is longer was
/// seen by nobody, and may have been broken by pauses.
const UNSEEN_AT_MOST: i64 = 120;

impl<'a> Spent<'a> {
    /// As it stands `now`, after what was remembered `before`.
    pub(super) fn of(
        job: Option<&'a Job>,
        pods: impl IntoIterator<Item = &'a Pod>,
        before: Option<&Spending>,
        now: Timestamp,
    ) -> Self {
        let remembered = before.cloned().unwrap_or_default();
        let Spending { started_at, seconds, earlier_seconds, gone, pods: known } = remembered;
        let spent = Self {
            job,
            pods: pods.into_iter().collect(),
            now,
            gone,
            known,
            started_at: started_at.map(|it| it.0),
            seconds,
            earlier_seconds,
        };
        spent.at_its_start()
    }

    /// Where the Job has another start than is remembered, or is suspended and has none, the run that is remembered is over.
    fn at_its_start(self) -> Self {
        let start = self.job.and_then(started);
        let suspended = self.job.and_then(suspended_at);
        let ran = match (self.started_at, start, suspended) {
            (known, start, _) if known == start => return self,
            // Whoever suspends it takes its start away first, as a queue does, or somebody deleted it.
            (Some(_), None, None) => return self,
            (Some(known), None, Some(end)) if self.is_of(known) => end.duration_since(known).as_secs(),
            _ => self.seconds,
        };
        let seen = if ran < self.seconds + UNSEEN_AT_MOST { ran.max(self.seconds) } else { self.seconds };
        let earlier_seconds = self.earlier_seconds.saturating_add(seen);
        Self { started_at: start, seconds: 0, earlier_seconds, ..self }
    }

    /// Whether the Job is the one that ran then; somebody may have deleted that.
    fn is_of(&self, run: Timestamp) -> bool {
        let made = self.job.and_then(|job| job.creation_timestamp());
        made.is_none_or(|made| made.0 <= run)
    }

    /// What the next pass has to know; nothing where nothing has begun.
    pub(super) fn remembered(&self) -> Option<Spending> {
        let told = self.told();
        let (gone, pods) = self.with_room(self.by_name(told));
        let spending = Spending {
            started_at: self.started_at.map(Time),
            seconds: self.ran_until(told),
            earlier_seconds: self.earlier_seconds,
            gone,
            pods,
        };
        (spending != Spending::default()).then_some(spending)
    }

    /// What each pod took of which there is a name, whether it is there or not.
    fn by_name(&self, until: Timestamp) -> BTreeMap<String, Taken> {
        let seen = self.pods.iter().map(|pod| (pod.name_any(), self.taken(pod, until)));
        self.known.clone().into_iter().chain(seen).collect()
    }

    /// What is remembered without names and by name, where there are too many. One that is seen may be seen again and would count
    /// twice without its name: it keeps it, or gets one once there is room, and counts meanwhile because it is seen.
    fn with_room(&self, mut pods: BTreeMap<String, Taken>) -> (Vec<Taken>, BTreeMap<String, Taken>) {
        let is_seen = |name: &str| self.pods.iter().any(|pod| pod.name_any() == name);
        let nameless = make_room(&mut pods, |name| !is_seen(name));
        drop(make_room(&mut pods, |name| !self.known.contains_key(name)));
        (by_index(self.gone.iter().copied().chain(nameless)), pods)
    }

    /// Up to when status tells what grows with time: the last whole minute of the Job, or its end, so that status does not move with
    /// each look.
    fn told(&self) -> Timestamp {
        let ends = self.job.and_then(suspended_at);
        let minutes = |start| start + SignedDuration::from_mins(self.now.duration_since(start).as_mins());
        let remembered = || self.started_at.map(|start| start + SignedDuration::from_secs(self.seconds));
        let minute = || minutes(Timestamp::UNIX_EPOCH);
        ends.or_else(|| self.job.and_then(started).map(minutes)).or_else(remembered).unwrap_or_else(minute)
    }

    /// For how long the Job ran; not while it waited for its turn.
    pub(super) fn ran(&self) -> SignedDuration {
        let until = self.job.and_then(suspended_at).unwrap_or(self.now);
        SignedDuration::from_secs(self.ran_until(until).saturating_add(self.earlier_seconds))
    }

    /// Since it was last let run; what is remembered of it where that is not known any more.
    fn ran_until(&self, until: Timestamp) -> i64 {
        let start = self.job.and_then(started);
        start.map_or(self.seconds, |start| until.duration_since(start).as_secs().max(0))
    }

    /// What a pod took; of one that ended without telling when, what it had taken when it was last seen to run.
    fn taken(&self, pod: &Pod, until: Timestamp) -> Taken {
        let taken = pods::taken(pod, until);
        self.known.get(&pod.name_any()).map_or(taken, |known| taken.or_more(*known))
    }

    /// GPUs of a pod, times the seconds for which pods held theirs; nothing where no GPU was asked for.
    pub(super) fn gpu_seconds(&self) -> Option<u64> {
        self.gpu_seconds_until(self.now)
    }

    fn gpu_seconds_until(&self, until: Timestamp) -> Option<u64> {
        let gpus = self.job.and_then(gpus).filter(|gpus| *gpus > 0)?;
        let held = self.all(until).map(|taken| known(taken.held_seconds));
        Some(held.fold(0, u64::saturating_add).saturating_mul(gpus))
    }

    /// What all pods took, those without a name by index.
    fn all(&self, until: Timestamp) -> impl Iterator<Item = Taken> {
        self.gone.iter().copied().chain(self.by_name(until).into_values())
    }

    /// What pods said at their end the writing took; nothing where none has.
    fn effort(&self) -> Option<Effort> {
        let said = self.pods.iter().any(|pod| pods::effort(pod).is_some());
        let told: Vec<Effort> = self.all(self.now).filter_map(Taken::effort).collect();
        (said || !told.is_empty()).then(|| told.into_iter().sum())
    }

    /// Tokens that pods say they wrote.
    pub(super) fn tokens(&self) -> Option<u64> {
        self.effort().map(|effort| effort.tokens)
    }

    /// The same by index.
    pub(super) fn tokens_by_index(&self) -> TokensTaken {
        let all = by_index(self.all(self.now)).into_iter();
        all.filter(|taken| taken.tokens > 0).map(|taken| (taken.index, known(taken.tokens))).collect()
    }

    /// The status of a Job that has ended, with what it took.
    pub(super) fn in_all(&self, status: GenerationStatus, price: Option<&Price>) -> GenerationStatus {
        let effort = self.effort();
        let gpu_seconds = self.gpu_seconds().filter(|it| *it > 0);
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
        let told = self.gpu_seconds_until(self.told());
        let minutes = told.map(|seconds| seconds / 60 * 60).filter(|it| *it > 0);
        with_cost_per_variant(GenerationStatus {
            gpu_seconds: minutes.map(whole),
            cost: minutes.zip(price).and_then(|(seconds, price)| price.of(seconds).ok()),
            ..status
        })
    }
}

/// Takes out what is more than is remembered, of those that may be taken: first those of which nothing more will be told.
fn make_room(pods: &mut BTreeMap<String, Taken>, may_go: impl Fn(&str) -> bool) -> Vec<Taken> {
    let too_many = pods.len().saturating_sub(PODS_REMEMBERED);
    let mut go: Vec<String> = pods.keys().filter(|name| may_go(name)).cloned().collect();
    go.sort_by_key(|name| pods[name].effort().is_none());
    go.iter().take(too_many).filter_map(|name| pods.remove(name)).collect()
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
    sums.into_values().filter(|sum| *sum != Taken { index: sum.index, ..Taken::default() }).collect()
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

    fn made(at_seconds: i64, mut job: Job) -> Job {
        job.metadata.creation_timestamp = Some(Time(at(at_seconds)));
        job
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
            ("another waits for its turn", Some(before(100, 180, 60)), made(250, job(None, Some(300))), 240),
            ("the longest that a look is late", Some(before(100, 180, 60)), job(None, Some(399)), 359),
            ("nobody saw it end", Some(before(100, 180, 60)), job(None, Some(400)), 240),
        ] {
            let spent = Spent::of(Some(&job), &[], before.as_ref(), at(1_000));
            assert_eq!(spent.ran().as_secs(), ran, "{told}");
            let again = spent.remembered().unwrap_or_default();
            let later = Spent::of(Some(&job), &[], Some(&again), at(1_000));
            assert_eq!(later.ran().as_secs(), ran, "{told}, looked at again");
        }
    }

    #[test]
    fn a_start_that_goes_before_the_job_is_told_to_be_suspended_is_kept() {
        let before = Spending { started_at: Some(Time(at(100))), seconds: 180, ..Spending::default() };
        let between = job(None, None);
        let between = Spent::of(Some(&between), &[], Some(&before), at(301)).remembered().expect("a run");
        assert_eq!(between, before);
        let pods = [pod("goes", 0, "Running", None, 0)];
        let looked = |now| Spent::of(Some(&job(None, None)), &pods, Some(&before), at(now)).remembered();
        assert_eq!(looked(305), looked(310), "no look alone changes status");
        let suspended = job(None, Some(300));
        assert_eq!(Spent::of(Some(&suspended), &[], Some(&between), at(305)).ran().as_secs(), 200);
    }

    fn pod(name: &str, index: u32, phase: &str, end: Option<i64>, tokens: u64) -> Pod {
        let report = json!({ "outcome": "Failed", "effort": { "tokens": tokens, "milliseconds": 1_000 } });
        let terminated = |end| {
            let terminated = json!({ "exitCode": 1, "finishedAt": at(end), "message": report.to_string() });
            json!({
                "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "terminated": terminated },
            })
        };
        let statuses: Vec<_> = end.map(terminated).into_iter().collect();
        serde_json::from_value(json!({
            "metadata": { "name": name, "labels": { "batch.kubernetes.io/job-completion-index": index.to_string() } },
            "status": { "phase": phase, "startTime": at(0), "containerStatuses": statuses },
        }))
        .expect("a pod")
    }

    #[test]
    fn what_a_pod_took_stays_taken() {
        let taken = |index, held_seconds, tokens| Taken { index, held_seconds, tokens, milliseconds: 0 };
        let known = [("lost".to_owned(), taken(1, 60, 40)), ("silent".to_owned(), taken(0, 120, 0))];
        let before = Spending { gone: vec![taken(0, 30, 7)], pods: known.into(), ..Spending::default() };
        let limits = json!({ "nvidia.com/gpu": "2" });
        let container = json!({ "name": "worker", "resources": { "limits": limits } });
        let spec = json!({ "template": { "spec": { "containers": [container] } } });
        let job: Job = serde_json::from_value(json!({ "spec": spec })).expect("a Job");
        for (told, pods, held, tokens) in [
            ("all are lost", vec![], 30 + 60 + 120, vec![(0, 7), (1, 40)]),
            ("one runs", vec![pod("new", 1, "Running", None, 0)], 30 + 60 + 120 + 600, vec![(0, 7), (1, 40)]),
            (
                "one ended",
                vec![pod("new", 1, "Failed", Some(50), 2)],
                30 + 60 + 120 + 50,
                vec![(0, 7), (1, 42)],
            ),
            (
                "one ended without a word",
                vec![pod("silent", 0, "Failed", None, 0)],
                30 + 60 + 120,
                vec![(0, 7), (1, 40)],
            ),
            (
                "one never began",
                vec![pod("refused", 0, "Failed", None, 0)],
                30 + 60 + 120,
                vec![(0, 7), (1, 40)],
            ),
        ] {
            let spent = Spent::of(Some(&job), &pods, Some(&before), at(600));
            assert_eq!(spent.gpu_seconds(), Some(2 * held), "{told}");
            assert_eq!(spent.tokens_by_index(), tokens.iter().copied().collect(), "{told}");
            assert_eq!(spent.tokens(), Some(tokens.iter().map(|(_, tokens)| tokens).sum()), "{told}");
        }
    }

    #[test]
    fn a_pod_that_is_told_of_late_counts_once() {
        let ran = [pod("taken", 0, "Running", None, 0)];
        let before = Spent::of(None, &ran, None, at(120)).remembered();
        let between = Spent::of(None, &[], before.as_ref(), at(125)).remembered();
        let told = [pod("taken", 0, "Failed", Some(130), 40)];
        let after = Spent::of(None, &told, between.as_ref(), at(130)).remembered();
        let taken = Taken { index: 0, held_seconds: 130, tokens: 40, milliseconds: 1_000 };
        let once = Spending { pods: [("taken".to_owned(), taken)].into(), ..Spending::default() };
        assert_eq!(after.as_ref(), Some(&once));
        assert_eq!(Spent::of(None, &[], after.as_ref(), at(200)).remembered(), Some(once));
    }

    #[test]
    fn pods_that_have_no_room_by_name_count_all_the_same() {
        let many = |from: usize, to: usize| -> Vec<Pod> {
            let name = |number| format!("pod-{number:03}");
            (from..to).map(|number| pod(&name(number), 0, "Failed", Some(1), 1)).collect()
        };
        let sum = |spent: &Spent<'_>| spent.tokens_by_index().get(&0).copied();
        // Each turn's pods are seen beside those of the last one, and forgotten after that.
        let mut before = None;
        for turn in 0..4 {
            let seen = many(32 * usize::max(turn, 1) - 32, 32 * (turn + 1));
            let spent = Spent::of(None, &seen, before.as_ref(), at(10));
            assert_eq!(sum(&spent), Some(32 * (turn as u64 + 1)), "turn {turn}");
            before = spent.remembered();
        }
        let names = before.as_ref().map(|it| it.pods.len());
        assert_eq!((names, sum(&Spent::of(None, &[], before.as_ref(), at(10)))), (Some(64), Some(128)));
        // Whose end is still to be told keeps its name before all others.
        let late =
            Spending { pods: [("a-late-one".to_owned(), Taken::default())].into(), ..Spending::default() };
        let many_came = Spent::of(None, &many(0, 40), Some(&late), at(10)).remembered();
        let all_went = Spent::of(None, &many(40, 70), many_came.as_ref(), at(10)).remembered().expect("pods");
        assert!(all_went.pods.contains_key("a-late-one"));
        // What is seen without a name counts while it is seen, and once.
        let seen = many(200, 270);
        let spent = Spent::of(None, &seen, None, at(10));
        assert_eq!(sum(&spent), Some(70));
        let before = spent.remembered();
        assert_eq!(sum(&Spent::of(None, &seen, before.as_ref(), at(10))), Some(70));
        assert_eq!(sum(&Spent::of(None, &[], before.as_ref(), at(10))), Some(64));
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
