//! The operator's process: endpoints, the release's key, and passes until it is told to end.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use operator::args::{Args, Config};
use operator::clock::SystemClock;
use operator::controller::{Context, check, run};
use operator::events::Publisher;
use operator::ledger::Ledger;
use operator::metrics::Metrics;
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

    let client = kube::Client::try_default().await.context("finding the API server")?;
    key::ensure(client.clone(), &config.key.0, &config.key.1).await?;
    check(&client).await.context("are the custom resource definitions installed?")?;
    health.set_ready();
    let ledger = Ledger::new(config.ledger_url, config.ledger_ca).context("--ledger-url")?;
    let context = Context {
        ledger: ledger.shown(config.ledger_token),
        clock: Arc::new(SystemClock),
        settings: config.settings,
        publisher: Publisher::new(client.clone()),
        metrics,
        failures: std::sync::Mutex::default(),
        client,
    };
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = async move {
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
        tracing::info!("ending after the passes under way");
    };
    run(Arc::new(context), shutdown).await;
    endpoints.abort();
    Ok(())
}
