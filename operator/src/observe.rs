//! `Campaign` → `Seen`: all that a pass knows of the world, read at its start.

use std::collections::BTreeMap;

use api::record::StoredRecord;
use api::wire::totals::TotalsResponse;
use api::{AdCampaign, AdModel, AdReview, AdTable, AdVariant, Approval, GenerationOutcome};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;

use crate::campaign::{Campaign, Ending, ending, has_begun};
use crate::error::Error;
use crate::ledger::Ledger;
use crate::objects::evidence::KEY;
use crate::workload::pods;
use crate::workload::warnings::unexplained;
use crate::world::{Age, ReviewPolicy, World};

/// The world as one pass sees it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The campaign's variants, in the order of their names. Those of a deleted namesake are left out.
    pub variants: Vec<AdVariant>,
    /// What is served.
    pub table: Option<AdTable>,
    /// The model that the campaign names to write.
    pub model: Option<AdModel>,
    /// The model that the campaign names to tell what copy means.
    pub embedder: Option<AdModel>,
    /// The generation's Job.
    pub job: Option<Job>,
    /// The Job's pods.
    pub pods: Vec<Pod>,
    /// Pods of it that ended and are gone, as they were last.
    pub departed: Vec<Pod>,
    /// Of what a Job without a pod, or a pod without its volumes, was warned.
    pub warnings: Vec<Event>,
    /// What people said of variants, by campaigns of this name.
    pub reviews: Vec<AdReview>,
    /// Whether somebody sees to it that reviews are written by whom they name.
    pub review_policy: ReviewPolicy,
    /// What is handed on, once every placement has ended.
    pub winner: Option<ConfigMap>,
    /// The records of stored verdicts, by placement, where they are what they were.
    pub evidence: BTreeMap<String, StoredRecord>,
    /// The ledger's sums.
    pub totals: Totals,
}

/// The ledger's sums.
#[derive(Clone, Debug, Default)]
pub enum Totals {
    /// Nothing is served, so there was nothing to ask for.
    #[default]
    NotAsked,
    /// A person's word comes first; the next pass asks.
    Deferred,
    /// Its answer.
    Known(TotalsResponse),
    /// Why it did not answer.
    Unreachable(String),
}

/// Reads the ConfigMap of the brand that a campaign names; nothing where it names none, or there is none of that name.
///
/// # Errors
/// When the API server refuses or does not answer.
pub async fn brand(world: &World, object: &AdCampaign) -> Result<Option<ConfigMap>, Error> {
    match object.spec.brand() {
        Some(name) => world.brand(&namespace(object), name).await,
        None => Ok(None),
    }
}

fn namespace(object: &AdCampaign) -> String {
    object.namespace().unwrap_or_else(|| "default".to_owned())
}

/// How long after its making all campaigns are there that were made in the same second.
const SETTLED: SignedDuration = SignedDuration::from_secs(2);

/// Reads the campaigns with which this one may share people; nothing where it is of no group, or has begun, as then nobody
/// takes its people away.
///
/// # Errors
/// When the API server refuses or does not answer.
pub async fn neighbours(
    world: &World,
    object: &AdCampaign,
    campaign: &Campaign,
    now: Timestamp,
) -> Result<Vec<AdCampaign>, Error> {
    if campaign.exclusion.is_none() || has_begun(object) {
        return Ok(Vec::new());
    }
    // Ages are whole seconds. Once that of its making is over, nobody older can come, and all see the same order.
    let created = object.metadata.creation_timestamp.as_ref().map(|time| time.0);
    if created.is_none_or(|created| now.duration_since(created) < SETTLED) {
        tokio::time::sleep(SETTLED.unsigned_abs()).await;
    }
    world.campaigns(&campaign.namespace).await
}

/// Reads what people said of a campaign that can't be carried out, and what is served of it.
///
/// # Errors
/// When the API server refuses or does not answer.
pub async fn observe_reviews(
    world: &World,
    review_policy: Option<&str>,
    object: &AdCampaign,
) -> Result<Seen, Error> {
    let namespace = namespace(object);
    let table = world.table(&namespace, &object.uid().unwrap_or_default(), table_number(object)).await?;
    let mut seen = Seen { table, ..Seen::default() };
    if seen.table.is_some() {
        seen.reviews = world.reviews(&namespace, &object.name_any()).await?;
    }
    if !seen.reviews.is_empty() {
        seen.review_policy = world.policy(review_policy, age_of_policy(&seen.reviews)).await?;
    }
    Ok(seen)
}

/// Reads what a pass needs; `review_policy` is the name of the policy that reviews are held to.
///
/// # Errors
/// When the API server refuses or does not answer. A ledger that does not is part of what is seen.
pub async fn observe(
    world: &World,
    ledger: &Ledger,
    review_policy: Option<&str>,
    object: &AdCampaign,
    campaign: &Campaign,
) -> Result<Seen, Error> {
    let namespace = campaign.namespace.as_str();
    let table = world.table(namespace, &campaign.uid, table_number(object)).await?;
    let mut seen = Seen { table, ..Seen::default() };
    let mut age = Age::Any;
    if let Some(generation) = &campaign.generation {
        seen.model = world.model(namespace, &generation.model).await?;
        if let Some(embedder) = &generation.embedder {
            seen.embedder = world.model(namespace, embedder).await?;
        }
        seen.job = world.job(namespace, &generation.job).await?;
        if is_written(object) {
            age = Age::Now;
            seen.pods = world.pods(namespace, &generation.job).await?;
            seen.departed = departed(world, object, namespace, &generation.job, &seen.pods);
            if let Some(uid) = seen.job.as_ref().and_then(|job| unexplained(job, &seen.pods)) {
                seen.warnings = world.warnings(namespace, &uid).await?;
            }
        }
    }
    // After the Job: what a finished Job has made is then among them.
    seen.variants = world.variants(namespace, &campaign.name, &campaign.uid, age).await?;
    seen.reviews = world.reviews(namespace, &campaign.name).await?;
    if campaign.approval != Approval::Automatic || !seen.reviews.is_empty() {
        seen.review_policy = world.policy(review_policy, age_of_policy(&seen.reviews)).await?;
    }
    if ending(object, campaign) == Ending::Settled {
        let winner = api::name::winner_config(&campaign.name);
        seen.winner = world.winner(namespace, &winner).await?;
        seen.evidence = evidence(world, object, campaign, seen.winner.as_ref()).await?;
    }
    if seen.reviews.iter().any(is_new) {
        // A recall does not wait for a ledger that hangs.
        seen.totals = Totals::Deferred;
    } else if seen.table.is_some() {
        seen.totals = match ledger.totals(&campaign.uid).await {
            Ok(totals) => Totals::Known(totals),
            Err(error) => Totals::Unreachable(error.into()),
        };
    }
    Ok(seen)
}

/// Pods that ended and went before those that are `there` were asked for, as far as status does not have it yet what they took. What
/// one took that went without an end is not known.
fn departed(world: &World, object: &AdCampaign, namespace: &str, job: &str, there: &[Pod]) -> Vec<Pod> {
    let generation = object.status.as_ref().and_then(|status| status.generation.as_ref());
    let spending = generation.filter(|it| it.job == job).and_then(|it| it.spending.as_ref());
    let taken = |pod: &Pod| spending?.pods.get(&pod.name_any());
    world.forget_departed(namespace, job, |pod| taken(pod).is_some_and(|taken| pods::is_known(pod, taken)));
    let is_there = |pod: &Pod| there.iter().any(|it| it.name_any() == pod.name_any());
    let mut departed = world.departed(namespace, job);
    departed.retain(|pod| pods::has_ended(pod) && !is_there(pod));
    departed
}

/// Whether people or reviewers were shown something of which status does not tell: whoever published it was killed before it was
/// written down, or found the spec changed.
///
/// # Errors
/// When the API server refuses or does not answer.
pub async fn is_shown_untold(world: &World, object: &AdCampaign, campaign: &Campaign) -> Result<bool, Error> {
    let table = world.table(&campaign.namespace, &campaign.uid, table_number(object)).await?;
    let mut rows = table.iter().flat_map(|table| &table.spec.placements);
    Ok(rows.any(|row| campaign.approval != Approval::Automatic || row.variants.len() > 1))
}

fn table_number(object: &AdCampaign) -> Option<i64> {
    object.status.as_ref()?.table_number
}

/// Whether it is not recorded yet how writing went: then what a Job made must be seen before it is said to be all.
fn is_written(object: &AdCampaign) -> bool {
    let generation = object.status.as_ref().and_then(|status| status.generation.as_ref());
    generation.is_none_or(|generation| generation.outcome == GenerationOutcome::Running)
}

fn is_new(review: &AdReview) -> bool {
    review.status.as_ref().is_none_or(|status| status.state.is_none())
}

/// Whether a review counts is looked at once, when it is new, and then the policy must have been there.
fn age_of_policy(reviews: &[AdReview]) -> Age {
    if reviews.iter().any(is_new) { Age::Now } else { Age::Any }
}

/// The records of verdicts: from where they were handed on, or from where they were written first; one of both may have been
/// deleted or changed.
async fn evidence(
    world: &World,
    object: &AdCampaign,
    campaign: &Campaign,
    winner: Option<&ConfigMap>,
) -> Result<BTreeMap<String, StoredRecord>, Error> {
    let placements = object.status.iter().flat_map(|status| &status.placements);
    let verdicts = placements.filter_map(|it| Some((&it.name, it.verdict.as_ref()?.evidence.as_ref()?)));
    let mut records = BTreeMap::new();
    for (placement, digest) in verdicts {
        let record = match record(winner, &format!("{placement}.{KEY}"), digest) {
            Some(record) => Some(record),
            None => {
                let name = api::name::evidence_config(&campaign.name, digest);
                let step = "reading the evidence of a verdict";
                record(world.config(&campaign.namespace, &name, step).await?.as_ref(), KEY, digest)
            }
        };
        records.extend(record.map(|record| (placement.clone(), record)));
    }
    Ok(records)
}

/// The record under a key, where it is what it was.
fn record(config: Option<&ConfigMap>, key: &str, digest: &str) -> Option<StoredRecord> {
    let is_whole =
        |record: &StoredRecord| record.text().is_ok_and(|text| api::name::text_digest(&text) == digest);
    StoredRecord::all(config?, key).find(is_whole)
}
