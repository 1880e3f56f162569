//! The operator's process: endpoints, the release's key, and passes while it leads, until it is told to end.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Parser;
use futures::FutureExt;
use futures::future::OptionFuture;
use operator::args::{Args, Config};
use operator::clock::SystemClock;
use operator::controller::{Context, check, run};
use operator::events::Publisher;
use operator::leader::{Candidate, Leader, Leadership, Timing, fenced};
use operator::ledger::Ledger;
use operator::metrics::Metrics;
use operator::world::World;
use operator::{key, server};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let filter = EnvFilter::try_new(&args.log).context("--log")?;
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
    let config = Config::from(args);
    tracing::info!(?config, "starting");
    rustls::crypto::ring::default_provider().install_default().expect("it is installed once, here");

    let metrics = Metrics::new();
    let health = server::Health::new(metrics.clone());
    let listener = tokio::net::TcpListener::bind(config.listen).await.context("--listen")?;
    let endpoints = tokio::spawn(axum::serve(listener, server::router(health.clone())).into_future());

    let cluster = kube::Config::infer().await.context("finding the API server")?;
    let client = kube::Client::try_from(cluster.clone()).context("reaching the API server")?;
    key::ensure(client.clone(), &config.key.0, &config.key.1).await?;
    check(&client, &config.scope).await.context("are the custom resource definitions installed?")?;
    health.set_ready();
    let shutdown = terminated()?.shared();
    let candidate = config.lease.map(|(lease, identity)| {
        Candidate::new(client.clone(), &config.key.0, &lease, &identity, Timing::default())
    });
    let leader = tokio::select! {
        leader = OptionFuture::from(candidate.map(Candidate::lead)) => leader,
        () = shutdown.clone() => return Ok(()),
    };
    metrics.lead();
    let leadership = leader.as_ref().map_or_else(Leadership::alone, Leader::leadership);
    let client = fenced(cluster, leadership.clone(), &metrics).context("reaching the API server")?;
    let ledger = Ledger::new(config.ledger_url, config.ledger_ca).context("--ledger-url")?;
    let context = Context {
        ledger: ledger.shown(config.ledger_token),
        clock: Arc::new(SystemClock),
        settings: config.settings,
        review_policy: config.review_policy,
        publisher: Publisher::new(client.clone()),
        metrics,
        leadership,
        failures: std::sync::Mutex::default(),
        world: World::asked(client.clone()),
        client,
    };
    act(run(context, &config.scope, shutdown), leader).await?;
    endpoints.abort();
    Ok(())
}

/// Carries out passes to their end, for as long as this process leads where there is a Lease.
async fn act(passes: impl Future<Output = ()>, leader: Option<Leader>) -> anyhow::Result<()> {
    let Some(mut leader) = leader else {
        passes.await;
        return Ok(());
    };
    tokio::select! {
        () = passes => {}
        () = leader.keep() => bail!("another process leads, or the API server was away for too long: start anew"),
    }
    leader.release().await.context("giving the Lease back")
}

/// Told to end.
fn terminated() -> std::io::Result<impl Future<Output = ()> + Send + Sync + 'static> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
        tracing::info!("ending after the passes under way");
    })
}
