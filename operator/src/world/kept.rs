//! What watches keep of the cluster, and which campaigns a change is of.

use std::fmt::Debug;
use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use api::{AdCampaign, AdModel, AdReview, AdTable, AdVariant, Namespace};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{Stream, StreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as follow};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::departed::Departed;
use super::within;
use crate::error::chain;

/// What watches keep.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(super) variants: Store<AdVariant>,
    pub(super) tables: Store<AdTable>,
    pub(super) jobs: Store<Job>,
    pub(super) reviews: Store<AdReview>,
    pub(super) models: Store<AdModel>,
    /// Of pods those that are gone alone: who asks for pods asks for those of now.
    pub(super) departed: Arc<Departed>,
}

/// What watches tell, each time after it is kept.
pub(crate) struct Changes {
    /// The campaign that something changed of.
    pub(crate) of: UnboundedReceiver<ObjectRef<AdCampaign>>,
    /// A watch was interrupted and began anew: something may have changed of every campaign.
    pub(crate) of_all: UnboundedReceiver<()>,
    /// The watches, which end with this value.
    pub(crate) watches: JoinSet<()>,
}

/// Between two attempts to follow changes again: what people change meanwhile is seen within seconds after an API server is
/// back. Those of kube's own double, up to half a minute, and are shared by all that is followed.
pub(crate) struct Steady;

impl Iterator for Steady {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(FOLLOW_AGAIN)
    }
}

impl Backoff for Steady {
    fn reset(&mut self) {}
}

const FOLLOW_AGAIN: Duration = Duration::from_secs(1);

/// An object of a namespace.
pub(super) fn at<K>(namespace: &str, name: &str) -> ObjectRef<K>
where
    K: Resource<DynamicType = ()>,
{
    ObjectRef::new(name).within(namespace)
}

/// What is kept of a namespace, as far as it is meant.
pub(super) fn of<K>(store: &Store<K>, namespace: &str, is_meant: impl Fn(&K) -> bool) -> Vec<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let meant = |it: &K| it.meta().namespace.as_deref() == Some(namespace) && is_meant(it);
    store.state_filter(meant).into_iter().map(Arc::unwrap_or_clone).collect()
}

/// Begins to follow what campaigns of a namespace, or of all, consist of, and returns once all that is there is kept. A change of
/// a model is told to the `campaigns` that name it.
pub(crate) async fn watch(
    client: &Client,
    namespace: Option<&Namespace>,
    campaigns: Store<AdCampaign>,
) -> (Kept, Changes) {
    let ((of, changes), (of_all, interruptions)) = (unbounded(), unbounded());
    let told = Told { of, of_all };
    let place = (client, namespace);
    let mut watches = JoinSet::new();
    let all = watcher::Config::default();
    // A cluster has other Jobs, and may have very many.
    let ours = all.clone().labels(&format!("{}={}", api::name::MANAGED_BY_LABEL, api::name::MANAGED_BY));
    let kept = Kept {
        variants: keep(&mut watches, place, &told, all.clone(), owner),
        tables: keep(&mut watches, place, &told, all.clone(), owner),
        jobs: keep(&mut watches, place, &told, ours.clone(), owner),
        reviews: keep(&mut watches, place, &told, all.clone(), reviewed),
        models: keep(&mut watches, place, &told, all, move |model| users(&campaigns, model)),
        departed: keep_departed(&mut watches, place, &told, ours),
    };
    let Kept { variants, tables, jobs, reviews, models, departed: _ } = &kept;
    let filled = futures::future::join5(
        variants.wait_until_ready(),
        tables.wait_until_ready(),
        jobs.wait_until_ready(),
        reviews.wait_until_ready(),
        models.wait_until_ready(),
    );
    // A writer is dropped with its watch alone, and that ends with the process.
    drop(filled.await);
    (kept, Changes { of: changes, of_all: interruptions, watches })
}

#[derive(Clone)]
struct Told {
    of: UnboundedSender<ObjectRef<AdCampaign>>,
    of_all: UnboundedSender<()>,
}

fn keep<K>(
    watches: &mut JoinSet<()>,
    (client, namespace): (&Client, Option<&Namespace>),
    told: &Told,
    of: watcher::Config,
    campaigns: impl Fn(&K) -> Vec<ObjectRef<AdCampaign>> + Send + 'static,
) -> Store<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let (store, writer) = reflector::store();
    let events = follow(within::<K>(client, namespace), of)
        .backoff(Steady)
        .modify(|object| object.managed_fields_mut().clear())
        .reflect(writer);
    watches.spawn(tell(events, told.clone(), campaigns));
    store
}

/// Keeps pods once they are gone, and tells of that alone.
fn keep_departed(
    watches: &mut JoinSet<()>,
    (client, namespace): (&Client, Option<&Namespace>),
    told: &Told,
    of: watcher::Config,
) -> Arc<Departed> {
    let departed = Arc::new(Departed::default());
    let keeps = Arc::clone(&departed);
    let keep = move |event: &Result<Event<Pod>, watcher::Error>| {
        if let Ok(Event::Delete(pod)) = event {
            keeps.keep(pod.clone());
        }
    };
    let events = follow(within::<Pod>(client, namespace), of)
        .backoff(Steady)
        .modify(|pod| pod.managed_fields_mut().clear())
        .filter(|event| ready(matches!(event, Ok(Event::Delete(_)) | Err(_))))
        .inspect(keep);
    watches.spawn(tell(events, told.clone(), written_for));
    departed
}

/// Tells of changes for as long as anybody listens.
async fn tell<K>(
    events: impl Stream<Item = Result<Event<K>, watcher::Error>>,
    told: Told,
    campaigns: impl Fn(&K) -> Vec<ObjectRef<AdCampaign>>,
) {
    let (mut events, mut filled) = (pin!(events), false);
    while let Some(event) = events.next().await {
        let is_heard = match event {
            Ok(Event::Apply(object) | Event::Delete(object)) => {
                campaigns(&object).into_iter().all(|campaign| told.of.unbounded_send(campaign).is_ok())
            }
            Ok(Event::InitDone) => {
                !std::mem::replace(&mut filled, true) || told.of_all.unbounded_send(()).is_ok()
            }
            Ok(Event::Init | Event::InitApply(_)) => true,
            Err(error) => {
                tracing::warn!(error = chain(&error), "changes can't be followed; it is tried again");
                true
            }
        };
        if !is_heard {
            return;
        }
    }
}

/// The campaign that an object was made for.
fn owner<K: Resource>(object: &K) -> Vec<ObjectRef<AdCampaign>> {
    let namespace = object.meta().namespace.as_deref();
    let owners = object.owner_references().iter().filter(|owner| owner.controller == Some(true));
    owners.filter_map(|owner| ObjectRef::from_owner_ref(namespace, owner, ())).collect()
}

/// The campaign that a pod writes for, whose owner is its Job.
fn written_for(pod: &Pod) -> Vec<ObjectRef<AdCampaign>> {
    let name = pod.labels().get(api::name::CAMPAIGN_LABEL);
    pod.namespace().zip(name).map(|(namespace, name)| at(&namespace, name)).into_iter().collect()
}

/// The campaign that a review is of.
fn reviewed(review: &AdReview) -> Vec<ObjectRef<AdCampaign>> {
    review.namespace().map(|namespace| at(&namespace, &review.spec.campaign.name)).into_iter().collect()
}

/// The campaigns that name a model, to write or to tell what copy means.
fn users(campaigns: &Store<AdCampaign>, model: &AdModel) -> Vec<ObjectRef<AdCampaign>> {
    let names = |campaign: &Arc<AdCampaign>| {
        let Some(generation) = &campaign.spec.generation else { return false };
        let embedder = generation.embedder.as_ref().map(|embedder| &embedder.model);
        let mut named = std::iter::once(&generation.model).chain(embedder);
        campaign.namespace() == model.namespace() && named.any(|name| *name == model.name_any())
    };
    campaigns.state().iter().filter(|it| names(it)).map(|it| ObjectRef::from_obj(&**it)).collect()
}
