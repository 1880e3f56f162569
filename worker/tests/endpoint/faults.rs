//! What goes wrong at an endpoint, and what comes of it.

use std::path::Path;
use std::time::Duration;

use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use worker::endpoint::EndpointError;

use crate::mock::{Mock, copy, cut_off, error, ok, says, with};
use crate::{KEY, chain, endpoint, endpoint_of, mounted, write};

#[test]
fn what_passes_is_tried_again() {
    let check = |name: &str, fault: fn() -> Response| {
        let mock = Mock::new(move |number, _| if number < 2 { fault() } else { copy() });
        let drafts = write(&endpoint(&mock.url, 1), 1).expect(name);
        assert!(drafts[0].1.finished, "{name}");
        assert_eq!(mock.seen().len(), 3, "{name}");
    };
    check("internal error", || error(500, "worker died"));
    check("an error in no known form", || (axum::http::StatusCode::BAD_GATEWAY, "<html>").into_response());
    check("overloaded", || error(503, "loading the model"));
    check("too many, come at once", || with(error(429, "slow down"), RETRY_AFTER, "0"));
    check("too many, since a date in the past", || {
        with(error(429, "slow down"), RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT")
    });
    check("cut connection", cut_off);
}

#[test]
fn a_server_that_asks_for_a_second_gets_it() {
    let mock = Mock::new(|number, _| match number {
        0 => with(error(429, "slow down"), RETRY_AFTER, "1"),
        _ => copy(),
    });
    write(&endpoint(&mock.url, 1), 1).expect("written");
    let seen = mock.seen();
    assert!(seen[1].at - seen[0].at >= Duration::from_secs(1));
}

#[test]
fn a_server_that_stays_away_fails_the_run_for_now() {
    let check = |url: &str, said: &str| {
        let error = write(&endpoint(url, 2), 3).expect_err("nothing is written");
        assert!(!error.is_lasting(), "{error}");
        let shown = chain(&error);
        assert!(shown.contains(said), "{shown}");
    };
    let broken = Mock::new(|_, _| error(500, "out of memory"));
    check(&broken.url, "did not answer (tries: 4)");
    check(&broken.url, "it answered 500: out of memory");
    let patient = Mock::new(|_, _| with(error(503, "come back"), RETRY_AFTER, "3600"));
    check(&patient.url, "did not answer (tries: 1)");
    // Nobody listens there any more.
    let gone = Mock::new(|_, _| copy()).url.clone();
    check(&gone, "the connection failed");
}

#[test]
fn what_lasts_is_said_with_its_remedy_and_without_the_key() {
    let check = |name: &str, answer: fn(&str) -> Response, said: &[&str]| {
        let mock = Mock::new(move |_, seen| answer(&seen.path));
        let error = write(&endpoint(&mock.url, 1), 1).expect_err(name);
        assert!(error.is_lasting(), "{name}");
        let shown = chain(&error);
        said.iter().for_each(|it| assert!(shown.contains(it), "{name}: {shown}"));
        assert!(!format!("{shown}{error:?}").contains(KEY), "{name}: {error:?}");
    };
    check(
        "wrong key",
        |_| error(401, "no such key: s3cret-Key"),
        &["401", "no such key: [key]", "`key` (`broadside-endpoint-key` of the Secret)"],
    );
    check(
        "forbidden",
        |_| error(403, "not yours"),
        &["403: not yours", "`key` (`broadside-endpoint-key` of the Secret)"],
    );
    check(
        "unknown model",
        |path| match path {
            "/v1/models" => ok(&json!({"data": [{"id": "llama"}, {"id": "mistral"}]})),
            _ => error(404, "no such model"),
        },
        &["no model \"qwen\": name one of llama, mistral"],
    );
    check(
        "wrong address",
        |_| error(404, "not here"),
        &["/v1/chat/completions (not here)", "`url` (`broadside-endpoint-url` of the Secret)"],
    );
    check(
        "a model that is there, at an address that is not",
        |path| match path {
            "/v1/models" => ok(&json!({"data": [{"id": "qwen"}]})),
            _ => error(404, "not here"),
        },
        &["correct `url` (`broadside-endpoint-url` of the Secret)"],
    );
    check("bad request", |_| error(400, "too many tokens"), &["400: too many tokens", "shorten the brief"]);
    check(
        "another shape of error",
        |_| (axum::http::StatusCode::IM_A_TEAPOT, "no\ntea").into_response(),
        &["418: no tea"],
    );
    check(
        "a page",
        |_| "<html>Welcome</html>".into_response(),
        &["no OpenAI-compatible endpoint", "`url` (`broadside-endpoint-url` of the Secret)"],
    );
    check("no end", |_| says(&"x".repeat(5 << 20)), &["larger than 4 MiB"]);
}

#[test]
fn a_key_that_is_changed_is_left_to_the_next_pod() {
    /// Writes with a key that is refused from that request on, while another key is mounted or not.
    fn refused(from: usize, changes: fn(&Path)) -> EndpointError {
        let secret = mounted(&[("key", KEY)]);
        let key = secret.path().join("key");
        let mock = Mock::new(move |number, _| {
            if number < from {
                return copy();
            }
            changes(&key);
            error(401, "no such key")
        });
        std::fs::write(secret.path().join("url"), &mock.url).expect("written");
        write(&endpoint_of(&secret, 1), 2).expect_err("no key is good any more")
    }
    let new = |key: &Path| std::fs::write(key, "another-Key").expect("written");
    for from in [0, 1] {
        let error = refused(from, new);
        assert!(matches!(error, EndpointError::NewKey) && !error.is_lasting(), "{from}: {error}");
    }
    let late = |key: &Path| {
        let key = key.to_owned();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            // Who did not wait for it is gone by then, and the folder too.
            let _gone = std::fs::write(key, "another-Key");
        });
    };
    let error = refused(1, late);
    assert!(matches!(error, EndpointError::NewKey), "where it was good, another is waited for: {error}");
    for (from, changes) in [(0, late as fn(&Path)), (1, |_: &Path| {})] {
        let error = refused(from, changes);
        assert!(error.is_lasting(), "{from}: {error}");
    }
}

#[test]
fn of_an_engine_that_has_answered_an_odd_answer_passes() {
    let check = |name: &str, odd: fn() -> Response| {
        let once = Mock::new(move |number, _| if number == 1 { odd() } else { copy() });
        let drafts = write(&endpoint(&once.url, 1), 2).expect(name);
        assert!(drafts.iter().all(|(_, draft)| draft.finished), "{name}");
        assert_eq!(once.seen().len(), 3, "{name}");

        let always = Mock::new(move |number, _| if number > 0 { odd() } else { copy() });
        let error = write(&endpoint(&always.url, 1), 2).expect_err(name);
        let shown = chain(&error);
        assert!(!error.is_lasting(), "{shown}");
        assert!(shown.contains("(tries: 4)") && shown.contains("unlike those before it"), "{shown}");
    };
    check("a page", || "<html>Back soon</html>".into_response());
    check("no completion", || ok(&json!({"status": "warming up"})));
    check("no end", || says(&"x".repeat(5 << 20)));
}

#[test]
fn nobody_is_followed_to_another_address() {
    let other = Mock::new(|_, _| copy());
    let target = format!("{}/v1/chat/completions", other.url);
    let to = target.clone();
    let mock = Mock::new(move |_, _| with(error(307, "moved"), LOCATION, &to));
    let error = write(&endpoint(&mock.url, 1), 1).expect_err("not followed");
    assert!(error.is_lasting());
    let shown = error.to_string();
    assert!(shown.contains(&target) && shown.contains("`broadside-endpoint-url` of the Secret"), "{shown}");
    assert!(other.seen().is_empty());
}

#[test]
fn what_a_server_does_not_offer_is_asked_for_once() {
    /// The forms that were asked for over three drafts, one after the other, where some are refused.
    fn asked(refuse: fn(&serde_json::Value) -> Option<Response>) -> Vec<String> {
        let mock = Mock::new(move |_, seen| refuse(&seen.body).unwrap_or_else(copy));
        assert_eq!(write(&endpoint(&mock.url, 1), 3).expect("written").len(), 3);
        let asked = mock.seen().into_iter().map(|seen| {
            let form = seen.body["response_format"]["type"].as_str().unwrap_or("text").to_owned();
            let schema = if seen.body["response_format"].get("schema").is_some() { "+schema" } else { "" };
            let logprobs = if seen.body.get("logprobs").is_some() { "+logprobs" } else { "" };
            form + schema + logprobs
        });
        asked.collect()
    }
    let all = "json_schema+logprobs";
    assert_eq!(asked(|_| None), [all; 3]);
    let no_schema = |body: &serde_json::Value| {
        let refused = body["response_format"]["type"] == "json_schema";
        refused.then(|| error(400, "unsupported response_format"))
    };
    let object = "json_object+schema+logprobs";
    assert_eq!(asked(no_schema), [all, object, object, object]);
    let no_form = |body: &serde_json::Value| {
        body.get("response_format").map(|_| error(422, "response_format: extra inputs are not permitted"))
    };
    let text = "text+logprobs";
    assert_eq!(asked(no_form), [all, object, "json_object+logprobs", text, text, text]);
    let no_logprobs = |body: &serde_json::Value| {
        // llama-cpp-python calls it an error of its own.
        body.get("logprobs").map(|_| error(500, "logprobs is not supported for models created so"))
    };
    assert_eq!(asked(no_logprobs), [all, "json_schema", "json_schema", "json_schema"]);
}

#[test]
fn requests_that_were_under_way_when_one_was_refused_only_go_again() {
    let mock = Mock::new(|_, seen| match seen.body["response_format"]["type"].as_str() {
        Some("json_schema") => error(400, "unsupported"),
        _ => copy(),
    });
    assert_eq!(write(&endpoint(&mock.url, 8), 8).expect("written").len(), 8);
    assert!(mock.seen().iter().all(|seen| seen.body["response_format"] != json!({"type": "json_object"})));
}
