//! Both roles over one table and one clock, called without a socket.

use std::sync::Arc;

use api::AdTable;
use api::wire::decide::DecideResponse;
use api::wire::event::{EventsResponse, Outcome};
use api::wire::totals::TotalsResponse;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use gateway::clock::Clock;
use gateway::decide::DecideState;
use gateway::key::Keyring;
use gateway::ledger::store::{Bounds, Store};
use gateway::ledger::{Ledger, LedgerState};
use gateway::tables::{Keeper, Refused, Tables};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::clock::HandClock;
use crate::samples::{Sample, keys};

/// A gateway that serves one table.
pub(crate) struct World {
    pub(crate) clock: Arc<HandClock>,
    pub(crate) decide: Router,
    pub(crate) ledger: Router,
    keeper: Keeper,
    registry: Registry,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(sample: Sample<'_>) -> Self {
        let world = Self::starting(sample);
        world.keeper.complete();
        world
    }

    /// A gateway that has read one table, and does not know yet that it is the only one.
    pub(crate) fn starting(sample: Sample<'_>) -> Self {
        let (clock, folder) = (Arc::new(HandClock::new()), tempfile::tempdir().unwrap());
        let mut registry = Registry::default();
        let (mut keeper, tables) = Keeper::new(&mut registry);
        keeper.offer(&sample.object()).unwrap();
        keeper.publish();
        let decide = decide(tables.clone(), clock.clone(), &mut registry);
        let ledger = ledger(&folder, tables, clock.clone(), &mut registry);
        Self { clock, decide, ledger, keeper, registry, _folder: folder }
    }

    pub(crate) fn offer(&mut self, table: &AdTable) -> Result<(), Refused> {
        let offered = self.keeper.offer(table);
        self.keeper.publish();
        offered
    }

    pub(crate) fn remove(&mut self, uid: &str) {
        self.keeper.remove(uid);
        self.keeper.publish();
    }

    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    /// The token of a fresh decision for that subject.
    pub(crate) async fn token(&self, subject: &str) -> String {
        let question = question(subject).to_string();
        let (_, answer) = post(&self.decide, "/v1/decide", question).await;
        let answer: DecideResponse = serde_json::from_value(answer).unwrap();
        answer.token.expect("the sample assigns everybody")
    }

    pub(crate) async fn send(&self, events: &[Value]) -> Vec<Outcome> {
        let (status, answer) =
            post(&self.ledger, "/v1/events", json!({ "events": events }).to_string()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        let answer: EventsResponse = serde_json::from_value(answer).unwrap();
        answer.outcomes.into_iter().map(|outcome| outcome.outcome).collect()
    }

    pub(crate) async fn totals(&self, uid: &str) -> TotalsResponse {
        let (status, answer) = get(&self.ledger, &format!("/v1/totals?campaign={uid}")).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        serde_json::from_value(answer).unwrap()
    }

    /// Matured exposures and rewards over all cells, and pending exposures.
    pub(crate) async fn sums(&self, uid: &str) -> (u64, f64, u64) {
        let placements = self.totals(uid).await.placements;
        let cells = || placements.iter().flat_map(|placement| &placement.cells);
        (
            cells().map(|cell| cell.exposures).sum(),
            cells().map(|cell| cell.rewards).sum(),
            placements.iter().map(|placement| placement.pending_exposures).sum(),
        )
    }
}

pub(crate) fn question(subject: &str) -> Value {
    json!({"namespace": "shop", "campaign": "cart-and-hero", "placement": "hero", "subject": subject})
}

pub(crate) fn decision(id: &str, token: &str) -> Value {
    json!({"id": id, "token": token, "type": "decision"})
}

pub(crate) fn exposure(id: &str, token: &str) -> Value {
    json!({"id": id, "token": token, "type": "exposure"})
}

pub(crate) fn reward(id: &str, token: &str) -> Value {
    json!({"id": id, "token": token, "type": "reward", "metric": "product-view"})
}

/// A reward of a guardrail.
pub(crate) fn bounce(id: &str, token: &str) -> Value {
    json!({"id": id, "token": token, "type": "reward", "metric": "bounce"})
}

pub(crate) async fn post(router: &Router, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    call(router, Request::post(path).body(body.into()).unwrap()).await
}

pub(crate) async fn get(router: &Router, path: &str) -> (StatusCode, Value) {
    call(router, Request::get(path).body(Body::empty()).unwrap()).await
}

pub(crate) async fn call(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// The body as it is.
pub(crate) async fn text(router: &Router, path: &str) -> String {
    let response = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

fn decide(tables: Tables, clock: Arc<dyn Clock>, registry: &mut Registry) -> Router {
    gateway::decide::router(DecideState::new(tables, Keyring::new(keys()), clock, None, None, registry))
}

fn ledger(
    folder: &tempfile::TempDir,
    tables: Tables,
    clock: Arc<dyn Clock>,
    registry: &mut Registry,
) -> Router {
    let store = Store::open(folder.path(), Bounds::default()).unwrap();
    let (ledger, _) = Ledger::start(store, clock.clone(), registry);
    gateway::ledger::router(LedgerState::new(ledger, tables, Keyring::new(keys()), clock, registry))
}
