//! What those who run the gateway rely on: readiness, metrics, refusal of overload, an end when the store fails.

use axum::http::StatusCode;
use futures::future::join_all;
use gateway::ledger::store::{Store, StoreError};
use gateway::ledger::unit::Receipt;
use gateway::ledger::{EVENTS_LIMIT, Ledger, LedgerError, QUEUE_LIMIT};
use gateway::serve::operations;
use gateway::tables::{Index, Keeper};
use prometheus_client::registry::Registry;
use redb::{Database, TableDefinition};
use serde_json::json;
use std::sync::Arc;

use crate::clock::HandClock;
use crate::samples::{SAMPLE, START, keys};
use crate::world::{World, exposure, get, post, text};

#[tokio::test]
async fn a_role_is_ready_once_it_has_read_all_tables() {
    let mut registry = Registry::default();
    let (mut keeper, tables) = Keeper::new(&mut registry);
    let router = operations(registry, move || tables.is_complete());
    assert_eq!(get(&router, "/healthz").await.0, StatusCode::OK);
    assert_eq!(get(&router, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    keeper.offer(&SAMPLE.object());
    keeper.publish();
    keeper.complete();
    assert_eq!(get(&router, "/readyz").await.0, StatusCode::OK);
    assert_eq!(get(&router, "/nothing").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn metrics_tell_what_was_refused() {
    let mut registry = Registry::default();
    let (mut keeper, _tables) = Keeper::new(&mut registry);
    keeper.offer(&SAMPLE.object());
    let mut broken = SAMPLE.object();
    broken.spec.placements[0].variants[0].digest = "0".repeat(64);
    keeper.offer(&broken);
    keeper.publish();
    let metrics = text(&operations(registry, || true), "/metrics").await;
    for line in ["broadside_tables 1\n", "broadside_tables_refused_total{reason=\"Digest\"} 1\n", "# EOF\n"] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[tokio::test]
async fn metrics_count_outcomes_and_reasons() {
    let world = World::new(SAMPLE);
    let token = world.token("alice").await;
    world.send(&[exposure("1", &token), exposure("2", &token), exposure("3", "v1")]).await;
    let metrics = world.metrics();
    for line in [
        "broadside_decisions_total{reason=\"Assigned\"} 1\n",
        "broadside_events_total{outcome=\"accepted\"} 1\n",
        "broadside_events_total{outcome=\"duplicate\"} 1\n",
        "broadside_events_total{outcome=\"invalid\"} 1\n",
        "broadside_ledger_commit_seconds_count 1\n",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

#[tokio::test]
async fn what_the_queue_cannot_hold_is_told_to_come_back() {
    let world = World::new(SAMPLE);
    let token = world.token("alice").await;
    let body = json!({"events": vec![exposure("1", &token); EVENTS_LIMIT]}).to_string();
    let fits = QUEUE_LIMIT / EVENTS_LIMIT;
    // All are asked before the writer has its turn, so that none makes room for the next.
    let answers = join_all((0..=fits).map(|_| post(&world.ledger, "/v1/events", body.clone()))).await;
    let (last, first) = answers.split_last().unwrap();
    assert!(first.iter().all(|(status, _)| *status == StatusCode::ACCEPTED));
    assert_eq!((last.0, &last.1["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("Busy")));
    assert_eq!(world.send(&[exposure("2", &token)]).await.len(), 1, "later there is room again");
}

#[tokio::test]
async fn a_ledger_that_has_not_read_the_tables_judges_no_event() {
    let world = World::starting(SAMPLE);
    let token = world.token("alice").await;
    let body = json!({"events": [exposure("1", &token)]}).to_string();
    let (status, answer) = post(&world.ledger, "/v1/events", body).await;
    assert_eq!((status, &answer["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("Unavailable")));
}

/// Opens the ledger's file without the ledger.
fn tamper(folder: &tempfile::TempDir, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::create(folder.path().join("ledger.redb")).unwrap();
    let write = database.begin_write().unwrap();
    change(&write);
    write.commit().unwrap();
}

#[tokio::test]
async fn a_store_that_fails_ends_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    tamper(&folder, |write| {
        let mut units = write.open_table(TableDefinition::<(u32, [u8; 16]), &[u8]>::new("units")).unwrap();
        units.insert((0, [7; 16]), b"no unit".as_slice()).unwrap();
    });
    let store = Store::open(folder.path()).unwrap();
    let (ledger, writer) = Ledger::start(store, Arc::new(HandClock::new()), &mut Registry::default());
    let sound = ledger.record(vec![arrival([8; 16])], START).await.unwrap();
    assert_eq!(sound, [Receipt::of(api::wire::event::Outcome::Accepted)]);
    assert_eq!(ledger.record(vec![arrival([7; 16])], START).await, Err(LedgerError::Stopping));
    assert!(matches!(writer.await.unwrap(), Err(StoreError::Unit(_))));
    assert!(!ledger.is_running());
    assert_eq!(ledger.totals(SAMPLE.uid.into(), START).await, Err(LedgerError::Stopping));
}

#[test]
fn a_ledger_of_another_version_or_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert!(
        matches!(Store::open(folder.path()), Err(StoreError::Open { .. })),
        "two writers would lose events"
    );
    drop(store);
    tamper(&folder, |write| {
        let mut meta = write.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap();
        meta.insert("schema", 2).unwrap();
    });
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Schema(2))));
}

/// An exposure as it passes the check.
fn arrival(subject: [u8; 16]) -> gateway::ledger::check::Arrival {
    let mut index = Index::default();
    index.offer(&SAMPLE.object()).unwrap();
    let claims = api::wire::token::Claims {
        campaign: SAMPLE.uid.into(),
        placement: "hero".into(),
        seed: 1,
        segment: "all".into(),
        round: 1,
        variant: "warm".into(),
        probability: 500_000,
        decided_at: START.as_second(),
        subject: api::wire::token::SubjectHash(api::name::hex(&subject)),
    };
    let event = serde_json::from_value(exposure("1", &keys().sign(&claims))).unwrap();
    gateway::ledger::check::check(&event, &keys(), &index.snapshot(), START).unwrap()
}
