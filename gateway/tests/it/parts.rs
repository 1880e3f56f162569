//! Several ledgers behind one stream of a real nats-server, each with its part of the campaigns.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::wire::part::{Part, partition};
use api::wire::totals::{PlacementTotals, TotalsResponse};
use async_nats::jetstream;
use gateway::clock::{Clock, SystemClock};
use gateway::ledger::amount::Amount;
use gateway::ledger::backup::{backup, restore};
use gateway::ledger::check::{Arrival, Exposure, What};
use gateway::ledger::store::{Bounds, Store, StoreError};
use gateway::ledger::stream::part::claim;
use gateway::ledger::stream::{Connection, FollowError, Place, Publisher, follow};
use gateway::ledger::unit::Reward;
use gateway::ledger::{Ledger, millis};
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::nats::Nats;
use crate::operations::arrival;
use crate::process::{self, Process};
use crate::samples::SAMPLE;

/// Two of each part of two.
const CAMPAIGNS: [&str; 4] = [
    "3f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c10",
    "3f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c11",
    "3f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c12",
    "3f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c14",
];

const FIRST: &str = CAMPAIGNS[0];
const SECOND: &str = CAMPAIGNS[1];

const WINDOW_MS: i64 = 1500;

/// How long is waited for what must happen.
const PATIENCE: Duration = Duration::from_secs(40);

async fn connection(nats: &Nats) -> Connection {
    let (servers, stream) = (nats.url.clone(), "broadside".to_owned());
    Connection::open(Place { servers, credentials: None, stream, replicas: 1 }).await.unwrap()
}

/// A ledger that follows.
struct Following {
    ledger: Ledger,
    task: JoinHandle<Result<(), FollowError>>,
    writer: JoinHandle<Result<(), StoreError>>,
}

impl Following {
    async fn start(nats: &Nats, folder: &Path, part: &str) -> Self {
        let (part, clock): (Part, Arc<dyn Clock>) = (part.parse().unwrap(), Arc::new(SystemClock));
        claim(folder, part).unwrap();
        let store = Store::open(folder, Bounds::default()).unwrap();
        let last = store.source();
        let (ledger, writer) =
            Ledger::start_behind_stream(store, Arc::clone(&clock), &mut Registry::default());
        let task = tokio::spawn(follow(connection(nats).await, part, ledger.clone(), last, clock));
        Self { ledger, task, writer }
    }

    async fn stop(self) {
        let Self { ledger, task, writer } = self;
        task.abort();
        drop((ledger, task.await));
        writer.await.unwrap().unwrap();
    }

    async fn totals(&self, campaign: &str) -> Option<TotalsResponse> {
        self.ledger.totals(campaign.to_owned(), Timestamp::now()).await.ok()
    }

    /// The sums of a campaign once so many exposures are counted.
    async fn counted(&self, campaign: &str, exposures: u64) -> Vec<PlacementTotals> {
        let enough = |totals: &TotalsResponse| exposures_of(&totals.placements) >= exposures;
        self.once(campaign, enough).await.placements
    }

    /// Waits until the ledger knows all that the stream took until now.
    async fn catch_up(&self) {
        let now = Timestamp::now();
        self.once(FIRST, |totals| totals.as_of > now).await;
    }

    async fn once(&self, campaign: &str, enough: impl Fn(&TotalsResponse) -> bool) -> TotalsResponse {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let totals = self.totals(campaign).await;
            if let Some(totals) = totals.clone().filter(&enough) {
                return totals;
            }
            assert!(tokio::time::Instant::now() < deadline, "{campaign}: {totals:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Those that are counted, where none is pending.
fn exposures_of(placements: &[PlacementTotals]) -> u64 {
    let Some(placement) = placements.iter().find(|it| it.pending_exposures == 0) else { return 0 };
    placement.cells.iter().map(|cell| cell.exposures).sum()
}

fn exposure(campaign: &str, subject: u128) -> Arrival {
    let mut arrival = arrival(subject);
    arrival.experiment.campaign = campaign.to_owned();
    let What::Exposure(shown) = arrival.what else { panic!("it is an exposure") };
    let at = millis(Timestamp::now());
    Arrival { what: What::Exposure(Exposure { at, window: WINDOW_MS, ..shown }), ..arrival }
}

fn reward(exposure: &Arrival) -> Arrival {
    let reward = Reward { id: 1, at: millis(Timestamp::now()), window: WINDOW_MS, value: Amount::ONE };
    Arrival { what: What::Reward(reward), ..exposure.clone() }
}

/// Puts events into the stream, once it is there.
async fn publish(publisher: &Publisher, events: &[Arrival]) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while let Err(error) = publisher.record(events.to_vec(), Timestamp::now()).await {
        assert!(tokio::time::Instant::now() < deadline, "the stream takes nothing: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// So many exposures of a campaign, one after the other.
async fn publish_some(publisher: &Publisher, campaign: &str, subjects: std::ops::Range<u128>) {
    for subject in subjects {
        publish(publisher, &[exposure(campaign, subject)]).await;
    }
}

/// Has the stream let go of all that it has, as one does that is full.
async fn let_go(nats: &Nats) {
    let context = jetstream::new(async_nats::connect(nats.url.as_str()).await.unwrap());
    let stream = context.get_stream("broadside").await.unwrap();
    stream.purge().await.unwrap();
}

#[test]
fn campaigns_are_of_both_parts() {
    assert_eq!(CAMPAIGNS.map(|campaign| partition(campaign) % 2), [0, 1, 1, 0]);
    assert_eq!(partition(SAMPLE.uid) % 2, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ledgers_have_between_them_what_one_would_have_and_may_restart_or_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let Some(nats) = Nats::start(folder.path()) else { return };
    let publisher = Publisher::new(&connection(&nats).await);
    let data = |name: &str| folder.path().join(name);
    let whole = Following::start(&nats, &data("whole"), "0/1").await;
    let first = Following::start(&nats, &data("first"), "0/2").await;
    let mut second = Following::start(&nats, &data("second"), "1/2").await;
    for subject in 0..60 {
        let mut events: Vec<Arrival> = CAMPAIGNS.map(|campaign| exposure(campaign, subject)).to_vec();
        let rewards: Vec<Arrival> = events.iter().take(1 + (subject % 4) as usize).map(reward).collect();
        events.extend(rewards);
        // What comes twice counts once, wherever it is.
        publish(&publisher, &events).await;
        publish(&publisher, &events[2..]).await;
        if subject == 30 {
            second.stop().await;
            second = Following::start(&nats, &data("second"), "1/2").await;
        }
    }
    let mut sums = Vec::new();
    for (campaign, [one, other]) in CAMPAIGNS.into_iter().zip([
        [&first, &second],
        [&second, &first],
        [&second, &first],
        [&first, &second],
    ]) {
        let expected = whole.counted(campaign, 60).await;
        assert_eq!(one.counted(campaign, 60).await, expected, "{campaign}");
        assert_eq!(other.totals(campaign).await.unwrap().placements, [], "{campaign}");
        sums.push(expected);
    }
    first.stop().await;
    std::fs::remove_dir_all(data("first")).unwrap();
    let anew = Following::start(&nats, &data("first"), "0/2").await;
    assert_eq!(anew.counted(FIRST, 60).await, sums[0], "made anew it has the same sums");
    assert_eq!(anew.counted(CAMPAIGNS[3], 60).await, sums[3], "made anew it has the same sums");
    assert_eq!(anew.totals(SECOND).await.unwrap().placements, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_where_nothing_happens_counts_while_the_other_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let Some(nats) = Nats::start(folder.path()) else { return };
    let publisher = Publisher::new(&connection(&nats).await);
    let quiet = Following::start(&nats, &folder.path().join("quiet"), "0/2").await;
    publish(&publisher, &[exposure(FIRST, 1)]).await;
    let (busy, stop) = (publisher.clone(), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let busy = tokio::spawn(async move {
        let mut subjects = 0..;
        while !stopped.load(Ordering::Relaxed) {
            publish(&busy, &[exposure(SECOND, subjects.next().unwrap())]).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    quiet.counted(FIRST, 1).await;
    quiet.catch_up().await;
    let behind = Timestamp::now().duration_since(quiet.totals(FIRST).await.unwrap().as_of);
    assert!(behind < SignedDuration::from_secs(8), "{behind}");
    stop.store(true, Ordering::Relaxed);
    busy.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_stream_lets_go_of_is_a_fault_only_where_it_may_have_been_for_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let Some(nats) = Nats::start(folder.path()) else { return };
    let publisher = Publisher::new(&connection(&nats).await);
    let data = folder.path().join("data");
    let ledger = Following::start(&nats, &data, "0/2").await;
    publish_some(&publisher, FIRST, 0..3).await;
    publish_some(&publisher, SECOND, 0..20).await;
    ledger.catch_up().await;
    // All that was for others goes while it runs, and it goes on.
    let_go(&nats).await;
    publish_some(&publisher, FIRST, 3..5).await;
    ledger.counted(FIRST, 5).await;
    // And while it does not.
    publish_some(&publisher, SECOND, 20..40).await;
    ledger.catch_up().await;
    ledger.stop().await;
    let_go(&nats).await;
    let ledger = Following::start(&nats, &data, "0/2").await;
    publish_some(&publisher, FIRST, 5..8).await;
    ledger.counted(FIRST, 8).await;
    ledger.stop().await;
    // What was for it is missed.
    publish_some(&publisher, FIRST, 8..10).await;
    publish_some(&publisher, SECOND, 40..45).await;
    let_go(&nats).await;
    let ledger = Following::start(&nats, &data, "0/2").await;
    let end = tokio::time::timeout(PATIENCE, ledger.task).await.unwrap().unwrap();
    assert!(matches!(end, Err(FollowError::Gap { .. })), "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_where_nothing_happens_goes_on_when_its_server_was_gone() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut nats) = Nats::start(folder.path()) else { return };
    let publisher = Publisher::new(&connection(&nats).await);
    let data = |name: &str| folder.path().join(name);
    publish_some(&publisher, FIRST, 0..3).await;
    publish_some(&publisher, SECOND, 0..3).await;
    let ledgers = [("whole", "0/1"), ("first", "0/2")];
    for (name, part) in ledgers {
        let before = Following::start(&nats, &data(name), part).await;
        before.counted(FIRST, 3).await;
        before.catch_up().await;
        before.stop().await;
        // Nothing comes for it before the server is gone, so its place in the stream is known to itself alone.
        let ledger = Following::start(&nats, &data(name), part).await;
        ledger.catch_up().await;
        nats.kill();
        tokio::time::sleep(Duration::from_secs(2)).await;
        nats.again();
        ledger.catch_up().await;
        assert_eq!(exposures_of(&ledger.totals(FIRST).await.unwrap().placements), 3);
        ledger.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_stream_lets_go_of_before_a_running_ledger_read_it_ends_the_ledger() {
    for part in ["0/1", "1/2"] {
        let folder = process::folder(SAMPLE);
        let Some(nats) = Nats::start(folder.path()) else { return };
        let publisher = Publisher::new(&connection(&nats).await);
        publish_some(&publisher, SAMPLE.uid, 0..1).await;
        let arguments = ["--nats", &nats.url, "--part", part];
        let mut ledger = Process::start_with("ledger", folder.path(), &arguments).await;
        told(&ledger, SAMPLE.uid).await;
        // It asks for five hundred messages at a time; those behind them it has not read when they go.
        signal(&ledger, "-STOP");
        publish_some(&publisher, SAMPLE.uid, 1..900).await;
        let_go(&nats).await;
        publish_some(&publisher, SAMPLE.uid, 900..903).await;
        signal(&ledger, "-CONT");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while ledger.child.try_wait().unwrap().is_none() {
            assert!(tokio::time::Instant::now() < deadline, "{part} counts on: {}", ledger.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(ledger.log().contains("what was for it in between is lost"), "{part}: {}", ledger.log());
    }
}

fn signal(process: &Process, signal: &str) {
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args([signal, &process.child.id().to_string()]).status().unwrap().success());
}

/// Waits until a ledger tells a campaign's totals.
async fn told(ledger: &Process, campaign: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let totals = format!("/v1/totals?campaign={campaign}");
    while ledger.get(&totals).await.unwrap().status() != 200 {
        assert!(tokio::time::Instant::now() < deadline, "it does not get to know the stream");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn a_backup_stays_of_its_part() {
    let folder = tempfile::tempdir().unwrap();
    let [data, copy, again] = ["data", "copy", "again"].map(|name| folder.path().join(name));
    claim(&data, "1/2".parse().unwrap()).unwrap();
    drop(Store::open(&data, Bounds::default()).unwrap());
    backup(&data, &copy, Timestamp::now()).unwrap();
    restore(&copy, &again).unwrap();
    let refused = claim(&again, Part::WHOLE).unwrap_err().to_string();
    assert!(refused.contains("is the ledger of part 1/2, and --part is 0/1"), "{refused}");
    claim(&again, "1/2".parse().unwrap()).unwrap();
    drop(Store::open(&again, Bounds::default()).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_of_another_part_is_asked_for_there() {
    let folder = process::folder(SAMPLE);
    let Some(nats) = Nats::start(folder.path()) else { return };
    let has_not = format!("/v1/totals?campaign={FIRST}");
    let ledger = Process::start_with("ledger", folder.path(), &["--nats", &nats.url, "--part", "1/2"]).await;
    let answer = ledger.get(&has_not).await.unwrap();
    assert_eq!(answer.status(), 421);
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let message = "campaign: the ledger of part 0/2 has it, and this is that of 1/2: ask there";
    assert_eq!(answer, serde_json::json!({"code": "Misdirected", "message": message}));
    told(&ledger, SAMPLE.uid).await;
    drop(ledger);
    let said = refused(folder.path(), &["--nats", &nats.url, "--part", "0/2"]).await;
    assert!(said.contains("is the ledger of part 1/2, and --part is 0/2"), "{said}");
    let said = refused(folder.path(), &[]).await;
    assert!(said.contains("is the ledger of part 1/2, and --part is 0/1"), "{said}");
}

/// What a ledger says that does not start.
async fn refused(folder: &Path, arguments: &[&str]) -> String {
    let mut ledger = tokio::process::Command::new(env!("CARGO_BIN_EXE_gateway"));
    ledger.args(["ledger", "--listen", "127.0.0.1:0"]).args(arguments);
    for (flag, name) in [("--tables", "tables"), ("--key-file", "key"), ("--data", "data")] {
        ledger.arg(flag).arg(folder.join(name));
    }
    let ended = tokio::time::timeout(PATIENCE, ledger.kill_on_drop(true).output()).await.unwrap().unwrap();
    assert!(!ended.status.success());
    String::from_utf8(ended.stderr).unwrap()
}
