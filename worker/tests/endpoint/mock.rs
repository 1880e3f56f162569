//! A server on loopback that does what a test says and remembers what it was sent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use futures::stream;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// What the mock was sent.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

/// Answers the request of that number, counted from zero.
type Answer = dyn Fn(usize, Seen) -> BoxFuture<'static, Response> + Send + Sync;

/// A server that stands as long as it is held.
pub(crate) struct Mock {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    most: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

impl Mock {
    /// Answers at once.
    pub(crate) fn new(answer: impl Fn(usize, &Seen) -> Response + Send + Sync + 'static) -> Self {
        Self::later(move |number, seen| {
            let response = answer(number, &seen);
            Box::pin(async move { response })
        })
    }

    /// Answers when it likes.
    pub(crate) fn later(
        answer: impl Fn(usize, Seen) -> BoxFuture<'static, Response> + Send + Sync + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (seen, most) = (Arc::default(), Arc::default());
        let handle = handler(Arc::new(answer), Arc::clone(&seen), Arc::clone(&most));
        runtime.spawn(async move { axum::serve(listener, Router::new().fallback(handle)).await });
        Self { url, seen, most, runtime: Some(runtime) }
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no handler panics").clone()
    }

    /// The most requests that were under way at once.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Drop for Mock {
    /// Without waiting for handlers that hold a request on purpose.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn handler(
    answer: Arc<Answer>,
    all: Arc<Mutex<Vec<Seen>>>,
    most: Arc<AtomicUsize>,
) -> impl Fn(Request) -> BoxFuture<'static, Response> + Clone + Send + Sync + 'static {
    let now = Arc::new(AtomicUsize::new(0));
    move |request| {
        let (answer, all, most) = (Arc::clone(&answer), Arc::clone(&all), Arc::clone(&most));
        let now = Arc::clone(&now);
        Box::pin(async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let seen = read(request).await;
            let number = {
                let mut all = all.lock().expect("no handler panics");
                all.push(seen.clone());
                all.len() - 1
            };
            let response = answer(number, seen).await;
            now.fetch_sub(1, Ordering::SeqCst);
            response
        })
    }
}

async fn read(request: Request) -> Seen {
    let at = Instant::now();
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Seen { path: parts.uri.path().to_owned(), headers: parts.headers, body, at }
}

/// A completion that says this.
pub(crate) fn says(content: &str) -> Response {
    let choice = json!({"message": {"role": "assistant", "content": content}, "finish_reason": "stop"});
    ok(&json!({"choices": [choice], "usage": {"completion_tokens": 9}}))
}

/// A completion with copy for a banner.
pub(crate) fn copy() -> Response {
    says(r#"{"headline": "Run further", "body": null, "button": "Shop now"}"#)
}

pub(crate) fn ok(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// An error, as OpenAI words one.
pub(crate) fn error(status: u16, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, json!({"error": {"message": message}}).to_string()).into_response()
}

pub(crate) fn with(mut response: Response, name: header::HeaderName, value: &str) -> Response {
    response.headers_mut().insert(name, value.parse().expect("a header's value"));
    response
}

/// Half an answer, and then no connection.
pub(crate) fn cut_off() -> Response {
    let pieces = [Ok("{\"choices\": ["), Err(std::io::Error::other("cut"))];
    Body::from_stream(stream::iter(pieces)).into_response()
}
