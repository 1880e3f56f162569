//! A ledger that is killed while events are posted: what it acknowledged is there afterwards, once.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use api::MetricKind;
use api::wire::event::Outcome;
use api::wire::totals::TotalsResponse;
use jiff::Timestamp;
use serde_json::Value;

use crate::process::{self, Process};
use crate::samples::{SAMPLE, Sample, keys};
use crate::signed::claims;
use crate::world::{exposure, reward};

/// An exposure and its reward, of a subject of that number.
pub(crate) fn pair(subject: usize) -> [Value; 2] {
    let subject = keys().subject(SAMPLE.uid, &subject.to_string());
    let claims = claims(Timestamp::now().as_second(), subject);
    let token = keys().sign(&claims);
    [exposure("shown", &token), reward("acted", &token)]
}

/// Posts pairs, each once, until the process is gone; the subjects whose pairs were acknowledged.
pub(crate) async fn post_until_gone(address: String, subjects: std::ops::Range<usize>) -> BTreeSet<usize> {
    let (client, mut acknowledged) = (reqwest::Client::new(), BTreeSet::new());
    for subject in subjects {
        match process::send(&client, &address, &pair(subject)).await {
            Some(outcomes) => {
                assert_eq!(outcomes, [Outcome::Accepted; 2]);
                acknowledged.insert(subject);
            }
            None => break,
        }
    }
    acknowledged
}

/// How often something is killed: a few times in `make test`, and `make test-faults` says how often else.
pub(crate) fn turns() -> usize {
    std::env::var("BROADSIDE_TEST_KILLS")
        .map_or(3, |turns| turns.parse().expect("BROADSIDE_TEST_KILLS is a number"))
}

pub(crate) fn folder() -> tempfile::TempDir {
    let guardrails = &[("bounce", MetricKind::Binary, 200_000)];
    process::folder(Sample { window_seconds: 100_000, guardrails, ..SAMPLE })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_and_counts_once() {
    const WRITERS: usize = 4;
    let (folder, mut acknowledged) = (folder(), BTreeSet::new());
    let turns = turns();
    for life in 0..turns {
        let mut process = Process::start("ledger", folder.path()).await;
        let first = |writer| (life * WRITERS + writer) * 1_000_000;
        let post =
            |writer| tokio::spawn(post_until_gone(process.address.clone(), first(writer)..first(writer + 1)));
        let writers: Vec<_> = (0..WRITERS).map(post).collect();
        // Another moment each time: while it starts to take events, within a group, at the end of a file of the log.
        tokio::time::sleep(Duration::from_millis(250 + 37 * (life as u64 % 9))).await;
        process.child.kill().unwrap();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
    }
    assert!(acknowledged.len() > 50, "only {} were acknowledged: the test shows little", acknowledged.len());
    let process = Process::start("ledger", folder.path()).await;
    for &subject in &acknowledged {
        assert_eq!(process.send(&pair(subject)).await.unwrap(), [Outcome::Duplicate; 2], "subject {subject}");
    }
    let totals = process.get(&format!("/v1/totals?campaign={}", SAMPLE.uid)).await.unwrap();
    let totals: TotalsResponse = serde_json::from_slice(&totals.bytes().await.unwrap()).unwrap();
    let pending = usize::try_from(totals.placements[0].pending_exposures).unwrap();
    // What was on disk but not yet acknowledged when a process was killed: at most one pair of each writer.
    assert!(
        (acknowledged.len()..=acknowledged.len() + turns * WRITERS).contains(&pending),
        "{pending} are pending"
    );
    let watched = &totals.placements[0].guardrails[0];
    assert_eq!(
        watched.pending_exposures, pending as u64,
        "an exposure counts for all of its metrics or none"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_decides_and_records() {
    let folder = folder();
    let process = Process::start("all", folder.path()).await;
    let token = process.token("alice").await;
    let sent = [exposure("shown", &token), reward("acted", &token)];
    assert_eq!(process.send(&sent).await.unwrap(), [Outcome::Accepted; 2]);
    let metrics = process.get("/metrics").await.unwrap().text().await.unwrap();
    for line in
        ["broadside_decisions_total{reason=\"Assigned\"} 1", "broadside_events_total{outcome=\"accepted\"} 2"]
    {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_to_end_answers_what_is_open_and_ends_well() {
    let folder = folder();
    let mut process = Process::start("ledger", folder.path()).await;
    let writer = tokio::spawn(post_until_gone(process.address.clone(), 0..1_000_000));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let told = Command::new("kill").args(["-TERM", &process.child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let ended = tokio::task::spawn_blocking(move || process.child.wait().unwrap().code()).await.unwrap();
    assert_eq!(ended, Some(0));
    let acknowledged = writer.await.unwrap();
    let process = Process::start("ledger", folder.path()).await;
    for &subject in &acknowledged {
        assert_eq!(process.send(&pair(subject)).await.unwrap(), [Outcome::Duplicate; 2], "subject {subject}");
    }
    assert!(!acknowledged.is_empty());
}
