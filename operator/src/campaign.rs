//! `AdCampaign` → `Campaign`: everything that the API server can't see is checked here, once. What comes out is never
//! checked again.

use std::fmt;

use api::{AdCampaign, OnUndecided, Slots};
use experiment::{PartsPerMillion, Policy, PolicyError, Stopping, StoppingError};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use rules::{BrandRules, Delivery, Format};

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
    /// The brand's words.
    pub brand: BrandRules,
    /// How variants are written by a model.
    pub generation: Option<Generation>,
    /// The groups of people; one called `all` where the spec names none.
    pub segments: Vec<String>,
    /// The experiments.
    pub placements: Vec<Placement>,
    /// Whether people stopped it.
    pub activity: Activity,
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
    /// The `AdModel`.
    pub model: String,
    /// Variants over all placements.
    pub asked: u32,
    /// All that decides what is written, as one text. Its digest names the Job.
    pub inputs: String,
}

/// One experiment.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Its name.
    pub name: String,
    /// Its channel format.
    pub format: &'static Format,
    /// What everything is compared with.
    pub control: Copy,
    /// More copy by people.
    pub challengers: Vec<Copy>,
    /// How many variants the worker writes.
    pub asked: u32,
    /// What the ledger counts.
    pub metric: api::TableMetric,
    /// How shares are made, by the number of arms.
    pub policy: Policy,
    /// When a round may close.
    pub round: Round,
    /// When the experiment ends by its numbers.
    pub stopping: Stopping,
    /// When it ends by the clock.
    pub maximum_duration: SignedDuration,
    /// What is served when it ends without a winner.
    pub on_undecided: OnUndecided,
}

/// A piece of copy under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The variant's name, made from the content.
    pub name: String,
    /// The texts.
    pub slots: Slots,
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

    fn try_from(object: &AdCampaign) -> Result<Self, InvalidSpec> {
        let mut faults = Faults::default();
        let campaign = faults.read_campaign(object);
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

    fn read_campaign(&mut self, object: &AdCampaign) -> Option<Campaign> {
        let spec = &object.spec;
        let words = spec.rules.clone().unwrap_or_default();
        let brand = self.keep("spec.rules", BrandRules::new(&words.forbidden, &words.required))?;
        let name = object.name_any();
        let placements: Vec<Placement> = spec
            .placements
            .iter()
            .enumerate()
            .filter_map(|(index, placement)| {
                let reader = Reader { path: format!("spec.placements[{index}]"), campaign: &name, placement };
                reader.read(self, &brand)
            })
            .collect();
        let generation = self.read_generation(object);
        let owner = object.controller_owner_ref(&());
        if owner.is_none() {
            self.add("metadata.uid", "is missing: only an object of the API server can be carried out");
        }
        Some(Campaign {
            namespace: object.namespace().unwrap_or_else(|| "default".to_owned()),
            uid: object.uid().unwrap_or_default(),
            owner: unblocking(owner?),
            brand,
            generation,
            segments: read_segments(object),
            placements,
            activity: if spec.suspend { Activity::Suspended } else { Activity::Active },
            name,
        })
    }

    fn read_generation(&mut self, object: &AdCampaign) -> Option<Generation> {
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
                Some(Generation { model: generation.model.clone(), asked, inputs: inputs(object) })
            }
            _ => None,
        }
    }
}

/// An owner that does not hold up its own deletion: that would need rights on finalizers of campaigns.
fn unblocking(owner: OwnerReference) -> OwnerReference {
    OwnerReference { block_owner_deletion: None, ..owner }
}

fn read_segments(object: &AdCampaign) -> Vec<String> {
    match &object.spec.segments {
        Some(segments) => segments.iter().map(|segment| segment.0.clone()).collect(),
        None => vec![api::name::EVERYBODY.to_owned()],
    }
}

/// All that decides what is written, and nothing else: shares, windows and rounds do not.
fn inputs(object: &AdCampaign) -> String {
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
    serde_json::json!([object.uid(), spec.brief, spec.rules, spec.generation, placements]).to_string()
}

/// Reads one placement.
struct Reader<'a> {
    path: String,
    campaign: &'a str,
    placement: &'a api::Placement,
}

impl Reader<'_> {
    fn read(&self, faults: &mut Faults, brand: &BrandRules) -> Option<Placement> {
        let format = self.format(faults);
        let metric = self.metric(faults);
        let policy = self.policy(faults);
        let round = self.round(faults);
        let stopping = self.stopping(faults);
        let maximum_duration = self.maximum_duration(faults);
        self.something_to_test(faults);
        let format = format?;
        let (control, challengers) = self.people(faults, format, brand);
        Some(Placement {
            name: self.placement.name.clone(),
            format,
            control,
            challengers,
            asked: self.placement.variants,
            metric: metric?,
            policy: policy?,
            round: round?,
            stopping: stopping?,
            maximum_duration: maximum_duration?,
            on_undecided: self.placement.stopping.on_undecided,
        })
    }

    fn at(&self, field: &str) -> String {
        format!("{}.{field}", self.path)
    }

    fn format(&self, faults: &mut Faults) -> Option<&'static Format> {
        let name = &self.placement.format;
        let Some(format) = rules::format(name) else {
            let known: Vec<&str> = rules::formats().map(Format::name).collect();
            faults.add(self.at("format"), format!("{name} is not known: use one of {}", known.join(", ")));
            return None;
        };
        if !format.allows(Delivery::Gateway) {
            faults.add(
                self.at("delivery"),
                format!("{name} can't be delivered by the gateway: use another format"),
            );
        }
        Some(format)
    }

    fn metric(&self, faults: &mut Faults) -> Option<api::TableMetric> {
        let metric = &self.placement.metric;
        let seconds = faults.keep(self.at("metric.window"), metric.window.seconds())?;
        let window_seconds = u32::try_from(seconds).expect("a duration is at most 366 days");
        Some(api::TableMetric { name: metric.name.clone(), kind: metric.kind, window_seconds })
    }

    fn policy(&self, faults: &mut Faults) -> Option<Policy> {
        let policy = &self.placement.policy;
        let floor = self.share(faults, "policy.floor", &policy.floor)?;
        let control_share = self.share(faults, "policy.controlShare", &policy.control_share)?;
        match Policy::new(self.arms(), floor, control_share, policy.minimum_per_variant.into()) {
            Ok(policy) => Some(policy),
            Err(problem @ (PolicyError::NoControl | PolicyError::NoVariants { .. })) => {
                faults.add(self.at("policy.controlShare"), format!("{problem}; write 20%, for example"));
                None
            }
            Err(problem @ PolicyError::Floor { .. }) => {
                let remedy = "lower policy.floor or policy.controlShare, or test fewer variants";
                faults.add(self.at("policy"), format!("{problem}: {remedy}"));
                None
            }
        }
    }

    /// The control, people's challengers, and as many generated variants as are asked for.
    fn arms(&self) -> usize {
        let challengers = self.placement.challengers.as_ref().map_or(0, Vec::len);
        1 + challengers + usize::try_from(self.placement.variants).unwrap_or(usize::MAX)
    }

    fn share(&self, faults: &mut Faults, field: &str, percent: &api::Percent) -> Option<PartsPerMillion> {
        let parts = faults.keep(self.at(field), percent.parts_per_million())?;
        let share = PartsPerMillion::new(parts);
        if share.is_none() {
            faults.add(self.at(field), format!("{} is above 100%: a share is at most 100%", percent.0));
        }
        share
    }

    fn round(&self, faults: &mut Faults) -> Option<Round> {
        let round = &self.placement.round;
        let minimum = self.duration(faults, "round.minimum", &round.minimum);
        let growth = faults.keep(self.at("round.growth"), round.growth.parts_per_million());
        if growth == Some(0) {
            faults.add(self.at("round.growth"), "is 0%: rounds would never grow apart; write at least 1%");
        }
        Some(Round { minimum: minimum?, growth: growth? })
    }

    fn stopping(&self, faults: &mut Faults) -> Option<Stopping> {
        let stopping = &self.placement.stopping;
        let confidence = self.share(faults, "stopping.confidence", &stopping.confidence)?;
        let maximum_loss = self.share(faults, "stopping.maximumLoss", &stopping.maximum_loss)?;
        let (field, problem) = match Stopping::new(confidence.fraction(), maximum_loss.fraction(), 1) {
            Ok(stopping) => return Some(stopping),
            Err(StoppingError::Confidence(_)) => (
                "confidence",
                format!("{} can't be promised: write at least 50% and less than 100%", stopping.confidence.0),
            ),
            Err(StoppingError::MaximumLoss(_)) => {
                ("maximumLoss", format!("{} is never reached: write more than 0%", stopping.maximum_loss.0))
            }
            Err(StoppingError::Generation) => {
                unreachable!("variants of a campaign are of its first generation")
            }
        };
        faults.add(format!("{}.{field}", self.at("stopping")), problem);
        None
    }

    fn maximum_duration(&self, faults: &mut Faults) -> Option<SignedDuration> {
        let duration = &self.placement.stopping.maximum_duration;
        let maximum = self.duration(faults, "stopping.maximumDuration", duration)?;
        if let Ok(window) = self.placement.metric.window.seconds()
            && maximum.as_secs().unsigned_abs() <= window
        {
            let problem = format!(
                "{} ends before the first exposure's window of {} has passed: make it longer",
                duration.0, self.placement.metric.window.0
            );
            faults.add(self.at("stopping.maximumDuration"), problem);
        }
        Some(maximum)
    }

    fn duration(&self, faults: &mut Faults, field: &str, duration: &api::Duration) -> Option<SignedDuration> {
        let seconds = faults.keep(self.at(field), duration.seconds())?;
        Some(SignedDuration::from_secs(i64::try_from(seconds).expect("a duration is at most 366 days")))
    }

    fn something_to_test(&self, faults: &mut Faults) {
        if self.arms() == 1 {
            faults.add(
                self.path.as_str(),
                "has only a control: add challengers, or ask for variants and name a model in spec.generation",
            );
        }
    }

    fn people(&self, faults: &mut Faults, format: &Format, brand: &BrandRules) -> (Copy, Vec<Copy>) {
        let control = self.copy(&self.placement.control);
        self.check(faults, "control", format, brand, &control);
        let mut challengers: Vec<Copy> = Vec::new();
        for (index, slots) in self.placement.challengers.iter().flatten().enumerate() {
            let field = format!("challengers[{index}]");
            let copy = self.copy(slots);
            self.check(faults, &field, format, brand, &copy);
            if copy == control || challengers.contains(&copy) {
                faults.add(self.at(&field), "is the same copy as another one: change its text or remove it");
            }
            challengers.push(copy);
        }
        (control, challengers)
    }

    fn copy(&self, slots: &Slots) -> Copy {
        let name = api::name::variant(self.campaign, &self.placement.name, slots);
        Copy { name, slots: slots.clone() }
    }

    fn check(&self, faults: &mut Faults, field: &str, format: &Format, brand: &BrandRules, copy: &Copy) {
        for violation in rules::check(format, brand, &copy.slots) {
            if violation.is_hard() {
                faults.add(self.at(field), violation);
            }
        }
    }
}
