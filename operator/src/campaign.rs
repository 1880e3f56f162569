//! `AdCampaign` → `Campaign`: everything that the API server can't see is checked here, once. What comes out is never
//! checked again.

mod brand;
mod ending;
mod people;
mod placement;
mod schedule;
mod size;

use std::collections::BTreeMap;
use std::fmt;

use api::{
    AdCampaign, Approval, LandingPage, MetricKind, OnUndecided, Percent, Slots, TableExclusion, TableHoldout,
    TableVariant,
};
use experiment::{Design, Direction, Kind, Metric, Policy, Standing, Stopping};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use rules::{BrandRules, Format, MeaningThreshold};
use serde_json::{Value, json};

pub use brand::{Judges, judges};
pub use ending::Ending;
pub(crate) use ending::ending;
pub(crate) use people::has_begun;
use placement::Reader;
pub use schedule::Schedule;
pub(crate) use size::{bytes_of, copy_bytes, json_bytes, row_bytes};

/// A campaign that can be carried out.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID: what outlives the object is keyed by it.
    pub uid: String,
    /// Makes it the owner of a child.
    pub owner: OwnerReference,
    /// The brand's words, and the variables of its copy.
    pub brand: BrandRules,
    /// The brand's files, where the campaign names a ConfigMap with some.
    pub brand_files: Option<BTreeMap<String, String>>,
    /// How variants are written by a model.
    pub generation: Option<Generation>,
    /// The groups of people; one called `all` where the spec names none.
    pub segments: Vec<String>,
    /// Whose the people are, where campaigns of a group share them.
    pub exclusion: Option<TableExclusion>,
    /// Who is kept out.
    pub holdout: Option<TableHoldout>,
    /// Where the gateway's redirect leads.
    pub landing_page: Option<LandingPage>,
    /// The experiments.
    pub placements: Vec<Placement>,
    /// Who must agree before copy is served.
    pub approval: Approval,
    /// When its experiments begin and end.
    pub schedule: Schedule,
    /// Whether anybody sees what is drawn.
    pub mode: Mode,
    /// Whether people stopped it.
    pub activity: Activity,
}

/// Whether anybody sees what is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everybody sees what was drawn for them.
    Live,
    /// Everybody sees the control.
    DryRun,
}

impl Mode {
    /// That of a campaign, whether or not it can be carried out.
    #[must_use]
    pub fn of(object: &AdCampaign) -> Self {
        if object.spec.dry_run { Self::DryRun } else { Self::Live }
    }
}

/// Whether people stopped a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It goes on.
    Active,
    /// The control alone is served.
    Suspended,
}

/// How variants are written by a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The `AdModel` that writes.
    pub model: String,
    /// The `AdModel` that tells what copy means.
    pub embedder: Option<String>,
    /// Variants over all placements.
    pub asked: u32,
    /// Pods that share the placements, at most as many as there are placements that ask for variants.
    pub pods: u32,
    /// What it may take at most.
    pub budget: Budget,
    /// The Job. Its name is the digest of all that decides what is written, as it was when writing began.
    pub job: String,
}

/// What writing may take at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Seconds for which GPUs are held, times their number.
    pub gpu_seconds: Option<u64>,
    /// How long the Job runs.
    pub duration: Option<SignedDuration>,
    /// Tokens that are written.
    pub tokens: Option<u64>,
}

/// One experiment.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Its name.
    pub name: String,
    /// Its channel format.
    pub format: Format,
    /// What everything is compared with.
    pub control: Copy,
    /// More copy by people.
    pub challengers: Vec<Copy>,
    /// How many variants the worker writes.
    pub asked: u32,
    /// What the ledger counts.
    pub metric: api::TableMetric,
    /// Which way of it is better.
    pub direction: Direction,
    /// How shares are made, by the number of arms.
    pub policy: Policy,
    /// When a round may close.
    pub round: Round,
    /// When the experiment ends by its numbers.
    pub stopping: Stopping,
    /// When it ends by the clock.
    pub maximum_duration: SignedDuration,
    /// When it ends by the people who took part.
    pub maximum_exposures: Option<u32>,
    /// What is served when it ends without a winner.
    pub on_undecided: OnUndecided,
    /// What must not get worse.
    pub guardrails: Vec<Guardrail>,
}

/// A metric of which more is worse.
#[derive(Clone, Debug, PartialEq)]
pub struct Guardrail {
    /// What the ledger counts.
    pub metric: api::TableMetric,
    /// How much of it is too much.
    pub limit: experiment::Guardrail,
    /// The same as it was written.
    pub maximum_increase: Percent,
}

impl Placement {
    /// The question that the experiment answers if all goes well: with people's challengers, and as many variants of the
    /// worker's as are asked for.
    #[must_use]
    pub fn design_when_complete(&self) -> Design {
        let asked = usize::try_from(self.asked).expect("a definition's bound is small");
        let arms = vec![Standing::FIRST; 1 + self.challengers.len() + asked];
        self.design_with(&self.metric, self.direction, arms)
    }

    /// The question that an experiment of these arms answers. One that was withdrawn is retired.
    pub(crate) fn design(&self, arms: &[TableVariant]) -> Design {
        self.design_for(&self.metric, self.direction, arms)
    }

    /// The same question of another metric.
    pub(crate) fn design_for(
        &self,
        metric: &api::TableMetric,
        direction: Direction,
        arms: &[TableVariant],
    ) -> Design {
        let standing =
            |arm: &TableVariant| Standing { generation: arm.generation.max(1), retired: arm.withdrawn };
        self.design_with(metric, direction, arms.iter().map(standing).collect())
    }

    fn design_with(&self, metric: &api::TableMetric, direction: Direction, arms: Vec<Standing>) -> Design {
        let metric = Metric { kind: kind(metric), direction };
        Design::new(metric, self.stopping, arms)
            .expect("there is always a control, and generations are counted from 1")
    }
}

fn kind(metric: &api::TableMetric) -> Kind {
    match metric.kind {
        MetricKind::Binary => Kind::Binary,
        MetricKind::Value => Kind::Value { cap: metric.cap_millionths.map(|cap| cap as f64 / 1e6) },
    }
}

/// A piece of copy under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The variant's name, made from the content.
    pub name: String,
    /// The texts.
    pub slots: Slots,
    /// Their digest.
    pub digest: String,
}

impl Copy {
    /// A piece of copy.
    #[must_use]
    pub fn new(name: String, slots: Slots) -> Self {
        let digest = api::name::copy_digest(&slots);
        Self { name, slots, digest }
    }

    /// It as the table has it. That of a dry run has no texts but those of `stand_in`, the control, so that no gateway of any
    /// version can show others.
    pub(crate) fn table_variant(&self, stand_in: Option<&Self>) -> TableVariant {
        let shown = stand_in.unwrap_or(self);
        TableVariant {
            name: self.name.clone(),
            digest: shown.digest.clone(),
            slots: shown.slots.clone(),
            stands_for: stand_in.map(|_| self.digest.clone()),
            withdrawn: false,
            generation: 1,
            edit_of: None,
            harms: Vec::new(),
        }
    }
}

/// When a round may close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// The least time that it lasts.
    pub minimum: SignedDuration,
    /// By how much matured exposures must have grown, in parts per million.
    pub growth: u32,
}

/// One fault of a spec: where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field, such as `spec.placements[0].control.headline`.
    pub field: String,
    /// What is wrong, ending with the remedy.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.problem)
    }
}

/// All faults of a spec, in the order of its fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", join(.0))]
pub struct InvalidSpec(pub Vec<Fault>);

fn join(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ")
}

impl TryFrom<&AdCampaign> for Campaign {
    type Error = InvalidSpec;

    /// Reads a campaign where there is no ConfigMap that it could name.
    fn try_from(object: &AdCampaign) -> Result<Self, InvalidSpec> {
        Self::read(object, None)
    }
}

impl Campaign {
    /// Reads a campaign; `brand` is the ConfigMap that it names, if that is there.
    ///
    /// # Errors
    /// With every fault of both.
    pub fn read(object: &AdCampaign, brand: Option<&ConfigMap>) -> Result<Self, InvalidSpec> {
        let mut faults = Faults::default();
        let campaign = faults.read_campaign(object, brand);
        match campaign {
            Some(campaign) if faults.0.is_empty() => Ok(campaign),
            _ => Err(InvalidSpec(faults.0)),
        }
    }
}

/// Collects faults while reading, so that a person sees them all at once.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, field: impl Into<String>, problem: impl fmt::Display) {
        self.0.push(Fault { field: field.into(), problem: problem.to_string() });
    }

    fn keep<T, E: fmt::Display>(&mut self, field: impl Into<String>, result: Result<T, E>) -> Option<T> {
        result.map_err(|problem| self.add(field, problem)).ok()
    }

    fn read_campaign(&mut self, object: &AdCampaign, brand: Option<&ConfigMap>) -> Option<Campaign> {
        let spec = &object.spec;
        let landing_page = self.read_landing_page(object);
        let judges = self.read_judges(object, brand);
        let brand_files = brand.filter(|_| spec.brand().is_some()).map(brand::files);
        let name = object.name_any();
        let placements: Vec<Placement> = spec
            .placements
            .iter()
            .enumerate()
            .filter_map(|(index, placement)| {
                let reader = Reader { path: format!("spec.placements[{index}]"), campaign: &name, placement };
                reader.read(self, &judges)
            })
            .collect();
        let generation = self.read_generation(object, brand_files.as_ref());
        let segments = self.read_segments(object);
        let (exclusion, holdout) = (self.read_exclusion(object), self.read_holdout(object));
        let schedule = self.read_schedule(object);
        self.check_size(object, &placements);
        let owner = object.controller_owner_ref(&());
        if owner.is_none() {
            self.add("metadata.uid", "is missing: only an object of the API server can be carried out");
        }
        Some(Campaign {
            namespace: object.namespace().unwrap_or_else(|| "default".to_owned()),
            uid: object.uid().unwrap_or_default(),
            owner: unblocking(owner?),
            brand: judges.brand,
            brand_files,
            generation,
            segments,
            exclusion,
            holdout,
            landing_page,
            placements,
            approval: spec.approval,
            schedule,
            mode: Mode::of(object),
            activity: if spec.suspend { Activity::Suspended } else { Activity::Active },
            name,
        })
    }

    fn read_segments(&mut self, object: &AdCampaign) -> Vec<String> {
        let Some(segments) = &object.spec.segments else { return vec![api::name::EVERYBODY.to_owned()] };
        let named: Vec<String> = segments.iter().map(|segment| segment.0.clone()).collect();
        if let Some(index) = named.iter().position(|name| name == api::name::EVERYBODY) {
            let problem =
                "is the name of everybody where a campaign names no segment: name this group otherwise";
            self.add(format!("spec.segments[{index}]"), problem);
        }
        named
    }

    fn read_landing_page(&mut self, object: &AdCampaign) -> Option<LandingPage> {
        let page = object.spec.brief.landing_page.as_ref()?;
        self.keep("spec.brief.landingPage", page.check())?;
        Some(page.clone())
    }

    fn read_generation(
        &mut self,
        object: &AdCampaign,
        brand: Option<&BTreeMap<String, String>>,
    ) -> Option<Generation> {
        let spec = &object.spec;
        let asked: u32 = spec.placements.iter().map(|placement| placement.variants).sum();
        match &spec.generation {
            None if asked > 0 => {
                self.add(
                    "spec.generation",
                    "is missing, and placements ask for variants: name a model, or set variants to 0",
                );
                None
            }
            Some(generation) if asked > 0 => {
                let asking = spec.placements.iter().filter(|placement| placement.variants > 0).count();
                let most = u32::try_from(asking).unwrap_or(u32::MAX);
                Some(Generation {
                    model: generation.model.clone(),
                    embedder: self.read_embedder(generation),
                    asked,
                    pods: generation.parallelism.clamp(1, most.max(1)),
                    budget: self.read_budget(generation),
                    job: job(object, brand),
                })
            }
            _ => None,
        }
    }

    fn read_budget(&mut self, generation: &api::Generation) -> Budget {
        let Some(api::Budget { gpu_seconds, duration, tokens }) = &generation.budget else {
            return Budget::default();
        };
        let seconds =
            duration.as_ref().and_then(|it| self.keep("spec.generation.budget.duration", it.seconds()));
        let seconds = seconds.map(|it| i64::try_from(it).expect("a duration is at most 366 days"));
        Budget {
            gpu_seconds: gpu_seconds.map(u64::from),
            duration: seconds.map(SignedDuration::from_secs),
            tokens: tokens.map(u64::from),
        }
    }

    fn read_embedder(&mut self, generation: &api::Generation) -> Option<String> {
        let embedder = generation.embedder.as_ref()?;
        if let Some(percent) = &embedder.threshold {
            self.keep("spec.generation.embedder.threshold", threshold(percent));
        }
        Some(embedder.model.clone())
    }
}

/// A threshold is the worker's matter, and looked at here so that no worker is started in vain.
fn threshold(percent: &Percent) -> Result<MeaningThreshold, String> {
    let parts = percent.parts_per_million().map_err(|error| error.to_string())?;
    let outside = |_| format!("{:?} parts nothing: write one from 50% to 99.9%, such as 92%", percent.0);
    MeaningThreshold::new(f64::from(parts) / 1e6).map_err(outside)
}

/// An owner that does not hold up its own deletion: that would need rights on finalizers of campaigns.
fn unblocking(owner: OwnerReference) -> OwnerReference {
    OwnerReference { block_owner_deletion: None, ..owner }
}

/// The Job that writes, by the name under which writing began: a brand's ConfigMap may change afterwards, and what was
/// begun is not begun again.
fn job(object: &AdCampaign, brand: Option<&BTreeMap<String, String>>) -> String {
    let begun = object.status.as_ref().and_then(|status| status.generation.as_ref());
    begun.map_or_else(
        || api::name::generation_job(&object.name_any(), &inputs(object, brand)),
        |generation| generation.job.clone(),
    )
}

/// All that decides what is written, and nothing else: shares, windows and rounds do not, and neither does how many pods
/// share the work.
fn inputs(object: &AdCampaign, brand: Option<&BTreeMap<String, String>>) -> String {
    let spec = &object.spec;
    let placements: Vec<_> = spec
        .placements
        .iter()
        .map(|placement| {
            (
                &placement.name,
                &placement.format,
                placement.variants,
                &placement.control,
                &placement.challengers,
            )
        })
        .collect();
    let generation = spec.generation.as_ref().map(|it| json!({ "model": it.model, "seed": it.seed }));
    let mut inputs = vec![json!([object.uid(), spec.brief, spec.rules, generation, placements])];
    // What a campaign leaves out is no input, so that the name of its Job is the one that it has always been.
    inputs.extend(spec.variables.as_ref().map(|variables| json!(variables)));
    inputs.extend(brand.map(|brand| json!(brand)));
    inputs.extend(spec.generation.as_ref().and_then(|it| it.embedder.as_ref()).map(|it| json!(it)));
    // A name is made of them: fields in their alphabetical order, whether or not this build keeps the one of the code.
    inputs.iter_mut().for_each(Value::sort_all_objects);
    inputs.iter().map(ToString::to_string).collect()
}
