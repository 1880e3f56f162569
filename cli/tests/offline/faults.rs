//! Every fault is a place, a problem and a remedy. A row is a change to the example, and what is said of it.

use std::collections::BTreeMap;

use cli::offline::{Fault, Question};
use serde_json::{Value, json};

use crate::{estimate, example};

fn refused(bytes: &[u8]) -> Fault {
    let answer = Question::parse(bytes).and_then(|question| question.estimate());
    let fault = answer.expect_err(&format!("{} is answered", String::from_utf8_lossy(bytes)));
    let allocated = Question::parse(bytes).and_then(|question| question.allocate());
    assert_eq!(allocated.as_ref().err(), Some(&fault), "both commands refuse the same");
    fault
}

/// The example with `value` at a JSON pointer.
pub(crate) fn with(changes: &[(&str, Value)]) -> Value {
    let mut document = example();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = document.pointer_mut(parent).expect("a parent");
        match parent {
            Value::Array(items) => items.insert(key.parse().expect("an index"), value.clone()),
            parent => parent[key] = value.clone(),
        }
    }
    document
}

/// The word of a variant: `SquaresDiffer` of `SquaresDiffer { .. }`.
pub(crate) fn word(problem: &impl std::fmt::Debug) -> String {
    format!("{problem:?}").chars().take_while(|character| character.is_alphanumeric()).collect()
}

pub(crate) fn check(changes: &[(&str, Value)], path: &str, expected: &str, remedy: &str) {
    let fault = refused(with(changes).to_string().as_bytes());
    assert_eq!(
        (fault.path.as_str(), word(&fault.problem).as_str()),
        (path, expected),
        "{changes:?}: {fault}"
    );
    assert!(fault.to_string().contains(remedy), "{changes:?}: {fault}");
}

const TOTALS_OF_A: &str = "/rounds/0/totals/a";

fn totals(n: &str, sum: &str, squares: &str) -> Value {
    let n: Value = serde_json::from_str(n).expect("a number");
    json!({"n": n, "sum": sum, "sumSquares": squares})
}

#[test]
fn sums_that_no_exposures_have() {
    let check = |n: &str, sum: &str, squares: &str, field: &str, problem: &str, remedy: &str| {
        let path = format!("rounds[0].totals.a.{field}");
        check(&[(TOTALS_OF_A, totals(n, sum, squares))], &path, problem, remedy);
    };
    check("4000", "NaN", "90", "sum", "NotANumber", "write digits such as");
    check("4000", "inf", "90", "sum", "NotANumber", "write digits such as");
    check("4000", "", "90", "sum", "NotANumber", "write digits such as");
    check("4000", "90", "ninety", "sumSquares", "NotANumber", "write digits such as");
    check("4000", "-1", "90", "sum", "Negative", "is -1: it can't be below 0");
    check("-4000", "90", "90", "n", "Negative", "is -4000");
    check("4000.5", "90", "90", "n", "NotWhole", "write a whole number");
    check("4000", "90.5", "90.5", "sum", "NotWhole", "write a whole number");
    check("9007199254740993", "90", "90", "n", "TooMany", "2^53");
    check("18446744073709551616", "90", "90", "n", "TooMany", "2^53");
    check("1e300", "90", "90", "n", "TooMany", "2^53");
    check("4000", "1e61", "1e61", "sum", "OutOfRange", "another unit");
    check("4000", "4001", "4001", "sum", "AboveExposures", "is 4001, and n is 4000");
    check("4000", "90", "91", "sumSquares", "SquaresDiffer", "is 91, and sum is 90");
    check("0", "90", "90", "n", "Unexposed", "count the exposures");
}

#[test]
fn sums_that_no_values_have() {
    let check_value = |cap: Value, sum: &str, squares: &str, problem: &str, remedy: &str| {
        let metric = json!({"name": "revenue", "kind": "Value", "cap": cap});
        let changes = [("/metric", metric), (TOTALS_OF_A, totals("100", sum, squares))];
        check(&changes, "rounds[0].totals.a.sumSquares", problem, remedy);
    };
    check_value(json!(1000), "50", "24", "SquaresTooSmall", "can't be below sum²/n = 25");
    check_value(json!(1000), "50", "2501", "SquaresTooLarge", "can't be above sum² = 2500");
    check_value(json!("10"), "50", "501", "AboveCap", "can't be above cap × sum = 500");
    check_value(json!(1000), "0", "1", "SquaresTooLarge", "can't be above sum² = 0");
    let metric = json!({"name": "revenue", "kind": "Value", "cap": 1000});
    let changes = [("/metric", metric), (TOTALS_OF_A, json!({"n": 100, "sum": "50"}))];
    check(&changes, "rounds[0].totals.a.sumSquares", "Missing", "is missing: add it");
}

#[test]
fn squares_of_ones_need_not_be_written() {
    let document = example();
    let mut short = document.clone();
    let totals = short["rounds"][0]["totals"].as_object_mut().expect("totals");
    for of_variant in totals.values_mut() {
        assert!(of_variant.as_object_mut().expect("sums").remove("sumSquares").is_some());
    }
    assert_eq!(estimate(&short), estimate(&document));
}

#[test]
fn decisions_that_contradict_exposures() {
    let with_decisions = |a: Value| {
        let totals =
            |n: u32, decisions: Value| json!({"n": n, "sum": 1, "sumSquares": 1, "decisions": decisions});
        json!({"control": totals(2000, json!(2100)), "a": totals(4000, a), "b": totals(4000, json!(4200))})
    };
    let check = |a: Value, problem: &str, remedy: &str| {
        let path = "rounds[0].totals.a.decisions";
        check(&[("/rounds/0/totals", with_decisions(a))], path, problem, remedy);
    };
    check(json!(3999), "DecisionsBelowExposures", "is 3999, and n is 4000");
    check(Value::Null, "MissingForSome", "for all variants of a round, or for none");
    check(json!(1e17), "TooMany", "2^53");
}

#[test]
fn counts_that_contradict_shares() {
    let shares = |control, a, b| json!({"control": control, "a": a, "b": b});
    let check = |allocation: Value, path: &str, problem: &str, remedy: &str| {
        check(&[("/rounds/0/allocation", allocation)], path, problem, remedy);
    };
    let allocation = "rounds[0].allocation";
    check(shares(200_000, 400_000, 400_001), allocation, "Shares", "sums to 1000001 parts per million");
    check(shares(0, 0, 0), allocation, "Shares", "must sum to 1000000");
    check(json!({}), "control", "UnknownControl", "add its share");
    check(shares(1_000_001, 0, 0), "rounds[0].allocation.control", "Share", "write a smaller share");
    check(json!({"control": -1, "a": 1_000_001}), "rounds[0].allocation.a", "Share", "write a smaller share");
    check(json!({"control": 0.2, "a": 0.8}), "rounds[0].allocation.a", "NotWhole", "write a whole number");
    check(shares(600_000, 400_000, 0), "rounds[0].totals.b", "Unserved", "its share is 0");
    check(json!({"control": 600_000, "a": 400_000}), "rounds[0].totals.b", "Unallocated", "add its share");
}

#[test]
fn rounds_that_contradict_each_other() {
    let round = example()["rounds"][0].clone();
    let numbered = |number: Value| {
        let mut round = round.clone();
        round["number"] = number;
        round
    };
    let segments = |segments: Value| json!({"number": 2, "segments": segments});
    let check = |changes: &[(&str, Value)], path: &str, problem: &str, remedy: &str| {
        check(changes, path, problem, remedy);
    };
    check(&[("/rounds", json!([]))], "rounds", "NoRounds", "add a round");
    check(
        &[("/rounds/1", numbered(json!(1)))],
        "rounds[1].number",
        "RoundTwice",
        "the number of rounds[0] too",
    );
    check(&[("/rounds/1", numbered(json!(-1)))], "rounds[1].number", "Negative", "is -1");
    let alone = segments(json!({"new": {"allocation": {"control": 1_000_000}, "totals": {}}}));
    check(&[("/rounds/1", alone.clone())], "rounds[1]", "MixedForms", "in all rounds");
    check(&[("/rounds/0/segments", alone["segments"].clone())], "rounds[0]", "BothForms", "keep either");
    check(&[("/rounds", json!([alone]))], "rounds", "Alone", "add a variant");
    let missing = json!({"number": 1, "allocation": round["allocation"]});
    check(&[("/rounds", json!([missing]))], "rounds[0].totals", "Missing", "add it");
    let flags = json!({"control": {}, "a": {}});
    let missing = json!([{"number": 2, "totals": {}}, round]);
    check(&[("/variants", flags), ("/rounds", missing)], "rounds[0].allocation", "Missing", "add it");
    let none = json!([
        segments(json!({})),
        segments(json!({"new": {"allocation": round["allocation"], "totals": {}}}))
    ]);
    let none = [("/rounds", none), ("/rounds/0/number", json!(1))];
    check(&none, "rounds[0].segments", "NoSegments", "add a segment");
    let many = totals("9007199254740992", "90", "90");
    check(&[(TOTALS_OF_A, many)], "rounds", "TooMany", "2^53");
}

#[test]
fn settings_that_make_no_sense() {
    let check = |pointer: &str, value: Value, path: &str, problem: &str, remedy: &str| {
        check(&[(pointer, value)], path, problem, remedy);
    };
    check("/confidence", json!("150%"), "confidence", "Confidence", "write at least 50% and less than 100%");
    check("/confidence", json!("100%"), "confidence", "Confidence", "less than 100%");
    check("/confidence", json!("95"), "confidence", "Percent", "write it like 10%");
    check("/confidence", json!(0.95), "confidence", "WrongType", "is the number 0.95, and must be a text");
    check("/maximumLoss", json!("0%"), "maximumLoss", "MaximumLoss", "write more than 0%");
    check("/maximumLoss", json!("101%"), "maximumLoss", "MaximumLoss", "at most 100%");
    check("/worthwhileLift", json!("71%"), "worthwhileLift", "WorthwhileLift", "write 0.1% to 70%");
    check("/worthwhileLift", json!("0%"), "worthwhileLift", "WorthwhileLift", "write 0.1% to 70%");
    check("/minimumPerVariant", json!(-1), "minimumPerVariant", "Negative", "is -1");
    check("/elapsed", json!("1 day"), "elapsed", "Duration", "write it like");
    check("/maximumDuration", json!("0s"), "maximumDuration", "Duration", "write at least 1s");
    check("/metric/window", json!("soon"), "metric.window", "Duration", "write it like");
    check("/metric/cap", json!("10"), "metric.cap", "CapOfBinary", "leave it out");
    check("/metric/name", json!(""), "metric.name", "Name", "1 to 100 characters");
    let value = |cap: Value| json!({"name": "revenue", "kind": "Value", "cap": cap});
    check("/metric", value(json!(0)), "metric.cap", "Cap", "write a number above 0");
    check("/metric", value(json!("-1")), "metric.cap", "Negative", "is -1");
    check("/variants", json!({"a": {"generation": 0}}), "variants.a.generation", "Generation", "from 1");
    check("/variants", json!({"a": {"generation": 5e9}}), "variants.a.generation", "Generation", "from 1");
    let retired = json!({"control": {"retired": true}});
    check("/variants", retired, "variants.control.retired", "RetiredControl", "leave this out");
    check("/control", json!("c"), "control", "UnknownControl", "use one of a, b, control");
    check("/variants", json!({"\u{1b}[2J": {}}), r#"variants["\u{1b}[2J"]"#, "Name", "without line breaks");
}

#[test]
fn documents_of_another_shape() {
    let check = |changes: &[(&str, Value)], path: &str, problem: &str, remedy: &str| {
        check(changes, path, problem, remedy);
    };
    check(
        &[("/worthwileLift", json!("2%"))],
        "worthwileLift",
        "UnknownField",
        "did you mean worthwhileLift?",
    );
    check(&[("/metric/color", json!(1))], "metric.color", "UnknownField", "use one of name, kind, direction");
    check(&[("/metric/kind", json!("binary"))], "metric.kind", "UnknownWord", "use one of Binary, Value");
    check(&[("/policy", json!({"type": "Greedy"}))], "policy.type", "UnknownWord", "Thompson, TopTwo, Even");
    check(&[("/metric", json!({}))], "metric.name", "Missing", "add it");
    check(
        &[("/metric", json!(["click", "Binary"]))],
        "metric",
        "WrongType",
        "is a list, and must be an object",
    );
    check(&[("/control", Value::Null)], "control", "WrongType", "is null, and must be a text in quotes");
    check(&[("/rounds", json!({}))], "rounds", "WrongType", "is an object, and must be a list");
    check(
        &[("/rounds/0/totals/a/n", json!("4000"))],
        "rounds[0].totals.a.n",
        "WrongType",
        "must be a number",
    );
    check(
        &[("/rounds/0/totals/a/sum", json!([]))],
        "rounds[0].totals.a.sum",
        "WrongType",
        "a number, in quotes or",
    );
    let dotted = [("/rounds/0/totals/a.b", json!({"n": 1}))];
    check(&dotted, r#"rounds[0].totals["a.b"].sum"#, "Missing", "add it");
}

#[test]
fn bytes_that_are_no_document() {
    let check = |bytes: &[u8], path: &str, problem: &str, text: &str| {
        let fault = refused(bytes);
        assert_eq!((fault.path.as_str(), word(&fault.problem).as_str()), (path, problem), "{fault}");
        assert!(fault.to_string().contains(text), "{fault}");
        assert!(fault.to_string().len() < 400, "{fault}");
    };
    let deep = |before: &str, bracket: &str| format!("{before}{}", bracket.repeat(1_000_000)).into_bytes();
    let large = vec![b' '; (16 << 20) + 1];
    check(b"", "", "NotJson", "EOF while parsing a value at line 1 column 0; mend it there");
    check(b"{\"metric\": NaN}", "", "NotJson", "at line 1 column 12");
    check(b"\xff\xfe", "", "NotJson", "at line 1 column 1");
    check(example().to_string().trim_end_matches('}').as_bytes(), "", "NotJson", "EOF");
    check(format!("{} {{}}", example()).as_bytes(), "", "NotJson", "trailing characters");
    check(b"[]", "", "WrongType", "is a list, and must be an object");
    check(b"null", "", "WrongType", "is null, and must be an object");
    check(&deep("", "["), "", "WrongType", "is a list");
    check(&deep("", "{\"a\":"), "a", "UnknownField", "use one of metric");
    check(&deep("{\"metric\":", "["), "metric", "WrongType", "is a list");
    check(
        &deep("{\"rounds\":[{\"totals\":{\"a\":{\"sum\":", "["),
        "rounds[0].totals.a.sum",
        "WrongType",
        "is a list",
    );
    check(
        &deep("{\"rounds\":[{\"segments\":{\"a\":", "{\"a\":"),
        "rounds[0].segments.a.a",
        "UnknownField",
        "allocation",
    );
    check(&deep("{\"control\":\"", "x"), "", "NotJson", "EOF while parsing a string");
    check(&large, "", "TooLarge", "16 MiB");
}

#[test]
fn a_name_twice_loses_nothing_in_silence() {
    let check = |before: &str, after: &str, path: &str| {
        let text = example().to_string();
        assert!(text.contains(before), "{text}");
        let fault = refused(text.replacen(before, after, 1).as_bytes());
        assert_eq!((fault.path.as_str(), word(&fault.problem).as_str()), (path, "Twice"), "{fault}");
    };
    check(r#""a":400000"#, r#""a":400000,"a":400000"#, "rounds[0].allocation.a");
    check(r#""totals":{"#, r#""totals":{"b":{"n":0,"sum":0,"sumSquares":0},"#, "rounds[0].totals.b");
    check(r#""control":"control""#, r#""control":"control","control":"a""#, "control");
}

#[test]
fn more_than_anybody_has() {
    let names = |count: usize| (0..count).map(|index| format!("v{index:04}"));
    let flags: BTreeMap<String, Value> = names(998).map(|name| (name, json!({}))).collect();
    check(&[("/variants", json!(flags))], "rounds", "TooManyVariants", "more than 1000 variants");
    let round = |number: usize| json!({"number": number, "allocation": {"control": 500_000, "a": 500_000}, "totals": {}});
    let rounds = |count: usize| (0..count).map(round).collect::<Vec<_>>();
    check(&[("/rounds", json!(rounds(100_001)))], "rounds", "TooManyCells", "more than 100000 cells");
    let flags: BTreeMap<String, Value> = names(101).map(|name| (name, json!({}))).collect();
    let changes = [("/variants", json!(flags)), ("/rounds", json!(rounds(10_000)))];
    check(&changes, "rounds", "TooManyFigures", "more than 1000000 totals");
    let segment = json!({"allocation": {"control": 500_000, "a": 500_000}, "totals": {}});
    let segments: BTreeMap<String, Value> = names(257).map(|name| (name, segment.clone())).collect();
    let round = json!([{"number": 1, "segments": segments}]);
    check(&[("/rounds", round)], "rounds", "TooManySegments", "more than 256 segments");
}

#[test]
fn policies_that_no_shares_can_follow() {
    let check = |policy: Value, path: &str, problem: &str, remedy: &str| {
        let question = Question::parse(with(&[("/policy", policy.clone())]).to_string().as_bytes());
        let question = question.expect("a question");
        assert!(question.estimate().is_ok(), "an estimate needs no policy");
        let fault = question.allocate().expect_err("no shares");
        assert_eq!(
            (fault.path.as_str(), word(&fault.problem).as_str()),
            (path, problem),
            "{policy}: {fault}"
        );
        assert!(fault.to_string().contains(remedy), "{fault}");
    };
    check(json!({"floor": "50%"}), "policy", "Policy", "change policy.floor");
    check(json!({"floor": "101%"}), "policy.floor", "Floor", "write a smaller floor");
    check(json!({"floor": "1"}), "policy.floor", "Percent", "write it like 10%");
    check(json!({"controlShare": "0%"}), "policy", "Policy", "policy.controlShare");
    check(json!({"controlShare": "100%"}), "policy", "Policy", "policy.controlShare");
    check(json!({"controlShare": "101%"}), "policy.controlShare", "ControlShare", "or none");
    check(json!({"controlShare": "None"}), "policy.controlShare", "ControlShare", "or none");
    check(json!({"lookBack": 0}), "policy", "Policy", "policy.lookBack");
    check(json!({"lookBack": -5}), "policy.lookBack", "Negative", "is -5");
    check(json!({"minimumPerVariant": 0.5}), "policy.minimumPerVariant", "NotWhole", "whole number");
}
