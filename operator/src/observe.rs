//! `Campaign` → `Seen`: all that a pass knows of the world, read at its start.

use std::collections::BTreeMap;

use api::wire::totals::TotalsResponse;
use api::{AdCampaign, AdModel, AdReview, AdTable, AdVariant, Approval, GenerationOutcome};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::events::v1::Event;
use kube::api::ObjectMeta;
use kube::{Api, Client, ResourceExt};

use crate::campaign::{Campaign, has_begun};
use crate::error::Error;
use crate::ledger::Ledger;
use crate::objects::evidence::KEY;
use crate::plan::{Ending, ending, unexplained};
use crate::world::{Age, World};

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
    /// Of what a Job without a pod, or a pod without its volumes, was warned.
    pub warnings: Vec<Event>,
    /// What people said of variants, by campaigns of this name.
    pub reviews: Vec<AdReview>,
    /// Whether somebody sees to it that reviews are written by whom they name.
    pub review_policy: ReviewPolicy,
    /// What is handed on, once every placement has ended.
    pub winner: Option<ConfigMap>,
    /// The records of stored verdicts, by placement, where they are what they were.
    pub evidence: BTreeMap<String, String>,
    /// The ledger's sums.
    pub totals: Totals,
}

/// The admission policy that lets nobody write a review in another's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReviewPolicy {
    /// It is not there, or was not looked for since there was nothing that it could be asked of.
    #[default]
    Missing,
    /// It and its binding are there, the later of both since then.
    Since(Timestamp),
    /// The same of a chart of before: it does not ask who may write for others.
    OwnWordsSince(Timestamp),
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
) -> Result<BTreeMap<String, String>, Error> {
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
fn record(config: Option<&ConfigMap>, key: &str, digest: &str) -> Option<String> {
    let record = config?.data.as_ref()?.get(key)?;
    (api::name::text_digest(record) == digest).then(|| record.clone())
}

impl ReviewPolicy {
    /// Reads the policy and its binding, which have the same name.
    pub(crate) async fn read(client: &Client, name: &str) -> Result<Self, kube::Error> {
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
        let (policy, binding) = (policies.get_opt(name).await?, bindings.get_opt(name).await?);
        Ok(policy.zip(binding).map_or(Self::Missing, |(policy, binding)| in_force(&policy, &binding)))
    }
}

/// Whether both hold every review of the cluster to the policy. What its rules say is the cluster administrators' word.
fn in_force(policy: &ValidatingAdmissionPolicy, binding: &ValidatingAdmissionPolicyBinding) -> ReviewPolicy {
    let (held, bound) = (policy.spec.clone().unwrap_or_default(), binding.spec.clone().unwrap_or_default());
    // Policies of before people could be represented let everybody be.
    let asks_for_represented =
        held.validations.iter().flatten().any(|rule| rule.expression.contains("check('represent')"));
    let denies = held.failure_policy.as_deref() == Some("Fail")
        && held.match_conditions.is_none()
        && held.validations.is_some_and(|rules| !rules.is_empty());
    let everywhere = bound.policy_name == policy.metadata.name
        && bound.match_resources.is_none()
        && bound.param_ref.is_none()
        && bound.validation_actions.is_some_and(|actions| actions.iter().any(|action| action == "Deny"));
    let since = |metadata: &ObjectMeta| {
        metadata.creation_timestamp.as_ref().filter(|_| metadata.deletion_timestamp.is_none()).map(|at| at.0)
    };
    match (denies && everywhere, since(&policy.metadata), since(&binding.metadata)) {
        (true, Some(policy), Some(binding)) if asks_for_represented => {
            ReviewPolicy::Since(policy.max(binding))
        }
        (true, Some(policy), Some(binding)) => ReviewPolicy::OwnWordsSince(policy.max(binding)),
        _ => ReviewPolicy::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(what: &str, change: impl Fn(&mut Value, &mut Value), expected: ReviewPolicy) {
        let made = |at: &str| json!({ "name": "reviews", "creationTimestamp": at });
        let mut policy = json!({ "metadata": made("2026-03-01T12:00:00Z"), "spec": {
            "failurePolicy": "Fail", "validations": [{ "expression": "authorizer.check('represent').allowed()" }],
        }});
        let mut binding = json!({ "metadata": made("2026-03-01T12:00:05Z"), "spec": {
            "policyName": "reviews", "validationActions": ["Deny"],
        }});
        change(&mut policy, &mut binding);
        let policy = serde_json::from_value(policy).expect("a policy");
        let binding = serde_json::from_value(binding).expect("a binding");
        assert_eq!(in_force(&policy, &binding), expected, "{what}");
    }

    #[test]
    fn reviews_are_checked_where_policy_and_binding_deny_everywhere() {
        let since = |at: &str| ReviewPolicy::Since(at.parse().expect("a moment"));
        let missing = ReviewPolicy::Missing;
        check("as the chart has them", |_, _| {}, since("2026-03-01T12:00:05Z"));
        let later = |policy: &mut Value, _: &mut Value| {
            policy["metadata"]["creationTimestamp"] = "2026-03-01T13:00:00Z".into();
        };
        check("a policy that was made anew", later, since("2026-03-01T13:00:00Z"));
        check("one that ignores", |policy, _| policy["spec"]["failurePolicy"] = "Ignore".into(), missing);
        let own = |policy: &mut Value, _: &mut Value| {
            policy["spec"]["validations"][0]["expression"] = "true".into();
        };
        let at = "2026-03-01T12:00:05Z".parse().expect("a moment");
        check("one of before people could be represented", own, ReviewPolicy::OwnWordsSince(at));
        check("one without rules", |policy, _| policy["spec"]["validations"] = json!([]), missing);
        let some = json!([{ "name": "some", "expression": "false" }]);
        check("one for some", |policy, _| policy["spec"]["matchConditions"] = some.clone(), missing);
        check(
            "one that goes",
            |policy, _| {
                policy["metadata"]["deletionTimestamp"] = "2026-03-01T13:00:00Z".into();
            },
            missing,
        );
        check("of another policy", |_, binding| binding["spec"]["policyName"] = "other".into(), missing);
        check(
            "one that tells alone",
            |_, binding| {
                binding["spec"]["validationActions"] = json!(["Audit"]);
            },
            missing,
        );
        let one = json!({ "namespaceSelector": { "matchLabels": { "a": "b" } } });
        check("of some namespaces", |_, binding| binding["spec"]["matchResources"] = one.clone(), missing);
    }
}
