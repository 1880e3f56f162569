//! What passes read: from what watches keep of the cluster, and from the API server where that may be of yesterday.
//!
//! ```text
//!   API server ──watches──▶ kept ──▶ a pass ──▶ writes
//!        └────asked: what is not watched, and what must be of now────┘
//! ```
//!
//! A thousand campaigns that are looked at twice a minute would be tens of thousands of questions an hour, to which the answer
//! is what it was.

mod departed;
mod kept;
mod recent;
mod review_policy;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::{AdModel, AdReview, AdTable, AdVariant, Namespace};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};

use crate::error::{Error, Step};
use departed::JOB_LABEL;
pub(crate) use kept::{Changes, Kept, Steady, watch};
use recent::Recent;
pub use review_policy::ReviewPolicy;

/// How old a brand's ConfigMap may be. It may change at any time, and whoever changes it waits for a pass anyway.
const BRAND_FOR: Duration = Duration::from_secs(30);

/// How old a winner's ConfigMap may be, which is put right when somebody has changed it.
const WINNER_FOR: Duration = Duration::from_secs(1800);

/// How old the answer may be whether reviews are checked, where no review is new.
const POLICY_FOR: Duration = Duration::from_secs(30);

/// What passes read.
pub struct World {
    client: Client,
    /// By namespace, or one of all.
    kept: Vec<(Option<Namespace>, Kept)>,
    /// Tables of which a watch is known to be behind, by UID.
    behind: Mutex<BTreeSet<String>>,
    brands: Recent<(String, String), ConfigMap>,
    winners: Recent<(String, String), ConfigMap>,
    policy: Recent<String, ReviewPolicy>,
}

/// How old an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// What watches keep, or what was asked for lately.
    Any,
    /// Of now.
    Now,
}

impl World {
    /// Asks the API server for everything.
    pub fn asked(client: Client) -> Self {
        Self {
            client,
            kept: Vec::new(),
            behind: Mutex::default(),
            brands: Recent::new(BRAND_FOR),
            winners: Recent::new(WINNER_FOR),
            policy: Recent::new(POLICY_FOR),
        }
    }

    /// Reads from what watches keep of that namespace, or of all, from now on.
    pub(crate) fn keep(&mut self, namespace: Option<&Namespace>, kept: Kept) {
        self.kept.push((namespace.cloned(), kept));
    }

    fn kept(&self, namespace: &str) -> Option<&Kept> {
        let has = |of: &Option<Namespace>| of.as_ref().is_none_or(|of| of.as_str() == namespace);
        self.kept.iter().find(|(of, _)| has(of)).map(|(_, kept)| kept)
    }

    /// The table of a campaign's UID; one that is no older than the number that is `known`, unless there is none.
    pub(crate) async fn table(
        &self,
        namespace: &str,
        uid: &str,
        known: Option<i64>,
    ) -> Result<Option<AdTable>, Error> {
        let kept = self.kept(namespace).and_then(|kept| kept.tables.get(&kept::at(namespace, uid)));
        let number = kept.as_ref().map(|table| table.spec.number);
        // Else our own write is on its way to us; or somebody deleted it.
        let is_new = self.kept(namespace).is_some() && number >= known;
        if is_new && !self.behind().contains(uid) {
            return Ok(kept.map(Arc::unwrap_or_clone));
        }
        let tables: Api<AdTable> = Api::namespaced(self.client.clone(), namespace);
        let table = tables.get_opt(uid).await.step("reading the table")?;
        if table.as_ref().map(ResourceExt::resource_version) == kept.map(|kept| kept.resource_version()) {
            self.behind().remove(uid);
        }
        Ok(table)
    }

    /// What watches keep of a table is not what the API server has: looks ask that until it is.
    pub(crate) fn is_behind(&self, uid: &str) {
        self.behind().insert(uid.to_owned());
    }

    fn behind(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // Whoever panicked left a whole set.
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The variants of campaigns of a name, and of the campaign of that UID alone.
    pub(crate) async fn variants(
        &self,
        namespace: &str,
        campaign: &str,
        uid: &str,
        age: Age,
    ) -> Result<Vec<AdVariant>, Error> {
        let is_own = |variant: &AdVariant| variant.owner_references().iter().any(|owner| owner.uid == uid);
        let mut variants = match self.kept(namespace).filter(|_| age == Age::Any) {
            Some(kept) => kept::of(&kept.variants, namespace, |it| it.spec.campaign == campaign),
            None => {
                let variants: Api<AdVariant> = Api::namespaced(self.client.clone(), namespace);
                let of_campaign = ListParams::default().fields(&format!("spec.campaign={campaign}"));
                variants.list(&of_campaign).await.step("listing variants")?.items
            }
        };
        variants.retain(is_own);
        variants.sort_by_key(ResourceExt::name_any);
        Ok(variants)
    }

    /// What people said of campaigns of a name.
    pub(crate) async fn reviews(&self, namespace: &str, campaign: &str) -> Result<Vec<AdReview>, Error> {
        if let Some(kept) = self.kept(namespace) {
            return Ok(kept::of(&kept.reviews, namespace, |it| it.spec.campaign.name == campaign));
        }
        let reviews: Api<AdReview> = Api::namespaced(self.client.clone(), namespace);
        let of_campaign = ListParams::default().fields(&format!("spec.campaign.name={campaign}"));
        Ok(reviews.list(&of_campaign).await.step("listing reviews")?.items)
    }

    /// A model.
    pub(crate) async fn model(&self, namespace: &str, name: &str) -> Result<Option<AdModel>, Error> {
        if let Some(kept) = self.kept(namespace) {
            return Ok(kept.models.get(&kept::at(namespace, name)).map(Arc::unwrap_or_clone));
        }
        let models: Api<AdModel> = Api::namespaced(self.client.clone(), namespace);
        models.get_opt(name).await.step("reading the model")
    }

    /// A Job.
    pub(crate) async fn job(&self, namespace: &str, name: &str) -> Result<Option<Job>, Error> {
        if let Some(kept) = self.kept(namespace) {
            return Ok(kept.jobs.get(&kept::at(namespace, name)).map(Arc::unwrap_or_clone));
        }
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), namespace);
        jobs.get_opt(name).await.step("reading the Job")
    }

    /// The pods of a Job. They matter while it runs alone, and then those of now.
    pub(crate) async fn pods(&self, namespace: &str, job: &str) -> Result<Vec<Pod>, Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let of_job = ListParams::default().labels(&format!("{JOB_LABEL}={job}"));
        Ok(pods.list(&of_job).await.step("listing the worker's pods")?.items)
    }

    /// Pods of a Job that are gone, as they were last, as far as watches saw them go.
    pub(crate) fn departed(&self, namespace: &str, job: &str) -> Vec<Pod> {
        self.kept(namespace).map_or_else(Vec::new, |kept| kept.departed.of(namespace, job))
    }

    /// Those of them are wanted no more.
    pub(crate) fn forget_departed(&self, namespace: &str, job: &str, which: impl Fn(&Pod) -> bool) {
        if let Some(kept) = self.kept(namespace) {
            kept.departed.forget(namespace, job, which);
        }
    }

    /// What an object was warned of, by its UID: one of the same name before it had warnings of its own. Few are asked for, and
    /// a watch would see those of the whole namespace. Without the right to read them they are not known, and all else goes on.
    pub(crate) async fn warnings(&self, namespace: &str, uid: &str) -> Result<Vec<Event>, Error> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let of_object = ListParams::default().fields(&format!("regarding.uid={uid},type=Warning"));
        match events.list(&of_object).await {
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                tracing::warn!(namespace, "events can't be read, and they say why a worker does not start");
                Ok(Vec::new())
            }
            listed => Ok(listed.step("listing the worker's events")?.items),
        }
    }

    /// A ConfigMap. They are not watched: a watch would see all of them.
    pub(crate) async fn config(
        &self,
        namespace: &str,
        name: &str,
        step: &'static str,
    ) -> Result<Option<ConfigMap>, Error> {
        let configs: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        configs.get_opt(name).await.step(step)
    }

    /// The ConfigMap of a brand, as it was lately.
    pub(crate) async fn brand(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, Error> {
        self.lately(&self.brands, namespace, name, "reading the brand's ConfigMap").await
    }

    /// The ConfigMap of a winner, as it was lately.
    pub(crate) async fn winner(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, Error> {
        self.lately(&self.winners, namespace, name, "reading the winner's ConfigMap").await
    }

    /// A winner's ConfigMap has been written.
    pub(crate) fn handed_on(&self, winner: &ConfigMap) {
        self.winners.forget(&(winner.namespace().unwrap_or_default(), winner.name_any()));
    }

    async fn lately(
        &self,
        known: &Recent<(String, String), ConfigMap>,
        namespace: &str,
        name: &str,
        step: &'static str,
    ) -> Result<Option<ConfigMap>, Error> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(config) = known.get(&key).filter(|_| !self.kept.is_empty()) {
            return Ok(Some(config));
        }
        let config = self.config(namespace, name, step).await?;
        if let Some(config) = &config {
            known.put(key, config.clone());
        }
        Ok(config)
    }

    /// Whether reviews are held to the policy of that name.
    pub(crate) async fn policy(&self, name: Option<&str>, age: Age) -> Result<ReviewPolicy, Error> {
        let Some(name) = name else { return Ok(ReviewPolicy::Missing) };
        let known = self.policy.get(name).filter(|_| age == Age::Any && !self.kept.is_empty());
        if let Some(known) = known {
            return Ok(known);
        }
        let policy = ReviewPolicy::read(&self.client, name).await.step("reading the policy of reviews")?;
        self.policy.put(name.to_owned(), policy);
        Ok(policy)
    }

    /// The campaigns of a namespace.
    pub(crate) async fn campaigns(&self, namespace: &str) -> Result<Vec<api::AdCampaign>, Error> {
        let campaigns: Api<api::AdCampaign> = Api::namespaced(self.client.clone(), namespace);
        Ok(campaigns.list(&ListParams::default()).await.step("listing campaigns")?.items)
    }
}

/// The objects of a namespace, or of all.
pub(crate) fn within<K>(client: &Client, namespace: Option<&Namespace>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    namespace.map_or_else(
        || Api::all(client.clone()),
        |namespace| Api::namespaced(client.clone(), namespace.as_str()),
    )
}
