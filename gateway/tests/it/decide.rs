//! The HTTP edge of the decision: what is in the path of a page.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::samples::SAMPLE;
use crate::world::{World, call, post, question};

async fn ask(change: impl FnOnce(&mut Value)) -> (StatusCode, Value) {
    let mut body = question("alice");
    change(&mut body);
    post(&World::new(SAMPLE).decide, "/v1/decide", body.to_string()).await
}

#[tokio::test]
async fn an_answer_holds_all_that_a_page_needs() {
    let (status, answer) = ask(|_| {}).await;
    assert_eq!((status, &answer["reason"]), (StatusCode::OK, &json!("Assigned")));
    assert!(answer["slots"]["headline"].as_str().unwrap().starts_with("Run further"), "{answer}");
    assert_eq!((&answer["probability"], &answer["round"]), (&json!(500_000), &json!(1)));
    assert_eq!(answer["expiresAt"], json!("2027-01-15T08:01:00Z"));
}

#[tokio::test]
async fn what_we_do_not_know_is_no_fault_of_the_page() {
    let (status, answer) = ask(|body| body["campaign"] = json!("no-such")).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({"reason": "UnknownCampaign"})));
    let (status, answer) = ask(|body| body["placement"] = json!("no-such")).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({"reason": "UnknownPlacement"})));
}

#[tokio::test]
async fn a_browser_that_asks_for_privacy_gets_the_control_and_no_token() {
    let world = World::new(SAMPLE);
    for (value, reason) in [("1", "NoConsent"), ("0", "Assigned")] {
        let request = Request::post("/v1/decide").header("Sec-GPC", value);
        let request = request.body(Body::from(question("alice").to_string())).unwrap();
        let (status, answer) = call(&world.decide, request).await;
        assert_eq!((status, &answer["reason"]), (StatusCode::OK, &json!(reason)));
        assert_eq!(answer.get("token").is_some(), reason == "Assigned");
    }
    let (_, answer) = ask(|body| body["consent"] = json!({"measurement": false})).await;
    assert_eq!((&answer["reason"], &answer["variant"]), (&json!("NoConsent"), &json!("control")));
}

#[tokio::test]
async fn what_is_no_question_is_told_why() {
    let check = |(status, answer): (StatusCode, Value), expected, part: &str| {
        assert_eq!(status, expected, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(part), "{answer}");
    };
    let subject = |length| move |body: &mut Value| body["subject"] = json!("s".repeat(length));
    check(ask(subject(0)).await, StatusCode::BAD_REQUEST, "subject: send 1 to 512 bytes");
    check(ask(subject(513)).await, StatusCode::BAD_REQUEST, "subject: send 1 to 512 bytes");
    assert_eq!(ask(subject(512)).await.0, StatusCode::OK);
    check(ask(subject(17_000)).await, StatusCode::PAYLOAD_TOO_LARGE, "too large");
    check(ask(|body| body["placement"] = json!(7)).await, StatusCode::BAD_REQUEST, "placement: invalid type");
    check(ask(|body| body["extra"] = json!(7)).await, StatusCode::BAD_REQUEST, "extra");
    let world = World::new(SAMPLE);
    check(post(&world.decide, "/v1/decide", "{").await, StatusCode::BAD_REQUEST, "docs/gateway.md");
}
