//! Days of a network: one look, at the planned end, whenever one asks.

use cli::offline::{EstimateAnswer, VerdictWord};
use serde_json::{Value, json};

use crate::estimate;

/// Days of about `all` exposures, of which `new` has a share; rates by variant.
fn day(number: usize, share: f64, rates: [f64; 2]) -> Value {
    let counted = |share: f64, rate: f64| {
        let n = (2000.0 * share).round();
        let acted = (n * rate).round() + (number % 3) as f64;
        json!({"n": n as u64, "sum": acted, "sumSquares": acted})
    };
    json!({"number": number, "allocation": {"old": 1_000_000 - (share * 1e6) as u64, "new": (share * 1e6) as u64},
        "totals": {"old": counted(1.0 - share, rates[0]), "new": counted(share, rates[1])}})
}

/// Ten days on which the new one does better, and then days on which it does much worse.
fn document(days: usize, plan: &Value) -> Value {
    let rates = |number: usize| if number <= 10 { [0.02, 0.03] } else { [0.05, 0.001] };
    let rounds: Vec<Value> = (1..=days).map(|number| day(number, 0.5, rates(number))).collect();
    let mut document =
        json!({"metric": {"name": "click"}, "basis": "AsDelivered", "control": "old", "rounds": rounds});
    document.as_object_mut().expect("fields").extend(plan.as_object().expect("fields").clone());
    document
}

fn figures(answer: &EstimateAnswer) -> Value {
    serde_json::to_value(answer).expect("plain data")["variants"].clone()
}

/// Limits that hold at one look need the same look whenever one asks.
#[test]
fn days_after_the_planned_end_change_nothing() {
    let check = |plan: Value, later: Value| {
        let at_the_end = estimate(&document(10, &plan));
        let after = estimate(&document(14, &later));
        assert_eq!(at_the_end.verdict, Some(VerdictWord::WinnerAsDelivered), "{}", at_the_end.sentence);
        assert_eq!((after.verdict, &after.winner), (at_the_end.verdict, &at_the_end.winner));
        assert_eq!(figures(&after), figures(&at_the_end));
        let suffix = "; 4 days came after the planned end and do not count";
        assert_eq!(after.sentence.strip_suffix(suffix), Some(at_the_end.sentence.as_str()));
    };
    let times = |elapsed: &str| json!({"elapsed": elapsed, "maximumDuration": "10d"});
    check(times("10d"), times("14d"));
    check(
        json!({"elapsed": "10d", "maximumDuration": "9d1h"}),
        json!({"elapsed": "14d", "maximumDuration": "9d1h"}),
    );
    // The tenth day is the one that reaches it.
    let planned = json!({"plannedExposures": 18_500});
    check(planned.clone(), planned);
    // Whichever end is first.
    let both = json!({"plannedExposures": 20_000, "elapsed": "14d", "maximumDuration": "12d"});
    check(json!({"plannedExposures": 20_000}), both);
}

#[test]
fn a_day_that_goes_on_is_no_end() {
    let plan = json!({"plannedExposures": 19_000});
    let mut open = document(10, &plan);
    open["rounds"][9]["open"] = true.into();
    let answer = estimate(&open);
    assert_eq!(answer.verdict, Some(VerdictWord::Collecting));
    assert_eq!(answer.planned_look.map(|look| look.reached), Some(false));
    let mut later = document(12, &plan);
    later["rounds"][11]["open"] = true.into();
    assert_eq!(estimate(&later).verdict, Some(VerdictWord::WinnerAsDelivered));
}

/// Two equal variants, of which one gets more traffic when everybody acts more: each day says nothing, and so must all.
#[test]
fn shares_that_change_with_the_mood_make_no_winner() {
    let course = |number: usize| if number <= 7 { (0.1, 0.02) } else { (0.9, 0.05) };
    let rounds = (1..=14).map(|number| {
        let (share, rate) = course(number);
        day(number, share, [rate, rate])
    });
    let mut document = document(1, &json!({"plannedExposures": 28_000}));
    document["rounds"] = rounds.collect::<Vec<_>>().into();
    let answer = estimate(&document);
    assert_eq!(
        (answer.verdict, answer.winner),
        (Some(VerdictWord::Inconclusive), None),
        "{}",
        answer.sentence
    );
}
