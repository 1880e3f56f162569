//! What is counted about tables.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Refused;
use crate::table::TableError;

#[derive(Clone, Debug)]
pub(super) struct TableMetrics {
    served: Gauge,
    refused: Family<RefusedLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    reason: Reason,
}

/// A label value for each [`Refused`] and [`TableError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Reason {
    Unreadable,
    Identity,
    Shape,
    Shares,
    LandingPage,
    Digest,
    Rules,
    Older,
    Changed,
}

impl TableMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self { served: Gauge::default(), refused: Family::default() };
        registry.register("broadside_tables", "Campaigns that have a table", metrics.served.clone());
        registry.register(
            "broadside_tables_refused",
            "Tables that were refused, while the one before stayed in force",
            metrics.refused.clone(),
        );
        metrics
    }

    pub(super) fn served(&self, tables: usize) {
        self.served.set(i64::try_from(tables).unwrap_or(i64::MAX));
    }

    pub(super) fn refused(&self, refused: &Refused) {
        self.refused.get_or_create(&RefusedLabels { reason: reason(refused) }).inc();
    }
}

fn reason(refused: &Refused) -> Reason {
    match refused {
        Refused::Unreadable(_) => Reason::Unreadable,
        Refused::Older { .. } => Reason::Older,
        Refused::Changed(_) => Reason::Changed,
        Refused::Taken(_) | Refused::Wrong(TableError::Identity { .. }) => Reason::Identity,
        Refused::Wrong(TableError::Shape { .. }) => Reason::Shape,
        Refused::Wrong(TableError::Shares { .. }) => Reason::Shares,
        Refused::Wrong(TableError::LandingPage(_)) => Reason::LandingPage,
        Refused::Wrong(TableError::Digest { .. }) => Reason::Digest,
        Refused::Wrong(TableError::Rules { .. }) => Reason::Rules,
    }
}
