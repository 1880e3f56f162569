//! `gateway probe`, as `helm test` runs it.

use std::path::Path;
use std::process::{Command, Output};

use axum::Router;
use gateway::serve::operations;
use prometheus_client::registry::Registry;

use crate::auth::{BLOG, SHOP};
use crate::process::{Process, folder};
use crate::samples::SAMPLE;
use crate::world::World;

/// What it printed, and whether it failed.
struct Said {
    lines: Vec<String>,
    error: String,
    code: Option<i32>,
}

/// Asks one address for both roles.
fn probe(address: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(["probe", "--gateway", address, "--ledger", address]).args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let lines = String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect();
    Said { lines, error: String::from_utf8(stderr).unwrap(), code: status.code() }
}

async fn asked(address: String, arguments: &[&str]) -> Said {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let ask = move || probe(&address, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(ask).await.unwrap()
}

/// All checks, as they are told where all is well.
const WELL: [&str; 7] = [
    "the gateway runs",
    "the gateway has read the tables",
    "an unknown campaign is told to an application",
    "an unknown flag is told to OpenFeature",
    "the ledger runs",
    "the ledger has read the tables, and records",
    "an event with a token that is none is told to an application",
];

fn is_well(said: &Said, address: &str) {
    let expected = WELL.map(|what| format!("ok      {what} at {address}"));
    assert_eq!((said.lines.as_slice(), said.code), (&expected[..], Some(0)), "{}", said.error);
}

/// These checks failed with a remedy, and the others did not.
fn fails(said: &Said, checks: &[&str], remedy: &str) {
    let failed: Vec<&String> = said.lines.iter().filter(|line| line.starts_with("failed  ")).collect();
    assert_eq!(failed.len(), checks.len(), "{:?}", said.lines);
    for (line, check) in failed.iter().zip(checks) {
        assert!(line.contains(check) && line.contains(remedy), "{line}");
    }
    assert_eq!(said.lines.len(), WELL.len(), "{:?}", said.lines);
    assert_eq!(said.code, Some(1));
    let summary = format!("{} of {} checks failed: do what their lines say", checks.len(), WELL.len());
    assert!(said.error.contains(&summary), "{}", said.error);
}

#[tokio::test]
async fn a_release_that_is_well_passes_every_check() {
    let folder = folder(SAMPLE);
    let process = Process::start("all", folder.path()).await;
    is_well(&asked(process.origin(), &[]).await, &process.origin());
    let metrics = process.get("/metrics").await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("broadside_events_total{outcome=\"accepted\"}"), "it recorded: {metrics}");
}

#[tokio::test]
async fn several_ledgers_are_asked_each() {
    let folder = folder(SAMPLE);
    let process = Process::start("all", folder.path()).await;
    let said = asked(process.origin(), &["--ledger", "http://127.0.0.1:9,http://127.0.0.1:9"]).await;
    let failed = said.lines.iter().filter(|line| line.starts_with("failed  ")).count();
    assert_eq!((failed, said.lines.len()), (6, 13), "{:?}", said.lines);
}

#[tokio::test]
async fn nobody_who_answers_is_told_with_what_to_look_at() {
    let said = asked("http://127.0.0.1:9".into(), &[]).await;
    fails(&said, &WELL, "look whether its pods run");
}

#[tokio::test]
async fn one_key_of_applications_is_shown_and_its_namespace_asked_about() {
    let (folder, keys) = (folder(SAMPLE), tempfile::tempdir().unwrap());
    std::fs::write(keys.path().join("shop.web"), SHOP).unwrap();
    let keys_of = |folder: &Path| folder.to_str().unwrap().to_owned();
    let process = Process::start_with("all", folder.path(), &["--api-keys", &keys_of(keys.path())]).await;
    let asks = ["told to an application", "told to OpenFeature", "told to an application"];
    fails(&asked(process.origin(), &[]).await, &asks, "name a folder with one of them in --api-keys");
    is_well(&asked(process.origin(), &["--api-keys", &keys_of(keys.path())]).await, &process.origin());
    let others = tempfile::tempdir().unwrap();
    std::fs::write(others.path().join("blog.web"), BLOG).unwrap();
    let other = asked(process.origin(), &["--api-keys", &keys_of(others.path())]).await;
    fails(&other, &asks, "it asks for a key of applications");
    let none = tempfile::tempdir().unwrap();
    let none = asked(process.origin(), &["--api-keys", &keys_of(none.path())]).await;
    assert!(none.lines.is_empty() && none.error.contains("holds no key: mount a Secret"), "{}", none.error);
}

#[tokio::test]
async fn a_certificate_is_held_to_its_authority() {
    let (folder, pair) = (folder(SAMPLE), crate::tls::Pair::new());
    let path = |name: &str| pair.path(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    let arguments = ["--tls-cert", &certificate, "--tls-key", &key];
    let client = crate::tls::client(&pair.pem());
    let process = Process::start_over_tls("all", folder.path(), &arguments, client).await;
    is_well(&asked(process.origin(), &["--ca", &certificate]).await, &process.origin());
    let other = crate::tls::Pair::new();
    let other = asked(process.origin(), &["--ca", other.path("tls.crt").to_str().unwrap()]).await;
    fails(&other, &WELL, "whether --ca names its authority");
    let missing = asked(process.origin(), &["--ca", &path("ca.crt")]).await;
    assert!(missing.error.contains("needs an entry ca.crt"), "{}", missing.error);
    let key = asked(process.origin(), &["--ca", &key]).await;
    assert!(key.error.contains("holds no certificates in PEM"), "{}", key.error);
}

async fn served(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn one_that_has_not_read_the_tables_is_not_ready() {
    let world = World::starting(SAMPLE);
    let router = world.decide.clone().merge(world.ledger.clone());
    let address = served(router.merge(operations(Registry::default(), || false))).await;
    let not_ready = ["the gateway has read the tables", "the ledger has read", "an event with a token"];
    let said = asked(address, &[]).await;
    fails(&said, &not_ready, "look in its log whether it may list adtables");
}

#[tokio::test]
async fn another_program_is_no_gateway() {
    fails(&asked(served(Router::new()).await, &[]).await, &WELL, "look what runs there");
}

#[test]
fn what_is_no_address_is_told_how_to_write_one() {
    for odd in ["gateway:8080", "ftp://gateway", "8080"] {
        let said = probe(odd, &[]);
        assert!(said.error.contains("is no address: write http://HOST:PORT"), "{}", said.error);
    }
}
