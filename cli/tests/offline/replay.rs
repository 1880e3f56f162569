//! `broadside replay`: what it answers, what it refuses, and that the truth of a made-up world is found.
//!
//! After a change: `UPDATE=1 cargo test -p broadside --test offline`, or `make generate`.

use std::fmt::Write as _;
use std::path::PathBuf;

use cli::offline::replay::{Only, Policy, ReplayAnswer, Scoring, WarningWord, table};
use serde_json::Value;

use crate::command::{broadside, printed};
use crate::goldens::{check_json, check_text};
use crate::repository;

/// Numbers below 1, the same on every platform: splitmix64 (Steele, Lea & Flood 2014).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The log of docs/replay.md: a shop whose new visitors like warm copy and whose returning ones like plain copy. In the
/// first round the variant `plain` was not there yet.
fn log() -> String {
    let (mut log, mut draws) = (String::new(), Draws(1));
    for number in 0..12_000 {
        let round = 1 + number / 3000;
        let segment = if draws.next() < 0.6 { "new" } else { "returning" };
        let (variant, probability) = match (round, draws.next()) {
            (1, draw) if draw < 0.5 => ("control", 0.5),
            (1, _) => ("warm", 0.5),
            (_, draw) if draw < 0.2 => ("control", 0.2),
            (_, draw) if draw < 0.6 => ("warm", 0.4),
            (_, _) => ("plain", 0.4),
        };
        let rate = match (segment, variant) {
            ("new", "warm") | ("returning", "plain") => 0.09,
            _ => 0.05,
        };
        let reward = u8::from(draws.next() < rate);
        let subject = (draws.next() * 8000.0) as u32;
        writeln!(
            log,
            r#"{{"campaign":"0b0ba1c6","placement":"hero","seed":1,"segment":"{segment}","round":{round},"variant":"{variant}","probability":{probability},"subject":"{subject:032x}","decidedAt":"2026-11-24T12:00:00Z","exposedAt":"2026-11-24T12:00:01Z","reward":{reward}.0}}"#
        )
        .expect("text");
    }
    log
}

/// Each segment gets what it likes.
const PAIRED: &str = "new: {control: 10%, warm: 90%}\nreturning: {control: 10%, plain: 90%}\n";

fn scored(policy: Policy, log: &str) -> ReplayAnswer {
    let mut scoring = Scoring::new(policy, Only::default());
    log.lines().for_each(|line| scoring.read(line.as_bytes()).expect("a line"));
    scoring.answer(0.95).expect("an answer")
}

fn cases() -> PathBuf {
    repository().join("cli/tests/offline/replays")
}

#[test]
fn policies_are_scored_as_written() {
    let log = log();
    let check = |name: &str, policy| {
        let answer = scored(policy, &log);
        check_json(&cases().join(format!("{name}.json")), &answer);
        let screens = [80, 120].map(|width| table(&answer, width));
        for (screen, width) in screens.iter().zip([80, 120]) {
            assert!(screen.lines().all(|line| line.chars().count() <= width), "{name}:\n{screen}");
        }
        check_text(&cases().join(format!("{name}.txt")), &screens.join("----\n"));
    };
    check("each-segment-gets-what-it-likes", Policy::parse(PAIRED.as_bytes()).expect("a policy"));
    check("one-variant-for-everybody", Policy::always("warm"));
    check("shares-as-they-were", Policy::shares("control=20%,warm=40%,plain=40%").expect("shares"));
}

#[test]
fn the_truth_of_the_log_lies_within_the_limits() {
    let answer = scored(Policy::parse(PAIRED.as_bytes()).expect("a policy"), &log());
    // 0.9 · 9 % + 0.1 · 5 %; as logged 0.4 · 9 % + 0.6 · 5 %.
    let (truth, difference) = (0.086, 0.086 - 0.066);
    let estimates = &answer.estimates;
    for estimate in [
        &estimates.doubly_robust,
        &estimates.self_normalized,
        &estimates.inverse_propensity,
        &estimates.direct,
    ] {
        assert!(estimate.mean.low.0 < truth && truth < estimate.mean.high.0, "{estimate:?}");
        assert!(
            estimate.difference.low.0 < difference && difference < estimate.difference.high.0,
            "{estimate:?}"
        );
    }
    let rounds: Vec<u64> = answer.left_out.iter().map(|left| left.round).collect();
    assert_eq!((rounds, answer.lines), (vec![1], 9000));
}

/// What stands in each line is the same policy as in a file.
#[test]
fn a_policy_in_each_line_is_scored_as_one_in_a_file() {
    let log = log();
    let with = |line: &str| {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        let best = if line["segment"] == "new" { "warm" } else { "plain" };
        line["evaluation"] = serde_json::json!({"control": 0.1, best: 0.9, "gone": 0.0});
        line.to_string()
    };
    let lines: Vec<String> = log.lines().map(with).collect();
    let answer = scored(Policy::OfEachLine, &lines.join("\n"));
    assert_eq!(answer, scored(Policy::parse(PAIRED.as_bytes()).expect("a policy"), &log));
}

#[test]
fn the_page_shows_what_the_command_prints() {
    let page = std::fs::read_to_string(repository().join("docs/replay.md")).expect("readable");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("policy.yaml"), PAIRED).expect("writable");
    let policy = folder.path().join("policy.yaml");
    let printed = broadside(&["replay", "-", "--policy", policy.to_str().expect("UTF-8")], &log());
    let screen = String::from_utf8(printed.stdout).expect("UTF-8");
    assert!(page.contains(screen.trim_end()), "docs/replay.md does not show this:\n{screen}");
    assert!(page.contains(PAIRED.trim_end()), "docs/replay.md does not show the policy");
    let line = log().lines().next().expect("a line").to_owned();
    assert!(page.contains(&line), "docs/replay.md does not show this line: {line}");
}

#[test]
fn the_page_describes_every_field() {
    let page = std::fs::read_to_string(repository().join("docs/replay.md")).expect("readable");
    let answer = scored(Policy::parse(PAIRED.as_bytes()).expect("a policy"), &log());
    let mut fields: Vec<String> = [
        "campaign",
        "placement",
        "segment",
        "context",
        "round",
        "variant",
        "probability",
        "subject",
        "reward",
        "evaluation",
    ]
    .map(str::to_owned)
    .to_vec();
    collect(&serde_json::to_value(answer).expect("plain data"), &mut fields);
    let words = [
        WarningWord::WeightsOff,
        WarningWord::FewLines,
        WarningWord::FewRewards,
        WarningWord::FewSubjects,
        WarningWord::NoSubject,
        WarningWord::LeftOut,
    ];
    fields.extend(words.map(|word| format!("{word:?}")));
    for field in fields {
        assert!(page.contains(&format!("`{field}`")), "docs/replay.md does not speak of {field}");
    }
}

fn collect(value: &Value, fields: &mut Vec<String>) {
    match value {
        Value::Object(entries) => entries.iter().for_each(|(name, value)| {
            fields.push(name.clone());
            collect(value, fields);
        }),
        Value::Array(entries) => entries.iter().for_each(|value| collect(value, fields)),
        _ => {}
    }
}

#[test]
fn a_file_and_standard_input_give_the_answer_of_the_library() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("log.jsonl");
    std::fs::write(&file, log()).expect("writable");
    let expected = serde_json::to_value(scored(Policy::always("warm"), &log())).expect("plain data");
    let check = |arguments: &[&str], input: &str| {
        let found = printed(&broadside(arguments, input));
        crate::assert_alike(&found, &expected, 1e-12, "");
    };
    let file = file.to_str().expect("UTF-8");
    check(&["replay", file, "--always", "warm", "--output", "json"], "");
    check(&["replay", "-", "--shares", "warm=100%", "-o", "json", "--placement", "hero"], &log());
}

/// Two lines that are right; what is wrong comes after them.
const GOOD: &str = r#"{"placement": "hero", "variant": "a", "probability": 0.5, "reward": 1, "subject": "x"}

{"placement": "hero", "variant": "b", "probability": 0.5, "reward": 0, "subject": "y"}
"#;

fn refused(arguments: &[&str], input: &str, expected: &str) {
    let output = broadside(arguments, input);
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), error.trim_end()), (Some(1), expected));
    assert!(output.stdout.is_empty());
}

#[test]
fn what_is_wrong_in_a_line_has_its_number_and_field() {
    let check = |line: &str, expected: &str| {
        let expected = format!("Error: standard input: line 4: {expected}");
        refused(&["replay", "-", "--always", "a"], &format!("{GOOD}{line}\n"), &expected);
    };
    check(r#"{"variant": "a", "reward": 1}"#, "probability: is missing: add it");
    check("{", "this is no JSON: EOF while parsing an object at column 1; mend it there");
    check(
        r#"{"placement": "hero", "variant": "a", "probability": 0, "reward": 1}"#,
        "probability: is 0: write the chance with which the variant was drawn, above 0 and at most 1",
    );
    check(
        r#"{"placement": "hero", "variant": "a", "probability": 0.5, "reward": -1}"#,
        "reward: is -1: write what the decision brought, 0 or more",
    );
    check(
        r#"{"placement": "footer", "variant": "a", "probability": 0.5, "reward": 1}"#,
        r#"placement: is "footer", and was "hero" before: they are experiments of their own; add --placement hero"#,
    );
}

#[test]
fn what_a_log_can_not_say_is_said() {
    let check = |arguments: &[&str], input: &str, expected: &str| {
        let arguments = [&["replay", "-"], arguments].concat();
        refused(&arguments, input, &format!("Error: standard input: {expected}"));
    };
    check(
        &["--always", "c"],
        GOOD,
        r#"no line has the variant "c", so nothing is known of it: use one of a, b"#,
    );
    check(
        &["--always", "a"],
        "",
        "there is no line: write one object for each decision, as docs/replay.md shows",
    );
    check(
        &["--always", "a", "--placement", "footer"],
        GOOD,
        r#"no line has the placement "footer": use one of hero"#,
    );
    check(
        &["--evaluation"],
        GOOD,
        "line 1: evaluation: is missing: --evaluation scores the chances that stand in each line; add them",
    );
    let segments = r#"{"segment": "new", "variant": "a", "probability": 0.5, "reward": 1}
{"segment": "new", "variant": "b", "probability": 0.5, "reward": 1}
{"segment": "old", "variant": "b", "probability": 1.0, "reward": 1}"#;
    check(
        &["--always", "a"],
        segments,
        r#""a" never had a chance in segment old in a round in which all that the policy shows had one, so what it brings there can't be told: give it no share there"#,
    );
}

#[test]
fn a_log_that_does_not_fit_its_probabilities_is_not_trusted() {
    let halves = |number: u32| {
        let variant = if number.is_multiple_of(10) { "a" } else { "b" };
        format!(r#"{{"variant": "{variant}", "probability": 0.5, "reward": {}}}"#, number % 3 / 2)
    };
    let log: Vec<String> = (0..1000).map(halves).collect();
    let answer = scored(Policy::always("a"), &log.join("\n"));
    let kinds: Vec<WarningWord> = answer.warnings.iter().map(|warning| warning.kind).collect();
    assert_eq!(kinds, [WarningWord::WeightsOff, WarningWord::NoSubject]);
}
