//! What passes of an operator in this process share.

use std::sync::{Arc, Mutex};

use kube::Client;
use operator::clock::Clock;
use operator::controller::Context;
use operator::events::Publisher;
use operator::leader::Leadership;
use operator::ledger::Ledger;
use operator::metrics::Metrics;
use operator::objects::job::{ModelImages, WorkerImage};
use operator::plan::Settings;
use operator::world::World;

/// What passes share of an operator that leads for as long as that holds, where reviews are held to the policy of that name.
pub(crate) fn reviewed(
    client: Client,
    ledger: &str,
    clock: Arc<dyn Clock>,
    leadership: Leadership,
    review_policy: Option<String>,
) -> anyhow::Result<Context> {
    Ok(Context {
        world: World::asked(client.clone()),
        leadership,
        review_policy,
        ledger: Ledger::new(ledger.parse()?, None)?,
        clock,
        settings: Settings {
            worker: WorkerImage {
                reference: "broadside.local/worker:dev".to_owned(),
                pull_policy: None,
                model_images: ModelImages::Copied,
            },
            figures_interval: std::time::Duration::from_secs(1),
        },
        publisher: Publisher::new(client.clone()),
        metrics: Metrics::new(),
        failures: Mutex::default(),
        client,
    })
}
