//! Files of exports: Parquet holds what lines of JSON hold, and by schedule each exposure is in one file, whatever happens
//! between two runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gateway::ledger::amount::Amount;
use gateway::ledger::check::{Arrival, Experiment, Exposure, Guardrail, What};
use gateway::ledger::export::schedule::{self, Exported, Schedule};
use gateway::ledger::export::{ExportError, Format, export, export_to};
use gateway::ledger::store::{Bounds, FileLengths, Group, Store};
use gateway::ledger::unit::Reward;
use gateway::ledger::{Fed, Ledger, LedgerError, Millis, millis};
use gateway::size::Size;
use jiff::Timestamp;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use crate::clock::HandClock;
use crate::model::SMALL;
use crate::operations::arrival;
use crate::process::{self, Process};
use crate::samples::{SAMPLE, START};

const HOUR: Millis = 3_600_000;

pub(crate) const KEPT: Bounds = Bounds {
    files: FileLengths { shortest: 4 << 20, longest: 64 << 20 },
    checkpoint_every: u64::MAX,
    counted_in_memory: usize::MAX,
    forget_every: Duration::ZERO,
    keep_log: Duration::from_secs(30 * 86_400),
    kept_in: Size::ALL,
};

/// The events of a subject that was shown at that moment; one of three acts.
fn events(subject: u128, at: Millis) -> Vec<Arrival> {
    let shown = arrival(subject);
    let What::Exposure(exposure) = shown.what.clone() else { panic!("{shown:?}") };
    let reward = What::Reward(Reward { id: 1, at: at + 5, window: exposure.window, value: Amount::ONE });
    let exposure = What::Exposure(Exposure { at, decided_at: at / 1000 - 2, ..exposure });
    let mut events = vec![Arrival { what: exposure, ..shown.clone() }];
    events.extend(subject.is_multiple_of(3).then_some(Arrival { what: reward, ..shown }));
    events
}

/// The same, where a guardrail with a shorter window counts too.
fn watched(mut events: Vec<Arrival>) -> Vec<Arrival> {
    let Some(Arrival { what: What::Exposure(exposure), .. }) = events.first_mut() else {
        panic!("{events:?}")
    };
    exposure.guardrails = vec![Guardrail { metric: "bounce".to_owned(), window: 1_000, cap: exposure.cap }];
    let shown = events[0].clone();
    let reward = What::Reward(Reward { id: 1, at: millis(START) + 5, window: 1_000, value: Amount::ONE });
    let experiment = Experiment { guardrail: Some("bounce".to_owned()), ..shown.experiment.clone() };
    events.push(Arrival { experiment, what: reward, ..shown });
    events
}

#[test]
fn an_exposure_has_one_line_whatever_guardrails_count_it_too() {
    let printed = |of: fn(Vec<Arrival>) -> Vec<Arrival>| {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), KEPT).unwrap();
        let at = millis(START);
        (0..9).for_each(|subject| take(&mut store, &of(events(subject, at)), at + 10));
        take(&mut store, &[], at + HOUR);
        let mut lines = Vec::new();
        assert_eq!(export(folder.path(), None, &mut lines).unwrap(), 9);
        String::from_utf8(lines).unwrap()
    };
    assert_eq!(printed(watched), printed(|events| events));
}

/// Takes them, at that moment, and says how far the clock is.
pub(crate) fn take(store: &mut Store, arrivals: &[Arrival], now: Millis) {
    let taken = store.group(Group::room(arrivals), |group| {
        group.mark(now);
        arrivals.iter().try_for_each(|arrival| group.receive(arrival.clone(), now).map(drop))
    });
    taken.unwrap();
}

/// A ledger in which so many subjects were shown at that moment, and counted.
pub(crate) fn ledger_of(bounds: Bounds, subjects: u128, at: Millis) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), bounds).unwrap();
    let all: Vec<Arrival> = (0..subjects).flat_map(|subject| events(subject, at)).collect();
    all.chunks(100).for_each(|some| take(&mut store, some, at + 10));
    take(&mut store, &[], at + HOUR);
    folder
}

fn lines(text: &[u8]) -> Vec<Value> {
    std::str::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a Parquet file holds, as its own reader tells it, in the form of lines of JSON.
fn rows(path: &Path) -> Vec<Value> {
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| value(&row.unwrap())).collect()
}

fn value(row: &Row) -> Value {
    let columns = row.get_column_iter().map(|(name, field)| {
        let value = match field {
            Field::Str(text) => json!(text),
            Field::Long(number) => json!(number),
            Field::UInt(number) => json!(number),
            Field::Double(number) => json!(number),
            Field::TimestampMillis(at) => json!(Timestamp::from_millisecond(*at).unwrap()),
            other => panic!("{name} is {other:?}"),
        };
        (name.clone(), value)
    });
    Value::Object(columns.collect())
}

fn read(path: &Path) -> Vec<Value> {
    match path.extension().unwrap().to_str().unwrap() {
        "jsonl" => lines(&std::fs::read(path).unwrap()),
        "parquet" => rows(path),
        other => panic!("{other}"),
    }
}

#[test]
fn a_parquet_file_holds_what_the_lines_of_json_hold() {
    let check = |subjects: u128, campaign: Option<&str>, groups: usize| {
        let (ledger, out) = (ledger_of(KEPT, subjects, millis(START)), tempfile::tempdir().unwrap());
        let mut printed = Vec::new();
        let told = export(ledger.path(), campaign, &mut printed).unwrap();
        let file = out.path().join("all.parquet");
        std::fs::write(&file, "of an earlier run").unwrap();
        assert_eq!(export_to(&file, Format::Parquet, ledger.path(), campaign).unwrap(), told);
        let printed = lines(&printed);
        assert_eq!(printed.len() as u64, told);
        assert_eq!(rows(&file), printed);
        let reader = SerializedFileReader::new(std::fs::File::open(&file).unwrap()).unwrap();
        assert_eq!(reader.num_row_groups(), groups, "{subjects} subjects");
        let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap();
        let version = metadata.iter().find(|it| it.key == "broadside.exposures.version");
        assert_eq!(version.unwrap().value.as_deref(), Some("1"));
        let file = out.path().join("all.jsonl");
        export_to(&file, Format::JsonLines, ledger.path(), campaign).unwrap();
        assert_eq!(read(&file), printed);
        assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 2, "nothing is left beside");
        told
    };
    assert_eq!(check(0, None, 0), 0);
    assert_eq!(check(4, None, 1), 4);
    assert_eq!(check(4, Some(SAMPLE.uid), 1), 4);
    assert_eq!(check(4, Some("another"), 0), 0);
    assert_eq!(check((1 << 16) + 1, None, 2), (1 << 16) + 1);
}

#[test]
fn parquet_is_written_to_a_file_and_never_printed() {
    let (ledger, out) = (ledger_of(KEPT, 3, millis(START)), tempfile::tempdir().unwrap());
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.arg("export").arg("--data").arg(ledger.path()).args(arguments).output().unwrap()
    };
    let refused = run(&["--format", "parquet"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{said}");
    assert!(said.contains("--format parquet") && said.contains("--out FILE"), "{said}");
    let file = out.path().join("all.parquet");
    let written = run(&["--format", "parquet", "--out", file.to_str().unwrap()]);
    assert!(written.status.success() && written.stdout.is_empty());
    assert_eq!(rows(&file), lines(&run(&[]).stdout));
    let nowhere = run(&["--out", "/no/such/folder/all.jsonl"]);
    let said = String::from_utf8(nowhere.stderr).unwrap();
    assert!(said.contains("/no/such/folder/all.jsonl can't be written"), "{said}");
}

/// What happens to a ledger and its exports.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many new subjects are shown.
    Show(u128),
    /// So many hours pass by the ledger's clock, which may be set back too.
    Hours(Millis),
    /// What has passed is exported.
    Export,
    /// The ledger is closed and opened.
    Restart,
    /// A run was killed in the middle of the file of this period.
    Killed(&'static str),
    /// A run was killed after its file was there, and before it was noted down.
    KilledLate,
    /// A run that finds something else in the place of the file of this period.
    Blocked(&'static str),
    /// Somebody takes the files away.
    TakeAway,
    /// Periods are so many hours from now on.
    Every(u64),
}

/// A ledger, what was exported, and what was taken away.
struct Scene {
    folder: tempfile::TempDir,
    store: Option<Store>,
    schedule: Schedule,
    now: Millis,
    subjects: u128,
    taken: BTreeMap<String, Vec<Value>>,
    /// What was noted down before the last run.
    noted: Option<Vec<u8>>,
}

impl Scene {
    fn new(format: Format) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), KEPT).unwrap();
        let every = Duration::from_secs(86_400);
        let schedule = Schedule { folder: folder.path().join("exports"), every, format };
        let (now, taken) = (millis(START), BTreeMap::new());
        Self { folder, store: Some(store), schedule, now, subjects: 0, taken, noted: None }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Show(more) => {
                let shown = (self.subjects..self.subjects + more).flat_map(|one| events(one, self.now));
                self.subjects += more;
                let shown: Vec<Arrival> = shown.collect();
                take(self.store.as_mut().unwrap(), &shown, self.now + 10);
            }
            Step::Hours(hours) => {
                for hour in [hours.min(0)].into_iter().chain((0..hours).map(|_| 1)) {
                    self.now += hour * HOUR;
                    take(self.store.as_mut().unwrap(), &[], self.now);
                }
            }
            Step::Export => {
                self.noted = std::fs::read(self.data().join("exported")).ok();
                self.export().unwrap();
            }
            Step::Blocked(period) => {
                let file = format!("exposures-{period}.{}", self.extension());
                std::fs::create_dir_all(self.schedule.folder.join(&file)).unwrap();
                let said = self.export().unwrap_err().to_string();
                assert!(said.contains(&format!("{file} can't be written")), "{said}");
                std::fs::remove_dir(self.schedule.folder.join(&file)).unwrap();
            }
            Step::Restart => {
                drop(self.store.take());
                self.store = Some(Store::open(&self.data(), KEPT).unwrap());
            }
            Step::Killed(period) => {
                let part = format!(".exposures-{period}.{}.part", self.extension());
                let part = self.schedule.folder.join(part);
                std::fs::create_dir_all(&self.schedule.folder).unwrap();
                std::fs::write(part, vec![b'x'; 100_000]).unwrap();
            }
            Step::KilledLate => match self.noted.take() {
                Some(noted) => std::fs::write(self.data().join("exported"), noted).unwrap(),
                None => std::fs::remove_file(self.data().join("exported")).unwrap(),
            },
            Step::TakeAway => {
                let present = self.present();
                present
                    .keys()
                    .for_each(|name| std::fs::remove_file(self.schedule.folder.join(name)).unwrap());
                self.taken.extend(present);
            }
            Step::Every(hours) => self.schedule.every = Duration::from_secs(hours * 3600),
        }
    }

    fn export(&self) -> Result<Exported, ExportError> {
        let now = Timestamp::from_millisecond(self.now).unwrap();
        schedule::export(&self.schedule, &self.data(), now)
    }

    fn extension(&self) -> &'static str {
        if self.schedule.format == Format::Parquet { "parquet" } else { "jsonl" }
    }

    fn present(&self) -> BTreeMap<String, Vec<Value>> {
        let Ok(entries) = std::fs::read_dir(&self.schedule.folder) else { return BTreeMap::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), read(&path))).collect()
    }
}

/// The files and how many lines they hold, by the beginnings and ends of their periods; no subject is in two.
fn check(sentence: &str, steps: &[Step], expected: &[(&str, usize)]) {
    for format in [Format::JsonLines, Format::Parquet] {
        let mut scene = Scene::new(format);
        steps.iter().for_each(|step| scene.step(*step));
        // By name, and twice where somebody took it away and it came again.
        let mut files: Vec<(String, Vec<Value>)> = scene.present().into_iter().chain(scene.taken).collect();
        files.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let period =
            |name: &'_ str| name.trim_start_matches("exposures-").split('.').next().unwrap().to_owned();
        let told: Vec<(String, usize)> =
            files.iter().map(|(name, lines)| (period(name), lines.len())).collect();
        let told: Vec<(&str, usize)> = told.iter().map(|(period, lines)| (period.as_str(), *lines)).collect();
        assert_eq!(told, expected, "{sentence}");
        let mut subjects: Vec<String> =
            files.iter().flat_map(|(_, lines)| lines).map(|line| line["subject"].to_string()).collect();
        subjects.sort_unstable();
        subjects.dedup();
        let lines: usize = expected.iter().map(|(_, lines)| lines).sum();
        assert_eq!(subjects.len(), lines, "{sentence}: somebody is there twice");
    }
}

/// It is 08:00 at first, and who is shown is counted within the hour.
#[test]
fn each_exposure_that_was_counted_is_in_one_file() {
    use Step::{Blocked, Every, Export, Hours, Killed, KilledLate, Restart, Show, TakeAway};
    const FRIDAY: &str = "20270115T000000Z-20270116T000000Z";
    const SATURDAY: &str = "20270116T000000Z-20270117T000000Z";
    const SUNDAY: &str = "20270117T000000Z-20270118T000000Z";
    check("nothing was shown", &[Hours(48), Export], &[]);
    check("a day is not over", &[Show(3), Hours(15), Export], &[]);
    check("a day is over", &[Show(3), Hours(16), Export], &[(FRIDAY, 3)]);
    let shown_late = [Show(2), Hours(15), Show(3), Hours(17), Export];
    check("shown on one day, counted on the next", &shown_late, &[(FRIDAY, 2)]);
    let two = [Show(3), Hours(17), Export, Show(2), Hours(24), Export];
    check("two days", &two, &[(FRIDAY, 3), (SATURDAY, 2)]);
    check("again changes nothing", &[Show(3), Hours(17), Export, Export, Export], &[(FRIDAY, 3)]);
    let late = [Show(3), Hours(24), Show(2), Hours(24), Show(1), Hours(24), Export];
    check("three days at once", &late, &[(FRIDAY, 3), (SATURDAY, 2), (SUNDAY, 1)]);
    check(
        "a day without anybody",
        &[Show(3), Hours(48), Show(1), Hours(24), Export],
        &[(FRIDAY, 3), (SUNDAY, 1)],
    );
    let restarted = [Show(3), Restart, Hours(17), Export, Restart, Show(2), Hours(24), Restart, Export];
    check("restarts between runs", &restarted, &[(FRIDAY, 3), (SATURDAY, 2)]);
    let killed = [Show(3), Hours(17), Killed(FRIDAY), Export];
    check("killed in the middle of a file", &killed, &[(FRIDAY, 3)]);
    let killed = [Show(3), Hours(17), Killed(FRIDAY), Every(12), Export];
    let half = "20270115T000000Z-20270115T120000Z";
    check("killed so before periods become shorter", &killed, &[(half, 3)]);
    let killed = [Show(3), Hours(17), Export, KilledLate, Show(2), Hours(24), Export];
    check("killed before it was noted down", &killed, &[(FRIDAY, 3), (SATURDAY, 2)]);
    let both = [Show(3), Hours(17), Export, Show(2), Hours(24), Export, KilledLate, Restart, Export];
    check("killed so the second time", &both, &[(FRIDAY, 3), (SATURDAY, 2)]);
    let shorter = [Show(3), Hours(17), Export, KilledLate, Every(6), Show(2), Hours(6), Export];
    let quarter = "20270116T000000Z-20270116T060000Z";
    check("killed so late before periods become shorter", &shorter, &[(FRIDAY, 3), (quarter, 2)]);
    let failed = [Show(3), Hours(24), Show(2), Hours(24), Blocked(SATURDAY), TakeAway, Export];
    check("failed after the first of two files", &failed, &[(FRIDAY, 3), (SATURDAY, 2)]);
    let away = [Show(3), Hours(17), Export, TakeAway, Export, Show(2), Hours(24), Export];
    check("files are taken away", &away, &[(FRIDAY, 3), (SATURDAY, 2)]);
    let back = [Show(3), Hours(17), Export, Hours(-4), Show(2), Hours(24), Export, Hours(24), Export];
    check("a clock that is set back", &back, &[(FRIDAY, 3), (SATURDAY, 2)]);
    let shorter = [Show(3), Hours(17), Export, Every(6), Show(2), Hours(6), Export];
    check("periods become shorter", &shorter, &[(FRIDAY, 3), (quarter, 2)]);
    let longer = [Every(6), Show(3), Hours(5), Export, Every(24), Show(2), Hours(24), Export];
    let halves = [("20270115T060000Z-20270115T120000Z", 3), ("20270115T120000Z-20270116T000000Z", 2)];
    check("periods become longer", &longer, &halves);
}

fn metrics(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text
}

/// Waits until the metrics have such a line, a minute at most.
async fn until(registry: &Registry, line: &str) {
    for _ in 0..600 {
        if metrics(registry).lines().any(|found| found == line) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{line} is not in {}", metrics(registry));
}

#[tokio::test]
async fn a_ledger_at_rest_exports_what_it_counted_last_and_a_failure_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (data, exports) = (folder.path().join("data"), folder.path().join("exports"));
    let (clock, mut registry) = (Arc::new(HandClock::new()), Registry::default());
    let store = Store::open(&data, KEPT).unwrap();
    let (ledger, _writer) = Ledger::start(store, clock.clone(), &mut registry);
    std::fs::write(&exports, "no folder").unwrap();
    let every = Duration::from_secs(3600);
    let schedule = Schedule { folder: exports.clone(), every, format: Format::Parquet };
    let start = |registry: &mut Registry| {
        schedule::start(schedule.clone(), data.clone(), ledger.clone(), clock.clone(), registry)
    };
    let failing = start(&mut registry);
    until(&registry, "broadside_export_failures_total 1").await;
    failing.abort();
    std::fs::remove_file(&exports).unwrap();
    let mut registry = Registry::default();
    let running = start(&mut registry);
    until(&registry, &format!("broadside_export_last_success_timestamp_seconds {}", START.as_second())).await;
    ledger.record(events(7, millis(START)), START).await.unwrap();
    // It is counted in the hour that begins now, and nothing happens in the one after.
    clock.advance(HOUR);
    let since = |hours: i64| START.as_second() + hours * 3600;
    until(&registry, &format!("broadside_export_last_success_timestamp_seconds {}", since(1))).await;
    clock.advance(HOUR);
    until(&registry, "broadside_export_lines_total 1").await;
    let file = exports.join("exposures-20270115T090000Z-20270115T100000Z.parquet");
    assert_eq!(rows(&file).len(), 1);
    clock.advance(HOUR);
    until(&registry, &format!("broadside_export_last_success_timestamp_seconds {}", since(3))).await;
    assert_eq!(std::fs::read_dir(&exports).unwrap().count(), 1, "nothing was counted since");
    running.abort();
}

#[tokio::test]
async fn behind_a_stream_periods_end_by_the_streams_time() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let store = Store::open(&data, KEPT).unwrap();
    let (ledger, _writer) =
        Ledger::start_behind_stream(store, Arc::new(HandClock::new()), &mut Registry::default());
    let (exports, every) = (folder.path().join("exports"), Duration::from_secs(3600));
    let schedule = Schedule { folder: exports, every, format: Format::JsonLines };
    let later = |hours: i64| START + jiff::SignedDuration::from_hours(hours);
    assert_eq!(ledger.mark(later(9)).await, Err(LedgerError::Starting), "no time is known yet");
    let first = Fed { at: START, arrivals: events(7, millis(START)), ..Fed::nothing(1) };
    ledger.feed(vec![first]).await.unwrap();
    for (caught_up, lines) in [(0, 0), (1, 0), (2, 1), (3, 0)] {
        ledger.caught_up(later(caught_up)).unwrap();
        let reached = ledger.mark(later(9)).await.unwrap();
        assert_eq!(reached, later(caught_up));
        assert_eq!(schedule::export(&schedule, &data, reached).unwrap().lines, lines, "{caught_up}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_starts_exports_what_it_missed_and_says_when_its_log_is_too_short() {
    const SHORT: &str = "what was shown before the log begins may be missing: raise --keep-log";
    for (bounds, expected, is_short) in [(KEPT, 2000..=2000, false), (SMALL, 1..=1999, true)] {
        let folder = process::folder(SAMPLE);
        let past = Timestamp::now() - jiff::SignedDuration::from_hours(3);
        std::fs::rename(ledger_of(bounds, 2000, millis(past)).path(), folder.path().join("data")).unwrap();
        let exports = folder.path().join("exports");
        let to = exports.to_str().unwrap();
        let arguments = ["--keep-log", "1d", "--export-every", "1h", "--export-dir", to];
        let process = Process::start_with("ledger", folder.path(), &arguments).await;
        while !process.log().contains("\"exported\"") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let files: Vec<PathBuf> =
            std::fs::read_dir(&exports).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [file] = files.as_slice() else { panic!("{files:?}") };
        let lines = read(file).len();
        assert!(expected.contains(&lines), "{lines}");
        let metrics = process.get("/metrics").await.unwrap().text().await.unwrap();
        assert!(metrics.contains(&format!("broadside_export_lines_total {lines}\n")), "{metrics}");
        assert_eq!(process.log().contains(SHORT), is_short, "{}", process.log());
    }
}
