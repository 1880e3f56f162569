//! Whole lives of campaigns, pass by pass, without a cluster and without a clock.
//!
//! Each folder of `cases/` is a sentence. `campaign.yaml` is the object, `steps.yaml` what happens to it, and
//! `expected.txt` what the operator does and says at each step. After a change:
//! `UPDATE=1 cargo test -p broadside-operator --test scenarios`, then read the difference.

#[path = "scenarios/sizes.rs"]
mod sizes;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use api::wire::report::Report;
use api::wire::totals::{CellTotals, GuardrailTotals, LateTotals, PlacementTotals, TotalsResponse};
use api::{
    AdCampaign, AdModel, AdModelSpec, AdReview, AdReviewSpec, AdTable, AdVariant, AdVariantSpec,
    CampaignIdentity, Decision, Origin, Provenance, Represented, ReviewedVariant, Slots, TableVariant,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobStatus};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use operator::Campaign;
use operator::apply::Applied;
use operator::error::Error;
use operator::objects::job::{ModelImages, WorkerImage};
use operator::observe::{Seen, Totals};
use operator::plan::{Again, Attempt, Change, JobChange, NewJob, Note, Plan, Settings, Tone, plan, recall};
use operator::status::{Pass, notes, report};
use operator::world::ReviewPolicy;
use serde::Deserialize;

const REFRESH: &str = "UPDATE=1 cargo test -p broadside-operator --test scenarios";

#[test]
fn every_case_goes_as_written() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut folders: Vec<_> =
        std::fs::read_dir(cases).expect("cases").map(|entry| entry.expect("entry").path()).collect();
    folders.sort();
    assert!(folders.len() >= 8, "cases are missing");
    let mut faults = Vec::new();
    for folder in folders {
        let told = tell(&folder);
        let file = folder.join("expected.txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &told).expect("cases are writable");
        }
        if std::fs::read_to_string(&file).unwrap_or_default() != told {
            faults.push(format!("{} goes otherwise:\n{told}", folder.display()));
        }
    }
    assert!(faults.is_empty(), "{}\nRefresh with: {REFRESH}", faults.join("\n"));
}

/// A table holds sixty rounds at most: recalls, a verdict and a suspension find their places, and no recalled copy comes back.
#[test]
fn a_table_that_is_full_takes_recalls_a_verdict_and_a_suspension() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases/what-is-rejected-is-out-at-once-and-comes-back-when-somebody-approves-it");
    let text = std::fs::read_to_string(folder.join("campaign.yaml")).expect("campaign.yaml");
    let mut object: AdCampaign = serde_saphyr::from_str(&text).expect("a campaign");
    object.spec.placements[0].round.growth = api::Percent("1%".to_owned());
    let (mut world, mut told) = (World::new(object), String::new());
    let mut happen = |world: &mut World, yaml: &str| {
        world.happen(serde_saphyr::from_str(yaml).expect("a step"));
        world.pass(&mut told);
    };
    happen(&mut world, "{}");
    let rounds = |world: &World| world.seen.table.as_ref().expect("a table").spec.placements[0].rounds.len();
    let shares = |world: &World| {
        let row = &world.seen.table.as_ref().expect("a table").spec.placements[0];
        row.rounds.last().expect("a round").allocations[0].shares.clone()
    };
    for step in 0.. {
        if rounds(&world) == 58 {
            break;
        }
        assert!(step < 200, "it stays at {} rounds", rounds(&world));
        // Now the one does better, now the other.
        let better = |arm: u32| if arm > 0 { (step + arm) % 2 * 3 } else { 0 };
        let counted = (0..).zip(shares(&world));
        let counted = counted.map(|(arm, n)| format!("[{}, {}]", n / 500, n / 10_000 + better(arm)));
        let counted = counted.collect::<Vec<_>>().join(", ");
        happen(&mut world, &format!("{{after: 10m, counted: [{counted}]}}"));
    }
    let says = |says: &str| {
        format!("{{after: 1m, reviewed: [{{by: legal, says: {says}, of: [Aero Trail 3 weighs 240 g]}}]}}")
    };
    happen(&mut world, &says("Reject"));
    assert_eq!(shares(&world), [1_000_000, 0, 0]);
    happen(&mut world, "{after: 10m}");
    assert_eq!(shares(&world), [1_000_000, 0, 0], "what was recalled does not come back");
    happen(&mut world, &says("Approve"));
    assert!(shares(&world)[2] > 0, "{:?}", shares(&world));
    happen(&mut world, &says("Reject"));
    happen(&mut world, "{after: 7d}");
    for _ in 0..3 {
        happen(&mut world, "{after: 1m, suspend: true}");
        happen(&mut world, "{after: 1m, suspend: false}");
        happen(&mut world, &says("Reject"));
    }
    assert!(rounds(&world) <= 60);
}

/// What happens before a pass.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Happens {
    /// Time that passes.
    after: Option<api::Duration>,
    /// Exposures and rewards that mature in the round in force, by arm.
    counted: Vec<(u64, u64)>,
    /// The same of values: exposures, the sum of what they were worth, and of the squares.
    earned: Vec<(u64, f64, f64)>,
    /// What was counted of guardrails along with it, by metric: exposures and rewards by arm.
    watched: BTreeMap<String, Vec<(u64, u64)>>,
    /// For how many more people copy was chosen, who did not see it, by arm.
    unseen: Vec<u64>,
    /// The placement in which they mature; the first, unless named.
    placement: Option<String>,
    /// Whether the ledger answers.
    ledger: Option<Answers>,
    /// Whether the API server takes what a pass applies.
    api_server: Option<Answers>,
    /// The ledger loses its volume.
    ledger_is_lost: bool,
    /// Somebody deletes the table.
    table_is_deleted: bool,
    /// The Job's end.
    job: Option<String>,
    /// What the worker says at its end; its Job goes on, unless that has ended too.
    report: Option<Report>,
    /// What the workers of several pods say at their end.
    reports: Vec<Report>,
    /// Why the kubelet killed the worker.
    killed: Option<String>,
    /// How long the worker has run by now.
    runs: Option<api::Duration>,
    /// How long each of the ended pods was there.
    held: Option<api::Duration>,
    /// Somebody deletes the Job, and its pods with it.
    job_deleted: bool,
    /// All pods are lost, and what they said with them.
    pods_lost: bool,
    /// All pods are taken away, and the watch is told what each said at its end.
    departed: Vec<Report>,
    /// What the scheduler says of the worker's pod.
    unscheduled: Option<String>,
    /// Why the kubelet lets the worker's pod wait, and its words.
    waiting: Option<(String, String)>,
    /// Copy that the worker creates.
    written: Vec<Slots>,
    /// What people say of variants.
    reviewed: Vec<Reviewed>,
    /// Whose reviews somebody deletes.
    unreviewed: Option<String>,
    /// Whether the policy that reviews are held to is there; `Up` makes it anew.
    review_policy: Option<Answers>,
    /// Sets `spec.suspend`.
    suspend: Option<bool>,
    /// Sets `spec.schedule`.
    schedule: Option<api::Schedule>,
    /// Whether the model is there.
    model: Option<bool>,
    /// The files of the brand, as somebody applies them.
    brand: Option<BTreeMap<String, String>>,
    /// The model has a price, needs a GPU, and may use 2Gi of memory.
    price: Option<String>,
    /// The spec of the model that is there.
    model_spec: Option<AdModelSpec>,
    /// The spec of the embedder that is there.
    embedder_spec: Option<AdModelSpec>,
    /// The worker's pod has its node, and waits for its volumes.
    waits_for_volumes: bool,
    /// The reason and words of the last warning about a Job without a pod, or a pod without its volumes.
    warned: Option<(String, String)>,
    /// Why the API server refuses the Job.
    job_refused: Option<String>,
    /// Why it refuses one that it would have taken.
    job_refused_after_all: Option<String>,
    /// Somebody else suspends the Job, or lets it go on.
    job_held: Option<bool>,
    /// Passes that follow.
    passes: Option<usize>,
}

/// One person's word on the variants with these headlines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Reviewed {
    by: String,
    on_behalf_of: Option<Represented>,
    says: Decision,
    of: Vec<String>,
    reason: Option<String>,
    texts: Option<Slots>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Answers {
    Up,
    Down,
}

impl Answers {
    fn is_up(self) -> bool {
        matches!(self, Self::Up)
    }
}

/// What a cluster and a ledger would remember.
struct World {
    object: AdCampaign,
    brand: Option<ConfigMap>,
    seen: Seen,
    totals: TotalsResponse,
    ledger: Answers,
    api_server: Answers,
    job_refused: Option<String>,
    job_refused_after_all: Option<String>,
    now: Timestamp,
    /// Whether the pass was one that could but recall.
    recalled: bool,
    /// How many times other pods came after those before had gone.
    turns: usize,
    /// Whether those of this turn are gone.
    pods_went: bool,
}

fn tell(folder: &Path) -> String {
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name)).unwrap_or_else(|_| panic!("{name} in {folder:?}"))
    };
    let object: AdCampaign = serde_saphyr::from_str(&read("campaign.yaml")).expect("campaign.yaml");
    let steps: Vec<Happens> = serde_saphyr::from_str(&read("steps.yaml")).expect("steps.yaml");
    let mut world = World::new(object);
    let mut told = String::new();
    for step in steps {
        let passes = step.passes.unwrap_or(1);
        world.happen(step);
        for _ in 0..passes {
            world.pass(&mut told);
        }
    }
    told
}

impl World {
    fn new(mut object: AdCampaign) -> Self {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a moment");
        object.metadata.uid = Some("00000000-0000-4000-8000-000000000001".to_owned());
        object.metadata.namespace = Some("shop".to_owned());
        object.metadata.generation = Some(1);
        let totals =
            TotalsResponse { campaign: object.uid().unwrap_or_default(), as_of: now, placements: Vec::new() };
        Self {
            object,
            brand: None,
            seen: Seen { review_policy: ReviewPolicy::Since(Timestamp::UNIX_EPOCH), ..Seen::default() },
            totals,
            ledger: Answers::Up,
            api_server: Answers::Up,
            job_refused: None,
            job_refused_after_all: None,
            now,
            recalled: false,
            turns: 0,
            pods_went: false,
        }
    }

    fn happen(&mut self, step: Happens) {
        if let Some(after) = step.after {
            let seconds = i64::try_from(after.seconds().expect("a duration")).expect("few seconds");
            self.now += SignedDuration::from_secs(seconds);
        }
        self.ledger = step.ledger.unwrap_or(self.ledger);
        self.api_server = step.api_server.unwrap_or(self.api_server);
        if step.ledger_is_lost {
            self.totals.placements.clear();
        }
        if step.table_is_deleted {
            self.seen.table = None;
        }
        self.review(step.reviewed);
        self.seen.reviews.retain(|review| step.unreviewed.as_ref() != Some(&review.spec.reviewer));
        if let Some(policy) = step.review_policy {
            let (since, missing) = (ReviewPolicy::Since(self.now), ReviewPolicy::Missing);
            self.seen.review_policy = if policy.is_up() { since } else { missing };
        }
        let before = self.object.spec.clone();
        self.object.spec.suspend = step.suspend.unwrap_or(before.suspend);
        self.object.spec.schedule = step.schedule.or(before.schedule.clone());
        if self.object.spec != before {
            self.object.metadata.generation =
                self.object.metadata.generation.map(|generation| generation + 1);
        }
        if let Some(files) = step.brand {
            self.brand = Some(ConfigMap { data: Some(files), ..ConfigMap::default() });
        }
        if step.model == Some(true) {
            self.seen.model = Some(model(step.price.as_deref()));
        }
        if let Some(spec) = step.model_spec {
            self.seen.model = Some(AdModel { spec, ..model(None) });
        }
        if let Some(spec) = step.embedder_spec {
            self.seen.embedder = Some(AdModel { spec, ..model(None) });
        }
        for slots in step.written {
            let index = self.seen.variants.len();
            self.seen.variants.push(written(&self.object, slots, index));
        }
        if let Some(held) = step.job_held {
            self.hold(held);
        }
        if step.job_deleted {
            self.seen.job = None;
        }
        if step.pods_lost || step.job_deleted || !step.departed.is_empty() {
            self.seen.pods.clear();
            self.pods_went = true;
        }
        let counted: Vec<_> = step.counted.iter().map(of_ones).chain(step.earned).collect();
        self.count(step.placement.as_deref(), &counted, &step.unseen, &step.watched);
        let reports = step.report.iter().chain(&step.reports).map(said);
        let killed = step.killed.map(|reason| serde_json::json!({ "exitCode": 137, "reason": reason }));
        let ends = reports.chain(killed);
        let held = step.held.map_or(0, |held| held.seconds().expect("a duration"));
        let ended = |turn, (index, end)| ended(index, &name(turn, index), end, self.now, held);
        let departed = step.departed.iter().map(said).enumerate();
        self.seen.departed = departed.map(|pod| ended(self.turns, pod)).collect();
        let turn = self.turns + usize::from(self.pods_went);
        let pods: Vec<Pod> = ends.enumerate().map(|pod| ended(turn, pod)).collect();
        if !pods.is_empty() {
            (self.turns, self.pods_went) = (turn, false);
        }
        self.end_job(step.job, pods);
        if let Some(runs) = step.runs {
            let seconds = i64::try_from(runs.seconds().expect("a duration")).expect("few seconds");
            self.run(self.now - SignedDuration::from_secs(seconds));
        }
        self.seen.pods.extend(step.unscheduled.as_deref().map(unscheduled));
        self.seen.pods.extend(step.waiting.as_ref().map(|(reason, words)| waiting(reason, words)));
        self.seen.pods.extend(step.waits_for_volumes.then(|| waits_for_volumes(self.now)));
        self.seen.warnings =
            step.warned.as_ref().map(|(reason, words)| warning(reason, words)).into_iter().collect();
        self.job_refused = step.job_refused;
        self.job_refused_after_all = step.job_refused_after_all;
    }

    fn review(&mut self, reviews: Vec<Reviewed>) {
        for Reviewed { by, on_behalf_of, says, of, reason, texts } in reviews {
            let is_meant = |variant: &&AdVariant| of.contains(&variant.spec.slots["headline"]);
            let variants = self.seen.variants.iter().filter(is_meant).map(|variant| ReviewedVariant {
                name: variant.name_any(),
                digest: api::name::copy_digest(&variant.spec.slots),
            });
            let variants: Vec<ReviewedVariant> = variants.collect();
            assert_eq!(variants.len(), of.len(), "{of:?} are variants that are there");
            let (name, uid) = (self.object.name_any(), self.object.uid().unwrap_or_default());
            let spec = AdReviewSpec {
                campaign: CampaignIdentity { name, uid },
                variants,
                decision: says,
                texts,
                reviewer: by,
                on_behalf_of,
                reason,
            };
            let mut review = AdReview::new(&format!("review-{}", self.seen.reviews.len() + 1), spec);
            review.metadata.creation_timestamp = Some(Time(self.now));
            self.seen.reviews.push(review);
        }
    }

    fn count(
        &mut self,
        placement: Option<&str>,
        counted: &[(u64, f64, f64)],
        unseen: &[u64],
        watched: &BTreeMap<String, Vec<(u64, u64)>>,
    ) {
        let rows = self.seen.table.iter().flat_map(|table| &table.spec.placements);
        let mut meant = rows.filter(|row| placement.is_none_or(|name| row.name == name));
        let (Some(row), false) = (meant.next(), counted.is_empty()) else { return };
        let round = row.rounds.last().expect("rounds");
        let unseen = unseen.iter().copied().map(Some).chain(std::iter::repeat(None));
        let cell =
            |variant: &TableVariant, (exposures, rewards, squared_rewards), unseen: Option<u64>| CellTotals {
                round: round.number,
                segment: round.allocations[0].segments[0].clone(),
                variant: variant.name.clone(),
                decisions: unseen.map(|unseen| exposures + unseen),
                exposures,
                rewards,
                squared_rewards,
                covariate: None,
                late: LateTotals::default(),
                unconfirmed_clicks: 0,
            };
        let arms = row.variants.iter().zip(counted).zip(unseen);
        let guardrails = watched.iter().map(|(metric, counted)| GuardrailTotals {
            metric: metric.clone(),
            pending_exposures: 0,
            cells: row
                .variants
                .iter()
                .zip(counted)
                .map(|(it, counted)| cell(it, of_ones(counted), None))
                .collect(),
        });
        let counted = PlacementTotals {
            name: row.name.clone(),
            seed: row.seed,
            pending_exposures: 0,
            cells: arms.map(|((it, counted), unseen)| cell(it, *counted, unseen)).collect(),
            guardrails: guardrails.collect(),
        };
        let mut sums: Vec<PlacementTotals> = std::mem::take(&mut self.totals.placements);
        sums.push(counted);
        self.totals.placements = sums;
        self.merge();
    }

    /// One entry per cell and variant, as the ledger answers.
    fn merge(&mut self) {
        let mut merged: Vec<PlacementTotals> = Vec::new();
        for counted in std::mem::take(&mut self.totals.placements) {
            let known =
                merged.iter_mut().find(|known| known.name == counted.name && known.seed == counted.seed);
            let Some(known) = known else {
                merged.push(counted);
                continue;
            };
            add(&mut known.cells, counted.cells);
            for watched in counted.guardrails {
                match known.guardrails.iter_mut().find(|known| known.metric == watched.metric) {
                    Some(known) => add(&mut known.cells, watched.cells),
                    None => known.guardrails.push(watched),
                }
            }
        }
        self.totals.placements = merged;
    }

    /// The worker runs since then.
    fn run(&mut self, since: Timestamp) {
        self.turns += usize::from(std::mem::take(&mut self.pods_went));
        let pod = serde_json::json!({
            "metadata": { "name": name(self.turns, 0) },
            "status": { "phase": "Running", "startTime": since },
        });
        self.seen.pods = vec![serde_json::from_value(pod).expect("a pod")];
        let job = self.seen.job.as_mut().expect("a Job runs");
        job.status = Some(JobStatus { start_time: Some(Time(since)), ..JobStatus::default() });
    }

    /// What the Job controller does with a Job that is suspended or resumed.
    fn hold(&mut self, held: bool) {
        let job = self.seen.job.as_mut().expect("a Job");
        job.spec.get_or_insert_default().suspend = Some(held);
        let condition = JobCondition {
            type_: "Suspended".to_owned(),
            status: if held { "True" } else { "False" }.to_owned(),
            last_transition_time: Some(Time(self.now)),
            ..JobCondition::default()
        };
        let status = job.status.get_or_insert_default();
        status.conditions = Some(vec![condition]);
        status.start_time = (!held).then_some(Time(self.now));
        self.pods_went |= held;
        self.seen
            .pods
            .retain(|pod| pod.status.as_ref().and_then(|it| it.phase.as_deref()) != Some("Running"));
    }

    fn change(&mut self, change: Change) {
        if matches!(change, Change::Resume | Change::Suspend) {
            self.hold(change == Change::Suspend);
        }
        let job = self.seen.job.as_mut().expect("a Job");
        let mut mark = |mark: &str| job.annotations_mut().insert(SUSPENDED.to_owned(), mark.to_owned());
        match change {
            Change::Suspend => drop(mark("true")),
            Change::Concede => drop(mark("resumed")),
            Change::Resume | Change::Forget => drop(job.annotations_mut().remove(SUSPENDED)),
            Change::End => job.spec.get_or_insert_default().active_deadline_seconds = Some(1),
        }
    }

    fn end_job(&mut self, end: Option<String>, pods: Vec<Pod>) {
        if !pods.is_empty() {
            self.seen.pods = pods;
        }
        let Some(type_) = end else { return };
        let condition = JobCondition { type_, status: "True".to_owned(), ..JobCondition::default() };
        let job = self.seen.job.as_mut().expect("a Job runs");
        job.status = Some(JobStatus { conditions: Some(vec![condition]), ..JobStatus::default() });
    }

    fn pass(&mut self, told: &mut String) {
        let (pass, error) = self.think();
        if let (Some(plan), Some(applied)) = (&pass.plan, &pass.applied) {
            self.remember(plan, applied);
        }
        let status = report(&self.object, &pass, error.as_ref(), self.now);
        writeln!(told, "--- {}", self.now).expect("text");
        let served = self.seen.table.as_ref().filter(|_| std::mem::take(&mut self.recalled));
        if let Some(plan) = &pass.plan {
            tell_plan(plan, told);
        }
        tell_notes(&notes(&self.object, &pass, &status), told);
        if let Some(plan) = &pass.plan {
            let Again { within, turn } = plan.again;
            writeln!(told, "again in {:?}", turn.map_or(within, |turn| turn.min(within))).expect("text");
        }
        served.into_iter().for_each(|table| tell_table(table, told));
        if self.object.status.as_ref() == Some(&status) {
            told.push_str("status unchanged\n");
        } else {
            let yaml = serde_saphyr::to_string(&status).expect("status is plain data");
            told.push_str(&yaml);
        }
        self.object.status = Some(status);
        if self.is_about_to_write(&pass) {
            self.pass(told);
        }
    }

    /// Whether the change of the status starts another pass, which makes the Job.
    fn is_about_to_write(&self, pass: &Pass) -> bool {
        let job = pass.plan.as_ref().and_then(wanted);
        let rehearsed = job.is_some_and(|job| job.attempt == Attempt::Rehearsal);
        rehearsed && self.object.status.as_ref().is_some_and(|status| status.generation.is_some())
    }

    fn think(&mut self) -> (Pass, Option<Error>) {
        let read = Campaign::read(&self.object, self.brand.as_ref());
        let campaign = match read.and_then(|it| it.has_time(&self.object, self.now).map(|()| it)) {
            Ok(campaign) => campaign,
            Err(invalid) => {
                self.recall();
                return (Pass::default(), Some(Error::Invalid(invalid)));
            }
        };
        let is_new = |it: &AdReview| it.status.as_ref().is_none_or(|status| status.state.is_none());
        self.seen.totals = match (self.ledger, &self.seen.table) {
            _ if self.seen.reviews.iter().any(is_new) => Totals::Deferred,
            (_, None) => Totals::NotAsked,
            (Answers::Up, _) => Totals::Known(self.totals.clone()),
            (Answers::Down, _) => Totals::Unreachable("the ledger did not answer".to_owned()),
        };
        let settings = Settings {
            worker: WorkerImage {
                reference: "broadside/worker:1".to_owned(),
                pull_policy: None,
                model_images: ModelImages::Copied,
            },
            figures_interval: Duration::from_secs(60),
        };
        let plan = plan(&self.object, &campaign, &self.seen, &settings, self.now);
        let after_all = self.job_refused_after_all.clone().filter(|_| started(&plan).is_some());
        let applied = Applied { job_refused: self.job_refused.clone().or(after_all) };
        let pass = Pass {
            campaign: Some(campaign),
            plan: Some(plan),
            applied: self.api_server.is_up().then_some(applied),
        };
        let refused = || Error::Api {
            step: "publishing the table",
            source: Box::new(kube::Error::Api(Box::new(kube::core::Status::failure(
                "etcd is away",
                "Timeout",
            )))),
        };
        let error = pass.applied.is_none().then(refused);
        (pass, error)
    }

    /// What a pass over a campaign that can't be carried out does all the same.
    fn recall(&mut self) {
        let recall = recall(&self.object, &self.seen, self.now);
        self.stamp(&recall.review_statuses);
        self.seen.table = recall.table.or_else(|| self.seen.table.take());
        self.recalled = true;
    }

    fn stamp(&mut self, statuses: &[operator::plan::Reviewed]) {
        for operator::plan::Reviewed { name, uid: _, status } in statuses {
            for review in self.seen.reviews.iter_mut().filter(|review| review.name_any() == *name) {
                review.status = Some(status.clone());
            }
        }
    }

    /// What `apply` would do to the cluster.
    fn remember(&mut self, plan: &Plan, applied: &Applied) {
        self.seen.variants.extend(plan.variants.clone());
        self.seen.table = plan.table.clone().or_else(|| self.seen.table.take());
        if let (Some(job), None) = (started(plan), &applied.job_refused) {
            self.seen.job = Some(Job { status: None, ..job.clone() });
        }
        if let Some(JobChange { change, .. }) = &plan.job_change {
            self.change(*change);
        }
        self.seen.winner = plan.winner.clone().or_else(|| self.seen.winner.take());
        for record in &plan.evidence {
            let kept = api::record::StoredRecord::all(record, "evidence.json").next().expect("a record");
            let text = kept.text().expect("it is whole");
            let evidence: api::Evidence = serde_json::from_str(&text).expect("evidence");
            self.seen.evidence.insert(evidence.placement, kept);
        }
        self.stamp(&plan.review_statuses);
        for (name, status) in &plan.variant_statuses {
            for variant in self.seen.variants.iter_mut().filter(|variant| variant.name_any() == *name) {
                variant.status = Some(status.clone());
            }
        }
    }
}

fn wanted(plan: &Plan) -> Option<&NewJob> {
    plan.generate.as_ref()?.job.as_ref()
}

/// The Job that is made.
fn started(plan: &Plan) -> Option<&Job> {
    wanted(plan).filter(|job| job.attempt == Attempt::InEarnest).map(|job| &*job.job)
}

/// Adds up what is of the same cell and variant.
fn add(known: &mut Vec<CellTotals>, more: Vec<CellTotals>) {
    for cell in more {
        let same = |known: &&mut CellTotals| {
            (known.round, &known.segment, &known.variant) == (cell.round, &cell.segment, &cell.variant)
        };
        match known.iter_mut().find(same) {
            Some(known) => {
                known.decisions = known.decisions.zip(cell.decisions).map(|(some, more)| some + more);
                known.exposures += cell.exposures;
                known.rewards += cell.rewards;
                known.squared_rewards += cell.squared_rewards;
            }
            None => known.push(cell),
        }
    }
}

fn of_ones(&(exposures, rewards): &(u64, u64)) -> (u64, f64, f64) {
    (exposures, rewards as f64, rewards as f64)
}

fn model(price: Option<&str>) -> AdModel {
    let mut model: AdModel = serde_saphyr::from_str(
        "{apiVersion: broadside.dev/v1alpha1, kind: AdModel, metadata: {name: handbill, namespace: shop}, \
         spec: {source: {image: {reference: 'registry.example/handbill:1'}}}}",
    )
    .expect("a model");
    if let Some(price) = price {
        model.spec.price = Some(api::Price { per_gpu_hour: price.to_owned() });
        let limits = "{limits: {nvidia.com/gpu: '1', memory: 2Gi}}";
        model.spec.resources = Some(serde_saphyr::from_str(limits).expect("resources"));
    }
    model
}

fn written(campaign: &AdCampaign, slots: Slots, index: usize) -> AdVariant {
    let placement = campaign.spec.placements[0].name.clone();
    let name = api::name::variant(&campaign.name_any(), &placement, &slots);
    let provenance = Provenance {
        model_digest: "sha256:0".to_owned(),
        adapter_digest: None,
        prompt_digest: "sha256:0".to_owned(),
        rules_version: "1".to_owned(),
        engine_version: "0".to_owned(),
        seed: 7,
        index: u32::try_from(index).expect("few"),
        attempt: 0,
        quantization: None,
        drawing: None,
        siblings: Vec::new(),
    };
    let spec = AdVariantSpec {
        campaign: campaign.name_any(),
        placement,
        origin: Origin::Generated,
        slots,
        edit: None,
        provenance: Some(provenance),
        appraisal: None,
    };
    AdVariant::new(&name, spec)
}

/// On a Job while the operator has it suspended.
const SUSPENDED: &str = "broadside.dev/suspended";

fn warning(reason: &str, note: &str) -> Event {
    Event {
        reason: Some(reason.to_owned()),
        note: Some(note.to_owned()),
        type_: Some("Warning".to_owned()),
        ..Event::default()
    }
}

fn unscheduled(message: &str) -> Pod {
    serde_json::from_value(serde_json::json!({
        "metadata": { "name": "worker-1" },
        "status": { "conditions": [{ "type": "PodScheduled", "status": "False", "message": message }] },
    }))
    .expect("a pod")
}

fn waits_for_volumes(since: Timestamp) -> Pod {
    let waiting = serde_json::json!({ "waiting": { "reason": "ContainerCreating" } });
    serde_json::from_value(serde_json::json!({
        "metadata": { "name": "worker-1" },
        "status": {
            "conditions": [
                { "type": "PodScheduled", "status": "True", "lastTransitionTime": since },
                { "type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": since },
            ],
            "containerStatuses": [{
                "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": waiting,
            }],
        },
    }))
    .expect("a pod")
}

fn waiting(reason: &str, words: &str) -> Pod {
    serde_json::from_value(serde_json::json!({
        "metadata": { "name": "worker-1" },
        "status": { "containerStatuses": [{
            "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": reason, "message": words } },
        }] },
    }))
    .expect("a pod")
}

/// The end of a worker that said so.
fn said(report: &Report) -> serde_json::Value {
    let message = serde_json::to_string(report).expect("a report is plain data");
    serde_json::json!({ "exitCode": report.outcome.exit_code(), "message": message })
}

/// Pods of a later turn are others.
fn name(turn: usize, index: usize) -> String {
    format!("worker-{}", 100 * turn + index + 1)
}

/// A pod whose worker ended now, after `held` seconds.
fn ended(index: usize, name: &str, mut terminated: serde_json::Value, now: Timestamp, held: u64) -> Pod {
    let held = SignedDuration::from_secs(i64::try_from(held).expect("few seconds"));
    terminated["finishedAt"] = now.to_string().into();
    let phase = if terminated["exitCode"] == 0 { "Succeeded" } else { "Failed" };
    serde_json::from_value(serde_json::json!({
        "metadata": {
            "name": name,
            "labels": { "batch.kubernetes.io/job-completion-index": index.to_string() },
        },
        "status": {
            "phase": phase, "startTime": (now - held).to_string(),
            "containerStatuses": [{
                "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "terminated": terminated },
            }],
        },
    }))
    .expect("a pod")
}

fn tokens_taken(brief: &ConfigMap) -> Option<&str> {
    let campaign = brief.data.as_ref()?.get("campaign.yaml")?;
    campaign.lines().map(str::trim).find(|line| line.starts_with(api::TOKENS_TAKEN))
}

fn tell_plan(plan: &Plan, told: &mut String) {
    for variant in &plan.variants {
        writeln!(told, "creates variant {} ({:?})", variant.name_any(), variant.spec.origin).expect("text");
    }
    if let Some(NewJob { attempt: Attempt::Rehearsal, job }) = wanted(plan) {
        writeln!(told, "asks whether Job {} would be taken", job.name_any()).expect("text");
    }
    if let Some(job) = started(plan) {
        let pods = job.spec.as_ref().and_then(|spec| spec.completions);
        let indexed = pods.map_or_else(String::new, |pods| format!(" of {pods} indexes"));
        writeln!(told, "creates Job {}{indexed}", job.name_any()).expect("text");
    }
    if let Some(taken) = plan.generate.as_ref().and_then(|it| tokens_taken(&it.brief)) {
        writeln!(told, "lets the next pod know of {taken}").expect("text");
    }
    if let Some(JobChange { job, change }) = &plan.job_change {
        writeln!(told, "changes Job {job}: {change:?}").expect("text");
    }
    if let Some(table) = &plan.table {
        tell_table(table, told);
    }
    for (name, status) in &plan.variant_statuses {
        let (state, share) = (status.state.expect("a state"), status.share.as_ref());
        let share = share.map_or("-", |share| share.0.as_str());
        writeln!(told, "says of {name}: {state:?} {share} {}", status.reason.as_deref().unwrap_or(""))
            .expect("text");
    }
    for operator::plan::Reviewed { name, uid: _, status } in &plan.review_statuses {
        let (state, message) = (status.state.expect("a state"), status.message.as_deref().unwrap_or(""));
        writeln!(told, "says of {name}: {state:?} {message}").expect("text");
    }
    for record in &plan.evidence {
        writeln!(told, "records {}", record.name_any()).expect("text");
    }
    if let Some(winner) = &plan.winner {
        let texts: Vec<_> = winner.data.iter().flatten().filter(|(key, _)| !key.ends_with("json")).collect();
        writeln!(told, "hands on {texts:?}").expect("text");
    }
}

fn tell_notes(notes: &[Note], told: &mut String) {
    for Note { tone, reason, message } in notes {
        let tone = if *tone == Tone::Warning { "warning" } else { "event" };
        writeln!(told, "{tone} {reason}: {message}").expect("text");
    }
}

fn tell_table(table: &AdTable, told: &mut String) {
    for row in &table.spec.placements {
        assert!(row.rounds.len() <= 60, "the definition takes no more");
        let shares = &row.rounds.last().expect("a round").allocations[0].shares;
        let served = row.variants.iter().zip(shares).filter(|(_, share)| **share > 0);
        served.for_each(|(variant, _)| assert!(!variant.withdrawn, "gateways refuse it: {row:?}"));
        let dry = if table.spec.dry_run { ", a dry run" } else { "" };
        writeln!(told, "table {}: {} seed {}{dry}", table.spec.number, row.name, row.seed).expect("text");
        let mut texts = row.variants.iter().chain(&row.in_review).map(|variant| &variant.slots);
        assert!(!table.spec.dry_run || texts.all(|it| *it == row.variants[0].slots), "{row:?}");
        if let Some(rules) = &row.rules {
            let rules = serde_json::to_string(rules).expect("rules are plain data");
            writeln!(told, "  judged by {rules}").expect("text");
        }
        for variant in row.variants.iter().filter(|variant| variant.withdrawn) {
            writeln!(told, "  withdrawn {}", variant.name).expect("text");
        }
        for variant in &row.in_review {
            writeln!(told, "  in review {}", variant.name).expect("text");
        }
        for round in &row.rounds {
            for entry in &round.allocations {
                writeln!(told, "  round {} {:?} {:?}", round.number, entry.segments, entry.shares)
                    .expect("text");
            }
        }
    }
}
