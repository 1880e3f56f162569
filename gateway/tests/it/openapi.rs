//! `docs/schemas/openapi.json` is what the code says, and names every path of the routers with its methods.
//!
//! `schemathesis.rs` holds a real process to it.

mod document;
mod parts;
mod schemas;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tower::ServiceExt;

use crate::samples::SAMPLE;
use crate::world::World;

const REFRESH: &str = "UPDATE=1 cargo test -p broadside-gateway --test it openapi";

type Methods = BTreeSet<String>;

#[test]
fn the_committed_document_is_current() {
    let text = serde_json::to_string_pretty(&document::document()).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas/openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == text, "{} is not what the code says. Refresh with: {REFRESH}", file.display());
}

#[tokio::test]
async fn every_path_is_in_the_document_with_its_methods() {
    let world = World::new(SAMPLE);
    let operations = gateway::serve::operations(Registry::default(), || true);
    let mut served = BTreeMap::new();
    for router in [&world.decide, &world.ledger, &operations] {
        for path in paths(router) {
            let methods = methods(router, &path).await;
            served.insert(path, methods);
        }
    }
    assert_eq!(documented(), served);
}

fn documented() -> BTreeMap<String, Methods> {
    let document = document::document();
    let upper = |methods: &Value| methods.as_object().unwrap().keys().map(|it| it.to_uppercase()).collect();
    let paths = document["paths"].as_object().unwrap();
    paths.iter().map(|(path, methods)| (path.clone(), upper(methods))).collect()
}

/// A router tells its paths to none but those who debug it.
fn paths(router: &Router) -> BTreeSet<String> {
    let debugged = format!("{router:?}");
    let quoted = debugged.split('"').skip(1).step_by(2);
    let paths: BTreeSet<_> = quoted
        .filter(|it| it.len() > 1 && it.starts_with('/') && !it.contains("__private"))
        .map(str::to_owned)
        .collect();
    assert!(!paths.is_empty(), "axum shows its paths otherwise now: {debugged}");
    paths
}

/// The methods that a path is for, as it tells those who come with another. Where there is `GET`, `HEAD` goes without
/// saying.
async fn methods(router: &Router, path: &str) -> Methods {
    let request = Request::patch(path.replace(['{', '}'], "")).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    let allowed = response.headers()[header::ALLOW].to_str().unwrap().to_owned();
    let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
    assert!(body.starts_with(br#"{"code":"WrongMethod""#), "{body:?}");
    allowed.split(',').filter(|method| *method != "HEAD").map(str::to_owned).collect()
}

/// The limits that stand in the wire types, which can't see the gateway.
#[test]
fn limits_are_those_of_the_gateway() {
    use gateway::decide::{ELIGIBLE_LIMIT, PLACEMENTS_LIMIT, SUBJECT_LIMIT};
    use gateway::ledger::{
        EVENTS_LIMIT,
        check::{ID_LIMIT, TOKEN_LIMIT},
    };
    let document = document::document();
    for (place, limit) in [
        ("DecideRequest/properties/subject/maxLength", SUBJECT_LIMIT),
        ("DecideRequest/properties/placements/maxItems", PLACEMENTS_LIMIT),
        ("DecideRequest/properties/eligible/maxItems", ELIGIBLE_LIMIT),
        ("EvaluationContext/properties/targetingKey/maxLength", SUBJECT_LIMIT),
        ("EvaluationContext/properties/eligible/maxItems", ELIGIBLE_LIMIT),
        ("EventsRequest/properties/events/maxItems", EVENTS_LIMIT),
        ("Event/properties/id/maxLength", ID_LIMIT),
        ("Event/properties/token/maxLength", TOKEN_LIMIT),
    ] {
        let found = document.pointer(&format!("/components/schemas/{place}")).and_then(Value::as_u64);
        assert_eq!(found, Some(limit as u64), "{place}");
    }
}
