//! Events through a stream of a real nats-server: any role takes them, a ledger follows and may be made anew.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use api::MetricKind;
use api::wire::event::Outcome;
use api::wire::totals::{CellTotals, TotalsResponse};
use gateway::ledger::amount::Amount;
use gateway::ledger::check::{Arrival, What};
use gateway::ledger::store::Store;
use gateway::ledger::unit::Reward;
use gateway::ledger::{Fed, Ledger, LedgerError, millis};
use jiff::SignedDuration;
use prometheus_client::registry::Registry;

use serde_json::Value;

use crate::auth::SHOP;
use crate::clock::HandClock;
use crate::kill;
use crate::model::SMALL;
use crate::nats::Nats;
use crate::operations::arrival;
use crate::process::{self, Process};
use crate::redirect::browser;
use crate::samples::{SAMPLE, START, Sample};
use crate::world::{bounce, exposure, reward};

async fn totals(ledger: &Process) -> Option<TotalsResponse> {
    let response = ledger.get(&format!("/v1/totals?campaign={}", SAMPLE.uid)).await?;
    serde_json::from_slice(&response.bytes().await.ok()?).ok()
}

/// The sums once nothing is pending and so many exposures are counted.
async fn counted(ledger: &Process, exposures: u64) -> Vec<CellTotals> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let placement = totals(ledger).await.and_then(|mut totals| totals.placements.pop());
        if let Some(placement) = &placement {
            let found: u64 = placement.cells.iter().map(|cell| cell.exposures).sum();
            assert!(found <= exposures, "{found} of {exposures} were counted");
            if found == exposures && placement.pending_exposures == 0 {
                return placement.cells.clone();
            }
        }
        assert!(tokio::time::Instant::now() < deadline, "of {exposures} there are {placement:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn rewards(cells: &[CellTotals]) -> f64 {
    cells.iter().map(|cell| cell.rewards).sum()
}

const WINDOW: Sample<'_> = Sample { window_seconds: 4, ..SAMPLE };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_counted_once_behind_a_stream_and_again_from_its_beginning() {
    let folder = process::folder(WINDOW);
    let Some(nats) = Nats::start(folder.path()) else { return };
    let arguments = ["--nats", nats.url.as_str()];
    let decide = Process::start_with("decide", folder.path(), &arguments).await;
    let mut ledger = Process::start_with("ledger", folder.path(), &arguments).await;
    let mut acknowledged = 0;
    for subject in 0..60 {
        let token = decide.token(&subject.to_string()).await;
        let sent = [exposure("1", &token), reward("2", &token)];
        let sent = if subject % 3 == 0 { &sent[..] } else { &sent[..1] };
        // Every role takes events, and a repeat counts once wherever it goes.
        for process in [&decide, &ledger] {
            assert_eq!(taken(process, sent).await, vec![Outcome::Accepted; sent.len()], "subject {subject}");
        }
        acknowledged += 1;
        if subject == 30 {
            drop(ledger);
            ledger = Process::start_with("ledger", folder.path(), &arguments).await;
        }
    }
    let cells = counted(&ledger, acknowledged).await;
    assert!((rewards(&cells) - 20.0).abs() < 1e-9, "{cells:?}");
    drop(ledger);
    std::fs::remove_dir_all(folder.path().join("data")).unwrap();
    let ledger = Process::start_with("ledger", folder.path(), &arguments).await;
    assert_eq!(counted(&ledger, acknowledged).await, cells, "made anew it has the same sums");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guardrails_count_behind_a_stream_and_again_from_its_beginning() {
    let guardrails = &[("bounce", MetricKind::Binary, 1)];
    let folder = process::folder(Sample { guardrails, ..WINDOW });
    let Some(nats) = Nats::start(folder.path()) else { return };
    let arguments = ["--nats", nats.url.as_str()];
    let decide = Process::start_with("decide", folder.path(), &arguments).await;
    for subject in 0..6 {
        let token = decide.token(&subject.to_string()).await;
        let sent = [exposure("1", &token), bounce("2", &token)];
        for _ in 0..2 {
            assert_eq!(taken(&decide, &sent).await, [Outcome::Accepted; 2], "subject {subject}");
        }
    }
    for _ in 0..2 {
        let ledger = Process::start_with("ledger", folder.path(), &arguments).await;
        assert!(rewards(&counted(&ledger, 6).await).abs() < 1e-9);
        let bounces = totals(&ledger).await.unwrap().placements.remove(0).guardrails.remove(0);
        let counted: u64 = bounces.cells.iter().map(|cell| cell.exposures).sum();
        assert_eq!((counted, bounces.pending_exposures), (6, 0));
        assert!((rewards(&bounces.cells) - 6.0).abs() < 1e-9, "{bounces:?}");
        drop(ledger);
        std::fs::remove_dir_all(folder.path().join("data")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clicks_on_links_are_counted_once_behind_a_stream_and_lead_on_without_it() {
    let folder = process::folder(WINDOW);
    let Some(mut nats) = Nats::start(folder.path()) else { return };
    let url = nats.url.clone();
    let arguments = ["--nats", url.as_str()];
    let decide = Process::start_with("decide", folder.path(), &arguments).await;
    let ledger = Process::start_with("ledger", folder.path(), &arguments).await;
    let (shown, mailed, lost) =
        (decide.token("alice").await, decide.token("bob").await, decide.token("carol").await);
    assert_eq!(taken(&decide, &[exposure("1", &shown)]).await, [Outcome::Accepted]);
    for token in [&shown, &shown, &mailed] {
        for process in [&decide, &ledger] {
            leads_on(process, token).await;
        }
    }
    nats.kill();
    leads_on(&decide, &lost).await;
    nats.again();
    // What is sent again once the stream is back is behind all that was taken before.
    taken(&decide, &[exposure("2", &mailed)]).await;
    let cells = counted(&ledger, 2).await;
    assert!(
        (2..=3).contains(&clicks(&cells)) && rewards(&cells) == 0.0,
        "it may have taken the last one: {cells:?}"
    );
    leads_on(&decide, &lost).await;
    drop(ledger);
    std::fs::remove_dir_all(folder.path().join("data")).unwrap();
    let ledger = Process::start_with("ledger", folder.path(), &arguments).await;
    let cells = counted(&ledger, 2).await;
    assert_eq!(clicks(&cells), 3, "made anew, and with all: {cells:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_erased_is_so_behind_a_stream_too_and_again_from_its_beginning() {
    let folder = process::folder(Sample { window_seconds: 20, ..SAMPLE });
    let Some(nats) = Nats::start(folder.path()) else { return };
    let keys = folder.path().join("api-keys");
    std::fs::create_dir(&keys).unwrap();
    std::fs::write(keys.join("shop.web"), SHOP).unwrap();
    let decide = Process::start_with("decide", folder.path(), &["--nats", nats.url.as_str()]).await;
    let arguments = ["--nats", nats.url.as_str(), "--api-keys", keys.to_str().unwrap()];
    let ledger = Process::start_with("ledger", folder.path(), &arguments).await;
    let (alice, bob) = (decide.token("alice").await, decide.token("bob").await);
    taken(&decide, &[exposure("1", &alice), exposure("2", &bob), reward("3", &bob)]).await;
    let erased = reqwest::Client::new().delete(format!("{}/v1/subjects/alice", ledger.origin()));
    let erased = erased.header("Authorization", format!("Bearer {SHOP}")).send().await.unwrap();
    assert_eq!(erased.status(), 202);
    let cells = counted(&ledger, 1).await;
    assert_eq!(rewards(&cells), 1.0, "bob is who was counted: {cells:?}");
    drop(ledger);
    std::fs::remove_dir_all(folder.path().join("data")).unwrap();
    let ledger = Process::start_with("ledger", folder.path(), &arguments).await;
    assert_eq!(counted(&ledger, 1).await, cells);
}

fn clicks(cells: &[CellTotals]) -> u64 {
    cells.iter().map(|cell| cell.unconfirmed_clicks).sum()
}

async fn leads_on(process: &Process, token: &str) {
    let answer = browser().get(format!("{}/v1/r/{token}", process.origin())).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 302);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_go_on_without_the_stream_and_what_it_took_is_kept() {
    let folder = process::folder(WINDOW);
    let Some(mut nats) = Nats::start(folder.path()) else { return };
    let url = nats.url.clone();
    let arguments = ["--nats", url.as_str()];
    let process = Process::start_with("all", folder.path(), &arguments).await;
    let (mut acknowledged, mut refused) = (BTreeSet::new(), 0);
    for subject in 0..40_u64 {
        if subject % 20 == 8 {
            nats.kill();
        }
        if subject % 20 == 9 {
            nats.again();
        }
        let token = process.token(&subject.to_string()).await;
        match process.send(&[exposure("1", &token), reward("2", &token)]).await {
            Some(outcomes) => {
                assert_eq!(outcomes, [Outcome::Accepted; 2]);
                acknowledged.insert(subject);
            }
            None => refused += 1,
        }
    }
    assert!(refused > 0 && acknowledged.len() > 20, "{refused} were refused of 40");
    // Whoever was refused sends again, and may have been taken the first time.
    for subject in (0..40).filter(|subject| !acknowledged.contains(subject)) {
        let token = process.token(&subject.to_string()).await;
        let sent = [exposure("1", &token), reward("2", &token)];
        taken(&process, &sent).await;
    }
    let cells = counted(&process, 40).await;
    assert!((rewards(&cells) - 40.0).abs() < 1e-9, "{cells:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_followed_another_stream_ends_with_the_reason() {
    let folder = process::folder(WINDOW);
    let Some(nats) = Nats::start(folder.path()) else { return };
    let arguments = ["--nats", nats.url.as_str()];
    let process = Process::start_with("all", folder.path(), &arguments).await;
    let token = process.token("alice").await;
    taken(&process, &[exposure("1", &token)]).await;
    counted(&process, 1).await;
    drop(process);
    let mut other = tokio::process::Command::new(env!("CARGO_BIN_EXE_gateway"));
    other.args(["ledger", "--listen", "127.0.0.1:0", "--nats", &nats.url, "--nats-stream", "other"]);
    for (flag, name) in [("--tables", "tables"), ("--key-file", "key"), ("--data", "data")] {
        other.arg(flag).arg(folder.path().join(name));
    }
    let ended = other.kill_on_drop(true).output();
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success() && said.contains("it is another stream"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_ours_is_passed_over_and_what_a_newer_gateway_wrote_is_waited_for() {
    let folder = process::folder(WINDOW);
    let Some(nats) = Nats::start(folder.path()) else { return };
    let process = Process::start_with("all", folder.path(), &["--nats", nats.url.as_str()]).await;
    let stream = async_nats::jetstream::new(async_nats::connect(&nats.url).await.unwrap());
    let publish = async |message: &'static [u8]| {
        stream.publish("broadside.events.0", message.into()).await.unwrap().await.unwrap();
    };
    let expose = async |subject: &str| {
        let token = process.token(subject).await;
        assert_eq!(taken(&process, &[exposure("1", &token)]).await, [Outcome::Accepted]);
    };
    expose("alice").await;
    publish(b"{\"not\": \"ours\"}").await;
    expose("bob").await;
    counted(&process, 2).await;
    publish(&[5, 1, 2, 3]).await;
    expose("carol").await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !process.log().contains("a newer gateway") {
        assert!(tokio::time::Instant::now() < deadline, "{}", process.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let placement = totals(&process).await.unwrap().placements.pop().unwrap();
    let exposures: u64 = placement.cells.iter().map(|cell| cell.exposures).sum();
    assert_eq!((exposures, placement.pending_exposures), (2, 0), "carol comes after it");
}

/// The outcomes, once the stream takes events: it is made while the process starts, and may be busy.
async fn taken(process: &Process, sent: &[Value]) -> Vec<Outcome> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(outcomes) = process.send(sent).await {
            return outcomes;
        }
        assert!(tokio::time::Instant::now() < deadline, "the stream takes nothing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Sends each subject's exposure and reward until they are taken, to the end; `subjects` tells how many.
async fn post_until(process: &Process, stop: &AtomicBool, subjects: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        let token = process.token(&subjects.load(Ordering::Relaxed).to_string()).await;
        let sent = [exposure("1", &token), reward("2", &token)];
        taken(process, &sent).await;
        subjects.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_servers_any_may_be_killed_and_the_ledger_too() {
    let folder = process::folder(WINDOW);
    let Some(mut servers) = Nats::three(folder.path()) else { return };
    let urls = servers.iter().map(|server| server.url.clone()).collect::<Vec<_>>().join(",");
    let arguments = ["--nats", urls.as_str(), "--nats-replicas", "3"];
    let decide = Arc::new(Process::start_with("decide", folder.path(), &arguments).await);
    let mut ledger = Process::start_with("ledger", folder.path(), &arguments).await;
    let (stop, subjects) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (posting, stopped, posted) = (Arc::clone(&decide), Arc::clone(&stop), Arc::clone(&subjects));
    let posting = tokio::spawn(async move { post_until(&posting, &stopped, &posted).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    for turn in 0..kill::turns() {
        let server = &mut servers[turn % 3];
        server.kill();
        ledger.child.kill().unwrap();
        ledger = Process::start_with("ledger", folder.path(), &arguments).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        server.again();
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    // A busy machine posts few in a while.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while subjects.load(Ordering::Relaxed) <= 20 {
        assert!(tokio::time::Instant::now() < deadline, "only {subjects:?} were posted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::Relaxed);
    posting.await.unwrap();
    let subjects = subjects.load(Ordering::Relaxed);
    let cells = counted(&ledger, subjects).await;
    assert!((rewards(&cells) - subjects as f64).abs() < 1e-9, "of {subjects}: {cells:?}");
}

#[tokio::test]
async fn behind_a_stream_no_window_closes_before_what_belongs_in_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), SMALL).unwrap();
    let (ledger, _writer) =
        Ledger::start_behind_stream(store, Arc::new(HandClock::new()), &mut Registry::default());
    let later = |seconds| START + SignedDuration::from_secs(seconds);
    let totals = async || ledger.totals(SAMPLE.uid.into(), later(36_000)).await;
    assert_eq!(totals().await, Err(LedgerError::Starting), "nothing is known of the stream yet");
    let exposed = arrival(1);
    ledger
        .feed(vec![Fed { at: later(1), arrivals: vec![exposed.clone()], ..Fed::nothing(1) }])
        .await
        .unwrap();
    let open = totals().await.unwrap();
    assert_eq!(
        (open.as_of, open.placements[0].pending_exposures),
        (later(1), 1),
        "the stream tells the time"
    );
    // By our clock its window has passed for hours: the ledger was far behind.
    let reward = What::Reward(Reward { id: 1, at: millis(later(2)), window: 1_800_000, value: Amount::ONE });
    let acted = Arrival { what: reward, ..exposed };
    ledger.feed(vec![Fed { at: later(2), arrivals: vec![acted], ..Fed::nothing(2) }]).await.unwrap();
    ledger.caught_up(later(7200)).unwrap();
    let counted = totals().await.unwrap();
    let cell = &counted.placements[0].cells[0];
    assert_eq!((counted.as_of, cell.exposures, cell.rewards.to_bits()), (later(7200), 1, 1_f64.to_bits()));
}
