//! Decisions in the totals: each person's once, and with the exposure where there is one.

use std::time::Duration;

use api::wire::event::Outcome::{self, Accepted, Duplicate, Late};
use api::wire::totals::TotalsResponse;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::nats::Nats;
use crate::process::{self, Process};
use crate::samples::{SAMPLE, START, Sample, keys};
use crate::signed::claims;
use crate::world::{World, decision, exposure, question};

/// How long is waited for what must happen.
const PATIENCE: Duration = Duration::from_secs(40);

/// A decision for Alice in that round, on that variant.
fn token(round: u32, variant: &str) -> String {
    let mut claims = claims(START.as_second(), keys().subject(SAMPLE.uid, "alice"));
    (claims.round, claims.variant) = (round, variant.to_owned());
    keys().sign(&claims)
}

/// By round and variant: decisions, and exposures.
type Counted = Vec<(u32, String, Option<u64>, u64)>;

fn counted(totals: &TotalsResponse) -> Counted {
    let cells = totals.placements.iter().flat_map(|placement| &placement.cells);
    cells.map(|cell| (cell.round, cell.variant.clone(), cell.decisions, cell.exposures)).collect()
}

#[tokio::test]
async fn a_decision_counts_once_and_goes_with_the_exposure() {
    let check =
        async |sentence: &str, sent: &[(Value, Outcome)], expected: &[(u32, &str, Option<u64>, u64)]| {
            let world = World::new(SAMPLE);
            for (event, outcome) in sent {
                assert_eq!(world.send(std::slice::from_ref(event)).await, [*outcome], "{sentence}: {event}");
            }
            world.clock.advance(2 * 3_600_000);
            let found = counted(&world.totals(SAMPLE.uid).await);
            let expected: Counted =
                expected.iter().map(|&(round, variant, of, n)| (round, variant.to_owned(), of, n)).collect();
            assert_eq!(found, expected, "{sentence}");
        };
    let (first, second) = (token(1, "warm"), token(2, "control"));
    let decided = |token: &str| (decision("d", token), Accepted);
    let shown = |token: &str| (exposure("e", token), Accepted);
    check("nobody tells decisions", &[shown(&first)], &[(1, "warm", None, 1)]).await;
    check("not seen", &[decided(&first)], &[(1, "warm", Some(1), 0)]).await;
    check("seen", &[decided(&first), shown(&first)], &[(1, "warm", Some(1), 1)]).await;
    check(
        "decided again",
        &[decided(&first), (decision("d", &second), Duplicate)],
        &[(1, "warm", Some(1), 0)],
    )
    .await;
    check(
        "decided anew and seen then",
        &[decided(&first), (decision("d", &second), Duplicate), shown(&second)],
        &[(2, "control", Some(1), 1)],
    )
    .await;
    check(
        "told after it was seen",
        &[shown(&first), (decision("d", &first), Duplicate)],
        &[(1, "warm", None, 1)],
    )
    .await;
    let early = START + SignedDuration::from_hours(25);
    let mut old = decision("d", &first);
    old["at"] = json!(early);
    let world = World::new(SAMPLE);
    world.clock.advance(25 * 3_600_000);
    assert_eq!(world.send(&[old]).await, [Late], "of yesterday");
}

#[tokio::test]
async fn who_sees_the_copy_only_in_a_later_round_is_one_decision() {
    let world = World::new(SAMPLE);
    assert_eq!(world.send(&[decision("d", &token(1, "warm"))]).await, [Accepted]);
    world.clock.advance(23 * 3_600_000);
    assert_eq!(world.send(&[exposure("e", &token(2, "warm"))]).await, [Accepted]);
    assert_eq!(world.send(&[decision("d", &token(2, "warm"))]).await, [Duplicate]);
    world.clock.advance(3_600_000);
    assert_eq!(world.send(&[decision("d", &token(2, "warm"))]).await, [Duplicate]);
    let found = counted(&world.totals(SAMPLE.uid).await);
    assert_eq!(found, [(2, "warm".to_owned(), Some(1), 1)]);
}

/// The sums over all cells, of decisions that are told and of exposures, once there are so many of these.
async fn once(ledger: &Process, exposures: u64) -> Option<u64> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer = ledger.get(&format!("/v1/totals?campaign={}", SAMPLE.uid)).await.unwrap();
        let totals = serde_json::from_slice(&answer.bytes().await.unwrap());
        let found = totals.map(|totals: TotalsResponse| counted(&totals));
        if let Ok(found) = &found
            && found.iter().map(|(.., exposures)| exposures).sum::<u64>() == exposures
        {
            return found.iter().map(|(.., decisions, _)| *decisions).sum();
        }
        assert!(tokio::time::Instant::now() < deadline, "{found:?} are not {exposures}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until so many decisions of a process were recorded, and as many were again.
async fn told(process: &Process, recorded: u64, repeated: u64) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let expected = [("Recorded", recorded), ("Repeated", repeated), ("Lost", 0)];
    loop {
        let metrics = process.get("/metrics").await.unwrap().text().await.unwrap();
        let count = |outcome: &str| {
            let name = format!("broadside_decisions_told_total{{outcome=\"{outcome}\"}} ");
            metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |it| it.parse().unwrap())
        };
        let found = expected.map(|(outcome, _)| (outcome, count(outcome)));
        if found == expected {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{found:?} are not {expected:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Ten people come, each twice, and three see what they were given.
async fn come(decides: &Process, records: &Process) {
    let mut tokens = Vec::new();
    for _ in 0..2 {
        tokens.clear();
        for person in 0..10 {
            tokens.push(decides.token(&format!("person {person}")).await);
        }
    }
    let shown: Vec<Value> = tokens[..3].iter().map(|token| exposure("e", token)).collect();
    assert_eq!(records.send(&shown).await, Some(vec![Accepted; 3]));
}

const SHORT: Sample<'_> = Sample { window_seconds: 1, ..SAMPLE };

#[tokio::test]
async fn a_process_records_its_own_decisions_where_that_is_wanted() {
    let folder = process::folder(SHORT);
    let gateway = Process::start_with("all", folder.path(), &["--record-decisions"]).await;
    come(&gateway, &gateway).await;
    told(&gateway, 10, 10).await;
    // Those who have seen nothing are told after an hour.
    assert_eq!(once(&gateway, 3).await, Some(3));
    drop(gateway);
    let again = Process::start_with("all", folder.path(), &["--record-decisions"]).await;
    again.token("person 9").await;
    again.token("person 10").await;
    told(&again, 1, 1).await;
    drop(again);
    let untold = Process::start("all", folder.path()).await;
    untold.token("person 11").await;
    assert!(!untold.get("/metrics").await.unwrap().text().await.unwrap().contains("decisions_told"));
}

#[tokio::test]
async fn decisions_that_count_are_told_one_by_one() {
    let folder = process::folder(SHORT);
    let gateway = Process::start_with("all", folder.path(), &["--record-decisions"]).await;
    let client = reqwest::Client::new();
    let ask = async |path: &str, body: Value| {
        let request = client.post(format!("{}{path}", gateway.origin())).body(body.to_string());
        assert!(request.send().await.unwrap().status().is_success(), "{path}");
    };
    let context = |person: &str| json!({"context": {"targetingKey": person, "namespace": "shop"}});
    let with = |person: &str, field: &str, value: Value| {
        let mut question = question(person);
        question[field] = value;
        question
    };
    ask("/v1/decide", question("posted")).await;
    ask("/ofrep/v1/evaluate/flags/shop.cart-and-hero.hero", context("evaluated")).await;
    let query = "namespace=shop&campaign=cart-and-hero&placement=hero&subject=got";
    assert!(gateway.get(&format!("/v1/decide?{query}")).await.unwrap().status().is_success());
    ask("/ofrep/v1/evaluate/flags", context("all flags")).await;
    ask("/v1/decide", with("reviewer", "preview", json!("warm"))).await;
    ask("/v1/decide", with("refuses", "consent", json!({"measurement": false}))).await;
    ask("/v1/decide", with("limited", "eligible", json!(["control"]))).await;
    ask("/v1/decide", question("last")).await;
    told(&gateway, 4, 0).await;
}

#[tokio::test]
async fn decisions_go_through_a_stream_too() {
    let folders = [process::folder(SHORT), process::folder(SHORT)];
    let Some(nats) = Nats::start(folders[0].path()) else { return };
    let stream = ["--nats", nats.url.as_str()];
    let decide = [stream[0], stream[1], "--record-decisions"];
    let gateways = [
        Process::start_with("decide", folders[0].path(), &decide).await,
        Process::start_with("decide", folders[0].path(), &decide).await,
    ];
    let ledger = Process::start_with("ledger", folders[1].path(), &stream).await;
    come(&gateways[0], &gateways[1]).await;
    come(&gateways[1], &gateways[0]).await;
    told(&gateways[0], 10, 10).await;
    told(&gateways[1], 10, 10).await;
    assert_eq!(once(&ledger, 3).await, Some(3));
}
