//! What is counted about events.

use std::time::Duration;

use api::wire::event::Outcome;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug)]
pub(super) struct LedgerMetrics {
    matured: Counter,
    commits: Histogram,
}

impl LedgerMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let matured = Counter::default();
        // 0.1 ms, a sync of fast flash, to 3 s, when senders give up.
        let commits = Histogram::new(exponential_buckets(0.0001, 2.0, 16));
        registry.register("broadside_exposures_matured", "Exposures whose window passed", matured.clone());
        let help = "Time to write what had waited, with the sync";
        registry.register_with_unit("broadside_ledger_commit", help, Unit::Seconds, commits.clone());
        Self { matured, commits }
    }

    pub(super) fn matured(&self, exposures: u64) {
        self.matured.inc_by(exposures);
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

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Duplicate => "duplicate",
        Outcome::Late => "late",
        Outcome::Unknown => "unknown",
        Outcome::Invalid => "invalid",
    }
}
