//! The HTTP edge of the decision: what is in the path of a page.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::samples::SAMPLE;
use crate::world::{World, call, get, post, question};

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
async fn who_comes_is_told_by_the_caller_or_by_the_user_agent() {
    const PHONE: &str =
        "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36";
    const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    let world = World::new(SAMPLE);
    let check = async |own: &str, more: Value, reason: &str| {
        let mut body = question("alice");
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = Request::post("/v1/decide").header("User-Agent", own);
        let (status, answer) = call(&world.decide, request.body(Body::from(body.to_string())).unwrap()).await;
        assert_eq!((status, &answer["reason"]), (StatusCode::OK, &json!(reason)), "{own} {more}");
        assert_eq!(answer.get("token").is_some(), reason == "Assigned");
    };
    check(PHONE, json!({}), "Assigned").await;
    check(CRAWLER, json!({}), "Bot").await;
    check("node", json!({}), "Assigned").await;
    check("node", json!({"userAgent": CRAWLER}), "Bot").await;
    check("HealthBot/1", json!({"userAgent": PHONE}), "Assigned").await;
    check(CRAWLER, json!({"traffic": "Staff"}), "Staff").await;
    check(PHONE, json!({"traffic": "Bot"}), "Bot").await;
    check(PHONE, json!({"traffic": "Test"}), "Test").await;
    check(PHONE, json!({"preview": "retired"}), "Preview").await;
    check(PHONE, json!({"preview": ""}), "Assigned").await;
    check(CRAWLER, json!({"userAgent": ""}), "Bot").await;
}

#[tokio::test]
async fn several_placements_are_answered_in_their_order() {
    let (status, answer) = ask(|body| {
        body.as_object_mut().unwrap().remove("placement");
        body["placements"] = json!(["cart", "hero"]);
    })
    .await;
    assert_eq!(status, StatusCode::OK);
    let decisions = answer["decisions"].as_array().unwrap();
    assert_eq!(decisions[0], json!({"placement": "cart", "reason": "UnknownPlacement"}));
    let (_, alone) = ask(|_| {}).await;
    assert_eq!((&decisions[1]["placement"], &decisions[1]["variant"]), (&json!("hero"), &alone["variant"]));
    assert_eq!(decisions[1]["slots"], alone["slots"]);
    assert_eq!(decisions.len(), 2);
}

#[tokio::test]
async fn what_the_caller_cannot_show_is_not_answered_and_the_rest_is_not_counted() {
    let (_, answer) = ask(|body| body["eligible"] = json!(["warm"])).await;
    assert_eq!((&answer["reason"], &answer["variant"]), (&json!("Subset"), &json!("warm")));
    assert_eq!(answer.get("token"), None);
    let (_, answer) = ask(|body| body["eligible"] = json!(["other"])).await;
    assert_eq!(answer, json!({"reason": "Subset"}));
}

#[tokio::test]
async fn an_address_asks_the_same_and_says_how_long_its_answer_may_be_kept() {
    let world = World::new(SAMPLE);
    let ask = async |more: &str, private: &str| {
        let path =
            format!("/v1/decide?namespace=shop&campaign=cart-and-hero&placement=hero&subject=alice{more}");
        let request = Request::get(path).header("Sec-GPC", private).body(Body::empty()).unwrap();
        tower::ServiceExt::oneshot(world.decide.clone(), request).await.unwrap()
    };
    let head = |response: &axum::response::Response, name: &str| {
        response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    let kept = ask("", "0").await;
    assert_eq!(head(&kept, "cache-control").as_deref(), Some("public, max-age=60"));
    assert_eq!(head(&kept, "vary").as_deref(), Some("sec-gpc"));
    let unknown = ask("&eligible=other", "0").await;
    assert_eq!(head(&unknown, "cache-control").as_deref(), Some("no-store"));
    let body = async |response: axum::response::Response| -> Value {
        serde_json::from_slice(&axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap()).unwrap()
    };
    let (_, posted) = post(&world.decide, "/v1/decide", question("alice").to_string()).await;
    assert_eq!(body(kept).await, posted);
    for response in [ask("", "1").await, ask("&measurement=false", "0").await] {
        assert_eq!(body(response).await["reason"], json!("NoConsent"));
    }
    assert_eq!(body(ask("&eligible=warm,other", "0").await).await["reason"], json!("Subset"));
    assert_eq!(body(ask("&preview=retired", "0").await).await["variant"], json!("retired"));
    assert_eq!(body(ask("&traffic=Staff", "0").await).await["reason"], json!("Staff"));
    let crawled = ask("&userAgent=Googlebot", "0").await;
    assert_eq!(head(&crawled, "cache-control").as_deref(), Some("no-store"));
    assert_eq!(body(crawled).await["reason"], json!("Bot"));
    let (status, answer) = get(&world.decide, "/v1/decide?namespace=shop").await;
    assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!("Malformed")));
    assert!(answer["message"].as_str().unwrap().contains("campaign"), "{answer}");
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
    check(
        ask(|body| body["placement"] = Value::Null).await,
        StatusCode::BAD_REQUEST,
        "placement: it is missing",
    );
    check(ask(|body| body["placements"] = json!(["hero"])).await, StatusCode::BAD_REQUEST, "not both");
    let placements = |count| {
        move |body: &mut Value| {
            body["placement"] = Value::Null;
            body["placements"] = json!(vec!["hero"; count]);
        }
    };
    check(ask(placements(0)).await, StatusCode::BAD_REQUEST, "placements: send 1 to 16 names");
    check(ask(placements(17)).await, StatusCode::BAD_REQUEST, "placements: send 1 to 16 names");
    check(ask(|body| body["eligible"] = json!([])).await, StatusCode::BAD_REQUEST, "eligible: send 1 to 25");
    let world = World::new(SAMPLE);
    check(post(&world.decide, "/v1/decide", "{").await, StatusCode::BAD_REQUEST, "docs/gateway.md");
}
