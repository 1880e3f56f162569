//! Visitors whom nobody names, known again by a cookie: over HTTP and in a real browser.

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::process::{self, Process};
use crate::samples::{SAMPLE, keys};

const COOKIE: [&str; 2] = ["--visitor-cookie", "visitor"];

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// The subject in its token, which is what the statistics know of a person.
    fn subject(&self) -> String {
        keys().verify(self.body["token"].as_str().unwrap()).unwrap().subject.0
    }

    fn head(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The name and value of the cookie that it sets.
    fn cookie(&self) -> Option<&str> {
        self.head("set-cookie").and_then(|cookie| cookie.split(';').next())
    }
}

async fn received(response: reqwest::Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    Answer { status, headers, body }
}

/// Asks by both methods.
struct Browser<'g>(&'g Process, Option<&'g str>);

impl Browser<'_> {
    async fn post(&self, more: Value) -> Answer {
        let Self(gateway, cookie) = self;
        let mut body = json!({"namespace": "shop", "campaign": "cart-and-hero", "placement": "hero"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = reqwest::Client::new().post(format!("http://{}/v1/decide", gateway.address));
        let request = cookie.iter().fold(request, |request, cookie| request.header("Cookie", *cookie));
        let request = request.header("Sec-Fetch-Site", "same-site");
        received(request.body(body.to_string()).send().await.unwrap()).await
    }

    async fn get(&self, more: &str) -> Answer {
        let Self(gateway, cookie) = self;
        let path = "/v1/decide?namespace=shop&campaign=cart-and-hero&placement=hero";
        let request = reqwest::Client::new().get(format!("http://{}{path}{more}", gateway.address));
        let request = cookie.iter().fold(request, |request, cookie| request.header("Cookie", *cookie));
        let request = request.header("Sec-Fetch-Site", "same-site");
        received(request.send().await.unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_whom_nobody_names_is_given_a_cookie_and_known_by_it() {
    let folder = process::folder(SAMPLE);
    let gateway = Process::start_with("decide", folder.path(), &COOKIE).await;
    let first = Browser(&gateway, None).post(json!({})).await;
    let cookie = first.cookie().unwrap();
    assert!(first.head("set-cookie").unwrap().ends_with("; Secure; HttpOnly; SameSite=Lax"));
    let again = Browser(&gateway, Some(cookie));
    for answer in [again.post(json!({})).await, again.get("").await] {
        assert_eq!((answer.subject(), answer.cookie()), (first.subject(), None));
    }
    assert_eq!(again.get("").await.head("cache-control"), Some("private, max-age=60"));
    let new = Browser(&gateway, None).get("").await;
    assert_eq!((new.head("cache-control"), new.cookie().is_some()), (Some("no-store"), true));
    assert_ne!(new.subject(), first.subject());

    let named = again.post(json!({"subject": "alice"})).await;
    assert_eq!((named.subject(), named.cookie()), (keys().subject(SAMPLE.uid, "alice").0, None));
    assert_eq!(again.get("&subject=alice").await.head("cache-control"), Some("public, max-age=60"));
    assert!(!gateway.log().contains(cookie.split_once('=').unwrap().1), "no one is named in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_measured_is_given_no_cookie() {
    let folder = process::folder(SAMPLE);
    let gateway = Process::start_with("decide", folder.path(), &COOKIE).await;
    let browser = Browser(&gateway, None);
    for (more, reason) in [
        (json!({"consent": {"measurement": false}}), "NoConsent"),
        (json!({"traffic": "Staff"}), "Staff"),
        (json!({"userAgent": "Googlebot/2.1"}), "Bot"),
        (json!({"preview": "warm"}), "Preview"),
    ] {
        let answer = browser.post(more).await;
        assert_eq!((answer.status, &answer.body["reason"]), (StatusCode::OK, &json!(reason)));
        assert_eq!(answer.cookie(), None, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_no_longer_measured_is_forgotten() {
    let folder = process::folder(SAMPLE);
    let gateway = Process::start_with("decide", folder.path(), &COOKIE).await;
    let first = Browser(&gateway, None).post(json!({})).await;
    let known = Browser(&gateway, first.cookie());
    let refuses = json!({"consent": {"measurement": false}});
    for answer in [known.post(refuses).await, known.get("&measurement=false").await] {
        assert_eq!((answer.cookie(), &answer.body["reason"]), (Some("visitor="), &json!("NoConsent")));
        assert!(answer.head("set-cookie").unwrap().contains("; Max-Age=0;"));
    }
    assert_eq!(known.get("&measurement=false").await.head("cache-control"), Some("no-store"));
    let metrics = gateway.get("/metrics").await.unwrap().text().await.unwrap();
    assert!(metrics.contains("broadside_visitors_total{visitor=\"new\"} 1\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_would_not_keep_a_cookie_must_send_a_subject() {
    let folder = process::folder(SAMPLE);
    let gateway = Process::start_with("decide", folder.path(), &COOKIE).await;
    let question = json!({"namespace": "shop", "campaign": "cart-and-hero", "placement": "hero"}).to_string();
    let request = reqwest::Client::new().post(format!("http://{}/v1/decide", gateway.address)).body(question);
    let answer = received(request.send().await.unwrap()).await;
    assert_eq!((answer.status, answer.cookie()), (StatusCode::BAD_REQUEST, None));
    assert_eq!(answer.body["message"], json!("subject: send 1 to 512 bytes"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_flag_a_subject_must_be_sent() {
    let folder = process::folder(SAMPLE);
    let gateway = Process::start("decide", folder.path()).await;
    let browser = Browser(&gateway, Some("visitor=0123456789abcdef0123456789abcdef"));
    for answer in [browser.post(json!({})).await, browser.get("").await] {
        assert_eq!((answer.status, answer.cookie()), (StatusCode::BAD_REQUEST, None));
        assert_eq!(answer.body["message"], json!("subject: send 1 to 512 bytes"));
    }
}
