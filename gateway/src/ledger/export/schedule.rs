//! By schedule: a file for each period, written by the ledger that runs.
//!
//! **Once.** A period is so many times a length since 1970, and an exposure is of the period in which the log's own clock
//! counted it. The ledger [marks](Ledger::mark) in its log that a period has passed, so nothing is counted in it later and
//! whoever reads the log finds the same lines. What is exported has a file, or had one: its end is kept in the ledger's
//! folder. A run that was cut off left no file, and is done again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::periods::{Marker, Periods, clear};
use super::{ExportError, Format, moment, read};
use crate::clock::Clock;
use crate::ledger::metrics::ExportMetrics;
use crate::ledger::{Ledger, Millis, millis};

pub use super::periods::Exported;

/// Where files go, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The folder of the files.
    pub folder: PathBuf,
    /// The length of a period, in whole seconds and at least one.
    pub every: Duration,
    /// How they are written.
    pub format: Format,
}

/// How often it is looked whether a period has passed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where no period has passed for the ledger, though it has by the clock, it is looked again so much later.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// After a run that failed, for want of room for instance, the next one comes so much later.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(60);

impl Schedule {
    pub(super) fn every(&self) -> Millis {
        Millis::try_from(self.every.as_millis()).unwrap_or(Millis::MAX)
    }

    /// When the period of a moment begins.
    pub(super) fn begin_of(&self, at: Millis) -> Millis {
        at - at.rem_euclid(self.every())
    }
}

/// Writes a file for each period that has passed at `reached`, is not exported yet, and in which something of the log of
/// `ledger` was counted. The log is read once for all of them, and not at all where no period has passed.
///
/// # Errors
/// When the log can't be read, or a file can't be written. The files before it are whole and count as exported.
pub fn export(schedule: &Schedule, ledger: &Path, reached: Timestamp) -> Result<Exported, ExportError> {
    let Schedule { folder, .. } = schedule;
    let ready = std::fs::create_dir_all(folder).and_then(|()| clear(folder));
    ready.map_err(|error| ExportError::from(error).at(folder))?;
    let marker = Marker::of(ledger);
    let (done, until) = (marker.read(folder)?, schedule.begin_of(millis(reached)));
    if until <= done {
        return Ok(Exported::default());
    }
    let mut periods = Periods::new(schedule, marker, done, until);
    read(ledger, None, &mut periods)?;
    periods.finish()
}

/// Exports for as long as the ledger runs. Abort the task to have the ledger end.
pub fn start(
    schedule: Schedule,
    data: PathBuf,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    registry: &mut Registry,
) -> JoinHandle<()> {
    let metrics = ExportMetrics::new(registry);
    tokio::spawn(Exporter { schedule, data, ledger, clock, metrics }.run())
}

struct Exporter {
    schedule: Schedule,
    data: PathBuf,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    metrics: ExportMetrics,
}

impl Exporter {
    async fn run(self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut done = Millis::MIN;
        loop {
            ticks.tick().await;
            if self.schedule.begin_of(millis(self.clock.now())) > done {
                done = self.turn(done).await.unwrap_or(done);
            }
        }
    }

    /// Exports what there is; up to when, where that is more than before.
    async fn turn(&self, done: Millis) -> Option<Millis> {
        // A ledger that can't write goes on by itself, and says what keeps it.
        let reached = self.ledger.mark(self.clock.now()).await.ok()?;
        match self.export(reached).await {
            Ok(exported) => {
                let until = self.schedule.begin_of(millis(reached));
                if until > done {
                    self.succeeded(exported, until);
                    return Some(until);
                }
                // A ledger behind a stream may have to read on before a period has passed for it.
                tokio::time::sleep(LOOK_AGAIN_AFTER).await;
                None
            }
            Err(error) => {
                self.failed(&error);
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
                None
            }
        }
    }

    /// On a thread of its own, which does not hold up the end of the process: what it leaves half done is done again.
    async fn export(&self, reached: Timestamp) -> Result<Exported, ExportError> {
        let (schedule, data) = (self.schedule.clone(), self.data.clone());
        let (ended, end) = oneshot::channel();
        let thread = std::thread::Builder::new().name("export".to_owned());
        let run = move || drop(ended.send(export(&schedule, &data, reached)));
        thread.spawn(run).map_err(ExportError::Thread)?;
        end.await.unwrap_or(Err(ExportError::Broken))
    }

    fn succeeded(&self, Exported { files, lines }: Exported, until: Millis) {
        self.metrics.succeeded(self.clock.now(), lines);
        if files > 0 {
            tracing::info!(files, lines, until = %moment(until), "exported");
        }
    }

    fn failed(&self, error: &ExportError) {
        self.metrics.failed();
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, cause, "the export failed: it is tried again in a minute");
    }
}
