//! Backups: taken while the ledger works and restored elsewhere; a damaged one is refused, and so is a folder with
//! something in it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use api::wire::event::Outcome;
use gateway::ledger::backup::{BackupError, RestoreError, backup, restore};
use gateway::ledger::check::{Arrival, What};
use gateway::ledger::store::{Bounds, FileLengths, Group, LogError, Store, StoreError};
use gateway::ledger::{Millis, millis};
use gateway::size::Size;
use serde_json::Value;

use crate::disk::{copied, every_file, files, groups, receive, sums};
use crate::export::{gateway, text};
use crate::full::Volume;
use crate::kill;
use crate::operations::arrival;
use crate::process::{self, Process};
use crate::samples::{SAMPLE, START, Sample};
use crate::world::{exposure, reward};

/// Files, checkpoints and the set of those who were counted all change a hundred times in a second.
const RESTLESS: Bounds = Bounds {
    files: FileLengths { shortest: 4 << 10, longest: 8 << 10 },
    checkpoint_every: 8 << 10,
    counted_in_memory: usize::MAX,
    forget_every: Duration::ZERO,
    keep_log: Duration::ZERO,
    kept_in: Size::ALL,
};

const OF_GROUP: u64 = 20;

/// Exposures of that group, a minute after those of the one before. Their windows are half an hour.
fn group(number: u64) -> (Vec<Arrival>, Millis) {
    let now = millis(START) + i64::try_from(number).unwrap() * 60_000;
    (((number * OF_GROUP)..(number + 1) * OF_GROUP).map(|subject| shown(subject, now)).collect(), now)
}

fn shown(subject: u64, at: Millis) -> Arrival {
    let mut shown = arrival(u128::from(subject));
    if let What::Exposure(exposure) = &mut shown.what {
        exposure.at = at;
    }
    shown
}

fn send(store: &mut Store, number: u64) -> Vec<Outcome> {
    let (exposures, now) = group(number);
    receive(store, &exposures, now).unwrap()
}

/// A ledger of that many groups, closed again.
fn ledger(groups: u64, bounds: Bounds) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), bounds).unwrap();
    for number in 0..groups {
        assert!(send(&mut store, number).iter().all(|outcome| *outcome == Outcome::Accepted));
    }
    drop(store);
    folder
}

/// A backup of a ledger, and the folder in which it lies.
fn taken(data: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    backup(data, to.path(), START).unwrap();
    to
}

#[test]
fn a_backup_under_load_has_what_was_acknowledged_before_it_and_nothing_counts_twice() {
    const BACKUPS: usize = 6;
    let data = tempfile::tempdir().unwrap();
    let (acknowledged, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut store = Store::open(data.path(), RESTLESS).unwrap();
    let backups: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let number = acknowledged.load(Ordering::Acquire);
                send(&mut store, number);
                acknowledged.store(number + 1, Ordering::Release);
            }
        });
        let _end = AtTheEnd(&is_over);
        let taken = |_| {
            std::thread::sleep(Duration::from_millis(50));
            (acknowledged.load(Ordering::Acquire), taken(data.path()))
        };
        (0..BACKUPS).map(taken).collect()
    });
    drop(store);
    let all = acknowledged.into_inner();
    assert!(all > 100, "only {all} groups: the test shows little");
    let mut with_counted = 0;
    for (before, from) in backups {
        with_counted += usize::from(!files(from.path(), "checkpoints").is_empty());
        goes_on(from.path(), before, all);
    }
    assert!(with_counted > BACKUPS / 2, "only {with_counted} backups rest on a checkpoint");
}

/// Ends the writer, also where the test fails before.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What was acknowledged before the backup is there, and when all is sent again each subject counts once.
fn goes_on(from: &Path, before: u64, all: u64) {
    let folder = tempfile::tempdir().unwrap();
    restore(from, folder.path()).unwrap();
    let mut store = Store::open(folder.path(), Bounds::default()).unwrap();
    for (number, outcomes) in (0..).zip(send_all(&mut store, all)) {
        let has = |wanted| outcomes.iter().all(|outcome| *outcome == wanted);
        assert!(
            has(Outcome::Duplicate) || (number >= before && has(Outcome::Accepted)),
            "group {number} of {all}, {before} of them before: {outcomes:?}"
        );
    }
    let (_, after_all) = group(all + 60);
    assert_eq!(sums(&mut store, after_all), (0, all * OF_GROUP, 0.0));
}

/// The outcomes of all groups, written at once.
fn send_all(store: &mut Store, groups: u64) -> Vec<Vec<Outcome>> {
    let all: Vec<_> = (0..groups).map(group).collect();
    let room = all.iter().map(|(exposures, _)| Group::room(exposures)).sum();
    let received = store.group(room, |group| {
        let mut outcomes = |(exposures, now): (Vec<Arrival>, Millis)| {
            group.sweep(now);
            exposures.into_iter().map(|exposure| Ok(group.receive(exposure, now)?.outcome)).collect()
        };
        all.into_iter().map(&mut outcomes).collect()
    });
    received.unwrap()
}

#[test]
fn a_backup_of_a_ledger_at_rest_is_that_ledger() {
    for (groups, bounds) in [
        (0, RESTLESS),
        (1, RESTLESS),
        (150, RESTLESS),
        (150, Bounds { keep_log: Duration::from_secs(3600), ..RESTLESS }),
    ] {
        let data = ledger(groups, bounds);
        let names = |folder: &Path, part| -> Vec<PathBuf> {
            let names = files(folder, part).into_iter();
            names.map(|path| path.strip_prefix(folder).unwrap().to_owned()).collect()
        };
        let from = taken(data.path());
        for part in ["log", "checkpoints"] {
            assert_eq!(names(from.path(), part), names(data.path(), part));
        }
        goes_on(from.path(), groups, groups.max(1));
    }
}

/// What is done to a file.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 4] = [
    ("cut", |path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    }),
    ("longer", |path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes.push(0);
        std::fs::write(path, bytes).unwrap();
    }),
    ("changed", |path| {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }),
    ("missing", |path| std::fs::remove_file(path).unwrap()),
];

#[test]
fn a_damaged_backup_is_refused_with_the_file_and_nothing_is_written() {
    let data = ledger(50, RESTLESS);
    let whole = taken(data.path());
    let target = tempfile::tempdir().unwrap();
    let target = target.path().join("data");
    for file in every_file(whole.path()) {
        let name = file.strip_prefix(whole.path()).unwrap();
        for (what, damage) in DAMAGES {
            let is_empty = std::fs::metadata(&file).unwrap().len() == 0;
            let appended_to_json = what == "longer" && name == Path::new("manifest.json");
            if (is_empty && ["cut", "changed"].contains(&what)) || appended_to_json {
                continue;
            }
            let kept = file.with_extension("kept");
            std::fs::rename(&file, &kept).unwrap();
            std::fs::copy(&kept, &file).unwrap();
            damage(&file);
            let error = restore(whole.path(), &target).unwrap_err().to_string();
            assert!(error.contains(name.to_str().unwrap()), "{name:?} {what}: {error}");
            assert!(!target.exists(), "{name:?} {what}");
            std::fs::rename(&kept, &file).unwrap();
        }
    }
    restore(whole.path(), &target).unwrap();
}

#[test]
fn a_damaged_ledger_is_not_backed_up() {
    let bounds = Bounds { keep_log: Duration::from_secs(3600), ..RESTLESS };
    let whole = ledger(150, bounds);
    let logs = files(whole.path(), "log");
    for (place, log) in logs.iter().enumerate() {
        let is_last = place + 1 == logs.len();
        let bytes = std::fs::read(log).unwrap();
        let groups = groups(&bytes);
        // What stands in the last group of all can't be told from what a crash left half written.
        if is_last && groups.len() < 2 {
            continue;
        }
        let changed = |path: &Path| {
            let mut bytes = bytes.clone();
            bytes[groups[0].start + 25] ^= 1;
            std::fs::write(path, bytes).unwrap();
        };
        refused(whole.path(), log, "changed", changed);
        refused(whole.path(), log, "cut", |path| std::fs::write(path, &bytes[..100]).unwrap());
        if place > 0 {
            refused(whole.path(), log, "missing", |path| std::fs::remove_file(path).unwrap());
        }
    }
}

fn refused(whole: &Path, log: &Path, what: &str, damage: impl FnOnce(&Path)) {
    let (copy, to) = (copied(whole), tempfile::tempdir().unwrap());
    damage(&copy.path().join(log.strip_prefix(whole).unwrap()));
    let error = backup(copy.path(), to.path(), START).unwrap_err();
    let is_told = matches!(
        &error,
        BackupError::Store(StoreError::Log(LogError::Damaged { .. } | LogError::Missing { .. }))
    );
    assert!(is_told, "{} {what}: {error}", log.display());
    assert_eq!(every_file(to.path()), Vec::<PathBuf>::new(), "{} {what}", log.display());
}

#[test]
fn a_folder_with_something_in_it_is_not_written_to() {
    let data = ledger(3, RESTLESS);
    let from = taken(data.path());
    assert!(matches!(backup(data.path(), from.path(), START), Err(BackupError::Taken(_))));
    assert!(matches!(restore(from.path(), data.path()), Err(RestoreError::Taken(_))));
    let nothing = tempfile::tempdir().unwrap();
    assert!(matches!(restore(nothing.path(), &data.path().join("new")), Err(RestoreError::NoBackup(_))));
    // As a volume is when it is new.
    std::fs::create_dir(nothing.path().join("lost+found")).unwrap();
    restore(from.path(), nothing.path()).unwrap();
    goes_on(from.path(), 3, 3);
}

#[test]
fn a_restore_that_was_cut_off_is_no_ledger_and_is_begun_anew() {
    let data = ledger(100, RESTLESS);
    let from = taken(data.path());
    for moved in [0, 1, 3] {
        let target = tempfile::tempdir().unwrap();
        restore(from.path(), target.path()).unwrap();
        let restoring = target.path().join("restoring");
        std::fs::create_dir(&restoring).unwrap();
        for part in ["log", "checkpoints", "counted"].iter().skip(moved) {
            std::fs::rename(target.path().join(part), restoring.join(part)).unwrap();
        }
        let opened = Store::open(target.path(), RESTLESS).map(drop);
        assert!(matches!(opened, Err(StoreError::Unfinished(_))), "{moved} were in place");
        let to = target.path().join("copy");
        let refused = backup(target.path(), &to, START);
        assert!(matches!(refused, Err(BackupError::Store(StoreError::Unfinished(_)))));
        restore(from.path(), target.path()).unwrap();
        assert!(!restoring.exists());
        let mut store = Store::open(target.path(), RESTLESS).unwrap();
        assert!(send_all(&mut store, 100).concat().iter().all(|outcome| *outcome == Outcome::Duplicate));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_serves_is_backed_up_and_its_copy_has_the_same_totals() {
    let (folder, other) = (window_of(1), window_of(1));
    let process = Process::start_with("all", folder.path(), &["--keep-log", "1d"]).await;
    let mut tokens = Vec::new();
    for subject in 0..40 {
        let token = process.token(&subject.to_string()).await;
        process.send(&[exposure("1", &token), reward("2", &token)]).await.unwrap();
        tokens.push(token);
    }
    let totals = counted(&process, tokens.len() as u64).await;
    let (data, to, new) = (folder.path().join("data"), folder.path().join("copy"), other.path().join("data"));
    let said = gateway(&["backup", "--to", to.to_str().unwrap()], &data);
    assert!(
        said.status.success() && text(&said.stdout).starts_with("backed up to "),
        "{}",
        text(&said.stderr)
    );
    let busy = text(&gateway(&["restore", "--from", to.to_str().unwrap()], &data).stderr);
    assert!(busy.contains("--data: ") && busy.contains("name a folder that is empty"), "{busy}");
    let said = gateway(&["restore", "--from", to.to_str().unwrap()], &new);
    assert!(
        said.status.success() && text(&said.stdout).starts_with("restored to "),
        "{}",
        text(&said.stderr)
    );
    let again = Process::start("ledger", other.path()).await;
    assert_eq!(counted(&again, tokens.len() as u64).await, totals);
    for token in &tokens {
        let outcomes = again.send(&[exposure("1", token)]).await.unwrap();
        assert_eq!(outcomes, [Outcome::Duplicate]);
    }
    assert_eq!(counted(&again, tokens.len() as u64).await, totals);
    let lines = |data: &Path| text(&gateway(&["export"], data).stdout);
    assert_eq!(lines(&new), lines(&data), "what was kept for export is in the copy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_is_busy_is_backed_up_and_its_copy_takes_all_again() {
    let (folder, other) = (kill::folder(), kill::folder());
    let mut process = Process::start("ledger", folder.path()).await;
    let before = 0..30;
    for subject in before.clone() {
        process.send(&kill::pair(subject)).await.unwrap();
    }
    let post =
        |first: usize| tokio::spawn(kill::post_until_gone(process.address.clone(), first..first + 1_000_000));
    let writers = [1_000_000, 2_000_000].map(post);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let to = folder.path().join("copy");
    let said = gateway(&["backup", "--to", to.to_str().unwrap()], &folder.path().join("data"));
    assert!(said.status.success(), "{}", text(&said.stderr));
    process.child.kill().unwrap();
    let mut all: Vec<usize> = before.clone().collect();
    for writer in writers {
        all.extend(writer.await.unwrap());
    }
    assert!(all.len() > 50, "only {} were acknowledged: the test shows little", all.len());
    let said = gateway(&["restore", "--from", to.to_str().unwrap()], &other.path().join("data"));
    assert!(said.status.success(), "{}", text(&said.stderr));
    let again = Process::start("ledger", other.path()).await;
    for &subject in &all {
        let outcomes = again.send(&kill::pair(subject)).await.unwrap();
        let is_there = outcomes == [Outcome::Duplicate; 2];
        assert!(is_there || !before.contains(&subject), "subject {subject}: {outcomes:?}");
    }
    for &subject in &all {
        assert_eq!(again.send(&kill::pair(subject)).await.unwrap(), [Outcome::Duplicate; 2]);
    }
}

#[test]
fn a_copy_that_finds_no_room_leaves_nothing() {
    let data = ledger(40, Bounds { files: FileLengths::default(), ..RESTLESS });
    let from = taken(data.path());
    let folder = tempfile::tempdir().unwrap();
    let Some(_volume) = Volume::mount(folder.path()) else { return };
    std::fs::write(folder.path().join("other"), vec![1; 5 << 20]).unwrap();
    let target = folder.path().join("data");
    let full = backup(data.path(), &target, START);
    assert!(matches!(&full, Err(BackupError::Io { path, .. }) if path.starts_with(&target)), "{full:?}");
    assert_eq!(every_file(&target), Vec::<PathBuf>::new());
    let full = restore(from.path(), &target);
    assert!(matches!(&full, Err(RestoreError::Io { path, .. }) if path.starts_with(&target)), "{full:?}");
    assert_eq!(every_file(&target), [target.join("lock")]);
    std::fs::remove_file(folder.path().join("other")).unwrap();
    restore(from.path(), &target).unwrap();
}

fn window_of(seconds: u32) -> tempfile::TempDir {
    process::folder(Sample { window_seconds: seconds, ..SAMPLE })
}

/// The cells, once that many exposures are in them.
async fn counted(process: &Process, exposures: u64) -> Value {
    loop {
        let totals = process.get(&format!("/v1/totals?campaign={}", SAMPLE.uid)).await.unwrap();
        let totals: Value = serde_json::from_slice(&totals.bytes().await.unwrap()).unwrap();
        let cells = totals["placements"][0]["cells"].clone();
        let sum =
            cells.as_array().unwrap().iter().map(|cell| cell["exposures"].as_u64().unwrap()).sum::<u64>();
        if sum == exposures {
            return cells;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
