//! Keys of applications: each opens its own namespace, and no other.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use gateway::auth::files::ApiKeyring;
use gateway::auth::{AUDIENCE, Access, ApiKey, ApiKeys, HOLDS_FOR, Totals, counted};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::process::{Process, folder};
use crate::samples::SAMPLE;
use crate::world::{World, exposure, question, reward};

pub(crate) const SHOP: &str = "shop-0123456789abcdef0123456789abcdef";
pub(crate) const BLOG: &str = "blog-0123456789abcdef0123456789abcdef";
const FLAGS: &str = "/ofrep/v1/evaluate/flags";
const FLAG: &str = "/ofrep/v1/evaluate/flags/shop.cart-and-hero.hero";
const QUERY: &str = "/v1/decide?namespace=shop&campaign=cart-and-hero&placement=hero&subject=alice";

/// Both roles behind the guard.
pub(crate) fn guarded(world: &World) -> Router {
    guarded_by(world, |key| key)
}

fn guarded_by(world: &World, limited: impl Fn(ApiKey) -> ApiKey) -> Router {
    let mut keys = ApiKeys::default();
    for (name, key) in [("shop.web", SHOP), ("blog.web", BLOG)] {
        keys.add(limited(ApiKey::new(name, key.as_bytes()).unwrap())).unwrap();
    }
    Access::Keyed(ApiKeyring::new(keys)).guard(world.decide.clone().merge(world.ledger.clone()))
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

async fn ask(router: &Router, method: Method, path: &str, key: Option<&str>, body: Value) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = match key {
        Some(key) => request.header("Authorization", format!("Bearer {key}")),
        None => request,
    };
    let response = router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
    Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
}

fn alice(namespace: Option<&str>) -> Value {
    json!({"context": {"targetingKey": "alice", "namespace": namespace}})
}

#[tokio::test]
async fn who_is_turned_away_is_counted() {
    let mut registry = Registry::default();
    let once = |key: ApiKey| key.limited(NonZeroU32::MIN, &ApiKeys::default());
    let router = counted(guarded_by(&World::new(SAMPLE), once), &mut registry);
    for (key, expected) in [(None, 401), (Some(BLOG), 403), (Some(SHOP), 200), (Some(SHOP), 429)] {
        let Answer { status, .. } = ask(&router, Method::GET, QUERY, key, Value::Null).await;
        assert_eq!(status.as_u16(), expected);
    }
    let mut told = String::new();
    prometheus_client::encoding::text::encode(&mut told, &registry).unwrap();
    for status in [401, 403, 429] {
        let line = format!("broadside_turned_away_total{{status=\"{status}\"}} 1\n");
        assert!(told.contains(&line), "{told}");
    }
}

#[tokio::test]
async fn a_request_without_a_known_key_is_told_to_show_one() {
    let router = guarded(&World::new(SAMPLE));
    for key in [None, Some("shop-0123"), Some(""), Some("shop-0123456789abcdef0123456789abcdeg")] {
        for (method, path) in
            [(Method::POST, "/v1/decide"), (Method::GET, QUERY), (Method::POST, "/v1/events")]
        {
            let Answer { status, headers, body } = ask(&router, method, path, key, json!({})).await;
            assert_eq!((status, &body["code"]), (StatusCode::UNAUTHORIZED, &json!("Unauthorized")), "{path}");
            assert_eq!(headers["www-authenticate"], "Bearer");
            assert!(body["message"].as_str().unwrap().contains("send"), "{body}");
        }
        for path in [FLAGS, FLAG] {
            let Answer { status, headers, body } = ask(&router, Method::POST, path, key, alice(None)).await;
            assert_eq!((status, &body["errorCode"]), (StatusCode::UNAUTHORIZED, &json!("GENERAL")), "{path}");
            assert_eq!((&headers["www-authenticate"], body.get("code")), (&"Bearer".parse().unwrap(), None));
        }
    }
}

#[tokio::test]
async fn a_key_opens_its_own_namespace() {
    let router = guarded(&World::new(SAMPLE));
    for (method, path, body) in [
        (Method::POST, "/v1/decide", question("alice")),
        (Method::GET, QUERY, json!({})),
        (Method::POST, FLAG, alice(None)),
        (Method::POST, FLAGS, alice(Some("shop"))),
    ] {
        let opened = ask(&router, method.clone(), path, Some(SHOP), body.clone()).await;
        assert_eq!(opened.status, StatusCode::OK, "{path}: {}", opened.body);
        let other = ask(&router, method, path, Some(BLOG), body).await;
        assert_eq!(other.status, StatusCode::FORBIDDEN, "{path}: {}", other.body);
        let code = if path.starts_with("/ofrep") { ("errorCode", "GENERAL") } else { ("code", "Forbidden") };
        assert_eq!(other.body[code.0], json!(code.1));
    }
}

#[tokio::test]
async fn a_namespace_without_the_campaign_is_as_closed_as_one_with_it() {
    let router = guarded(&World::new(SAMPLE));
    let mut there = Vec::new();
    for campaign in ["cart-and-hero", "no-such"] {
        let mut body = question("alice");
        body["campaign"] = json!(campaign);
        let answer = ask(&router, Method::POST, "/v1/decide", Some(BLOG), body).await;
        there.push((answer.status, answer.body));
    }
    assert_eq!(there[0], there[1]);
}

#[tokio::test]
async fn all_flags_are_those_of_the_key() {
    let router = guarded(&World::new(SAMPLE));
    let shop = ask(&router, Method::POST, FLAGS, Some(SHOP), alice(None)).await;
    assert_eq!(shop.body["flags"].as_array().unwrap().len(), 1, "{}", shop.body);
    let blog = ask(&router, Method::POST, FLAGS, Some(BLOG), alice(None)).await;
    assert_eq!((blog.status, &blog.body["flags"]), (StatusCode::OK, &json!([])));
}

#[tokio::test]
async fn what_was_answered_to_a_key_is_kept_by_no_cache_that_others_share() {
    let world = World::new(SAMPLE);
    let kept = async |router: &Router, key| {
        ask(router, Method::GET, QUERY, key, json!({})).await.headers["cache-control"].clone()
    };
    assert_eq!(kept(&world.decide, None).await, "public, max-age=60");
    assert_eq!(kept(&guarded(&world), Some(SHOP)).await, "private, max-age=60");
}

#[tokio::test]
async fn an_event_of_another_namespace_is_invalid_and_can_be_sent_again_with_the_right_key() {
    let world = World::new(SAMPLE);
    let (router, token) = (guarded(&world), world.token("alice").await);
    let events = json!({"events": [exposure("1", &token), exposure("2", "v1"), reward("3", &token)]});
    let send = async |key| {
        let answer = ask(&router, Method::POST, "/v1/events", Some(key), events.clone()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        answer.body["outcomes"].as_array().unwrap().clone()
    };
    let words =
        |outcomes: &[Value]| outcomes.iter().map(|outcome| outcome["outcome"].clone()).collect::<Vec<_>>();
    let other = send(BLOG).await;
    assert_eq!(words(&other), ["invalid", "invalid", "invalid"]);
    assert!(other[0]["message"].as_str().unwrap().contains("key opens another namespace"), "{other:?}");
    assert_eq!(words(&send(SHOP).await), ["accepted", "invalid", "accepted"]);
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_to_come_back_and_holds_up_no_other() {
    let rate = NonZeroU32::new(20).unwrap();
    let router = guarded_by(&World::new(SAMPLE), |key| key.limited(rate, &ApiKeys::default()));
    for (path, body, code) in [
        ("/v1/decide", question("alice"), ("code", "TooMany")),
        ("/v1/events", json!({"events": []}), ("code", "TooMany")),
        (FLAG, alice(None), ("errorCode", "GENERAL")),
    ] {
        // Twice as many as are free, and what a slow machine gives back meanwhile.
        let mut answers = Vec::new();
        for _ in 0..40 {
            answers.push(ask(&router, Method::POST, path, Some(SHOP), body.clone()).await);
        }
        let refused = answers.iter().find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
        let Answer { headers, body, .. } = refused.expect("forty are too many");
        assert_eq!(
            (&headers["retry-after"], &body[code.0]),
            (&"1".parse().unwrap(), &json!(code.1)),
            "{path}"
        );
    }
    let other = ask(&router, Method::POST, FLAGS, Some(BLOG), alice(None)).await;
    assert_eq!(other.status, StatusCode::OK);
    let unknown = ask(&router, Method::POST, FLAGS, Some("unknown"), alice(None)).await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_operators_path_asks_for_no_key() {
    let router = guarded(&World::new(SAMPLE));
    let answer =
        ask(&router, Method::GET, &format!("/v1/totals?campaign={}", SAMPLE.uid), None, json!({})).await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// An API server that knows three tokens, and how often it was asked. It is away while `away`.
#[derive(Clone, Default)]
struct ApiServer {
    asked: Arc<AtomicUsize>,
    away: Arc<AtomicBool>,
}

impl ApiServer {
    fn client(&self) -> kube::Client {
        let server = self.clone();
        let answer = move |request| server.clone().answer(request);
        kube::Client::new(tower::service_fn(answer), "default")
    }

    async fn answer(self, request: Request<kube::client::Body>) -> Result<Response<Body>, std::io::Error> {
        assert_eq!(request.uri().path(), "/apis/authentication.k8s.io/v1/tokenreviews");
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.away.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("it is away"));
        }
        let body = request.into_body().collect_bytes().await.unwrap();
        let mut review: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(review["spec"]["audiences"], json!([AUDIENCE]));
        review["status"] = match review["spec"]["token"].as_str().unwrap() {
            "operator's" => reviewed("broadside-operator"),
            "another's" => reviewed("broadside-gateway"),
            "silence" => std::future::pending().await,
            _ => json!({"authenticated": false, "error": "it is none"}),
        };
        Ok(Response::new(Body::from(review.to_string())))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn reviewed(name: &str) -> Value {
    let username = format!("system:serviceaccount:broadside-system:{name}");
    json!({"authenticated": true, "audiences": [AUDIENCE], "user": {"username": username}})
}

/// A ledger that tells totals to the operator alone.
fn told_to_the_operator(world: &World, server: &ApiServer) -> Router {
    let account = "system:serviceaccount:broadside-system:broadside-operator".parse().unwrap();
    Totals::for_account(account, server.client()).guard(world.ledger.clone())
}

#[tokio::test]
async fn totals_are_told_to_the_operators_account_alone() {
    let (world, server) = (World::new(SAMPLE), ApiServer::default());
    let (router, path) =
        (told_to_the_operator(&world, &server), format!("/v1/totals?campaign={}", SAMPLE.uid));
    for (token, status, code) in [
        (None, StatusCode::UNAUTHORIZED, json!("Unauthorized")),
        (Some("nobody's"), StatusCode::UNAUTHORIZED, json!("Unauthorized")),
        (Some("another's"), StatusCode::FORBIDDEN, json!("Forbidden")),
        (Some("operator's"), StatusCode::OK, Value::Null),
    ] {
        let answer = ask(&router, Method::GET, &path, token, json!({})).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &code), "{token:?}: {}", answer.body);
    }
    let events = json!({"events": [exposure("1", &world.token("alice").await)]});
    let answer = ask(&router, Method::POST, "/v1/events", None, events).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "the operator's door is before its own path");
}

#[tokio::test]
async fn strangers_neither_push_the_operator_out_nor_have_it_wait() {
    let (world, server) = (World::new(SAMPLE), ApiServer::default());
    let (router, path) =
        (told_to_the_operator(&world, &server), format!("/v1/totals?campaign={}", SAMPLE.uid));
    let status = async |token: &str| ask(&router, Method::GET, &path, Some(token), json!({})).await.status;
    assert_eq!(status("operator's").await, StatusCode::OK);
    tokio::time::pause();
    tokio::time::advance(HOLDS_FOR).await;
    tokio::time::resume();
    for stranger in 0..100 {
        assert_eq!(status(&format!("stranger's {stranger}")).await, StatusCode::UNAUTHORIZED);
    }
    let asked = server.asked();
    tokio::select! {
        // It is asked about first, and has the strangers' turn.
        biased;
        status = status("silence") => panic!("{status}: nobody knows whose it is"),
        status = status("operator's") => assert_eq!(status, StatusCode::OK),
    }
    assert_eq!(server.asked(), asked + 2);
}

#[tokio::test]
async fn what_the_api_server_says_of_a_token_holds_for_a_minute() {
    let (world, server) = (World::new(SAMPLE), ApiServer::default());
    let (router, path) =
        (told_to_the_operator(&world, &server), format!("/v1/totals?campaign={}", SAMPLE.uid));
    let status = async |token: &str| ask(&router, Method::GET, &path, Some(token), json!({})).await.status;
    for _ in 0..3 {
        assert_eq!(status("operator's").await, StatusCode::OK);
        assert_eq!(status("nobody's").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.asked(), 2);
    server.away.store(true, Ordering::Relaxed);
    assert_eq!(status("operator's").await, StatusCode::OK);
    // It stands still for no longer than that: while one waits for the ledger's thread, it would run away.
    tokio::time::pause();
    tokio::time::advance(HOLDS_FOR).await;
    tokio::time::resume();
    assert_eq!(status("operator's").await, StatusCode::SERVICE_UNAVAILABLE);
    server.away.store(false, Ordering::Relaxed);
    assert_eq!(status("operator's").await, StatusCode::OK, "that it was away holds for no time");
    for stranger in 0..1000 {
        assert_eq!(status(&format!("stranger's {stranger}")).await, StatusCode::UNAUTHORIZED);
    }
    let asked = server.asked();
    assert_eq!(
        (status("operator's").await, server.asked()),
        (StatusCode::OK, asked),
        "strangers push nobody out"
    );
}

#[tokio::test]
async fn a_process_reads_keys_from_its_folder_and_logs_nothing_of_what_it_is_told() {
    let folder = folder(SAMPLE);
    let keys = folder.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    std::fs::write(keys.join("shop.web"), format!("{SHOP}\n")).unwrap();
    let arguments = ["--log", "trace", "--api-keys", keys.to_str().unwrap()];
    let process = Process::start_with("all", folder.path(), &arguments).await;
    let ask = async |key: &str, path: &str, body: Value| {
        let request =
            reqwest::Client::new().post(format!("http://{}{path}", process.address)).bearer_auth(key);
        let response = request.body(body.to_string()).send().await.unwrap();
        let body = response.bytes().await.unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let subject = "somebody@mail.example";
    assert_eq!(ask(BLOG, "/v1/decide", question(subject)).await["code"], "Unauthorized");
    let answer = ask(SHOP, "/v1/decide", question(subject)).await;
    let token = answer["token"].as_str().unwrap();
    let events = json!({"events": [exposure("some-event-id", token), exposure("another", "v1.broken")]});
    assert_eq!(ask(SHOP, "/v1/events", events).await["outcomes"][0]["outcome"], "accepted");
    // What was written before is read by now.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let log = process.log();
    assert!(log.contains("API keys read"), "{log}");
    for secret in [SHOP, BLOG, subject, token, "v1.broken", "some-event-id", "Run further"] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}
