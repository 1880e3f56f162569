//! Faults of what a document need not have: plans, open rounds, features, covariates, guardrails, another basis.

use cli::offline::Question;
use serde_json::{Value, json};

use crate::faults::{check, with, word};
use crate::{estimate, example};

#[test]
fn plans_and_open_rounds() {
    let check = |changes: &[(&str, Value)], path: &str, problem: &str, remedy: &str| {
        check(changes, path, problem, remedy);
    };
    check(&[("/plannedExposures", json!(-1))], "plannedExposures", "Negative", "is -1");
    check(&[("/plannedExposures", json!(0))], "plannedExposures", "PlannedNothing", "leave it out");
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

fn of_a(changes: &Value) -> Value {
    let mut totals = json!({"n": 4000, "sum": "90", "sumSquares": "90"});
    for (key, value) in changes.as_object().expect("fields") {
        totals[key] = value.clone();
    }
    totals
}

#[test]
fn covariates_that_no_people_have() {
    let check = |covariate: Value, field: &str, problem: &str, remedy: &str| {
        let path = format!("rounds[0].totals.a.covariate.{field}");
        check(&[("/rounds/0/totals/a", of_a(&json!({"covariate": covariate})))], &path, problem, remedy);
    };
    let sums = |sum: &str, squares: &str, products: &str| json!({"sum": sum, "sumSquares": squares, "sumProducts": products});
    check(sums("-400", "39", "0"), "sumSquares", "CovariateSquares", "can't be below sum²/n = 40");
    check(sums("0", "-1", "0"), "sumSquares", "Negative", "is -1");
    check(sums("NaN", "1", "0"), "sum", "NotANumber", "write digits");
    check(sums("1", "40", "61"), "sumProducts", "CovariateProducts", "lies at most 60 from 0");
    check(sums("1", "40", "-1e61"), "sumProducts", "OutOfRange", "another unit");
    check(json!({"sum": 1, "sumSquares": 1}), "sumProducts", "Missing", "add it");
}

#[test]
fn what_only_some_variants_have() {
    let sums = json!({"sum": 1, "sumSquares": 40, "sumProducts": 1});
    let changes = [("/rounds/0/totals/a", of_a(&json!({"covariate": sums})))];
    check(&changes, "rounds[0].totals.control.covariate", "MissingForSome", "or for none");
    let bounces = json!({"bounce": {"sum": 10, "sumSquares": 10}});
    let guardrails = json!([{"metric": {"name": "bounce"}, "maximumIncrease": "50%"}]);
    let changes =
        [("/rounds/0/totals/a", of_a(&json!({"guardrails": bounces}))), ("/guardrails", guardrails)];
    check(&changes, "rounds[0].totals.control.guardrails.bounce", "MissingForSome", "or for none");
}

/// Two rounds of the example, both with a covariate.
fn with_covariates() -> [Value; 2] {
    let sums = json!({"sum": 100, "sumSquares": 400, "sumProducts": 100});
    [1, 2].map(|number| {
        let mut round = example()["rounds"][0].clone();
        round["number"] = json!(number);
        for totals in round["totals"].as_object_mut().expect("totals").values_mut() {
            totals["covariate"] = sums.clone();
        }
        round
    })
}

#[test]
fn what_only_some_rounds_have() {
    let [first, second] = with_covariates();
    let mut without = second.clone();
    without["totals"] = example()["rounds"][0]["totals"].clone();
    let path = "rounds[1].totals.control.covariate";
    let rounds = json!([first, without]);
    check(&[("/rounds", rounds)], path, "MissingInSomeRounds", "for all rounds in which anybody was exposed");
    let rounds =
        json!([second, {"number": 1, "allocation": without["allocation"], "totals": without["totals"]}]);
    check(&[("/rounds", rounds)], path, "MissingInSomeRounds", "or for none");
}

#[test]
fn rounds_in_which_nobody_was_exposed_take_nothing_away() {
    let rounds = with_covariates();
    let [both, begun] = [
        json!(rounds),
        json!([rounds[0], rounds[1], {
            "number": 3, "open": true, "allocation": rounds[0]["allocation"], "totals": {},
        }]),
    ];
    let alone = json!([rounds[0], rounds[1], {
        "number": 3, "allocation": {"control": 1_000_000}, "totals": {"control": {"n": 10, "sum": 1, "sumSquares": 1}},
    }]);
    let variants = |rounds: Value| estimate(&with(&[("/rounds", rounds)])).variants;
    assert_eq!(variants(begun), variants(both.clone()));
    assert_eq!(variants(alone), variants(both));
}

#[test]
fn guardrails_that_nobody_can_watch() {
    let guardrail =
        |name: &str, increase: &str| json!({"metric": {"name": name}, "maximumIncrease": increase});
    let check = |guardrails: Value, path: &str, problem: &str, remedy: &str| {
        check(&[("/guardrails", guardrails)], path, problem, remedy);
    };
    let bounce = || guardrail("bounce", "50%");
    check(
        json!([bounce(), bounce()]),
        "guardrails[1].metric.name",
        "GuardrailTwice",
        "name each differently",
    );
    check(
        json!([guardrail("bounce", "0.5%")]),
        "guardrails[0].maximumIncrease",
        "MaximumIncrease",
        "1% to 200%",
    );
    check(json!([guardrail("bounce", "half")]), "guardrails[0].maximumIncrease", "Percent", "write it like");
    check(json!([guardrail("", "50%")]), "guardrails[0].metric.name", "Name", "1 to 100 characters");
    check(json!(vec![bounce(); 11]), "guardrails", "TooManyGuardrails", "more than 10");
    let directed = json!([{"metric": {"name": "bounce", "direction": "Minimize"}, "maximumIncrease": "50%"}]);
    check(directed, "guardrails[0].metric.direction", "UnknownField", "use one of");
}

#[test]
fn counts_of_what_nobody_watches() {
    let bounces = |sum: u32| json!({"guardrails": {"bounce": {"sum": sum, "sumSquares": sum}}});
    let path = "rounds[0].totals.a.guardrails.bounce";
    let unknown = [("/rounds/0/totals/a", of_a(&bounces(10)))];
    check(&unknown, path, "UnknownGuardrail", "name its metric in `guardrails`");
    let guardrails = json!([{"metric": {"name": "calls"}, "maximumIncrease": "50%"}]);
    let other = [("/rounds/0/totals/a", of_a(&bounces(10))), ("/guardrails", guardrails)];
    check(&other, path, "UnknownGuardrail", "use one of calls");
    let guardrails = json!([{"metric": {"name": "bounce"}, "maximumIncrease": "50%"}]);
    let many = [("/rounds/0/totals/a", of_a(&bounces(4001))), ("/guardrails", guardrails)];
    check(&many, &format!("{path}.sum"), "AboveExposures", "is 4001, and n is 4000");
}

#[test]
fn what_a_network_cannot_be_asked() {
    let check = |changes: &[(&str, Value)], path: &str, problem: &str, remedy: &str| {
        let changes: Vec<(&str, Value)> =
            changes.iter().cloned().chain([("/basis", json!("AsDelivered"))]).collect();
        check(&changes, path, problem, remedy);
    };
    let round = &example()["rounds"][0];
    let segment = json!({"allocation": round["allocation"], "totals": round["totals"]});
    let rounds = json!([{"number": 1, "segments": {"new": segment}}]);
    check(&[("/rounds", rounds)], "rounds[0].segments", "SegmentsNotRandomized", "sum the segments");
    let guardrails = json!([{"metric": {"name": "bounce"}, "maximumIncrease": "50%"}]);
    check(&[("/guardrails", guardrails)], "guardrails", "GuardrailsNotRandomized", "leave them out");
    let question = Question::parse(with(&[("/basis", json!("AsDelivered"))]).to_string().as_bytes());
    let fault = question.expect("a question").allocate().expect_err("not ours to set");
    assert_eq!((fault.path.as_str(), word(&fault.problem).as_str()), ("basis", "NotAllocated"));
    assert!(fault.to_string().contains("use estimate alone"), "{fault}");
}
