//! What is counted about events.

use std::time::Duration;

use api::wire::event::Outcome;
use jiff::Timestamp;
use nix::sys::statvfs::statvfs;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::store::{Store, StoreError};

#[derive(Clone, Debug)]
pub(super) struct LedgerMetrics {
    matured: Counter,
    commits: Histogram,
    units: Gauge,
    written: Counter,
    kept: Gauge,
    full: Gauge,
    until: Gauge,
    free: Gauge,
    size: Gauge,
}

impl LedgerMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let matured = Counter::default();
        // 0.1 ms, a sync of fast flash, to 3 s, when senders give up.
        let commits = Histogram::new(exponential_buckets(0.0001, 2.0, 16));
        registry.register("broadside_exposures_matured", "Exposures whose window passed", matured.clone());
        let help = "Time to write what had waited, with the sync";
        registry.register_with_unit("broadside_ledger_commit", help, Unit::Seconds, commits.clone());
        let units = Gauge::default();
        registry.register(
            "broadside_ledger_units",
            "Units in memory, whose window runs or for which rewards came late",
            units.clone(),
        );
        let written = Counter::default();
        let help = "What was written to the log";
        registry.register_with_unit("broadside_ledger_log", help, Unit::Bytes, written.clone());
        let kept = Gauge::default();
        let help = "What of the log is kept for exports alone, and goes when the rest needs its room";
        registry.register_with_unit("broadside_ledger_log_kept", help, Unit::Bytes, kept.clone());
        let full = Gauge::default();
        registry.register("broadside_ledger_full", "1 while the volume has no room for events", full.clone());
        let until = Gauge::default();
        let help = "Up to when all that happened is known, since 1970; 0 before anything is";
        registry.register_with_unit("broadside_ledger_until_timestamp", help, Unit::Seconds, until.clone());
        let (free, size) = (Gauge::default(), Gauge::default());
        let help = "Room that the volume still has";
        registry.register_with_unit("broadside_ledger_volume_free", help, Unit::Bytes, free.clone());
        let help = "Room of the volume, what is taken of it included";
        registry.register_with_unit("broadside_ledger_volume_size", help, Unit::Bytes, size.clone());
        Self { matured, commits, units, written, kept, full, until, free, size }
    }

    /// What happened by then is known; a ledger that is behind its stream says an older moment, or none.
    pub(super) fn is_known(&self, until: Option<Timestamp>) {
        if let Some(until) = until {
            self.until.set(until.as_second());
        }
    }

    pub(super) fn has_room(&self) {
        self.full.set(0);
    }

    /// The log is told once, not for each event that is turned away.
    pub(super) fn is_full(&self, error: &StoreError) {
        if self.full.set(1) == 0 {
            tracing::error!(%error, "no event is taken");
        }
    }

    pub(super) fn matured(&self, exposures: usize) {
        self.matured.inc_by(exposures as u64);
    }

    pub(super) fn store(&self, store: &Store) {
        self.units.set(i64::try_from(store.units()).unwrap_or(i64::MAX));
        self.written.inc_by(store.written() - self.written.get());
        self.kept.set(i64::try_from(store.kept()).unwrap_or(i64::MAX));
        // What can't be asked stays as it was.
        if let Ok(volume) = statvfs(store.folder()) {
            let bytes = |blocks| i64::try_from(blocks * volume.fragment_size()).unwrap_or(i64::MAX);
            self.free.set(bytes(volume.blocks_available()));
            self.size.set(bytes(volume.blocks()));
        }
    }

    pub(super) fn committed(&self, took: Duration) {
        self.commits.observe(took.as_secs_f64());
    }
}

#[derive(Clone, Debug)]
pub(super) struct EventMetrics {
    events: Family<OutcomeLabels, Counter>,
    busy: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

impl EventMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self { events: Family::default(), busy: Counter::default() };
        registry.register("broadside_events", "Events, by their outcome", metrics.events.clone());
        let help = "Requests that were turned away: the queue was full, or the ledger was starting or ending";
        registry.register("broadside_events_busy", help, metrics.busy.clone());
        metrics
    }

    pub(super) fn outcome(&self, outcome: Outcome) {
        self.events.get_or_create(&OutcomeLabels { outcome: word(outcome) }).inc();
    }

    pub(super) fn busy(&self) {
        self.busy.inc();
    }
}

#[derive(Clone, Debug)]
pub(super) struct ExportMetrics {
    last_success: Gauge,
    failures: Counter,
    lines: Counter,
}

impl ExportMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let (last_success, failures, lines) = (Gauge::default(), Counter::default(), Counter::default());
        let help = "When the last export by schedule succeeded, since 1970; 0 for never";
        let name = "broadside_export_last_success_timestamp";
        registry.register_with_unit(name, help, Unit::Seconds, last_success.clone());
        let help = "Exports by schedule that failed";
        registry.register("broadside_export_failures", help, failures.clone());
        registry.register("broadside_export_lines", "Lines of exports by schedule", lines.clone());
        Self { last_success, failures, lines }
    }

    pub(super) fn succeeded(&self, now: Timestamp, lines: u64) {
        self.last_success.set(now.as_second());
        self.lines.inc_by(lines);
    }

    pub(super) fn failed(&self) {
        self.failures.inc();
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Duplicate => "duplicate",
        Outcome::Late => "late",
        Outcome::Unknown => "unknown",
        Outcome::Invalid => "invalid",
    }
}
