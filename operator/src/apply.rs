//! `Plan` → the cluster. Carries out; decides nothing.

use api::{AdCampaign, AdCampaignStatus, AdReview, AdTable, AdVariant};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{NamespaceResourceScope, Status};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::campaign::Campaign;
use crate::error::{Error, Step};
use crate::objects;
use crate::objects::job::{NO_MORE_SECONDS, RESUMED, SUSPENDED, SUSPENDED_BY_US};
use crate::plan::{Attempt, Change, Generate, JobChange, NewJob, Plan, Recall, Reviewed};

/// Owns what we say of children.
const CHILDREN: &str = "broadside";
/// Owns what we say of the status of campaigns, variants and reviews.
const STATUS: &str = "broadside-status";

/// What was done: all of it, but what was refused for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Why the API server takes no such Job: a policy or a quota is in the way, and the rest of a campaign goes on without.
    pub job_refused: Option<String>,
}

/// Carries out a plan. Every step may be repeated.
///
/// # Errors
/// When the API server refuses or does not answer. What was done before stays; the next pass goes on.
pub async fn apply(client: &Client, campaign: &Campaign, plan: &Plan) -> Result<Applied, Error> {
    // Only these are objects; the rest of a plan is said, not done.
    let Plan {
        variants,
        generate,
        job_change,
        table,
        table_number: _,
        variant_statuses,
        review_statuses,
        evidence,
        winner,
        generation: _,
        writing: _,
        approved: _,
        awaited: _,
        data: _,
        stalled: _,
        placements: _,
        ended: _,
        starts_at: _,
        notes: _,
        again: _,
    } = plan;
    let namespace = campaign.namespace.as_str();
    // Before what they allow is served: who wrote a review is known now, and the policy may be gone by the next pass.
    say_of_reviews(client, namespace, review_statuses).await?;
    if let Some(table) = table {
        publish(client, namespace, table).await?;
    }
    // After the table too, and before the verdicts that they are of are stored: a verdict without a record could not be reached again.
    for record in evidence {
        put(client, namespace, record).await.step("writing the evidence of a verdict")?;
    }
    // After the table: what keeps an object from being made must keep nothing served that was rejected.
    for variant in variants {
        put(client, namespace, variant).await.step("creating a variant")?;
    }
    let mut applied = Applied::default();
    if let Some(wanted) = generate {
        applied.job_refused = self::generate(client, campaign, wanted).await?;
    }
    if let Some(JobChange { job, change }) = job_change {
        let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
        jobs.patch(job, &PatchParams::default(), &Patch::Merge(changed(*change)))
            .await
            .step("suspending, resuming or ending the Job")?;
    }
    for (name, status) in variant_statuses {
        let metadata = json!({ "name": name });
        say_of::<AdVariant, _>(client, namespace, metadata, status)
            .await
            .step("writing a variant's status")?;
    }
    if let Some(winner) = winner {
        put(client, namespace, winner).await.step("writing the winner's ConfigMap")?;
    }
    Ok(applied)
}

/// Takes out what is not approved any more, of a campaign that can't be carried out.
///
/// # Errors
/// As [`apply`].
pub async fn recall(client: &Client, namespace: &str, recall: &Recall) -> Result<(), Error> {
    let Recall { table, review_statuses } = recall;
    say_of_reviews(client, namespace, review_statuses).await?;
    match table {
        Some(table) => publish(client, namespace, table).await,
        None => Ok(()),
    }
}

/// Writes a table over the one that it was made from, whose version it carries, and over no other.
async fn publish(client: &Client, namespace: &str, table: &AdTable) -> Result<(), Error> {
    match put(client, namespace, table).await {
        Err(kube::Error::Api(status)) if status.is_conflict() => Err(Error::Outdated),
        other => other.step("publishing the table"),
    }
}

async fn say_of_reviews(client: &Client, namespace: &str, reviews: &[Reviewed]) -> Result<(), Error> {
    for Reviewed { name, uid, status } in reviews {
        let metadata = json!({ "name": name, "uid": uid });
        say_of::<AdReview, _>(client, namespace, metadata, status).await.step("writing a review's status")?;
    }
    Ok(())
}

/// The worker's account, rights and brief, then its Job, or why that is refused.
async fn generate(
    client: &Client,
    campaign: &Campaign,
    generate: &Generate,
) -> Result<Option<String>, Error> {
    let namespace = campaign.namespace.as_str();
    let Generate { brief, job } = generate;
    if job.is_some() {
        let account = objects::worker_account::account(campaign);
        put(client, namespace, &account).await.step("creating the worker's account")?;
        let binding = objects::worker_account::binding(campaign);
        put(client, namespace, &binding).await.step("binding the worker's rights")?;
    }
    put_if_changed(client, namespace, brief).await.step("writing the brief")?;
    match job {
        Some(job) => create(client, namespace, job).await,
        None => Ok(None),
    }
}

/// Why the API server takes no such Job. Its template can't change, and its name is its inputs: what is there is right.
async fn create(client: &Client, namespace: &str, wanted: &NewJob) -> Result<Option<String>, Error> {
    let NewJob { attempt, job } = wanted;
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    let dry_run = *attempt == Attempt::Rehearsal;
    let by_us = PostParams { dry_run, field_manager: Some(CHILDREN.to_owned()) };
    match unless_in_conflict(|| jobs.create(&by_us, &**job)).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
        Err(kube::Error::Api(status)) if is_refusal(&status) => Ok(Some(status.message)),
        // Then it is seen in earnest.
        Err(kube::Error::Api(status)) if dry_run && is_for_earnest_alone(&status) => Ok(None),
        other => other.map(|_| None).step("creating the Job"),
    }
}

/// Whether a webhook has effects of its own, so that the API server asks it nothing in a dry run.
fn is_for_earnest_alone(status: &Status) -> bool {
    status.message.contains("does not support dry run")
}

/// Whether a quota, a policy or a webhook refuses an object. A webhook chooses its code, and has 400 where it names none; one that
/// does not answer refuses nothing for good.
fn is_refusal(status: &Status) -> bool {
    let is_denied =
        status.message.contains("admission webhook") && status.message.contains("denied the request");
    status.is_forbidden() || status.is_invalid() || is_denied
}

/// A change of a Job as a merge patch.
fn changed(change: Change) -> Value {
    let marked = |mark: Option<&str>| json!({ "annotations": { SUSPENDED_BY_US: mark } });
    match change {
        Change::Resume => json!({ "metadata": marked(None), "spec": { "suspend": false } }),
        Change::Suspend => json!({ "metadata": marked(Some(SUSPENDED)), "spec": { "suspend": true } }),
        Change::Concede => json!({ "metadata": marked(Some(RESUMED)) }),
        Change::Forget => json!({ "metadata": marked(None) }),
        Change::End => json!({ "spec": { "activeDeadlineSeconds": NO_MORE_SECONDS } }),
    }
}

/// What became of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is what the API server holds.
    Stored,
    /// The object has changed since it was read, or is gone: what the pass found may be of yesterday.
    Outdated,
}

/// Writes the status of a campaign, where it is not what is there, unless the campaign has changed meanwhile: a pass
/// that began with an old object must not take back a verdict.
///
/// # Errors
/// When the API server refuses or does not answer.
pub async fn status(client: &Client, object: &AdCampaign, status: AdCampaignStatus) -> Result<Told, Error> {
    if object.status.as_ref() == Some(&status) {
        return Ok(Told::Stored);
    }
    let campaigns: Api<AdCampaign> =
        Api::namespaced(client.clone(), &object.namespace().unwrap_or_else(|| "default".to_owned()));
    let name = object.name_any();
    let patch = json!({
        "apiVersion": AdCampaign::api_version(&()), "kind": AdCampaign::kind(&()),
        // The UID keeps a status from landing on a namesake that was made meanwhile.
        "metadata": { "name": name, "uid": object.uid(), "resourceVersion": object.resource_version() },
        "status": status,
    });
    let written =
        campaigns.patch_status(&name, &PatchParams::apply(STATUS).force(), &Patch::Apply(&patch)).await;
    match written {
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(Told::Outdated),
        other => other.map(|_| Told::Stored).step("writing the status"),
    }
}

/// Writes the status of an object that goes with the campaign; one that is gone meanwhile needs none.
async fn say_of<K, S>(
    client: &Client,
    namespace: &str,
    metadata: Value,
    status: &S,
) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned,
    S: Serialize,
{
    let objects: Api<K> = Api::namespaced(client.clone(), namespace);
    let patch = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": metadata, "status": status,
    });
    let name = metadata["name"].as_str().unwrap_or_default();
    let (by_us, patch) = (PatchParams::apply(STATUS).force(), Patch::Apply(&patch));
    match unless_in_conflict(|| objects.patch_status(name, &by_us, &patch)).await {
        // A conflict that lasts is one of UIDs: it is another object meanwhile.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        other => other.map(drop),
    }
}

async fn put<K>(client: &Client, namespace: &str, child: &K) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    let children: Api<K> = Api::namespaced(client.clone(), namespace);
    let (by_us, patch) = (PatchParams::apply(CHILDREN).force(), Patch::Apply(as_patch(child)?));
    let name = child.name_any();
    unless_in_conflict(|| children.patch(&name, &by_us, &patch)).await.map(drop)
}

/// Writes, and once more after a conflict: where no version is named, it is one of the moment, with somebody who wrote the same
/// object. The next pass would come too, but later each time.
async fn unless_in_conflict<T, F>(write: impl Fn() -> F) -> Result<T, kube::Error>
where
    F: Future<Output = Result<T, kube::Error>>,
{
    match write().await {
        Err(kube::Error::Api(status)) if status.is_conflict() => write().await,
        other => other,
    }
}

async fn put_if_changed(client: &Client, namespace: &str, wanted: &ConfigMap) -> Result<(), kube::Error> {
    let configs: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    match configs.get_opt(&wanted.name_any()).await? {
        Some(live) if objects::winner::holds(&live, wanted) => Ok(()),
        _ => put(client, namespace, wanted).await,
    }
}

/// The child as server-side apply wants it: with its version and kind.
fn as_patch<K: Resource<DynamicType = ()> + Serialize>(child: &K) -> Result<Value, kube::Error> {
    let mut patch = serde_json::to_value(child).map_err(kube::Error::SerdeError)?;
    patch["apiVersion"] = json!(K::api_version(&()));
    patch["kind"] = json!(K::kind(&()));
    Ok(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_no_is_told_from_who_says_nothing() {
        for (code, reason, message, refuses) in [
            (403, "Forbidden", "exceeded quota: gpus", true),
            (422, "Invalid", "ValidatingAdmissionPolicy 'gpus' denied request: none of these", true),
            (400, "BadRequest", "admission webhook \"a.example.com\" denied the request: no", true),
            (400, "", "admission webhook \"a.example.com\" denied the request without explanation", true),
            (418, "", "admission webhook \"a.example.com\" denied the request: no", true),
            (500, "InternalError", "failed calling webhook \"a.example.com\": connection refused", false),
            (400, "BadRequest", "the object provided is unrecognized", false),
            (400, "BadRequest", "admission webhook \"a.example.com\" does not support dry run", false),
            (429, "TooManyRequests", "the server is busy", false),
        ] {
            let status = Status { code, ..Status::failure(message, reason) };
            assert_eq!(is_refusal(&status), refuses, "{code} {message}");
        }
    }
}
