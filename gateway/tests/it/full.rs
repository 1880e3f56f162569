//! A volume that fills up, on a small file system of its own: an alarm and a refusal, and all is there afterwards.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use api::wire::event::Outcome;
use gateway::ledger::store::{Bounds, FileLengths, Store};
use gateway::ledger::{Ledger, LedgerError};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::clock::HandClock;
use crate::operations::arrival;
use crate::samples::START;

/// A file of the log takes an eighth of the volume.
const BOUNDS: Bounds = Bounds {
    files: FileLengths { shortest: 1 << 20, longest: 1 << 20 },
    checkpoint_every: u64::MAX,
    keep_log: Duration::ZERO,
};

/// A file system in memory, at a folder.
struct Volume(PathBuf);

impl Volume {
    /// Nothing, where this user may not mount.
    fn mount(folder: &Path) -> Option<Self> {
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
        let grown = Command::new("mount").args(["-o", "remount,size=80m"]).arg(&self.0).status().unwrap();
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
    assert!(ledger.is_running(), "it waits for room");

    volume.grow();
    while ledger.record(group(acknowledged), START).await == Err(LedgerError::Full) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(full(&registry), 0);
    drop(ledger);
    writer.await.unwrap().unwrap();
    let (ledger, _writer) =
        Ledger::start(Store::open(folder.path(), BOUNDS).unwrap(), Arc::new(HandClock::new()), &mut registry);
    for first in (0..=acknowledged).step_by(1000) {
        let receipts = ledger.record(group(first), START).await.unwrap();
        assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Duplicate), "some were lost");
    }
}

fn full(registry: &Registry) -> u8 {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("broadside_ledger_full "));
    line.unwrap().parse().unwrap()
}
