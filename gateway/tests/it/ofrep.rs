//! OpenFeature's protocol at the edge, by its words; `applications.rs` has its SDK as client.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::samples::{SAMPLE, Sample};
use crate::world::{World, call, exposure, post};

const FLAG: &str = "/ofrep/v1/evaluate/flags/shop.cart-and-hero.hero";
const FLAGS: &str = "/ofrep/v1/evaluate/flags";

fn alice() -> Value {
    json!({"context": {"targetingKey": "alice", "country": "CH", "age": 33}})
}

#[tokio::test]
async fn a_flag_is_a_placement_and_its_value_the_texts() {
    let world = World::new(SAMPLE);
    let (status, flag) = post(&world.decide, FLAG, alice().to_string()).await;
    assert_eq!(status, StatusCode::OK, "{flag}");
    let (_, answer) = post(&world.decide, "/v1/decide", crate::world::question("alice").to_string()).await;
    assert_eq!((&flag["key"], &flag["reason"]), (&json!("shop.cart-and-hero.hero"), &json!("SPLIT")));
    assert_eq!((&flag["variant"], &flag["value"]), (&answer["variant"], &answer["slots"]));
    for field in ["token", "probability", "round", "expiresAt"] {
        assert_eq!(flag["metadata"][field], answer[field], "{field}");
    }
    assert_eq!(flag["metadata"]["decision"], json!("Assigned"));
    let token = flag["metadata"]["token"].as_str().unwrap();
    assert_eq!(world.send(&[exposure("1", token)]).await, [api::wire::event::Outcome::Accepted]);
}

#[tokio::test]
async fn a_dry_run_names_what_was_drawn_and_has_the_controls_texts() {
    let all: &[(&[&str], &[u32])] = &[(&["all"], &[0, 1_000_000])];
    let world = World::new(Sample { dry_run: true, allocations: all, ..SAMPLE });
    let (_, flag) = post(&world.decide, FLAG, alice().to_string()).await;
    assert_eq!((&flag["variant"], &flag["metadata"]["dryRun"]), (&json!("warm"), &json!(true)));
    assert_eq!(flag["value"]["headline"], json!("Run further: control"));
    let token = flag["metadata"]["token"].as_str().unwrap();
    assert_eq!(world.send(&[exposure("1", token)]).await, [api::wire::event::Outcome::Accepted]);
}

#[tokio::test]
async fn who_may_not_be_measured_gets_the_control_as_a_default() {
    let world = World::new(SAMPLE);
    let mut body = alice();
    body["context"]["consent"] = json!({"measurement": false});
    let (status, flag) = post(&world.decide, FLAG, body.to_string()).await;
    assert_eq!(
        (status, &flag["reason"], &flag["variant"]),
        (StatusCode::OK, &json!("DEFAULT"), &json!("control"))
    );
    assert_eq!(flag["metadata"]["decision"], json!("NoConsent"));
    body["context"]["eligible"] = json!(["warm"]);
    let (_, flag) = post(&world.decide, FLAG, body.to_string()).await;
    assert_eq!(
        (flag.get("value"), &flag["reason"]),
        (None, &json!("DEFAULT")),
        "the application's own default"
    );
}

#[tokio::test]
async fn segment_and_the_browsers_wish_are_heard() {
    let world = World::new(Sample { allocations: &[(&["new"], &[0, 1_000_000])], ..SAMPLE });
    let ask = async |segment: Option<&str>, private: &str| {
        let body = json!({"context": {"targetingKey": "alice", "segment": segment}}).to_string();
        let request = Request::post(FLAG).header("Sec-GPC", private).body(Body::from(body)).unwrap();
        call(&world.decide, request).await.1["metadata"]["decision"].clone()
    };
    assert_eq!(ask(Some("new"), "0").await, json!("Assigned"));
    assert_eq!(ask(None, "0").await, json!("UnknownSegment"));
    assert_eq!(ask(Some("new"), "1").await, json!("NoConsent"));
}

#[tokio::test]
async fn a_context_says_who_comes_and_what_a_reviewer_wants_to_see() {
    let world = World::new(SAMPLE);
    let check = async |more: Value, reason: &str, decision: &str, variant: &str| {
        let mut context = json!({"targetingKey": "alice"});
        context.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (_, flag) = post(&world.decide, FLAG, json!({"context": context}).to_string()).await;
        let found = (&flag["reason"], &flag["metadata"]["decision"], &flag["variant"]);
        assert_eq!(found, (&json!(reason), &json!(decision), &json!(variant)), "{more}");
        assert_eq!(flag["metadata"].get("token"), None, "{more}");
    };
    check(json!({"traffic": "Staff"}), "DEFAULT", "Staff", "control").await;
    check(json!({"userAgent": "Googlebot/2.1"}), "DEFAULT", "Bot", "control").await;
    check(json!({"preview": "retired"}), "DEFAULT", "Preview", "retired").await;
    check(json!({"preview": "other"}), "DEFAULT", "Preview", "control").await;
    for own in [
        json!({"traffic": "paid"}),
        json!({"preview": true}),
        json!({"userAgent": 7}),
        json!({"preview": ""}),
    ] {
        let mut context = json!({"targetingKey": "alice"});
        context.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let (_, flag) = post(&world.decide, FLAG, json!({"context": context}).to_string()).await;
        assert_eq!(flag["metadata"]["decision"], json!("Assigned"), "{own} is the application's own");
    }
}

#[tokio::test]
async fn each_fault_has_its_code() {
    let world = World::new(SAMPLE);
    let check = async |path: &str, body: &str, status, code, details: &str| {
        let (found, answer) = post(&world.decide, path, body.to_owned()).await;
        assert_eq!((found, &answer["errorCode"]), (status, &json!(code)), "{path} {body}: {answer}");
        assert!(answer["errorDetails"].as_str().unwrap().contains(details), "{answer}");
        assert_eq!(answer.get("key").is_some(), path != FLAGS, "{answer}");
    };
    let bad = StatusCode::BAD_REQUEST;
    for path in [FLAG, FLAGS] {
        check(path, "", bad, "TARGETING_KEY_MISSING", "context.targetingKey").await;
        check(path, "{}", bad, "TARGETING_KEY_MISSING", "context.targetingKey").await;
        check(path, r#"{"context": {"targetingKey": ""}}"#, bad, "TARGETING_KEY_MISSING", "send").await;
        check(path, "{", bad, "PARSE_ERROR", "EOF").await;
        check(path, r#"{"context": {"targetingKey": 7}}"#, bad, "INVALID_CONTEXT", "context.targetingKey")
            .await;
        let long = json!({"context": {"targetingKey": "s".repeat(513)}}).to_string();
        check(path, &long, bad, "INVALID_CONTEXT", "context.targetingKey: send 1 to 512").await;
        let large = json!({"context": {"targetingKey": "s".repeat(17_000)}}).to_string();
        check(path, &large, StatusCode::PAYLOAD_TOO_LARGE, "GENERAL", "too large").await;
    }
    let missing = StatusCode::NOT_FOUND;
    let body = alice().to_string();
    for key in ["hero", "shop.other.hero", "shop.cart-and-hero.other", "other.cart-and-hero.hero"] {
        check(&format!("{FLAGS}/{key}"), &body, missing, "FLAG_NOT_FOUND", "own default").await;
    }
    let (status, answer) = post(&world.decide, &format!("{FLAGS}/%ff"), body).await;
    assert_eq!((status, &answer["errorCode"]), (missing, &json!("FLAG_NOT_FOUND")), "what is no text");
}

#[tokio::test]
async fn all_flags_are_sent_again_only_when_one_changed() {
    let world = World::new(SAMPLE);
    let ask = async |subject: &str, known: &str| -> Response {
        let body = json!({"context": {"targetingKey": subject}}).to_string();
        let request = Request::post(FLAGS).header("If-None-Match", known).body(Body::from(body)).unwrap();
        world.decide.clone().oneshot(request).await.unwrap()
    };
    let tag = |response: &Response| response.headers()["etag"].to_str().unwrap().to_owned();
    let first = ask("alice", "\"0\"").await;
    assert_eq!(first.status(), StatusCode::OK);
    let known = tag(&first);
    let body = axum::body::to_bytes(first.into_body(), 1 << 16).await.unwrap();
    let all: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(all["flags"].as_array().unwrap().len(), 1);
    let (_, one) = post(&world.decide, FLAG, json!({"context": {"targetingKey": "alice"}}).to_string()).await;
    assert_eq!(all["flags"][0], one);

    world.clock.advance(30 * 60 * 1000);
    let same = ask("alice", &known).await;
    assert_eq!((same.status(), tag(&same)), (StatusCode::NOT_MODIFIED, known.clone()));
    let others = futures::future::join_all((0..20).map(|number| {
        let (ask, known) = (&ask, &known);
        async move { ask(&format!("subject {number}"), known).await.status() }
    }))
    .await;
    assert!(others.contains(&StatusCode::OK), "some subject sees the other variant");
    world.clock.advance(60 * 60 * 1000);
    assert_eq!(ask("alice", &known).await.status(), StatusCode::OK, "tokens are renewed in time");
}

#[tokio::test]
async fn all_flags_are_those_of_a_namespace_where_it_is_named() {
    let world = World::new(SAMPLE);
    for (namespace, count) in [("shop", 1), ("other", 0)] {
        let body = json!({"context": {"targetingKey": "alice", "namespace": namespace}});
        let (status, all) = post(&world.decide, FLAGS, body.to_string()).await;
        assert_eq!((status, all["flags"].as_array().unwrap().len()), (StatusCode::OK, count), "{namespace}");
    }
}
