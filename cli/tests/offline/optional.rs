//! Faults of what a document need not have: plans, open rounds, features, covariates, guardrails, another basis.

use cli::offline::Question;
use serde_json::{Value, json};

use crate::example;
use crate::faults::{check, with, word};

#[test]
fn plans_and_open_rounds() {
    let check = |changes: &[(&str, Value)], path: &str, problem: &str, remedy: &str| {
        check(changes, path, problem, remedy);
    };
    check(&[("/plannedExposures", json!(-1))], "plannedExposures", "Negative", "is -1");
    check(&[("/plannedExposures", json!(1.5))], "plannedExposures", "NotWhole", "whole number");
    check(&[("/plannedExposures", json!("100"))], "plannedExposures", "WrongType", "must be a number");
    let mut later = example()["rounds"][0].clone();
    later["number"] = json!(2);
    let both = [("/rounds/0/open", json!(true)), ("/rounds/1", later)];
    check(&both, "rounds[0].open", "OpenBefore", "the round of the highest number");
    check(&[("/rounds/0/open", json!("yes"))], "rounds[0].open", "WrongType", "must be true or false");
}

#[test]
fn segments_that_no_round_has() {
    check(
        &[("/segments", json!({"new": {}}))],
        "segments",
        "SegmentsUnused",
        "write `segments` in the rounds",
    );
    let in_segments = |name: &str| {
        let round = &example()["rounds"][0];
        let segment = json!({"allocation": round["allocation"], "totals": round["totals"]});
        json!([{"number": 1, "segments": {name: segment}}])
    };
    let changes = [("/rounds", in_segments("new")), ("/segments", json!({"": {}}))];
    check(&changes, "segments[\"\"]", "Name", "1 to 100 characters");
    let text = json!({"new": {"features": ["1"]}});
    let changes = [("/rounds", in_segments("new")), ("/segments", text)];
    check(&changes, "segments.new.features[0]", "WrongType", "must be");
}

#[test]
fn features_that_cannot_be_learned_from() {
    let check = |segments: Value, policy: Value, path: &str, problem: &str, remedy: &str| {
        let round = &example()["rounds"][0];
        let segment = json!({"allocation": round["allocation"], "totals": round["totals"]});
        let rounds = json!([{"number": 1, "segments": {"known": segment, "new": segment}}]);
        let document = with(&[("/rounds", rounds), ("/segments", segments), ("/policy", policy)]);
        let question = Question::parse(document.to_string().as_bytes()).expect("a question");
        assert!(question.estimate().is_ok(), "an estimate needs no features");
        let fault = question.allocate().expect_err("no shares");
        assert_eq!((fault.path.as_str(), word(&fault.problem).as_str()), (path, problem), "{fault}");
        assert!(fault.to_string().contains(remedy), "{fault}");
    };
    let linear = || json!({"type": "LinearThompson"});
    let features = |known: Value, new: Value| json!({"known": {"features": known}, "new": {"features": new}});
    check(json!({}), linear(), "policy.type", "NoFeatures", "or use Thompson");
    check(
        json!({"known": {"features": [1]}}),
        linear(),
        "segments.new.features",
        "FeaturesMissing",
        "[1, 0.3]",
    );
    check(
        features(json!([1, 0]), json!([1])),
        linear(),
        "segments.new.features",
        "FeatureCount",
        "as many for each",
    );
    check(
        features(json!([1, 0]), json!([1, 1001])),
        linear(),
        "segments.new.features",
        "FeatureRange",
        "scale them",
    );
    let forgetting = json!({"type": "LinearThompson", "lookBack": 1000});
    check(features(json!([1]), json!([1])), forgetting, "policy.lookBack", "LinearLookBack", "leave it out");
    let plain = [("/policy", linear())];
    let question = Question::parse(with(&plain).to_string().as_bytes()).expect("a question");
    let fault = question.allocate().expect_err("nothing tells people apart");
    assert_eq!((fault.path.as_str(), word(&fault.problem).as_str()), ("policy.type", "NoFeatures"));
}
