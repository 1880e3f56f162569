//! The tables in force, and how they change: the last good one stays.
//!
//! ```text
//! cluster ─┐                        publish
//!          ├─ offer, remove ─▶ Index ───────▶ Snapshot ◀─ load ─ decisions, events
//! folder ──┘                                  (one pointer)
//! ```

pub mod cluster;
mod events;
pub mod folder;
mod index;
mod metrics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::AdTable;
use arc_swap::{ArcSwap, Guard};
use prometheus_client::registry::Registry;

pub use index::{Change, Index, Refused, Snapshot};
use metrics::TableMetrics;

/// The tables in force, for readers: clone it freely. Reading takes no lock, so a decision never waits.
#[derive(Clone, Debug, Default)]
pub struct Tables(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    current: ArcSwap<Snapshot>,
    complete: AtomicBool,
}

impl Tables {
    /// The tables as they stand. Hold it for one request, not longer.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.0.current.load()
    }

    /// Whether all tables were seen once. Until then an unknown campaign may exist.
    pub fn is_complete(&self) -> bool {
        self.0.complete.load(Ordering::Relaxed)
    }
}

/// Keeps [`Tables`] up to date from what a source sees: the one writer.
#[derive(Debug)]
pub struct Keeper {
    index: Index,
    tables: Tables,
    metrics: TableMetrics,
}

impl Keeper {
    /// A keeper of no tables, and the handle by which they are read.
    pub fn new(registry: &mut Registry) -> (Self, Tables) {
        let tables = Tables::default();
        let keeper =
            Self { index: Index::default(), tables: tables.clone(), metrics: TableMetrics::new(registry) };
        (keeper, tables)
    }

    /// Takes a table, or refuses it and says so; then the one before stays.
    ///
    /// # Errors
    /// With what was said, for those who tell it to more people.
    pub fn offer(&mut self, object: &AdTable) -> Result<(), Refused> {
        let (uid, number) = (&object.spec.campaign.uid, object.spec.number);
        match self.index.offer(object) {
            Ok(Change::Same) => {}
            Ok(Change::Taken) => tracing::info!(uid, number, "table taken"),
            Err(refused) => return Err(self.refuse(uid, refused)),
        }
        Ok(())
    }

    /// Notes an object that can't be read, and returns what was said; the one before stays.
    pub fn unreadable(&mut self, source: &str, reason: String) -> Refused {
        self.refuse(source, Refused::Unreadable(reason))
    }

    /// Drops the table of a campaign that was deleted.
    pub fn remove(&mut self, uid: &str) {
        if self.index.remove(uid) {
            tracing::info!(uid, "table removed");
        }
    }

    /// Drops every table but those that `listed` holds for true.
    pub fn retain(&mut self, listed: impl Fn(&str) -> bool) {
        self.index.retain(listed);
    }

    /// Makes the changes visible to readers, all at once.
    pub fn publish(&self) {
        self.metrics.served(self.index.len());
        self.tables.0.current.store(Arc::new(self.index.snapshot()));
    }

    /// Says that all tables were seen once.
    pub fn complete(&self) {
        if !self.tables.0.complete.swap(true, Ordering::Relaxed) {
            tracing::info!(tables = self.index.len(), "all tables are read");
        }
    }

    fn refuse(&self, table: &str, refused: Refused) -> Refused {
        self.metrics.refused(&refused);
        tracing::warn!(table, error = %refused, "table refused, the one before stays");
        refused
    }
}
