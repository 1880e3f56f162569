//! A campaign to which nothing happens costs the API server reads alone: the operator's own pass with every write
//! counted, and a real ledger.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, ensure};
use api::AdCampaign;
use jiff::{SignedDuration, Timestamp};
use kube::api::PostParams;
use kube::client::ClientBuilder;
use kube::{Api, Client, Config};
use operator::clock::Clock;
use operator::controller::{Context, reconcile};
use operator::leader::Leadership;
use serde_json::json;
use tower::ServiceBuilder;

use crate::banner;
use crate::gateway::GatewayProcess;
use crate::passes::reviewed;
use crate::server::Server;

/// Passes of ten minutes, one each second: far more often than the operator looks.
const PASSES: usize = 600;

/// A campaign to which nothing happens.
pub(crate) fn campaign() -> serde_json::Result<AdCampaign> {
    let campaign = banner::campaign("quiet", &["Your trail is waiting"], "1m");
    serde_json::from_value(banner::with(campaign, "round", json!({"minimum": "1m"})))
}

/// A clock that the test moves.
pub(crate) struct HandClock(Mutex<Timestamp>);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("nobody panics while holding it")
    }
}

impl HandClock {
    pub(crate) fn new() -> Self {
        Self::at(Timestamp::now())
    }

    pub(crate) fn at(moment: Timestamp) -> Self {
        Self(Mutex::new(moment))
    }

    pub(crate) fn advance(&self) {
        self.jump(SignedDuration::from_secs(1));
    }

    pub(crate) fn jump(&self, by: SignedDuration) {
        *self.0.lock().expect("nobody panics while holding it") += by;
    }
}

#[tokio::test]
async fn an_unchanged_campaign_causes_no_write_in_ten_minutes() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let ledger = GatewayProcess::start("ledger", &server.kubeconfig()).await?;
    let writes = Arc::new(AtomicUsize::new(0));
    let client = counting(server.config().await?, Arc::clone(&writes))?;
    let clock = Arc::new(HandClock::new());
    let context = context(client.clone(), &ledger.url, Arc::clone(&clock))?;

    let campaigns: Api<AdCampaign> = Api::namespaced(client, "default");
    campaigns.create(&PostParams::default(), &campaign()?).await?;
    let pass = async || {
        clock.advance();
        reconcile(Arc::new(campaigns.get("quiet").await?), Arc::clone(&context)).await?;
        anyhow::Ok(())
    };
    // Its children, its table, its first round, and the first answer of the ledger are written.
    for _ in 0..5 {
        pass().await?;
    }
    let before = writes.load(Ordering::Relaxed);
    ensure!(before > 5, "only {before} writes: the campaign was not set up, so the rest shows nothing");
    for _ in 0..PASSES {
        pass().await?;
    }
    assert_eq!(writes.load(Ordering::Relaxed), before, "writes although nothing happened");
    let status = campaigns.get("quiet").await?.status.context("a status")?;
    assert_eq!(status.placements[0].round.number, 1, "{status:?}");
    let fresh = status
        .conditions
        .iter()
        .any(|condition| condition.type_ == "DataFresh" && condition.status == "True");
    assert!(fresh, "the ledger did not answer: {status:?}");
    Ok(())
}

/// A client that counts what is not a read.
fn counting(config: Config, writes: Arc<AtomicUsize>) -> anyhow::Result<Client> {
    let count = ServiceBuilder::new()
        .map_request(move |request: http::Request<kube::client::Body>| {
            if request.method() != http::Method::GET {
                writes.fetch_add(1, Ordering::Relaxed);
            }
            request
        })
        .into_inner();
    Ok(ClientBuilder::try_from(config)?.with_layer(&count).build())
}

/// What passes of the operator share.
pub(crate) fn context(client: Client, ledger: &str, clock: Arc<HandClock>) -> anyhow::Result<Arc<Context>> {
    led(client, ledger, clock, Leadership::alone())
}

/// The same for an operator that leads for as long as that holds.
pub(crate) fn led(
    client: Client,
    ledger: &str,
    clock: Arc<HandClock>,
    leadership: Leadership,
) -> anyhow::Result<Arc<Context>> {
    reviewed(client, ledger, clock, leadership, None).map(Arc::new)
}
