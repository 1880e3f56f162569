//! A disk that lies, fills up or loses files: the ledger opens with all that it acknowledged, or says what is wrong.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::wire::event::Outcome;
use gateway::ledger::amount::Amount;
use gateway::ledger::check::{Arrival, What};
use gateway::ledger::repair::{Mode, repair};
use gateway::ledger::store::{Bounds, FileLengths, Group, LogError, Store, StoreError};
use gateway::ledger::unit::Reward;
use gateway::ledger::{Millis, millis};
use gateway::size::Size;

use crate::operations::arrival;
use crate::samples::{SAMPLE, START};

/// Several files of the log, and no checkpoint.
const LOG_ALONE: Bounds = Bounds {
    files: FileLengths { shortest: 4 << 10, longest: 8 << 10 },
    checkpoint_every: u64::MAX,
    counted_in_memory: usize::MAX,
    forget_every: Duration::ZERO,
    keep_log: Duration::ZERO,
    kept_in: Size::ALL,
};

/// As many files, and checkpoints.
const CHECKPOINTS: Bounds = Bounds { checkpoint_every: 8 << 10, ..LOG_ALONE };

const GROUPS: u128 = 400;
const OF_GROUP: u128 = 2;

/// A ledger that acknowledged exposures of that many groups, closed again.
fn ledger(bounds: Bounds) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), bounds).unwrap();
    for group in 0..GROUPS {
        let exposures: Vec<Arrival> = (0..OF_GROUP).map(|one| arrival(group * OF_GROUP + one)).collect();
        let outcomes = receive(&mut store, &exposures, millis(START)).unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Accepted));
    }
    drop(store);
    folder
}

pub(crate) fn receive(
    store: &mut Store,
    arrivals: &[Arrival],
    now: Millis,
) -> Result<Vec<Outcome>, StoreError> {
    store.group(Group::room(arrivals), |group| {
        group.sweep(now);
        arrivals.iter().map(|arrival| Ok(group.receive(arrival.clone(), now)?.outcome)).collect()
    })
}

/// Pending and counted exposures, and rewards.
pub(crate) fn sums(store: &mut Store, now: Millis) -> (u64, u64, f64) {
    let totals = store.group(Group::room(&[]), |group| {
        group.sweep(now);
        Ok(group.totals(SAMPLE.uid, now))
    });
    let Some(placement) = totals.unwrap().pop() else { return (0, 0, 0.0) };
    let counted = placement.cells.iter().map(|cell| cell.exposures).sum();
    (placement.pending_exposures, counted, placement.cells.iter().map(|cell| cell.rewards).sum())
}

/// The damage is told, then set aside; how many acknowledged events are left.
fn mended(folder: &Path) -> u64 {
    if repair(folder, Mode::Look).unwrap().faults.is_empty() {
        // The newest checkpoint holds all of that file.
        check(folder, LOG_ALONE, "nothing to mend").unwrap();
        return u64::try_from(GROUPS * OF_GROUP).unwrap();
    }
    assert!(!repair(folder, Mode::SetAside).unwrap().faults.is_empty());
    assert!(repair(folder, Mode::Look).unwrap().faults.is_empty());
    let mut store = Store::open(folder, LOG_ALONE).unwrap();
    let again: Vec<Arrival> = (0..GROUPS * OF_GROUP).map(arrival).collect();
    let (left, ..) = sums(&mut store, millis(START));
    receive(&mut store, &again, millis(START)).unwrap();
    drop(store);
    check(folder, LOG_ALONE, "sent again, all is there").unwrap();
    left
}

#[test]
fn a_repair_keeps_all_that_came_before_the_damage() {
    let events = u64::try_from(GROUPS * OF_GROUP).unwrap();
    for bounds in [LOG_ALONE, CHECKPOINTS] {
        let whole = ledger(bounds);
        let logs = files(whole.path(), "log");
        for (number, log) in logs.iter().enumerate() {
            let name = log.strip_prefix(whole.path()).unwrap();
            let bytes = std::fs::read(log).unwrap();
            let groups = groups(&bytes);
            let is_after =
                |left: u64| if bounds.checkpoint_every == u64::MAX { left < events } else { left <= events };
            // Cut within a group, without its head, and gone altogether.
            for cut in [groups[groups.len() / 2].start + 7, 5] {
                let copy = copied(whole.path());
                std::fs::write(copy.path().join(name), &bytes[..cut]).unwrap();
                let left = mended(copy.path());
                assert!(is_after(left), "{name:?} cut at {cut}: {left}");
                assert!(number == 0 || left > 0, "{name:?} cut at {cut}: {left}");
            }
            let copy = copied(whole.path());
            std::fs::remove_file(copy.path().join(name)).unwrap();
            if number > 0 || bounds.checkpoint_every != u64::MAX {
                assert!(is_after(mended(copy.path())));
            } else {
                assert!(repair(copy.path(), Mode::SetAside).is_err(), "nothing comes before it");
            }
        }
    }
}

pub(crate) fn files(folder: &Path, part: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join(part)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.file_stem().unwrap() != "next").collect();
    files.sort();
    files
}

/// All is there, or it is told that it is not.
fn check(folder: &Path, bounds: Bounds, what: &str) -> Result<(), StoreError> {
    let mut store = Store::open(folder, bounds)?;
    let expected = u64::try_from(GROUPS * OF_GROUP).unwrap();
    assert_eq!(sums(&mut store, millis(START)), (expected, 0, 0.0), "{what}: acknowledged events were lost");
    Ok(())
}

#[test]
fn a_log_that_was_cut_is_refused_with_the_place() {
    let folder = ledger(LOG_ALONE);
    let files = files(folder.path(), "log");
    assert!(files.len() > 3, "{files:?}");
    for file in [&files[0], &files[1], files.last().unwrap()] {
        let whole = std::fs::read(file).unwrap();
        for cut in (0..whole.len()).step_by(512) {
            std::fs::write(file, &whole[..cut]).unwrap();
            let error = check(folder.path(), LOG_ALONE, &format!("cut at {cut}")).unwrap_err();
            assert!(matches!(&error, StoreError::Log(LogError::Damaged { at, .. }) if *at == cut as u64));
            let message = error.to_string();
            assert!(message.contains("gateway repair --data") && message.contains(".log"), "{message}");
        }
        std::fs::write(file, &whole).unwrap();
    }
    check(folder.path(), LOG_ALONE, "as it was").unwrap();
}

#[test]
fn a_byte_that_changed_is_noticed_wherever_it_is() {
    let folder = ledger(LOG_ALONE);
    let files = files(folder.path(), "log");
    let (first, last) = (&files[0], files.last().unwrap());
    for file in [first, last] {
        let whole = std::fs::read(file).unwrap();
        let groups = groups(&whole);
        // What stands in the last group of all can't be told from what a crash left half written.
        let end = if file == last { groups.last().unwrap().start } else { groups.last().unwrap().end };
        for at in (0..end).step_by(37) {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            std::fs::write(file, changed).unwrap();
            let checked = check(folder.path(), LOG_ALONE, &format!("changed at {at}"));
            assert!(matches!(checked, Err(StoreError::Log(_))), "changed at {at} of {}", file.display());
        }
        std::fs::write(file, &whole).unwrap();
    }
    check(folder.path(), LOG_ALONE, "as it was").unwrap();
}

#[test]
fn a_file_that_is_missing_is_noticed() {
    let folder = ledger(LOG_ALONE);
    for file in files(folder.path(), "log") {
        let (whole, away) = (std::fs::read(&file).unwrap(), file.display());
        std::fs::remove_file(&file).unwrap();
        let checked = check(folder.path(), LOG_ALONE, &format!("without {away}"));
        assert!(matches!(checked, Err(StoreError::Log(LogError::Missing { .. }))), "without {away}");
        std::fs::write(&file, whole).unwrap();
    }
    check(folder.path(), LOG_ALONE, "as it was").unwrap();
}

#[test]
fn what_a_crash_left_half_written_is_taken_off_and_written_over() {
    let folder = ledger(LOG_ALONE);
    let last = files(folder.path(), "log").pop().unwrap();
    let whole = std::fs::read(&last).unwrap();
    let group = groups(&whole).pop().unwrap();
    for torn in 1..group.len() {
        let mut bytes = whole.clone();
        // The beginning of a group that was on its way.
        bytes.copy_within(group.start..group.start + torn, group.end);
        std::fs::write(&last, &bytes).unwrap();
        check(folder.path(), LOG_ALONE, &format!("torn after {torn}")).unwrap();
        assert_eq!(std::fs::read(&last).unwrap(), whole, "what was half written is gone");
    }
}

/// Where the groups of a file lie, by the lengths that they tell.
pub(crate) fn groups(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut groups, mut at) = (Vec::new(), 32);
    while bytes[at..].starts_with(b"bgrp") {
        let length = u32::from_le_bytes(*bytes[at + 4..].first_chunk().unwrap());
        let end = at + 20 + usize::try_from(length).unwrap();
        groups.push(at..end);
        at = end;
    }
    groups
}

#[test]
fn a_damaged_checkpoint_costs_time_and_nothing_else() {
    let folder = ledger(CHECKPOINTS);
    let checkpoints = files(folder.path(), "checkpoints");
    let [_, newest] = checkpoints.as_slice() else { panic!("{checkpoints:?}") };
    assert!(files(folder.path(), "log").len() < 4, "files that no checkpoint needs are gone");
    let whole = std::fs::read(newest).unwrap();
    for cut in (0..whole.len()).step_by(512) {
        std::fs::write(newest, &whole[..cut]).unwrap();
        check(folder.path(), LOG_ALONE, &format!("cut at {cut}")).unwrap();
    }
    for checkpoint in &checkpoints {
        std::fs::remove_file(checkpoint).unwrap();
    }
    let checked = check(folder.path(), LOG_ALONE, "without any");
    assert!(matches!(checked, Err(StoreError::Log(LogError::Missing { after: 0, .. }))));
}

#[test]
fn the_log_is_kept_for_as_long_as_is_asked() {
    let kept = ledger(Bounds { keep_log: Duration::from_secs(3600), ..CHECKPOINTS });
    let first = |folder: &Path| files(folder, "log").remove(0).file_name().unwrap().to_owned();
    assert_eq!(first(kept.path()), "00000000000000000001.log");
    let needed = ledger(CHECKPOINTS);
    assert_ne!(first(needed.path()), "00000000000000000001.log");
    let only_kept = |folder: &Path| Store::open(folder, LOG_ALONE).unwrap().kept();
    assert!(only_kept(kept.path()) > 0);
    assert_eq!(only_kept(needed.path()), 0, "what a checkpoint needs is not only kept");
    check(kept.path(), CHECKPOINTS, "kept").unwrap();
}

#[test]
fn what_is_only_kept_takes_no_more_room_than_it_may() {
    let files_of = FileLengths { shortest: 1 << 10, longest: 1 << 10 };
    let small = Bounds { files: files_of, checkpoint_every: 2 << 10, ..CHECKPOINTS };
    let files_within = |kept_in| {
        let folder = ledger(Bounds { kept_in, keep_log: Duration::from_secs(3600), ..small });
        let files = files(folder.path(), "log").len();
        check(folder.path(), small, "kept").unwrap();
        files
    };
    let (all, some, none) = (files_within(Size::ALL), files_within(Size(5 << 10)), files_within(Size(0)));
    // How many files the last checkpoints need is a matter of their moments.
    assert!(all > some + 10 && some >= 5 && some + 2 > none, "{all}, {some} and {none}");
}

#[test]
fn who_was_counted_stays_counted_when_that_set_is_cut_or_it_is_told() {
    let folder = ledger(CHECKPOINTS);
    let late = millis(START) + 10_000_000;
    let mut store = Store::open(folder.path(), CHECKPOINTS).unwrap();
    for again in 0..400 {
        let reward = Reward { id: 1, at: late, window: 1_800_000, value: Amount::ONE };
        let waiting = Arrival { what: What::Reward(reward), ..arrival(1_000_000 + again) };
        receive(&mut store, &[waiting], late).unwrap();
    }
    drop(store);
    assert!(is_duplicate(folder.path(), late).unwrap());
    let mut cut = 0;
    for file in every_file(&folder.path().join("counted")) {
        let bytes = std::fs::read(&file).unwrap();
        for length in (0..bytes.len()).step_by(512).take(20) {
            let copy = copied(folder.path());
            let file = copy.path().join(file.strip_prefix(folder.path()).unwrap());
            std::fs::write(&file, &bytes[..length]).unwrap();
            cut += 1;
            match std::panic::catch_unwind(|| is_duplicate(copy.path(), late)) {
                Ok(Ok(true) | Err(_)) => {}
                Ok(Ok(false)) => panic!("{} cut at {length}: people are counted twice", file.display()),
                Err(_) => panic!("{} cut at {length}: it panics", file.display()),
            }
        }
    }
    assert!(cut > 5, "only {cut} cuts");
}

pub(crate) fn copied(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in every_file(folder) {
        let to = copy.path().join(file.strip_prefix(folder).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(file, to).unwrap();
    }
    copy
}

fn is_duplicate(folder: &Path, now: Millis) -> Result<bool, StoreError> {
    let mut store = Store::open(folder, CHECKPOINTS)?;
    let again: Vec<Arrival> = (0..GROUPS * OF_GROUP).map(arrival).collect();
    let outcomes = receive(&mut store, &again, now)?;
    Ok(outcomes.iter().all(|outcome| *outcome == Outcome::Duplicate))
}

pub(crate) fn every_file(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { every_file(&path) } else { vec![path] }).collect()
}

#[test]
fn a_clock_that_is_set_back_uncounts_nothing_even_over_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let (start, hour) = (millis(START), 3_600_000);
    let mut store = Store::open(folder.path(), LOG_ALONE).unwrap();
    receive(&mut store, &[arrival(1)], start).unwrap();
    assert_eq!(sums(&mut store, start + hour), (0, 1, 0.0));
    drop(store);
    let mut store = Store::open(folder.path(), LOG_ALONE).unwrap();
    assert_eq!(sums(&mut store, start), (0, 1, 0.0));
    let reward = What::Reward(Reward { id: 1, at: start + 1, window: 1_800_000, value: Amount::ONE });
    let outcomes = receive(&mut store, &[arrival(1), Arrival { what: reward, ..arrival(1) }], start + 1);
    assert_eq!(outcomes.unwrap(), [Outcome::Duplicate, Outcome::Late]);
    receive(&mut store, &[arrival(2)], start + 2).unwrap();
    assert_eq!(sums(&mut store, start + 3), (1, 1, 0.0));
}
