//! What an endpoint is asked, in what order, and what becomes of its answers.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::response::Response;
use serde_json::json;
use tokio::sync::{Barrier, Notify};
use worker::author::Author;
use worker::meter::Meter;

use crate::mock::{Mock, copy, cut_off, error, ok, says};
use crate::{KEY, endpoint, endpoint_named, write, write_until};

#[test]
fn a_draft_is_one_request_with_its_own_seed_and_the_same_again() {
    let run = || {
        let mock = Mock::new(|_, _| copy());
        let endpoint = endpoint(&format!("{}/v1/", mock.url), 4);
        assert_eq!(endpoint.model_digest(), "endpoint:qwen");
        let drafts = write(&endpoint, 5).expect("written");
        for (_, draft) in &drafts {
            let slots: Vec<_> =
                draft.slots.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            assert_eq!(slots, [("button", "Shop now"), ("headline", "Run further")]);
            assert_eq!((draft.finished, draft.trace.tokens, draft.trace.prompt_digest.len()), (true, 9, 64));
        }
        mock.seen()
    };
    let seen = run();
    assert_eq!(seen.len(), 5);
    for request in &seen {
        assert_eq!(request.path, "/v1/chat/completions");
        assert_eq!(request.headers["authorization"], format!("Bearer {KEY}"));
        assert_eq!((&request.body["model"], &request.body["temperature"]), (&json!("qwen"), &json!(0.7)));
        let user = request.body["messages"][1]["content"].as_str().expect("a user message");
        assert!(user.contains("product: \"Aero Trail 3\""), "{user}");
    }
    let seeds = |seen: &[crate::mock::Seen]| {
        seen.iter().map(|it| it.body["seed"].as_u64().expect("a seed")).collect::<BTreeSet<_>>()
    };
    assert_eq!(seeds(&seen).len(), 5);
    assert_eq!(seeds(&seen), seeds(&run()));
}

/// A bound of a field, as the API server holds it.
fn longest(kind: &str, path: &[&str]) -> usize {
    let definitions = api::definitions().into_iter().find(|it| it.spec.names.kind == kind);
    let definition = serde_json::to_value(definitions.expect(kind)).expect("plain data");
    let spec = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let field = path.iter().fold(spec, |object, name| &object["properties"][name]);
    field["maxLength"].as_u64().and_then(|it| it.try_into().ok()).expect("a bound")
}

#[test]
fn the_longest_name_of_a_model_fits_into_a_variant() {
    let name = "x".repeat(longest("AdModel", &["source", "endpoint", "model"]));
    let digest = endpoint_named(&name, "http://vllm").model_digest().to_owned();
    assert!(digest.ends_with(&name), "{digest}");
    assert!(digest.len() <= longest("AdVariant", &["provenance", "modelDigest"]), "{}", digest.len());
}

#[test]
fn so_many_requests_are_under_way_and_no_more() {
    // Three pass together or not at all: with fewer under way the drafts would never come.
    let barrier = Arc::new(Barrier::new(3));
    let mock = Mock::later(move |_, _| {
        let barrier = Arc::clone(&barrier);
        Box::pin(async move {
            barrier.wait().await;
            copy()
        })
    });
    assert_eq!(write(&endpoint(&mock.url, 3), 9).expect("written").len(), 9);
    assert_eq!(mock.most(), 3);
}

#[test]
fn a_draft_is_given_as_soon_as_it_is_finished() {
    let finished = Arc::new(Notify::new());
    let held = Arc::clone(&finished);
    let mock = Mock::later(move |number, _| {
        let held = Arc::clone(&held);
        Box::pin(async move {
            if number == 0 {
                held.notified().await;
            }
            copy()
        })
    });
    let mut order = Vec::new();
    write_until(&endpoint(&mock.url, 2), 3, &mut |place, _| {
        order.push(place);
        if order.len() == 2 {
            finished.notify_one();
        }
        ControlFlow::Continue(())
    })
    .expect("written");
    let last = order.pop();
    assert!(
        last == Some(0) || last == Some(1),
        "whichever came first to the server was held: {order:?} {last:?}"
    );
}

#[test]
fn whoever_has_heard_enough_has_no_more_requests_made() {
    let mock = Mock::new(|_, _| copy());
    write_until(&endpoint(&mock.url, 2), 50, &mut |_, _| ControlFlow::Break(())).expect("written");
    assert!(mock.seen().len() <= 3, "{}", mock.seen().len());
}

#[test]
fn no_request_is_made_for_which_the_budget_may_not_have_room() {
    let asked = |answer: fn(usize) -> Response, tokens: u64, concurrency: usize| {
        let mock = Mock::new(move |number, _| answer(number));
        let mut endpoint = endpoint(&mock.url, concurrency);
        endpoint.meter = Meter::new(Some(tokens)).into();
        let drafts = write(&endpoint, 10).expect("written");
        let places: BTreeSet<usize> = drafts.iter().map(|(place, _)| *place).collect();
        // Drafts are judged in their order, so none may be missing before another.
        assert_eq!(places, (0..drafts.len()).collect());
        assert!(endpoint.meter().effort().tokens <= tokens, "{}", endpoint.meter().effort().tokens);
        (mock.seen().len(), endpoint.meter().effort().tokens, endpoint.meter().is_used_up())
    };
    // An answer has nine tokens, and may have 290.
    let copies = |_| copy();
    assert_eq!(asked(copies, 289, 1), (0, 0, true));
    assert_eq!(asked(copies, 300, 1), (2, 18, true));
    assert_eq!(asked(copies, 300, 4), (2, 18, true), "the others wait for the first, which takes less");
    assert_eq!(asked(copies, 5 * 290, 4).0, 10);
    // Who does not say how many it wrote may have written all that it was allowed.
    let silent = |_| ok(&json!({"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]}));
    assert_eq!(asked(silent, 1000, 1), (3, 870, true));
    // So may one whose answer was lost on its way; one that turns a request away has not begun.
    fn second(number: usize, first: fn() -> Response) -> Response {
        if number == 0 { first() } else { copy() }
    }
    assert_eq!(asked(|number| second(number, cut_off), 600, 1), (4, 317, true));
    assert_eq!(asked(|number| second(number, || error(502, "no upstream")), 600, 1), (4, 317, true));
    assert_eq!(asked(|number| second(number, || error(500, "a fault")), 300, 4), (1, 290, true));
    assert_eq!(asked(|number| second(number, || error(503, "busy")), 300, 1), (3, 18, true));
    assert_eq!(asked(|number| second(number, || error(429, "busy")), 300, 1), (3, 18, true));
    assert_eq!(
        asked(|number| second(number, || error(429, "busy")), 300, 4),
        (3, 18, true),
        "it keeps its room"
    );
}

#[test]
fn who_is_refused_has_written_nothing() {
    for answer in [
        || error(401, "no such key"),
        || error(400, "too long"),
        || error(404, "no such model"),
        || error(503, "busy"),
    ] {
        let mock = Mock::new(move |_, _| answer());
        let mut endpoint = endpoint(&mock.url, 1);
        endpoint.meter = Meter::new(Some(1000)).into();
        let error = write(&endpoint, 1).expect_err("it is refused");
        assert_eq!(endpoint.meter().effort().tokens, 0, "{error}");
    }
}

#[test]
fn an_answer_of_no_use_is_a_draft_that_the_rules_refuse() {
    for useless in ["I can't help with that.", "", "{\"headline\": 7}"] {
        let mock = Mock::new(move |_, _| says(useless));
        let drafts = write(&endpoint(&mock.url, 1), 1).expect("a draft, not an error");
        assert!(drafts[0].1.slots.is_empty() && !drafts[0].1.finished, "{useless}");
    }
}

#[test]
fn a_model_that_thinks_is_given_room_from_then_on() {
    let mock = Mock::new(|number, _| match number {
        0 => {
            let message = json!({"content": null, "reasoning_content": "Let me see. First"});
            ok(&json!({"choices": [{"message": message, "finish_reason": "length"}]}))
        }
        _ => says("<think>Now.</think>{\"headline\": \"Run\", \"button\": \"Go\"}"),
    });
    let drafts = write(&endpoint(&mock.url, 1), 2).expect("written");
    assert_eq!(drafts.iter().map(|(_, draft)| draft.finished).collect::<Vec<_>>(), [false, true]);
    let room: Vec<u64> =
        mock.seen().iter().map(|it| it.body["max_tokens"].as_u64().expect("a number")).collect();
    assert!(room[1] >= room[0] + 1000, "{room:?}");
}
