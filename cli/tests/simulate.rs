//! `broadside simulate` against both roles of the gateway, over loopback: everybody who came is in the ledger, once.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use api::AdTable;
use api::wire::token::Keys;
use axum::Router;
use gateway::clock::SystemClock;
use gateway::decide::DecideState;
use gateway::key::Keyring;
use gateway::ledger::store::{Bounds, Store};
use gateway::ledger::{Ledger, LedgerState};
use gateway::tables::Keeper;
use jiff::Timestamp;
use prometheus_client::registry::Registry;

const UID: &str = "2f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c11";

fn table() -> AdTable {
    let variant = |headline: &str| {
        let slots =
            api::Slots::from([("headline", headline), ("button", "Go")].map(|(k, v)| (k.into(), v.into())));
        let name = api::name::variant("trail", "hero", &slots);
        serde_json::json!({"name": name, "digest": api::name::copy_digest(&slots), "slots": slots})
    };
    let variants = ["Meet the Aero Trail 3", "Your trail is waiting", "Made for the weekend"].map(variant);
    let round = serde_json::json!({
        "number": 1, "openedAt": "2026-03-01T12:00:00Z", "maturedExposures": 0,
        "allocations": [{"segments": ["all"], "shares": [400_000, 300_000, 300_000]}],
    });
    serde_json::from_value(serde_json::json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdTable",
        "metadata": {"name": UID, "namespace": "shop"},
        "spec": {"number": 1, "campaign": {"name": "trail", "uid": UID}, "placements": [{
            "name": "hero", "format": "WebBanner", "seed": 1,
            "metric": {"name": "product-view", "kind": "Binary", "windowSeconds": 8},
            "variants": variants, "rounds": [round],
        }]},
    }))
    .expect("a table")
}

/// Both roles over one table, as a running gateway has them.
struct Gateway {
    decide: SocketAddr,
    ledger: SocketAddr,
    totals: Ledger,
}

impl Gateway {
    async fn start(data: &Path) -> Self {
        let (mut registry, clock) = (Registry::default(), Arc::new(SystemClock));
        let (mut keeper, tables) = Keeper::new(&mut registry);
        keeper.offer(&table()).expect("a table");
        keeper.publish();
        keeper.complete();
        let keyring = Keyring::new(Keys::new(&[7; 32]).expect("32 bytes"));
        let decide =
            DecideState::new(tables.clone(), keyring.clone(), clock.clone(), None, None, &mut registry);
        let store = Store::open(data, Bounds::default()).expect("a new ledger");
        let (totals, _) = Ledger::start(store, clock.clone(), &mut registry);
        let ledger = LedgerState::new(totals.clone(), tables, keyring, clock, &mut registry);
        Self {
            decide: serve(gateway::decide::router(decide)).await,
            ledger: serve(gateway::ledger::router(ledger)).await,
            totals,
        }
    }

    /// Exposures and rewards that the ledger holds once every window has passed.
    async fn sums(&self) -> (u64, f64) {
        let later = Timestamp::now() + jiff::SignedDuration::from_secs(60);
        let totals = self.totals.totals(UID.to_owned(), later).await.expect("the ledger runs");
        let cells = || totals.placements.iter().flat_map(|placement| &placement.cells);
        (cells().map(|cell| cell.exposures).sum(), cells().map(|cell| cell.rewards).sum())
    }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(axum::serve(listener, router).into_future());
    address
}

/// As the first campaign of a user: rates are drawn.
const DRAWN: [&str; 2] = ["--control-rate=20%", "--best-lift=100%"];

async fn simulate(folder: &Path, decide: SocketAddr, ledger: SocketAddr, rates: &[&str]) -> Output {
    let tables = folder.join("tables");
    std::fs::create_dir_all(&tables).expect("a folder");
    std::fs::write(tables.join("trail.json"), serde_json::to_vec(&table()).expect("plain data"))
        .expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_broadside"));
    command
        .args(["simulate", "--namespace=shop", "--campaign=trail", "--seed=3", "--duration=2s"])
        .arg("--people-per-second=200")
        .args(rates)
        .arg(format!("--gateway=http://{decide}"))
        .arg(format!("--ledger=http://{ledger}"))
        .arg(format!("--tables={}", tables.display()))
        .arg(format!("--truth-file={}", folder.join("truth.json").display()));
    tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_came_is_in_the_ledger_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::start(&folder.path().join("data")).await;
    let output = simulate(folder.path(), gateway.decide, gateway.ledger, &DRAWN).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("400 people"), "{said}");

    let (exposures, rewards) = gateway.sums().await;
    assert_eq!(exposures, 400, "{said}");
    let accepted = format!("{rewards:>9} rewards accepted");
    assert!(said.contains(&accepted), "the ledger holds {rewards} rewards: {said}");
    // Between the control's rate and the best one's, five standard deviations wide.
    assert!((40.0..=210.0).contains(&rewards), "{rewards}");

    let truth = std::fs::read_to_string(folder.path().join("truth.json")).expect("the truth");
    let truth: serde_json::Value = serde_json::from_str(&truth).expect("JSON");
    let best = truth["best"].as_str().expect("one is best");
    assert!((truth["rates"][best].as_f64().expect("a rate") - 0.4).abs() < 1e-12, "{truth}");

    let mut log = Vec::new();
    let lines = gateway::ledger::export::export(&folder.path().join("data"), Some(UID), &mut log);
    assert_eq!(lines.expect("it is whole"), 400);
    let answer = replay(log, &format!("--always={best}"));
    assert_eq!(answer["logged"]["estimate"].as_f64(), Some(rewards / 400.0), "{answer}");
    let value = &answer["estimates"]["doublyRobust"]["mean"];
    assert!(value["low"].as_f64() < Some(0.4) && Some(0.4) < value["high"].as_f64(), "{answer}");
}

/// What `broadside replay` answers to a log that the ledger exported.
fn replay(log: Vec<u8>, policy: &str) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_broadside"));
    command.args(["replay", "-", "--output=json", policy]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut input = child.stdin.take().expect("it is piped");
    std::thread::spawn(move || input.write_all(&log));
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn people_act_at_the_rates_of_a_world() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::start(&folder.path().join("data")).await;
    let names: Vec<String> =
        table().spec.placements[0].variants.iter().map(|variant| variant.name.clone()).collect();
    let world = |names: &[String]| {
        let rates = ["0%", "100%", "0%"].map(|rate| serde_json::json!({"rate": rate}));
        let variants: serde_json::Map<String, serde_json::Value> = names.iter().cloned().zip(rates).collect();
        let world =
            serde_json::json!({"metric": {"name": "click"}, "control": names[0], "variants": variants});
        let file = folder.path().join("world.json");
        std::fs::write(&file, world.to_string()).expect("written");
        format!("--world={}", file.display())
    };
    let output = simulate(folder.path(), gateway.decide, gateway.ledger, &[&world(&names)]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let totals =
        gateway.totals.totals(UID.to_owned(), Timestamp::now() + jiff::SignedDuration::from_secs(60));
    let totals = totals.await.expect("the ledger runs");
    for cell in totals.placements.iter().flat_map(|placement| &placement.cells) {
        let expected = if cell.variant == names[1] { cell.exposures as f64 } else { 0.0 };
        assert_eq!(cell.rewards.to_bits(), expected.to_bits(), "{cell:?}");
    }

    let output = simulate(folder.path(), gateway.decide, gateway.ledger, &[&world(&names[..2])]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&names[2]) && said.contains("add its rate to `variants`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_away_is_told_and_the_command_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    // Port 9 of loopback: nobody listens there.
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let output = simulate(folder.path(), nobody, nobody, &DRAWN).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("the gateway did not answer"), "{said}");
}
