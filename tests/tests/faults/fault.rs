//! What stands between an operator and its API server. It lies below what kube does by itself, such as trying again.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::{BoxFuture, pending, ready};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder, DynBody};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder};

/// What becomes of a request.
pub(crate) enum Fate {
    /// It is carried out and answered.
    Passes,
    /// It is not sent, and this is the answer.
    Answered(Answer),
    /// It is not sent, as the connection is cut.
    Unsent,
    /// It is carried out, and the connection is cut before the answer.
    Unheard,
    /// It is carried out, then whoever waits here is told, and nobody hears the answer.
    Last(Arc<Notify>),
    /// It is sent once somebody lets it.
    Held(Arc<Notify>),
    /// Nobody is there any more who would send it.
    Never,
}

/// Decides what becomes of each request, in the order in which they come.
pub(crate) type Faults = Arc<dyn Fn(&Request<Body>) -> Fate + Send + Sync>;

pub(crate) type Answer = Response<Box<DynBody>>;

/// Whether the request changes something.
pub(crate) fn is_write(request: &Request<Body>) -> bool {
    request.method() != Method::GET
}

/// Whether the request begins a watch.
pub(crate) fn is_watch(request: &Request<Body>) -> bool {
    request.uri().query().is_some_and(|query| query.contains("watch=true"))
}

/// A refusal as the API server words it.
pub(crate) fn refusal(status: StatusCode, reason: &str) -> Answer {
    answer(status, &failure(status, reason))
}

/// A refusal that says after how many seconds to come again.
pub(crate) fn later(status: StatusCode, reason: &str, seconds: u64) -> Answer {
    let mut answer = refusal(status, reason);
    answer.headers_mut().insert("Retry-After", seconds.into());
    answer
}

/// What a watch is told whose place in history is forgotten: the API server answers 200, and this is its first event.
pub(crate) fn expired() -> Answer {
    answer(StatusCode::OK, &json!({"type": "ERROR", "object": failure(StatusCode::GONE, "Expired")}))
}

fn failure(status: StatusCode, reason: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": "a fault of the test", "reason": reason, "code": status.as_u16(),
    })
}

fn answer(status: StatusCode, body: &Value) -> Answer {
    let body = Full::from(format!("{body}\n").into_bytes())
        .map_err(|never: Infallible| -> BoxError { match never {} });
    let mut answer = Response::new(Box::new(body) as Box<DynBody>);
    *answer.status_mut() = status;
    answer
}

/// A client that meets `faults`.
pub(crate) fn client(mut config: Config, faults: Faults) -> anyhow::Result<Client> {
    let layers = ServiceBuilder::new()
        .layer(RetryLayer::new(RetryPolicy::server_retry()))
        .layer(BufferLayer::new(1024))
        .layer(FaultLayer(faults))
        .into_inner();
    config.default_retry = false;
    Ok(ClientBuilder::try_from(config)?.with_layer(&layers).build())
}

struct FaultLayer(Faults);

impl<S> Layer<S> for FaultLayer {
    type Service = Faulty<S>;

    fn layer(&self, inner: S) -> Faulty<S> {
        Faulty { inner, faults: Arc::clone(&self.0) }
    }
}

struct Faulty<S> {
    inner: S,
    faults: Faults,
}

impl<S> Service<Request<Body>> for Faulty<S>
where
    S: Service<Request<Body>, Response = Answer, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Answer, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match (self.faults)(&request) {
            Fate::Passes => self.inner.call(request).boxed(),
            Fate::Answered(answer) => ready(Ok(answer)).boxed(),
            Fate::Unsent => ready(Err(cut())).boxed(),
            Fate::Unheard => self.inner.call(request).map(|_| Err(cut())).boxed(),
            Fate::Last(over) => last(self.inner.call(request), over).boxed(),
            Fate::Held(let_go) => {
                let sent = self.inner.call(request);
                async move { let_go.notified().then(|()| sent).await }.boxed()
            }
            Fate::Never => pending().boxed(),
        }
    }
}

async fn last<T>(sent: impl Future<Output = T>, over: Arc<Notify>) -> T {
    sent.await;
    over.notify_one();
    pending().await
}

fn cut() -> BoxError {
    "the connection was cut".into()
}
