//! Keeps a process that leads no more from writing: below every client of its passes, whatever they are in the midst of.
//!
//! ```text
//!   a pass ─▶ kube's client ─▶ fence ─▶ tries, waits and tries again ─▶ the API server
//!                                │
//!                                └─ leads no more: refused, and what is under way is given up
//! ```
//!
//! What left this machine before can't be called back. It left by the deadline, which lies well before others may take the Lease;
//! only a process that is stopped between asking and sending sends later, and then a table's number and a status's version say
//! that they are old.

use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, Request};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::util::MapRequestLayer;
use tower::{BoxError, Layer, Service};

use super::Leadership;
use crate::metrics::Metrics;

/// This process leads no more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("another process leads now, or may soon: nothing is written")]
pub struct LeadsNoMore;

/// A client that writes for as long as this process leads, and reads whenever it is asked to. What it sends is counted.
///
/// # Errors
/// When no client can be made from the configuration.
pub fn fenced(config: Config, leadership: Leadership, metrics: &Metrics) -> Result<Client, kube::Error> {
    let metrics = metrics.clone();
    let counted = MapRequestLayer::new(move |request: Request<Body>| {
        metrics.count_request(request.method());
        request
    });
    Ok(ClientBuilder::try_from(config)?.with_layer(&counted).with_layer(&Fence(leadership)).build())
}

#[derive(Clone, Debug)]
struct Fence(Leadership);

impl<S> Layer<S> for Fence {
    type Service = Fenced<S>;

    fn layer(&self, inner: S) -> Fenced<S> {
        Fenced { inner, leadership: self.0.clone() }
    }
}

#[derive(Clone, Debug)]
struct Fenced<S> {
    inner: S,
    leadership: Leadership,
}

impl<S, Response> Service<Request<Body>> for Fenced<S>
where
    S: Service<Request<Body>, Response = Response, Error = BoxError>,
    S::Future: Send + 'static,
    Response: Send + 'static,
{
    type Response = Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.method() == Method::GET {
            return self.inner.call(request).boxed();
        }
        if !self.leadership.holds() {
            return std::future::ready(Err(LeadsNoMore.into())).boxed();
        }
        let (leadership, written) = (self.leadership.clone(), self.inner.call(request));
        async move {
            tokio::select! {
                // First, so that a process that stood still asks whether it leads before it goes on.
                biased;
                () = leadership.lost() => Err(LeadsNoMore.into()),
                written = written => written,
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tower::ServiceExt;

    use super::*;

    /// What becomes of a request to a server that answers after `seconds`, for who leads for another `leads`.
    async fn check(method: Method, leads: u64, seconds: u64, expected: Result<(), &str>) {
        let server = tower::service_fn(move |_: Request<Body>| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok::<_, BoxError>(())
        });
        let leadership = Leadership::until(Instant::now() + Duration::from_secs(leads));
        let request = Request::builder().method(&method).body(Body::empty()).expect("a request");
        let found = Fence(leadership).layer(server).oneshot(request).await;
        let found = found.map_err(|error| error.to_string());
        let same = match (&found, expected) {
            (Ok(()), Ok(())) => true,
            (Err(found), Err(part)) => found.contains(part),
            _ => false,
        };
        assert!(same, "{method} of who leads for {leads} s, answered after {seconds} s: {found:?}");
    }

    #[tokio::test]
    async fn who_leads_no_more_writes_nothing_and_reads_all() {
        check(Method::POST, 60, 0, Ok(())).await;
        check(Method::POST, 0, 0, Err("another process leads")).await;
        check(Method::PATCH, 1, 60, Err("another process leads")).await;
        check(Method::GET, 0, 1, Ok(())).await;
    }
}
