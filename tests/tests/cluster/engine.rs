//! An engine on this machine that speaks the OpenAI-compatible chat API, and that a pod reaches as a service of its namespace.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use stage::Installation;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// It ends with this value.
pub(crate) struct Engine {
    address: SocketAddr,
    state: Arc<Counter>,
    server: JoinHandle<()>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Counter {
    /// How many more are answered; who has no turn waits.
    turns: Semaphore,
    keys: Mutex<Keys>,
}

struct Keys {
    good: String,
    /// The key of each request that was answered with copy.
    served: Vec<String>,
    refused: usize,
}

/// Copy that no two of are alike, for as many requests as a test makes.
const HEADLINES: [&str; 12] = [
    "Made for muddy weekends",
    "240 g on each foot",
    "Recycled yarn, real grip",
    "Leave the asphalt behind",
    "Quiet miles start here",
    "Run where maps end",
    "Sixty days to change your mind",
    "Light enough for long climbs",
    "Your Saturday has a new route",
    "Roots, rocks, repeat",
    "Dry feet after the river",
    "Fewer grams, more forest",
];

impl Engine {
    /// Begins to listen where pods of that cluster may ask, and answers so many of those who have the key.
    pub(crate) async fn start(stage: &Installation, key: &str, turns: usize) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((host(stage).await?, 0)).await?;
        let keys = Mutex::new(Keys { good: key.to_owned(), served: Vec::new(), refused: 0 });
        let state = Arc::new(Counter { turns: Semaphore::new(turns), keys });
        let router =
            Router::new().route("/v1/chat/completions", post(complete)).with_state(Arc::clone(&state));
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            // It ends when the test does.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { address, state, server })
    }

    /// A service of a namespace that leads to it.
    pub(crate) fn service(&self, name: &str) -> String {
        format!(
            "
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{ports: [{{port: 8000, targetPort: {port}}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{port: {port}}}]
endpoints: [{{addresses: [{ip}]}}]
",
            port = self.address.port(),
            ip = self.address.ip(),
        )
    }

    /// From now on another key is the good one, and everybody has a turn.
    pub(crate) fn change_key(&self, key: &str) {
        key.clone_into(&mut self.state.keys.lock().expect("no handler panics").good);
        self.state.turns.add_permits(HEADLINES.len());
    }

    /// The keys with which copy was had so far, and how often another was refused.
    pub(crate) fn seen(&self) -> (Vec<String>, usize) {
        let keys = self.state.keys.lock().expect("no handler panics");
        (keys.served.clone(), keys.refused)
    }
}

/// The address of this machine on its cable to the node.
async fn host(stage: &Installation) -> anyhow::Result<IpAddr> {
    let probe = UdpSocket::bind("0.0.0.0:0").await?;
    probe.connect((stage.cluster.node_address(), 9)).await?;
    Ok(probe.local_addr()?.ip())
}

async fn complete(State(state): State<Arc<Counter>>, headers: HeaderMap) -> Response {
    state.turns.acquire().await.expect("nobody closes it").forget();
    let key = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok()?.strip_prefix("Bearer "));
    let mut keys = state.keys.lock().expect("no handler panics");
    if key != Some(&keys.good) {
        keys.refused += 1;
        return (StatusCode::UNAUTHORIZED, "{\"error\": {\"message\": \"no such key\"}}").into_response();
    }
    let headline = HEADLINES[keys.served.len() % HEADLINES.len()];
    let good = keys.good.clone();
    keys.served.push(good);
    let copy = json!({"headline": headline, "body": null, "button": "Shop now"}).to_string();
    let choice = json!({"message": {"role": "assistant", "content": copy}, "finish_reason": "stop"});
    let answer = json!({"choices": [choice], "usage": {"completion_tokens": 9}}).to_string();
    ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
}
