//! What those who run the gateway rely on: readiness, metrics, refusal of overload, an end when the store fails.

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use gateway::ledger::check::{Arrival, check};
use gateway::ledger::store::{LogError, Store, StoreError};
use gateway::ledger::unit::Receipt;
use gateway::ledger::{Ledger, LedgerError, QUEUE_LIMIT};
use gateway::refusal::Refusal;
use gateway::serve::operations;
use gateway::tables::{Index, Keeper};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::clock::HandClock;
use crate::model::SMALL;
use crate::samples::{SAMPLE, START, keys};
use crate::signed::claims;
use crate::world::{World, exposure, get, post, text};

#[tokio::test]
async fn a_role_is_ready_once_it_has_read_all_tables() {
    let mut registry = Registry::default();
    let (mut keeper, tables) = Keeper::new(&mut registry);
    let router = operations(registry, move || tables.is_complete());
    assert_eq!(get(&router, "/healthz").await.0, StatusCode::OK);
    assert_eq!(get(&router, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    keeper.offer(&SAMPLE.object()).unwrap();
    keeper.publish();
    keeper.complete();
    assert_eq!(get(&router, "/readyz").await.0, StatusCode::OK);
    assert_eq!(get(&router, "/nothing").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn metrics_tell_what_was_refused() {
    let mut registry = Registry::default();
    let (mut keeper, _tables) = Keeper::new(&mut registry);
    keeper.offer(&SAMPLE.object()).unwrap();
    let mut broken = SAMPLE.object();
    broken.spec.placements[0].variants[0].digest = "0".repeat(64);
    assert!(keeper.offer(&broken).is_err());
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
async fn up_to_when_a_ledger_knows_what_happened_is_told() {
    let folder = || tempfile::tempdir().unwrap();
    let told = async |registry: &Registry, moment: i64| {
        let line = format!("broadside_ledger_until_timestamp_seconds {moment}\n");
        let mut text = String::new();
        while !text.contains(&line) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            text.clear();
            encode(&mut text, registry).unwrap();
        }
    };
    let now = START.as_second();
    let (alone, clock, mut registry) = (folder(), Arc::new(HandClock::new()), Registry::default());
    let _ledger = Ledger::start(Store::open(alone.path(), SMALL).unwrap(), clock.clone(), &mut registry);
    told(&registry, now).await;
    clock.advance(5_000);
    told(&registry, now + 5).await;

    let (behind, mut registry) = (folder(), Registry::default());
    let store = Store::open(behind.path(), SMALL).unwrap();
    let (ledger, _writer) = Ledger::start_behind_stream(store, clock.clone(), &mut registry);
    told(&registry, 0).await;
    ledger.caught_up(START).unwrap();
    told(&registry, now).await;
    clock.advance(3_600_000);
    ledger.caught_up(START + Duration::from_secs(9)).unwrap();
    told(&registry, now + 9).await;
}

#[tokio::test]
async fn what_the_queue_cannot_hold_is_told_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), SMALL).unwrap();
    let (ledger, _writer) = Ledger::start(store, Arc::new(HandClock::new()), &mut Registry::default());
    let busy = ledger.record(vec![arrival(1); QUEUE_LIMIT + 1], START).await.unwrap_err();
    assert_eq!(busy, LedgerError::Busy);
    let response = Refusal::from(busy).into_response();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    let fits = ledger.record(vec![arrival(1); QUEUE_LIMIT], START).await;
    assert_eq!(fits.unwrap().len(), QUEUE_LIMIT, "nothing was held for what was turned away");
}

#[tokio::test]
async fn a_ledger_that_has_not_read_the_tables_judges_no_event() {
    let world = World::starting(SAMPLE);
    let token = world.token("alice").await;
    let body = json!({"events": [exposure("1", &token)]}).to_string();
    let (status, answer) = post(&world.ledger, "/v1/events", body).await;
    assert_eq!((status, &answer["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("Unavailable")));
}

#[tokio::test]
async fn a_store_that_fails_ends_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), SMALL).unwrap();
    let (ledger, writer) = Ledger::start(store, Arc::new(HandClock::new()), &mut Registry::default());
    let sound = ledger.record(vec![arrival(1)], START).await.unwrap();
    assert_eq!(sound, [Receipt::of(api::wire::event::Outcome::Accepted)]);
    std::fs::remove_dir_all(folder.path().join("log")).unwrap();
    let mut subjects = 2..100_000;
    let failed = loop {
        if let Err(error) = ledger.record(vec![arrival(subjects.next().unwrap())], START).await {
            break error;
        }
    };
    assert_eq!(failed, LedgerError::Stopping);
    assert!(matches!(writer.await.unwrap(), Err(StoreError::Log(LogError::Io { .. }))));
    assert!(!ledger.is_running());
    assert_eq!(ledger.totals(SAMPLE.uid.into(), START).await, Err(LedgerError::Stopping));
}

#[test]
fn a_ledger_of_an_older_version_or_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), SMALL).unwrap();
    let open = || Store::open(folder.path(), SMALL).map(drop);
    assert!(matches!(open(), Err(StoreError::InUse(_))), "two writers would lose events");
    drop(store);
    assert!(open().is_ok());
    std::fs::write(folder.path().join("ledger.redb"), "").unwrap();
    assert!(matches!(open(), Err(StoreError::Older(_))));
}

/// An exposure as it passes the check.
pub(crate) fn arrival(subject: u128) -> Arrival {
    static ONE: LazyLock<Arrival> = LazyLock::new(checked);
    Arrival { subject: subject.to_be_bytes(), ..ONE.clone() }
}

fn checked() -> Arrival {
    let mut index = Index::default();
    index.offer(&SAMPLE.object()).unwrap();
    let claims = claims(START.as_second(), keys().subject(SAMPLE.uid, "alice"));
    let event = serde_json::from_value(exposure("1", &keys().sign(&claims))).unwrap();
    check(&event, &keys(), &index.snapshot(), START).unwrap()
}
