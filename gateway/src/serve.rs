//! Serving HTTP: the listener, the routes of operation, the end.

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::ListenerExt;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How long open requests may take after the signal to end. Ours take milliseconds; what is longer is a connection
/// that nobody reads, and Kubernetes would kill it after thirty seconds.
const GRACE: Duration = Duration::from_secs(10);

/// Binds the address.
///
/// # Errors
/// When it is in use or not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// The routes of operation: `/healthz` while the process runs, `/readyz` once `is_ready`, `/metrics` in the OpenMetrics
/// text format.
pub fn operations(registry: Registry, is_ready: impl Fn() -> bool + Clone + Send + Sync + 'static) -> Router {
    let registry = Arc::new(registry);
    let ready = move || {
        let answer = if is_ready() {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready")
        };
        std::future::ready(answer)
    };
    Router::new()
        .route("/healthz", get(|| std::future::ready("healthy")))
        .route("/readyz", get(ready))
        .route("/metrics", get(move || std::future::ready(metrics(&registry))))
        .fallback(crate::refusal::not_found)
}

/// Serves until `ended`, then finishes what is open, ten seconds at most.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    ended: impl Future<Output = ()> + Clone + Send + 'static,
) -> std::io::Result<()> {
    // Answers are one small write: waiting for more to send would only delay them.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection may be slow");
        }
    });
    let serving = axum::serve(listener, router).with_graceful_shutdown(ended.clone()).into_future();
    let overdue = async {
        ended.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => served,
        () = overdue => {
            tracing::warn!("requests were still open at the end");
            Ok(())
        }
    }
}

/// Completes with SIGTERM or SIGINT.
///
/// # Errors
/// When this process can't listen to signals.
pub fn terminated() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("ending");
    })
}

fn metrics(registry: &Registry) -> impl IntoResponse + use<> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry)
        .expect("a string takes all that is written to it");
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
