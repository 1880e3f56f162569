//! `Campaign` → `Seen`: all that a pass knows of the world, read at its start.

use std::collections::BTreeMap;

use api::wire::totals::TotalsResponse;
use api::{AdCampaign, AdModel, AdReview, AdTable, AdVariant, Approval};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{ListParams, ObjectMeta};
use kube::{Api, Client, ResourceExt};

use crate::campaign::{Campaign, has_begun};
use crate::error::{Error, Step};
use crate::ledger::Ledger;
use crate::objects::evidence::KEY;

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
    /// What people said of variants, by campaigns of this name.
    pub reviews: Vec<AdReview>,
    /// Whether somebody sees to it that reviews are written by whom they name.
    pub review_policy: ReviewPolicy,
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
pub async fn brand(client: &Client, object: &AdCampaign) -> Result<Option<ConfigMap>, Error> {
    let Some(name) = object.spec.brand() else { return Ok(None) };
    let namespace = object.namespace().unwrap_or_else(|| "default".to_owned());
    let configs: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    configs.get_opt(name).await.step("reading the brand's ConfigMap")
}

/// How long after its making all campaigns are there that were made in the same second.
const SETTLED: SignedDuration = SignedDuration::from_secs(2);

/// Reads the campaigns with which this one may share people; nothing where it is of no group, or has begun, as then nobody
/// takes its people away.
///
/// # Errors
/// When the API server refuses or does not answer.
pub async fn neighbours(
    client: &Client,
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
    let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), &campaign.namespace);
    Ok(campaigns.list(&ListParams::default()).await.step("listing campaigns")?.items)
}

/// Reads what people said of a campaign that can't be carried out, and what is served of it.
///
/// # Errors
/// When the API server refuses or does not answer.
pub async fn observe_reviews(
    client: &Client,
    review_policy: Option<&str>,
    object: &AdCampaign,
) -> Result<Seen, Error> {
    let namespace = object.namespace().unwrap_or_else(|| "default".to_owned());
    let mut seen = Seen {
        table: table(client, &namespace, &object.uid().unwrap_or_default()).await?,
        ..Seen::default()
    };
    if seen.table.is_some() {
        seen.reviews = reviews(client, &namespace, &object.name_any()).await?;
    }
    if !seen.reviews.is_empty() {
        seen.review_policy = policy(client, review_policy).await.step("reading the policy of reviews")?;
    }
    Ok(seen)
}

/// Reads what a pass needs; `review_policy` is the name of the policy that reviews are held to.
///
/// # Errors
/// When the API server refuses or does not answer. A ledger that does not is part of what is seen.
pub async fn observe(
    client: &Client,
    ledger: &Ledger,
    review_policy: Option<&str>,
    object: &AdCampaign,
    campaign: &Campaign,
) -> Result<Seen, Error> {
    let namespace = campaign.namespace.as_str();
    let table = table(client, namespace, &campaign.uid).await?;
    let mut seen = Seen::default();
    if let Some(generation) = &campaign.generation {
        let models: Api<AdModel> = Api::namespaced(client.clone(), namespace);
        let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
        seen.model = models.get_opt(&generation.model).await.step("reading the model")?;
        if let Some(embedder) = &generation.embedder {
            seen.embedder = models.get_opt(embedder).await.step("reading the embedder")?;
        }
        seen.job = jobs.get_opt(&generation.job).await.step("reading the Job")?;
        seen.pods = pods(client, namespace, &generation.job).await?;
    }
    // After the Job: what a finished Job has made is then among them.
    seen.variants = variants(client, campaign).await?;
    seen.reviews = reviews(client, namespace, &campaign.name).await?;
    if campaign.approval != Approval::Automatic || !seen.reviews.is_empty() {
        seen.review_policy = policy(client, review_policy).await.step("reading the policy of reviews")?;
    }
    seen.evidence = evidence(client, object, campaign).await.step("reading the evidence of verdicts")?;
    let is_new = |review: &AdReview| review.status.as_ref().is_none_or(|status| status.state.is_none());
    if seen.reviews.iter().any(is_new) {
        // A recall does not wait for a ledger that hangs.
        seen.totals = Totals::Deferred;
    } else if table.is_some() {
        seen.totals = match ledger.totals(&campaign.uid).await {
            Ok(totals) => Totals::Known(totals),
            Err(error) => Totals::Unreachable(error.into()),
        };
    }
    Ok(Seen { table, ..seen })
}

async fn variants(client: &Client, campaign: &Campaign) -> Result<Vec<AdVariant>, Error> {
    let variants: Api<AdVariant> = Api::namespaced(client.clone(), &campaign.namespace);
    let of_campaign = ListParams::default().fields(&format!("spec.campaign={}", campaign.name));
    let mut variants = variants.list(&of_campaign).await.step("listing variants")?.items;
    variants.retain(|variant| variant.owner_references().iter().any(|owner| owner.uid == campaign.uid));
    variants.sort_by_key(ResourceExt::name_any);
    Ok(variants)
}

async fn table(client: &Client, namespace: &str, uid: &str) -> Result<Option<AdTable>, Error> {
    let tables: Api<AdTable> = Api::namespaced(client.clone(), namespace);
    tables.get_opt(uid).await.step("reading the table")
}

async fn reviews(client: &Client, namespace: &str, campaign: &str) -> Result<Vec<AdReview>, Error> {
    let reviews: Api<AdReview> = Api::namespaced(client.clone(), namespace);
    let of_campaign = ListParams::default().fields(&format!("spec.campaign.name={campaign}"));
    Ok(reviews.list(&of_campaign).await.step("listing reviews")?.items)
}

/// The policy and its binding, which have the same name.
async fn policy(client: &Client, name: Option<&str>) -> Result<ReviewPolicy, kube::Error> {
    let Some(name) = name else { return Ok(ReviewPolicy::Missing) };
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let (policy, binding) = (policies.get_opt(name).await?, bindings.get_opt(name).await?);
    Ok(policy.zip(binding).map_or(ReviewPolicy::Missing, |(policy, binding)| in_force(&policy, &binding)))
}

/// Whether both hold every review of the cluster to the policy. What its rules say is the cluster administrators' word.
fn in_force(policy: &ValidatingAdmissionPolicy, binding: &ValidatingAdmissionPolicyBinding) -> ReviewPolicy {
    let (held, bound) = (policy.spec.clone().unwrap_or_default(), binding.spec.clone().unwrap_or_default());
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
        (true, Some(policy), Some(binding)) => ReviewPolicy::Since(policy.max(binding)),
        _ => ReviewPolicy::Missing,
    }
}

/// From where it was written first, or from where it was handed on: one of both may have been deleted or changed.
async fn evidence(
    client: &Client,
    object: &AdCampaign,
    campaign: &Campaign,
) -> Result<BTreeMap<String, String>, kube::Error> {
    let configs: Api<ConfigMap> = Api::namespaced(client.clone(), &campaign.namespace);
    let placements = object.status.iter().flat_map(|status| &status.placements);
    let verdicts = placements.filter_map(|it| Some((&it.name, it.verdict.as_ref()?.evidence.as_ref()?)));
    let mut records = BTreeMap::new();
    for (placement, digest) in verdicts {
        for (config, key) in [
            (api::name::evidence_config(&campaign.name, digest), KEY.to_owned()),
            (api::name::winner_config(&campaign.name), format!("{placement}.{KEY}")),
        ] {
            let data = configs.get_opt(&config).await?.and_then(|config| config.data).unwrap_or_default();
            let record = data.get(&key).filter(|record| api::name::text_digest(record) == *digest);
            if let Some(record) = record {
                records.insert(placement.clone(), record.clone());
                break;
            }
        }
    }
    Ok(records)
}

async fn pods(client: &Client, namespace: &str, job: &str) -> Result<Vec<Pod>, Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let of_job = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
    Ok(pods.list(&of_job).await.step("listing the worker's pods")?.items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(what: &str, change: impl Fn(&mut Value, &mut Value), expected: ReviewPolicy) {
        let made = |at: &str| json!({ "name": "reviews", "creationTimestamp": at });
        let mut policy = json!({ "metadata": made("2026-03-01T12:00:00Z"), "spec": {
            "failurePolicy": "Fail", "validations": [{ "expression": "true" }],
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
