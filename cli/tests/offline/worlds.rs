//! Worlds whose truth is known: what is answered, what is refused, and that the truth is found.
//!
//! After a change: `UPDATE=1 cargo test -p broadside --test offline`, or `make generate`.

use cli::offline::world::{Played, SimulateAnswer, table};
use cli::offline::{Problem, VerdictWord};
use serde_json::{Value, json};

use crate::faults::word;
use crate::goldens::{check_json, check_text};
use crate::repository;

fn example() -> Value {
    let text = std::fs::read(repository().join("examples/world.json")).expect("readable");
    serde_json::from_slice(&text).expect("JSON")
}

fn played(world: &Value) -> Played {
    Played::parse(world.to_string().as_bytes()).unwrap_or_else(|fault| panic!("{world}: {fault}"))
}

fn answer(world: &Value) -> SimulateAnswer {
    let played = played(world);
    played.play(|_, _| {}).and_then(|story| story.answer(&played)).expect("a story")
}

fn changed(changes: &[(&str, Value)]) -> Value {
    let mut world = example();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        world.pointer_mut(parent).expect("a parent")[key] = value.clone();
    }
    world
}

#[test]
fn the_example_is_played_as_written() {
    let folder = repository().join("cli/tests/offline/worlds");
    let played = played(&example());
    let story = played.play(|_, _| {}).expect("a story");
    let answer = story.answer(&played).expect("an answer");
    check_json(&folder.join("example.json"), &answer);
    check_text(
        &folder.join("example.txt"),
        &[80, 120].map(|width| table(&story, &answer, width)).join("----\n"),
    );
}

#[test]
fn the_example_of_the_page_is_the_one_in_the_repository() {
    let page = std::fs::read_to_string(repository().join("docs/simulate.md")).expect("readable");
    let block = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    assert_eq!(serde_json::from_str::<Value>(block).expect("JSON"), example());
}

#[test]
fn a_seed_is_a_course() {
    let with = |seed: u64| changed(&[("/seed", json!(seed))]);
    assert_eq!(answer(&with(7)), answer(&with(7)));
    assert_ne!(answer(&with(7)).regret, answer(&with(8)).regret);
    let other = played(&with(7)).with_seed(8);
    let story = other.play(|_, _| {}).expect("a story");
    assert_eq!(story.answer(&other).expect("an answer"), answer(&with(8)));
}

/// Worlds in which one knows what must come of it, with bounds that a wrong engine would miss.
#[test]
fn what_is_true_is_found() {
    let better = answer(&changed(&[("/variants/c/rate", json!("4%"))]));
    assert_eq!((better.best.as_str(), better.right), ("c", Some(true)));
    assert_eq!(better.estimate.winner.as_deref(), Some("c"));
    assert!(better.regret.0 < better.even_regret.0, "moving traffic pays");

    let equal = json!({"control": {"rate": "10%"}, "a": {"rate": "10%"}});
    let equal =
        answer(&changed(&[("/variants", equal), ("/rounds", json!({"number": 80, "exposures": 5000}))]));
    assert_eq!(equal.estimate.verdict, Some(VerdictWord::NoWorthwhileDifference));
    assert_eq!((equal.right, equal.regret.0.to_bits()), (Some(true), 0));

    let worse = json!({"control": {"rate": "10%"}, "a": {"rate": "7%"}});
    let worse = answer(&changed(&[("/variants", worse)]));
    assert_eq!((worse.estimate.verdict, worse.right), (Some(VerdictWord::ControlWins), Some(true)));

    let less = changed(&[("/metric/direction", json!("Minimize")), ("/variants/b/rate", json!("1%"))]);
    assert_eq!(answer(&less).estimate.winner.as_deref(), Some("b"));
}

/// A verdict is held against the rounds that it rests on, whatever comes later.
#[test]
fn a_winner_that_was_one_was_right() {
    let fading = json!({"old": {"rate": "2%"}, "new": {"rate": "6%", "laterRate": "0%"}});
    let world = json!({"metric": {"name": "click"}, "control": "old", "variants": fading, "delay": 2});
    let answer = answer(&world);
    assert_eq!((answer.estimate.winner.as_deref(), answer.right), (Some("new"), Some(true)));
    let decided = answer.decided.expect("at once");
    assert!(
        (1..50).contains(&decided.round) && decided.exposures == 1000 * decided.round as u64,
        "{decided:?}"
    );
}

#[test]
fn values_have_a_worth_and_a_cap() {
    let variant = |rate: &str| json!({"rate": rate, "worth": {"mean": "40", "deviation": "30"}});
    let world = |cap: Value| {
        json!({"metric": {"name": "revenue", "kind": "Value", "cap": cap}, "control": "old",
            "variants": {"old": variant("5%"), "new": variant("8%")}})
    };
    let free = answer(&world(Value::Null));
    assert!((free.variants[0].mean.0 - 2.0).abs() < 1e-9 && (free.variants[1].mean.0 - 3.2).abs() < 1e-9);
    assert_eq!(free.estimate.winner.as_deref(), Some("new"));
    let capped = answer(&world(json!(40)));
    assert!(capped.variants[0].mean.0 < 0.8 * free.variants[0].mean.0);
}

/// Once per seed every exposure is a fresh draw; counted in every round again, the sample-ratio test alarms.
#[test]
fn people_who_come_back_are_counted_once() {
    let world = |counted: &str, seed: u64| {
        json!({"metric": {"name": "click"}, "control": "old", "seed": seed,
            "policy": {"type": "Even", "controlShare": "none"},
            "variants": {"old": {"rate": "10%"}, "new": {"rate": "10%"}}, "rounds": {"number": 60},
            "people": {"number": 2000, "visits": "90%", "counted": counted}})
    };
    let alarms = |counted: &str| {
        let alarm =
            |seed: u64| answer(&world(counted, seed)).estimate.sample_ratio.is_some_and(|ratio| !ratio.ok);
        (1..=10).filter(|&seed| alarm(seed)).count()
    };
    assert_eq!(alarms("OncePerSeed"), 0);
    assert!(alarms("EveryRound") >= 2, "an even split of the same people, sixty times over");
    let once = answer(&world("OncePerSeed", 1));
    assert!(once.variants.iter().map(|variant| variant.exposures).sum::<u64>() <= 2000);
}

#[test]
fn segments_are_told_apart_and_rewards_come_late() {
    let segments = json!({
        "new": {"share": "60%", "rates": {"c": "5%"}, "features": [1, 0]},
        "known": {"share": "40%", "rates": {"a": "5%"}, "features": [1, 1]},
    });
    let policy = json!({"type": "LinearThompson", "controlShare": "20%"});
    let answer = answer(&changed(&[("/segments", segments), ("/policy", policy), ("/delay", json!(5))]));
    let shown: Vec<u64> = answer.variants.iter().map(|variant| variant.exposures).collect();
    assert!(shown[1] > 5 * shown[2] && shown[3] > 5 * shown[2], "a and c are the best somewhere: {shown:?}");
    assert!(answer.regret.0 < 0.5 * answer.even_regret.0, "{} {}", answer.regret.0, answer.even_regret.0);
    assert_eq!(answer.estimate.segments.as_ref().map(|segments| segments.len()), Some(2));
    let means: Vec<f64> = answer.variants.iter().map(|variant| variant.mean.0).collect();
    // 60 % at the own rate of 5 %, 40 % at 2.6 %, and a sale that makes it 1.45 times as much.
    assert!((means[3] - 1.45 * (0.6 * 0.05 + 0.4 * 0.026)).abs() < 1e-9, "{means:?}");
}

#[test]
fn variants_come_and_go() {
    let changes = [("/variants/c/fromRound", json!(51)), ("/variants/a/untilRound", json!(10))];
    let answer = answer(&changed(&changes));
    let exposures = |arm: usize| answer.variants[arm].exposures;
    assert!(
        (1..=8_000).contains(&exposures(1)),
        "ten rounds of a thousand, less the control's: {}",
        exposures(1)
    );
    assert!((1..=40_000).contains(&exposures(3)), "{}", exposures(3));
}

/// What a variant would have earned before it came is no part of the truth that a verdict is held against.
#[test]
fn variants_are_held_against_the_control_while_they_are_served() {
    let world = |a: Value| {
        json!({"metric": {"name": "click"}, "control": "old", "rounds": {"number": 40},
            "variants": {"old": {"rate": "3%"}, "a": a}})
    };
    let came = answer(&world(json!({"rate": "1%", "laterRate": "4%", "fromRound": 21})));
    assert_eq!((came.estimate.winner.as_deref(), came.right), (Some("a"), Some(true)));
    assert!((came.variants[1].mean.0 - 0.04).abs() < 1e-12 && came.best == "a", "{:?}", came.variants);
    let lift = |answer: &SimulateAnswer| answer.variants[1].lift.expect("a lift").0;
    assert!((lift(&came) - 1.0 / 3.0).abs() < 1e-12, "{:?}", came.variants);

    let went = answer(&world(json!({"rate": "1%", "laterRate": "4%", "untilRound": 20})));
    assert_eq!((went.estimate.verdict, went.right), (Some(VerdictWord::ControlWins), Some(true)));
    assert!((lift(&went) + 2.0 / 3.0).abs() < 1e-12 && went.best == "old", "{:?}", went.variants);

    // A sale while the variant is there raises both.
    let mut sale = world(json!({"rate": "3%", "fromRound": 21}));
    sale["trends"] = json!([{"sale": {"from": "50%", "factor": "200%"}}]);
    let sale = answer(&sale);
    assert!(
        lift(&sale).abs() < 1e-12 && (sale.variants[1].mean.0 - 0.06).abs() < 1e-12,
        "{:?}",
        sale.variants
    );
}

/// A verdict of the last look is one that was reached.
#[test]
fn a_verdict_is_dated_whenever_it_was_reached() {
    let world = |rounds: u64, rate: &str| {
        json!({"metric": {"name": "click"}, "control": "old", "rounds": {"number": rounds, "exposures": 200_000},
            "policy": {"type": "Even"}, "variants": {"old": {"rate": "3%"}, "a": {"rate": rate}}})
    };
    let last = answer(&world(1, "6%"));
    assert_eq!(last.decided.map(|decided| decided.round), Some(1));
    assert_eq!(last.estimate.verdict, Some(VerdictWord::Winner));
    let never = answer(&world(1, "3%"));
    assert_eq!((never.decided, never.estimate.verdict), (None, Some(VerdictWord::Inconclusive)));
}

#[test]
fn worlds_that_make_no_sense() {
    let check = |pointer: &str, value: Value, path: &str, problem: &str, remedy: &str| {
        let changes = [(pointer, value)];
        let fault =
            Played::parse(changed(&changes).to_string().as_bytes()).expect_err(&format!("{changes:?}"));
        let found = match &fault.problem {
            Problem::World(problem) => word(problem),
            problem => word(problem),
        };
        assert_eq!((fault.path.as_str(), found.as_str()), (path, problem), "{changes:?}: {fault}");
        assert!(fault.to_string().contains(remedy), "{changes:?}: {fault}");
    };
    check("/variants/a/rate", json!("101%"), "variants.a.rate", "Rate", "write a lower one");
    check("/variants/a/rate", json!(0.02), "variants.a.rate", "WrongType", "must be a text in quotes");
    check("/variants/a", json!({}), "variants.a.rate", "Missing", "add it");
    check("/variants", json!({}), "variants", "Alone", "add a variant");
    check("/variants", json!({"control": {"rate": "2%"}}), "variants", "Alone", "add a variant");
    check("/variants/", json!({"rate": "2%"}), "variants[\"\"]", "Name", "1 to 100 characters");
    check("/delay", json!(10_001), "delay", "Delay", "write fewer");
    check("/trends", json!([{}]), "trends[0]", "OneTrend", "exactly one of");
    check("/trends", json!(["sale"]), "trends[0]", "WrongType", "must be an object");
    check(
        "/trends",
        json!(vec![json!({"linear": {"to": "100%"}}); 11]),
        "trends",
        "TooManyTrends",
        "leave some out",
    );
    check("/control", json!("d"), "control", "UnknownControl", "use one of a, b, c, control");
    check("/variants/a/worth", json!({"mean": 3}), "variants.a.worth", "WorthOfBinary", "leave it out");
    check("/metric/kind", json!("Value"), "variants.control.worth", "WorthMissing", "add {\"mean\"");
    check(
        "/variants/control/fromRound",
        json!(2),
        "variants.control.fromRound",
        "ControlStays",
        "leave it out",
    );
    check("/variants/a/fromRound", json!(0), "variants.a.fromRound", "Round", "from 1 to 100");
    check("/variants/a/untilRound", json!(101), "variants.a.untilRound", "Round", "from 1 to 100");
    check("/segments", json!({"new": {"share": "60%"}}), "segments", "Shares", "sum to 60%");
    let unknown = json!({"new": {"share": "100%", "rates": {"d": "2%"}}});
    check("/segments", unknown, "segments.new.rates.d", "UnknownVariant", "add it there");
    check("/rounds", json!({"number": 0}), "rounds.number", "Zero", "at least 1");
    check("/rounds", json!({"number": 9_000_000}), "rounds", "TooLong", "play fewer rounds");
    check("/rounds", json!({"growth": "1000%"}), "rounds", "TooManyExposures", "a smaller growth");
    check("/rounds", json!({"number": 8000, "exposures": 1}), "rounds", "TooLong", "play fewer rounds");
    let crowd = |number: u64| json!({"number": number, "visits": "50%"});
    check("/people", crowd(1_000_000), "people", "TooManyVisits", "fewer people");
    check("/people", crowd(0), "people.number", "Zero", "at least 1");
    let wave = |amplitude: &str, rounds: u32| json!([{"wave": {"amplitude": amplitude, "rounds": rounds}}]);
    check("/trends", wave("101%", 24), "trends[0].wave.amplitude", "Amplitude", "at most 100%");
    check("/trends", wave("50%", 1), "trends[0].wave.rounds", "Period", "2 rounds or more");
    let sale = |from: &str, until: &str| json!([{"sale": {"from": from, "until": until, "factor": "200%"}}]);
    check("/trends", sale("101%", "100%"), "trends[0].sale.from", "Part", "at most 100%");
    check("/trends", sale("50%", "40%"), "trends[0].sale.until", "Part", "an end after its beginning");
    check(
        "/trends",
        json!([{"storm": {}}]),
        "trends[0].storm",
        "UnknownField",
        "use one of linear, wave, sale",
    );
    check("/policy", json!({"type": "LinearThompson"}), "policy.type", "NoFeatures", "or use Thompson");
    check("/policy", json!({"floor": "40%"}), "policy", "Policy", "change policy.floor");
    check("/rate", json!("2%"), "rate", "UnknownField", "use one of seed, metric");
    check("/seed", json!(-1), "seed", "Negative", "is -1");
}
