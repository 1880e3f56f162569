//! Serving HTTP: the listener, the routes of operation, the end.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};

use crate::refusal::{self, Refusal};
use crate::tls::Certificate;

/// How long a connection may rest, or a head be under way. As long as load balancers keep theirs: who ends one first
/// loses a request.
pub const HEAD_WITHIN: Duration = Duration::from_secs(75);

/// How long the two sides may take to agree on a key, where connections are encrypted: a few ways across the world and back.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// How long a request may take, its body and the disk included.
pub const REQUEST_WITHIN: Duration = Duration::from_secs(30);

/// How much of a head is read for sure, in bytes. What one read of the socket brings beyond it is taken too.
pub const HEAD_LIMIT: usize = 64 * 1024;

/// The most connections at once.
pub const CONNECTIONS_LIMIT: usize = 10_000;

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
        .method_not_allowed_fallback(refusal::wrong_method)
        .fallback(refusal::not_found)
}

/// What connections are.
#[derive(Clone, Debug)]
pub enum Transport {
    /// As they come.
    Plain,
    /// Encrypted, with this certificate.
    Tls(Certificate),
}

/// Serves over plain connections, as [`serve_over`] does.
pub async fn serve(listener: TcpListener, router: Router, ended: impl Future<Output = ()> + Send + 'static) {
    serve_over(Transport::Plain, listener, router, ended).await;
}

/// Serves until `ended`, then finishes what is open, ten seconds at most.
///
/// A handshake may take [`HANDSHAKE_WITHIN`]. A connection may rest, or send the head of a request, for [`HEAD_WITHIN`],
/// and a request may take [`REQUEST_WITHIN`]. A head is refused that does not end soon behind [`HEAD_LIMIT`] bytes. More
/// connections than [`CONNECTIONS_LIMIT`] wait in the system until one ends. One that can't be taken is nobody else's matter.
pub async fn serve_over(
    transport: Transport,
    listener: TcpListener,
    router: Router,
    ended: impl Future<Output = ()> + Send + 'static,
) {
    let router = router.layer(middleware::from_fn(in_time));
    let (room, open) = (Arc::new(Semaphore::new(CONNECTIONS_LIMIT)), GracefulShutdown::new());
    let (ending, end) = watch::channel(());
    let mut ended = pin!(ended);
    loop {
        let place = Arc::clone(&room).acquire_owned();
        let (stream, place) = tokio::select! {
            taken = async { (accept(&listener).await, place.await) } => taken,
            () = &mut ended => break,
        };
        let connection = Connection { router: router.clone(), watcher: open.watcher(), end: end.clone() };
        let transport = transport.clone();
        tokio::spawn(async move {
            let _place = place;
            connection.serve(transport, stream).await;
        });
    }
    drop((listener, ending));
    tokio::select! {
        () = open.shutdown() => {}
        () = tokio::time::sleep(GRACE) => tracing::warn!("requests were still open at the end"),
    }
}

/// A connection that was taken.
struct Connection {
    router: Router,
    watcher: Watcher,
    /// Closes with the end.
    end: watch::Receiver<()>,
}

impl Connection {
    async fn serve(self, transport: Transport, stream: TcpStream) {
        match transport {
            Transport::Plain => self.converse(stream).await,
            Transport::Tls(certificate) => self.encrypted(certificate, stream).await,
        }
    }

    async fn encrypted(mut self, certificate: Certificate, stream: TcpStream) {
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(HANDSHAKE_WITHIN, certificate.accept(stream)) => shaken,
            // Nobody has asked for anything yet.
            _ = self.end.changed() => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.converse(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
            Err(_) => tracing::debug!("a handshake did not end"),
        }
    }

    async fn converse(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = TowerToHyperService::new(self.router);
        let connection = self.watcher.watch(http().serve_connection(TokioIo::new(stream), service));
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection broke off");
        }
    }
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    // Answers are small: head and body go out as one piece, which costs a copy and spares the system a list.
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_LIMIT).writev(false);
    http
}

/// The next connection. Where the system has no room for one, there may be some in a moment.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are one small write: waiting for more to send would only delay them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection may be slow");
                }
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection can't be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Answers a request whose body does not come.
async fn in_time(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(REQUEST_WITHIN, next.run(request)).await;
    answered.unwrap_or_else(|_| Refusal::slow().into_response())
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
