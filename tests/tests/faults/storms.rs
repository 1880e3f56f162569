//! An API server that answers as it should not, or not at all: the life of a campaign is the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::Context as _;
use http::{Request, StatusCode};
use kube::client::Body;

use crate::fault::{Fate, Faults, expired, is_watch, is_write, later, refusal};
use crate::life::{difference, live};
use crate::world::{World, none};

/// So many requests in a row, of so many: a storm passes, and comes again.
#[derive(Clone, Copy)]
struct Gusts {
    hit: usize,
    of: usize,
}

/// Rarer than the requests of a pass, which needs all of them; and few in a row, as the operator waits longer after each, so
/// that it would itself make the gust last.
const GUSTS: Gusts = Gusts { hit: 3, of: 80 };

/// The last of so many.
const fn every(of: usize) -> Gusts {
    Gusts { hit: 1, of }
}

/// Half of them, in an order that keeps step with no pass: strictly every second one would meet the same write for ever.
fn half(
    about: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static,
    fate: impl Fn() -> Fate + Send + Sync + 'static,
) -> Faults {
    let met = AtomicU64::new(0);
    Arc::new(move |request| {
        let hit = || met.fetch_add(1, Ordering::SeqCst).wrapping_mul(GOLDEN) >> 63 == 1;
        if about(request) && hit() { fate() } else { Fate::Passes }
    })
}

/// Its multiples' highest bits look like throws of a coin.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Gusts {
    /// Gives that fate to the requests that it is about.
    fn faults(
        self,
        about: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static,
        fate: impl Fn() -> Fate + Send + Sync + 'static,
    ) -> Faults {
        let met = AtomicUsize::new(0);
        Arc::new(move |request| {
            let hit = about(request) && met.fetch_add(1, Ordering::SeqCst) % self.of >= self.of - self.hit;
            if hit { fate() } else { Fate::Passes }
        })
    }
}

/// Lives that meet each of the faults leave what an undisturbed one leaves.
async fn check(storms: Vec<(&'static str, Faults)>) -> anyhow::Result<()> {
    let world = World::start().await?;
    let undisturbed = {
        let _operator = world.operator(none()).await?;
        live(&world).await?
    };
    for (what, faults) in storms {
        world.clear().await?;
        let _operator = world.operator(faults).await?;
        let found = live(&world).await.context(what)?;
        if let Some(lines) = difference(&undisturbed, &found) {
            anyhow::bail!("{what}:\n{lines}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_delay_a_campaign_and_change_nothing_of_it() -> anyhow::Result<()> {
    let conflict = || Fate::Answered(refusal(StatusCode::CONFLICT, "Conflict"));
    let busy = || Fate::Answered(later(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", 1));
    let broken = || Fate::Answered(refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"));
    check(vec![
        ("a conflict on every second write", half(is_write, conflict)),
        ("too many requests", GUSTS.faults(|it| !is_watch(it), busy)),
        ("errors of the server", GUSTS.faults(|_| true, broken)),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_and_watches_that_expire_lose_nothing() -> anyhow::Result<()> {
    check(vec![
        ("every second watch expires", every(2).faults(is_watch, || Fate::Answered(expired()))),
        ("requests that are not sent", GUSTS.faults(|_| true, || Fate::Unsent)),
        ("every fifth write is carried out and not answered", every(5).faults(is_write, || Fate::Unheard)),
    ])
    .await
}
