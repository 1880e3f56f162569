//! A volume that fills up, on a small file system of its own: an alarm and a refusal, and all is there afterwards.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use api::wire::event::Outcome;
use gateway::ledger::amount::Amount;
use gateway::ledger::check::{Arrival, What};
use gateway::ledger::export::schedule::{self, Exported, Schedule};
use gateway::ledger::export::{Format, export_to};
use gateway::ledger::store::{Bounds, FileLengths, Store};
use gateway::ledger::unit::Reward;
use gateway::ledger::{Fed, Ledger, LedgerError, Millis, millis};
use gateway::size::Size;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::clock::HandClock;
use crate::export_files::{KEPT, ledger_of};
use crate::operations::arrival;
use crate::samples::{SAMPLE, START};

/// A file of the log takes an eighth of the volume.
const BOUNDS: Bounds = Bounds {
    files: FileLengths { shortest: 1 << 20, longest: 1 << 20 },
    checkpoint_every: u64::MAX,
    counted_in_memory: usize::MAX,
    forget_every: Duration::ZERO,
    keep_log: Duration::ZERO,
    kept_in: Size::ALL,
};

/// A file system in memory, at a folder.
pub(crate) struct Volume(PathBuf);

impl Volume {
    /// Nothing, where this user may not mount.
    pub(crate) fn mount(folder: &Path) -> Option<Self> {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder.to_owned()));
        }
        let note = "NOT RUN: the ledger on a full volume: run the tests as root\n";
        std::io::stderr().write_all(note.as_bytes()).unwrap();
        None
    }

    fn grow(&self) {
        let grown = Command::new("mount").args(["-o", "remount,size=400m"]).arg(&self.0).status().unwrap();
        assert!(grown.success());
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: the writer may still hold its files.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_volume_takes_no_event_loses_none_and_goes_on_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(volume) = Volume::mount(folder.path()) else { return };
    let mut registry = Registry::default();
    let store = Store::open(folder.path(), BOUNDS).unwrap();
    let (ledger, writer) = Ledger::start(store, Arc::new(HandClock::new()), &mut registry);
    let mut acknowledged = 0;
    let group = |first: u128| (first..first + 1000).map(arrival).collect::<Vec<_>>();
    let refused = loop {
        match ledger.record(group(acknowledged), START).await {
            Ok(receipts) => assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Accepted)),
            Err(error) => break error,
        }
        acknowledged += 1000;
    };
    assert_eq!(refused, LedgerError::Full);
    assert!(acknowledged > 10_000, "only {acknowledged}");
    assert_eq!(full(&registry), 1);
    let (free, size) = room(&registry);
    assert!(size == 8 << 20 && free < size / 8, "{free} of {size}");
    assert!(ledger.is_running(), "it waits for room");

    volume.grow();
    while ledger.record(group(acknowledged), START).await == Err(LedgerError::Full) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(full(&registry), 0);
    let (free, size) = room(&registry);
    assert!(size == 400 << 20 && free > size / 8 * 7, "{free} of {size}");
    drop(ledger);
    writer.await.unwrap().unwrap();
    let (ledger, _writer) =
        Ledger::start(Store::open(folder.path(), BOUNDS).unwrap(), Arc::new(HandClock::new()), &mut registry);
    for first in (0..=acknowledged).step_by(1000) {
        let receipts = ledger.record(group(first), START).await.unwrap();
        assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Duplicate), "some were lost");
    }
}

#[test]
fn an_export_that_finds_no_room_says_so_and_leaves_no_part_of_a_file() {
    let (ledger, folder) = (ledger_of(KEPT, 3000, millis(START)), tempfile::tempdir().unwrap());
    let Some(_volume) = Volume::mount(folder.path()) else { return };
    let filling = folder.path().join("filling");
    let every = Duration::from_secs(3600);
    let reached = START + Duration::from_secs(7200);
    for format in [Format::JsonLines, Format::Parquet] {
        let schedule = Schedule { folder: folder.path().join(format!("{format:?}")), every, format };
        let file = folder.path().join(format!("{format:?}.file"));
        let by_command = || export_to(&file, format, ledger.path(), None).map(|lines| (1, lines));
        let by_schedule = || schedule::export(&schedule, ledger.path(), reached);
        let by_schedule = || by_schedule().map(|Exported { files, lines }| (files, lines));
        std::fs::create_dir(&schedule.folder).unwrap();
        std::fs::write(&filling, vec![1; (8 << 20) - (8 << 10)]).unwrap();
        for full in [by_command(), by_schedule()] {
            let said = full.unwrap_err().to_string();
            assert!(said.starts_with("there is no room for") && said.contains("make some"), "{said}");
        }
        assert!(!file.exists() && std::fs::read_dir(&schedule.folder).unwrap().count() == 0, "{format:?}");
        std::fs::remove_file(&filling).unwrap();
        assert_eq!(by_schedule().unwrap(), (1, 3000));
        assert_eq!(by_command().unwrap(), (1, 3000));
        std::fs::remove_file(ledger.path().join("exported")).unwrap();
        std::fs::remove_dir_all(&schedule.folder).unwrap();
        std::fs::remove_file(&file).unwrap();
    }
}

/// Messages of a thousand events.
const MESSAGES: u64 = 400;

/// Waits until it is so, a minute at most.
async fn until(is_so: impl AsyncFn() -> bool) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it did not come to be so");
}

#[tokio::test]
async fn what_a_stream_handed_over_waits_for_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(volume) = Volume::mount(folder.path()) else { return };
    let mut registry = Registry::default();
    let store = Store::open(folder.path(), BOUNDS).unwrap();
    let (ledger, writer) = Ledger::start_behind_stream(store, Arc::new(HandClock::new()), &mut registry);
    let feeding = ledger.clone();
    // More than the volume holds.
    let fed = tokio::spawn(async move {
        for sequence in 1..=MESSAGES {
            let first = u128::from(sequence) * 1000;
            let arrivals = (first..first + 1000).map(arrival).collect();
            feeding.feed(vec![Fed { at: START, arrivals, ..Fed::nothing(sequence) }]).await.unwrap();
        }
    });
    until(async || full(&registry) == 1).await;
    volume.grow();
    tokio::time::timeout(Duration::from_secs(60), fed).await.unwrap().unwrap();
    let pending =
        async || Some(ledger.totals(SAMPLE.uid.into(), START).await.ok()?.placements[0].pending_exposures);
    until(async || pending().await == Some(MESSAGES * 1000)).await;
    drop(ledger);
    writer.await.unwrap().unwrap();
    let store = Store::open(folder.path(), BOUNDS).unwrap();
    assert_eq!((store.source(), store.units() as u64), (MESSAGES, MESSAGES * 1000));
}

#[tokio::test]
async fn what_was_only_kept_goes_before_events_are_refused_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_volume) = Volume::mount(folder.path()) else { return };
    let kept = Bounds { checkpoint_every: 1 << 20, keep_log: Duration::from_secs(3600), ..BOUNDS };
    let mut registry = Registry::default();
    let store = Store::open(folder.path(), kept).unwrap();
    let (ledger, _writer) = Ledger::start(store, Arc::new(HandClock::new()), &mut registry);
    let (mut taken, mut refused, mut only_kept) = (0, 0, 0);
    // Twice what the volume holds, within the hour for which it would be kept.
    while taken < 600 {
        let at = START + jiff::SignedDuration::from_millis(10 * taken);
        match ledger
            .record((0..1000).map(|number| passing(1000 * taken + number, millis(at))).collect(), at)
            .await
        {
            Ok(_) => {
                taken += 1;
                only_kept = only_kept.max(told(&registry, "broadside_ledger_log_kept_bytes "));
            }
            Err(error) => {
                assert_eq!(error, LedgerError::Full);
                refused += 1;
                assert!(refused < 100, "after {taken} batches there is room for no more");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    assert!(refused > 0, "the volume was never full");
    let (_, size) = room(&registry);
    assert!(only_kept > size / 2 && only_kept < size, "{only_kept} of {size} bytes could go");
}

/// A reward that waits for a moment and is forgotten, so that nothing grows but the log.
fn passing(number: i64, at: Millis) -> Arrival {
    let what = What::Reward(Reward { id: number.unsigned_abs(), at, window: 1, value: Amount::ONE });
    Arrival { what, ..arrival(u128::from(number.unsigned_abs())) }
}

fn full(registry: &Registry) -> u64 {
    told(registry, "broadside_ledger_full ")
}

/// What is free of the volume, and its size.
fn room(registry: &Registry) -> (u64, u64) {
    let bytes = |of: &str| told(registry, &format!("broadside_ledger_volume_{of}_bytes "));
    (bytes("free"), bytes("size"))
}

fn told(registry: &Registry, name: &str) -> u64 {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().parse().unwrap()
}
