//! `AdCampaign`: the brief, the placements, the rules. Written by people, never by us.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AdCampaignStatus, Amount, Duration, Exclusion, Holdout, LandingPage, Percent, Slots, schema};

/// What a marketer wants said, where, and how it is tested.
///
/// Once writing, review or testing has begun only `suspend` and `schedule` may change, and `suspend` alone once it is decided: a
/// new test has a new name.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "broadside.dev",
    version = "v1alpha1",
    kind = "AdCampaign",
    plural = "adcampaigns",
    shortname = "adc",
    category = "broadside",
    namespaced,
    status = "AdCampaignStatus",
    derive = "PartialEq",
    doc = "A campaign: the brief, the placements and the rules by which its copy is written, tested and decided.",
    validation = Rule::new("self.metadata.name.size() <= 36 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must be at most 36 small letters, digits and hyphens, and begin with a letter: the names of variants and Jobs are made from it")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("!(has(oldSelf.status) && (has(oldSelf.status.generation) || (has(oldSelf.status.placements) && (oldSelf.spec.approval != 'Automatic' || oldSelf.status.placements.exists(placement, placement.variants.size() > 1))))) || (self.spec.brief == oldSelf.spec.brief && self.spec.placements == oldSelf.spec.placements && self.spec.approval == oldSelf.spec.approval && has(self.spec.rules) == has(oldSelf.spec.rules) && (!has(self.spec.rules) || self.spec.rules == oldSelf.spec.rules) && has(self.spec.generation) == has(oldSelf.spec.generation) && (!has(self.spec.generation) || self.spec.generation == oldSelf.spec.generation) && has(self.spec.segments) == has(oldSelf.spec.segments) && (!has(self.spec.segments) || self.spec.segments == oldSelf.spec.segments) && has(self.spec.exclusion) == has(oldSelf.spec.exclusion) && (!has(self.spec.exclusion) || self.spec.exclusion == oldSelf.spec.exclusion) && has(self.spec.holdout) == has(oldSelf.spec.holdout) && (!has(self.spec.holdout) || self.spec.holdout == oldSelf.spec.holdout) && has(self.spec.variables) == has(oldSelf.spec.variables) && (!has(self.spec.variables) || self.spec.variables == oldSelf.spec.variables))")
        .message("writing, review or testing has begun: of spec only suspend and schedule may change now. Apply the new test under a new name")
        .reason(Reason::FieldValueForbidden)
        .field_path(".spec"),
    validation = Rule::new("!(has(oldSelf.status) && has(oldSelf.status.conditions) && oldSelf.status.conditions.exists(condition, condition.type == 'Decided' && condition.status == 'True')) || (has(self.spec.schedule) == has(oldSelf.spec.schedule) && (!has(self.spec.schedule) || self.spec.schedule == oldSelf.spec.schedule))")
        .message("the campaign is decided and does not reopen: leave schedule as it is, and apply the new test under a new name")
        .reason(Reason::FieldValueForbidden)
        .field_path(".spec.schedule"),
    validation = Rule::new("self.spec.dryRun == oldSelf.spec.dryRun")
        .message("a dry run stays one, and a launch never becomes one: apply the other under a new name")
        .reason(Reason::FieldValueForbidden)
        .field_path(".spec.dryRun"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase", description = "Where the campaign stands"),
    printcolumn(name = "Leader", type_ = "string", json_path = ".status.summary.leader", description = "The variant that leads"),
    printcolumn(name = "Lift", type_ = "string", json_path = ".status.summary.lift", description = "The leader's lift over the control, as an interval that holds at every look"),
    printcolumn(name = "P(best)", type_ = "string", json_path = ".status.summary.probabilityBest", description = "How probable it is that the leader is the best"),
    printcolumn(name = "Samples", type_ = "integer", json_path = ".status.summary.samples", description = "Exposures whose window has passed"),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.summary.verdict", description = "What the numbers allow one to say"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.summary.reason", description = "Why the campaign stands where it stands", priority = 1),
    printcolumn(name = "Cost", type_ = "string", json_path = ".status.generation.cost", description = "What the GPU time of writing cost, where the model has a price", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AdCampaignSpec {
    /// What the copy is about. The worker writes from this and from nothing else.
    pub brief: Brief,

    /// Words that are forbidden or demanded, and the brand that has more of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<CampaignRules>,

    /// What is filled in for each reader. Copy refers to one as `{first_name}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(min = 1, max = 8))]
    pub variables: Option<Vec<Variable>>,

    /// How variants are written by a model. Without it only people's copy is tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,

    /// The spots that show copy. Each is an experiment of its own.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(min = 1, max = 4))]
    pub placements: Vec<Placement>,

    /// Groups of people that a decision may name. Without any, everybody is one group called `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 8))]
    pub segments: Option<Vec<Segment>>,

    /// Shares the people with other campaigns of a group, so that nobody takes part in two of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusion: Option<Exclusion>,

    /// Keeps some people out, here and in every campaign that names the same group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<Holdout>,

    /// Who must agree before copy is served, by `AdReview`.
    #[serde(default)]
    pub approval: Approval,

    /// When its experiments begin, and when they end at the latest. Without it they begin as soon as the copy is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,

    /// Draws and counts as ever, and shows everybody the control: to try the wiring before a launch. Nothing of it is handed on.
    #[serde(default)]
    pub dry_run: bool,

    /// Stops generation and serves the control alone until it is false again. Nothing is lost.
    #[serde(default)]
    pub suspend: bool,
}

/// What the copy is about.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Brief {
    /// The product's name as it must appear.
    #[schemars(length(min = 1, max = 80))]
    pub product: String,
    /// Whom the copy speaks to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub audience: Option<String>,
    /// What is offered, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// True statements that copy may use; nothing else may be claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 200)))]
    pub facts: Option<Vec<String>>,
    /// How the brand sounds, in words such as `warm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 32)))]
    pub tone: Option<Vec<String>>,
    /// What the reader should do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    pub call_to_action: Option<String>,
    /// Where a click leads, by the gateway's redirect too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landing_page: Option<LandingPage>,
    /// The language of the copy, as a tag such as `en`.
    #[serde(default = "english")]
    #[schemars(length(min = 2, max = 35), regex(pattern = r"^[a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,8})*$"))]
    pub language: String,
}

fn english() -> String {
    "en".to_owned()
}

/// What is offered.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// The offer in words, such as `free returns for 60 days`.
    #[schemars(length(min = 1, max = 120))]
    pub text: String,
    /// The moment from which nobody may be promised it. Experiments end then, the control is served alone, and what was handed
    /// on is the control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Time>,
}

/// The days of a campaign.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.startsAt) || !has(self.endsAt) || self.startsAt < self.endsAt")
        .message("endsAt must be later than startsAt")
        .reason(Reason::FieldValueInvalid)
        .field_path(".endsAt")
)]
pub struct Schedule {
    /// Until then the control is served alone; variants are written and reviewed meanwhile. An experiment that has begun
    /// goes on, whatever is written here later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Time>,
    /// Experiments that have not ended by then end as if their longest time was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
}

/// What copy is held to beside its format. Words are compared without regard to case and width.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CampaignRules {
    /// The ConfigMap of this namespace with the brand's own formats, words and names; `docs/formats.md` has its form.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub brand: Option<String>,
    /// Words and phrases that no slot may hold.
    #[serde(default)]
    #[schemars(length(max = 100), inner(length(min = 1, max = 80)))]
    pub forbidden: Vec<String>,
    /// Words and phrases that each variant must hold somewhere.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(min = 1, max = 80)))]
    pub required: Vec<String>,
}

/// What is filled in for each reader, such as a first name.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// The name by which copy refers to it.
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[a-z][a-z0-9_]*$"))]
    pub name: String,
    /// What its longest value counts, in the units of the format. Limits hold for it; a longer value gives way to the
    /// fallback.
    #[schemars(range(min = 1, max = 100))]
    pub maximum_length: u32,
    /// What is shown where no value is known.
    #[schemars(length(min = 1, max = 100))]
    pub fallback: String,
}

/// How variants are written by a model.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generation {
    /// The `AdModel` of this namespace that writes.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub model: String,
    /// The same seed, brief and model give the same copy.
    #[serde(default)]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub seed: i64,
    /// Pods that write at the same time, each for its share of the placements; more than there are placements are not
    /// started. What is written does not depend on it.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 32))]
    pub parallelism: u32,
    /// What writing may take at most. What is written by then is tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Tells which drafts say the same in other words. Without it drafts are compared by their letters alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedder: Option<Embedder>,
}

/// What writing may take at most; whatever of it is reached first stops the Job.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.gpuSeconds) || has(self.duration) || has(self.tokens)")
        .message("a budget bounds something: write gpuSeconds, duration or tokens, or leave it out")
        .reason(Reason::FieldValueInvalid)
)]
pub struct Budget {
    /// Seconds for which pods may hold GPUs, times their number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub gpu_seconds: Option<u32>,
    /// How long the Job may run, those times included in which a pod waits for a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// Tokens that the model may write, those of refused copy and of thinking included. Pods that share the placements
    /// share them by the variants that they write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub tokens: Option<u32>,
}

/// A model that tells what copy means. It bears on which drafts are taken, never on what they hold.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Embedder {
    /// The `AdModel` of this namespace that embeds sentences; its source is any but an endpoint.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub model: String,
    /// The cosine from which two pieces of copy say the same, from `50%` to `99.9%`; `92%`, unless set. Models differ:
    /// `docs/writing.md` tells which wants which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Percent>,
}

fn one() -> u32 {
    1
}

/// One spot in one format, with its own metric: an experiment of its own.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The placement's name; a decision names it.
    #[schemars(length(min = 1, max = 16), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The channel format, such as `WebBanner` or `Email`.
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub format: String,
    /// How the copy reaches people.
    pub delivery: Delivery,
    /// The copy that everything is compared with, written by people.
    #[schemars(schema_with = "schema::slots")]
    pub control: Slots,
    /// More copy written by people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::challengers")]
    pub challengers: Option<Vec<Slots>>,
    /// How many variants the worker writes.
    #[serde(default)]
    #[schemars(range(min = 0, max = 16))]
    pub variants: u32,
    /// What counts as success.
    pub metric: Metric,
    /// How traffic moves to what works.
    #[serde(default)]
    pub policy: Policy,
    /// When the shares may change.
    #[serde(default)]
    pub round: Round,
    /// When the experiment ends.
    #[serde(default)]
    pub stopping: Stopping,
    /// What must not get worse. A variant that is shown to do harm is taken out at once, and comes back only when somebody
    /// approves it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    pub guardrails: Option<Vec<Guardrail>>,
    /// Where `broadside promote` writes what the experiment ended with, in a work tree of Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Promotion>,
}

/// A metric of which more is worse, and how much of it is too much.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guardrail {
    /// What is watched.
    pub metric: WatchedMetric,
    /// The most that a variant may have more of it than the control, from `1%` to `200%`, such as `50%`.
    pub maximum_increase: Percent,
}

/// What is watched for harm: less of it is better.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.cap) || self.kind == 'Value'")
        .message("cap is for the kind Value: what happened or did not counts for one at most")
        .reason(Reason::FieldValueInvalid)
)]
pub struct WatchedMetric {
    /// The name that events carry; not that of the placement's metric.
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// What a reward of this metric looks like.
    pub kind: MetricKind,
    /// For values: the most that one exposure counts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Amount>,
    /// How long after an exposure it still counts.
    pub window: Duration,
}

/// The place of a placement's copy in a repository.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!self.file.split('/').exists(part, part == '..')")
        .message("a file lies below the work tree: leave .. out")
        .reason(Reason::FieldValueInvalid)
        .field_path(".file")
)]
pub struct Promotion {
    /// The file, from the top of the work tree on: YAML, JSON or TOML by its ending.
    #[schemars(
        length(min = 5, max = 200),
        regex(pattern = r"^([A-Za-z0-9._-]+/)*[A-Za-z0-9._-]+\.(yaml|yml|json|toml)$")
    )]
    pub file: String,
    /// The keys that lead to the texts in it, with dots between them, such as `banner.hero`; each slot is a key below.
    #[schemars(length(min = 1, max = 200), regex(pattern = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"))]
    pub at: String,
}

/// How the copy reaches people; exactly one way.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The gateway chooses at each request: a page, an app, a call at send time.
    pub gateway: GatewayDelivery,
}

/// Delivery by the gateway has no settings yet.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GatewayDelivery {}

/// What counts as success.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.cap) || self.kind == 'Value'")
        .message("cap is for the kind Value: what happened or did not counts for one at most")
        .reason(Reason::FieldValueInvalid)
)]
pub struct Metric {
    /// The name that events carry.
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// What a reward of this metric looks like.
    pub kind: MetricKind,
    /// For values: the most that one exposure counts for, such as `500`; what people did in its window is summed first.
    /// Without it one large order can move the whole result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Amount>,
    /// Which way is better.
    #[serde(default)]
    pub direction: Direction,
    /// How long after an exposure a reward still counts. An exposure counts once its window has passed.
    pub window: Duration,
}

/// What a reward looks like.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetricKind {
    /// It happened or it did not.
    Binary,
    /// Any value of 0 or more, such as revenue: rewards carry it.
    Value,
}

/// Which way is better.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// More is better, as of clicks.
    #[default]
    Maximize,
    /// Less is better, as of bounces.
    Minimize,
}

/// How traffic moves to what works.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The bandit.
    #[serde(rename = "type", default)]
    pub kind: PolicyType,
    /// The share that every variant keeps, so that it can still be judged.
    #[serde(default = "floor")]
    pub floor: Percent,
    /// The control's fixed share: without it nobody can say what the lift is.
    #[serde(default = "control_share")]
    pub control_share: Percent,
    /// Matured exposures that each variant gets before shares move.
    #[serde(default = "minimum_per_variant")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub minimum_per_variant: u32,
    /// For times in which the best variant changes: in the shares an exposure counts half as much after so many more of all
    /// variants. No verdict ever looks back. Without it all count alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1_000, max = 1_000_000_000))]
    pub look_back: Option<u32>,
}

/// The bandits.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyType {
    /// A variant's share is the probability that it is the best: loses the fewest rewards.
    #[default]
    Thompson,
    /// Half of the traffic tests the best one's closest rivals: finds the best one soonest.
    TopTwo,
    /// All variants have the same share.
    Even,
}

fn floor() -> Percent {
    Percent("1%".to_owned())
}

fn control_share() -> Percent {
    Percent("20%".to_owned())
}

fn minimum_per_variant() -> u32 {
    100
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            kind: PolicyType::default(),
            floor: floor(),
            control_share: control_share(),
            minimum_per_variant: minimum_per_variant(),
            look_back: None,
        }
    }
}

/// When the shares may change.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Round {
    /// The least time that a round lasts.
    #[serde(default = "round_minimum")]
    pub minimum: Duration,
    /// By how much matured exposures must have grown before the next round.
    #[serde(default = "round_growth")]
    pub growth: Percent,
}

fn round_minimum() -> Duration {
    Duration("10m".to_owned())
}

fn round_growth() -> Percent {
    Percent("30%".to_owned())
}

impl Default for Round {
    fn default() -> Self {
        Self { minimum: round_minimum(), growth: round_growth() }
    }
}

/// When the experiment ends.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stopping {
    /// One minus the chance of naming a winner that is no better than the control, however often one looks.
    #[serde(default = "confidence")]
    pub confidence: Percent,
    /// The loss, relative to the leader's own rate, that one accepts for choosing it too early.
    #[serde(default = "maximum_loss")]
    pub maximum_loss: Percent,
    /// The smallest lift that is worth having. Once every variant is shown to bring less, the experiment ends; without it,
    /// equal variants are tested until the time is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worthwhile_lift: Option<Percent>,
    /// The time after which the experiment ends without a winner.
    #[serde(default = "maximum_duration")]
    pub maximum_duration: Duration,
    /// The matured exposures after which the experiment ends without a winner; a verdict may come before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 1_000_000_000))]
    pub maximum_exposures: Option<u32>,
    /// What is served when it ends without a winner.
    #[serde(default)]
    pub on_undecided: OnUndecided,
}

fn confidence() -> Percent {
    Percent("95%".to_owned())
}

fn maximum_loss() -> Percent {
    Percent("1%".to_owned())
}

fn maximum_duration() -> Duration {
    Duration("28d".to_owned())
}

impl Default for Stopping {
    fn default() -> Self {
        Self {
            confidence: confidence(),
            maximum_loss: maximum_loss(),
            worthwhile_lift: None,
            maximum_duration: maximum_duration(),
            maximum_exposures: None,
            on_undecided: OnUndecided::default(),
        }
    }
}

/// What is served when an experiment ends without a winner.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnUndecided {
    /// The control alone.
    #[default]
    Control,
    /// The variant that leads, beside the control's share.
    Leader,
}

/// A group of people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Segment(
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))] pub String,
);

/// Who must agree before copy is served.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Approval {
    /// What passes the rules is served, until somebody rejects it.
    #[default]
    Automatic,
    /// A variant is served once somebody has approved it, people's challengers too. The control always is.
    Manual,
    /// The same with two people.
    FourEyes,
}

impl AdCampaignSpec {
    /// The ConfigMap with the brand's own formats and words, where the campaign names one.
    pub fn brand(&self) -> Option<&str> {
        self.rules.as_ref()?.brand.as_deref()
    }

    /// The moment from which nobody may be promised the offer, where there is one.
    pub fn offer_ends_at(&self) -> Option<Timestamp> {
        Some(self.brief.offer.as_ref()?.valid_until.as_ref()?.0)
    }
}
