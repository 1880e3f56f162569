//! The pass of one campaign, and the loop that runs passes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::{AdCampaign, AdReview, Namespace, Scope};
use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use kube::api::ListParams;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use tracing::{Instrument, info_span};

use crate::apply::{self, Told};
use crate::campaign::Campaign;
use crate::clock::Clock;
use crate::error::{Error, Retry, Step, chain};
use crate::events::Publisher;
use crate::leader::Leadership;
use crate::ledger::Ledger;
use crate::looks::{share, until_next};
use crate::metrics::Metrics;
use crate::observe::{brand, is_shown_untold, neighbours, observe, observe_reviews};
use crate::plan::{Again, Settings, plan, recall};
use crate::status::{Pass, notes, report};
use crate::world::{Changes, Kept, Steady, World, watch, within};

/// What passes share.
pub struct Context {
    /// The API server, to write to.
    pub client: Client,
    /// What is read of the cluster.
    pub world: World,
    /// The ledger.
    pub ledger: Ledger,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the chart sets.
    pub settings: Settings,
    /// The admission policy that reviews are held to, by name.
    pub review_policy: Option<String>,
    /// Tells people what changed.
    pub publisher: Publisher,
    /// Counts passes.
    pub metrics: Metrics,
    /// Whether this process is the one that acts.
    pub leadership: Leadership,
    /// Failures in a row, by campaign; what waits longer each time needs to know how often it failed.
    pub failures: Mutex<HashMap<ObjectRef<AdCampaign>, u32>>,
}

/// A pass that takes longer has met something that does not answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A thousand passes at once would find an API server that answers none of them in time. As many as these go on while a ledger
/// lets half a minute's passes over a thousand campaigns wait for two seconds each, so that a person's word finds its turn.
const PASSES_AT_ONCE: u16 = 64;

/// A pass over an object that has changed meanwhile is worth nothing; the next one is due this much later.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often a campaign that can't be carried out looks at what else may be wrong: the ConfigMap of its brand, or another
/// campaign that has its people.
const LOOK_AROUND: Duration = Duration::from_secs(60);

/// One pass.
///
/// # Errors
/// When the pass could not be finished, or its status could not be written.
pub async fn reconcile(object: Arc<AdCampaign>, context: Arc<Context>) -> Result<Action, Error> {
    let span = info_span!("pass", namespace = object.namespace(), campaign = object.name_any());
    let started = std::time::Instant::now();
    let result = pass(&object, &context).instrument(span).await;
    context.metrics.count_pass(started.elapsed(), result.as_ref().err());
    if result.is_ok() {
        failures(&context).remove(&ObjectRef::from_obj(&object));
    }
    result
}

async fn pass(object: &AdCampaign, context: &Context) -> Result<Action, Error> {
    if object.metadata.deletion_timestamp.is_some() {
        // Everything that we made is owned by it.
        return Ok(Action::await_change());
    }
    let now = context.clock.now();
    let mut pass = Pass::default();
    // All that a pass reads and writes is a large future; whoever waits for it need not be one.
    let advance = Box::pin(advance(object, context, now, &mut pass));
    let advanced = tokio::time::timeout(PATIENCE, advance).await;
    let result = advanced.unwrap_or(Err(Error::TimedOut(PATIENCE.as_secs())));
    if !context.leadership.holds() {
        // Whoever leads now says how things are; this process is about to end.
        return Ok(Action::requeue(LOOK_AGAIN));
    }
    if let Err(Error::Outdated) = result {
        // What this pass found is of before what was written meanwhile: it is not told.
        context.world.is_behind(&object.uid().unwrap_or_default());
        return Err(Error::Outdated);
    }
    // Both roads end in a status: a failure that the user can't see is a failure that we hid.
    let status = report(object, &pass, result.as_ref().err(), now);
    let notes = notes(object, &pass, &status);
    let told = apply::status(&context.client, object, status).await?;
    if told == Told::Outdated {
        // A change is on its way to us; should it be lost, we look again anyway.
        return Ok(Action::requeue(LOOK_AGAIN));
    }
    context.publisher.publish(object, &notes).await;
    result.map(|()| pass.plan.map_or_else(Action::await_change, |plan| next(object, &plan.again, now)))
}

/// When the campaign is looked at again: at a moment of its own, and no later than at its next turn.
fn next(object: &AdCampaign, again: &Again, now: Timestamp) -> Action {
    let look = until_next(again.within, &object.uid().unwrap_or_default(), now);
    Action::requeue(again.turn.map_or(look, |turn| turn.min(look)))
}

async fn advance(
    object: &AdCampaign,
    context: &Context,
    now: Timestamp,
    pass: &mut Pass,
) -> Result<(), Error> {
    let campaign = match read(object, context, now).await {
        Ok(campaign) => pass.campaign.insert(campaign),
        Err(error) => {
            // What is served goes on, and people may still take some of it back.
            if matches!(error, Error::Invalid(_)) {
                recalled(object, context, now).await?;
            }
            return Err(error);
        }
    };
    let policy = context.review_policy.as_deref();
    let seen = observe(&context.world, &context.ledger, policy, object, campaign).await?;
    let plan = pass.plan.insert(plan(object, campaign, &seen, &context.settings, now));
    if !context.leadership.holds() {
        return Ok(());
    }
    let applied = apply::apply(&context.client, campaign, plan).await;
    plan.winner.iter().for_each(|winner| context.world.handed_on(winner));
    pass.applied = Some(applied?);
    Ok(())
}

/// The campaign, with people of its own.
async fn read(object: &AdCampaign, context: &Context, now: Timestamp) -> Result<Campaign, Error> {
    let brand = brand(&context.world, object).await?;
    let campaign = Campaign::read(object, brand.as_ref()).map_err(Error::Invalid)?;
    if let Err(late) = campaign.has_time(object, now)
        && !is_shown_untold(&context.world, object, &campaign).await?
    {
        return Err(Error::Invalid(late));
    }
    let neighbours = neighbours(&context.world, object, &campaign, now).await?;
    campaign.has_its_own_people(object, &neighbours).map_err(Error::Invalid)?;
    Ok(campaign)
}

async fn recalled(object: &AdCampaign, context: &Context, now: Timestamp) -> Result<(), Error> {
    let seen = observe_reviews(&context.world, context.review_policy.as_deref(), object).await?;
    let recall = recall(object, &seen, now);
    if !context.leadership.holds() {
        return Ok(());
    }
    let namespace = object.namespace().unwrap_or_else(|| "default".to_owned());
    apply::recall(&context.client, &namespace, &recall).await
}

/// Waits for a change, or longer each time, as the error says.
#[expect(clippy::needless_pass_by_value, reason = "the controller hands them over")]
fn on_error(object: Arc<AdCampaign>, error: &Error, context: Arc<Context>) -> Action {
    let failed = {
        let mut failures = failures(&context);
        let count = failures.entry(ObjectRef::from_obj(&object)).or_default();
        *count = count.saturating_add(1);
        *count
    };
    tracing::warn!(campaign = object.name_any(), failed, error = chain(error), "the pass failed");
    match error.retry() {
        // A ConfigMap is not watched, since a watch would see all of them, and another campaign starts no pass of this
        // one: nobody tells when it is mended.
        Retry::OnChange if object.spec.brand().is_some() || object.spec.exclusion.is_some() => {
            Action::requeue(until_next(LOOK_AROUND, &object.uid().unwrap_or_default(), context.clock.now()))
        }
        Retry::OnChange => match next_turn(&object, context.clock.now()) {
            Some(turn) => Action::requeue(turn),
            None => Action::await_change(),
        },
        Retry::BackOff => Action::requeue(back_off(failed, share(&object.uid().unwrap_or_default()))),
    }
}

/// How long until an offer ends that is served though its campaign can't be carried out.
fn next_turn(object: &AdCampaign, now: Timestamp) -> Option<Duration> {
    let end = object.spec.offer_ends_at()?;
    Duration::try_from(end.duration_since(now)).ok().map(|left| left + Duration::from_millis(1))
}

fn failures(context: &Context) -> std::sync::MutexGuard<'_, HashMap<ObjectRef<AdCampaign>, u32>> {
    // A panic while counting leaves a count.
    context.failures.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Short enough, with its quarter, that a minute after the API server is back each campaign was looked at.
const LONGEST_WAIT: Duration = Duration::from_secs(40);

/// From one second, doubling, plus up to a quarter by `share`, so that campaigns that failed together do not come back
/// together.
fn back_off(failed: u32, share: u8) -> Duration {
    let base = Duration::from_secs(1 << failed.saturating_sub(1).min(9)).min(LONGEST_WAIT);
    base + base / 4 * u32::from(share) / 256
}

/// Looks whether campaigns and reviews can be read wherever they are watched: whether the definitions are there, of this version
/// too, and we have the right.
///
/// The loop's own store could tell when it is filled, but kube wakes only one who waits for that, and it waits itself.
///
/// # Errors
/// When the API server refuses or does not answer.
pub async fn check(client: &Client, scope: &Scope) -> Result<(), Error> {
    for namespace in scope.watches() {
        let one = ListParams::default().limit(1);
        let campaigns: Api<AdCampaign> = within(client, namespace);
        campaigns.list(&one).await.step("listing campaigns")?;
        let reviews: Api<AdReview> = within(client, namespace);
        reviews.list(&one).await.step("listing reviews")?;
    }
    Ok(())
}

/// Runs passes until `shutdown`, for the namespaces of `scope`.
pub async fn run(
    mut context: Context,
    scope: &Scope,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let (client, shutdown) = (context.client.clone(), shutdown.shared());
    // A pass that does not see what is there would make it anew.
    let watched = tokio::select! {
        watched = join_all(scope.watches().into_iter().map(|namespace| begin(&client, namespace))) => watched,
        () = shutdown.clone() => return,
    };
    let mut begun = Vec::new();
    for (namespace, (controller, kept, changes)) in scope.watches().into_iter().zip(watched) {
        context.metrics.tell_of(controller.store());
        context.world.keep(namespace, kept);
        begun.push((controller, changes));
    }
    let context = Arc::new(context);
    let follow = |(controller, changes)| follow(controller, changes, Arc::clone(&context), shutdown.clone());
    join_all(begun.into_iter().map(follow)).await;
}

/// The watches of a namespace, or of all, once they keep what is there.
async fn begin(client: &Client, namespace: Option<&Namespace>) -> (Controller<AdCampaign>, Kept, Changes) {
    let controller = Controller::new(within(client, namespace), watcher::Config::default());
    let (kept, changes) = watch(client, namespace, controller.store()).await;
    (controller, kept, changes)
}

/// Runs passes of what changes.
async fn follow(
    controller: Controller<AdCampaign>,
    changes: Changes,
    context: Arc<Context>,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let Changes { of, of_all, watches } = changes;
    controller
        .reconcile_on(of)
        .reconcile_all_on(of_all)
        .trigger_backoff(Steady)
        .with_config(controller::Config::default().concurrency(PASSES_AT_ONCE))
        .graceful_shutdown_on(shutdown)
        .run(reconcile, on_error, context)
        .for_each(|result| async {
            if let Err(error) = result {
                tell(&error);
            }
        })
        .await;
    drop(watches);
}

/// A pass that failed was told by [`on_error`]; a watch that fails is told here.
fn tell(error: &controller::Error<Error, watcher::Error>) {
    match error {
        controller::Error::ReconcilerFailed(..) | controller::Error::ObjectNotFound(_) => {
            tracing::debug!(error = chain(error), "a pass did not end well");
        }
        _ => tracing::warn!(error = chain(error), "changes can't be followed; it is tried again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_and_is_bounded() {
        assert_eq!(back_off(1, 0), Duration::from_secs(1));
        assert_eq!(back_off(4, 0), Duration::from_secs(8));
        assert_eq!(back_off(u32::MAX, 0), Duration::from_secs(40));
        assert!(back_off(u32::MAX, 255) < Duration::from_secs(50));
    }
}
