//! Where events go that passed their check: to the ledger of this process, or to a stream that a ledger follows.

use jiff::Timestamp;

use super::check::{Arrival, Erasure};
use super::stream::Publisher;
use super::unit::Receipt;
use super::writer::{Ledger, LedgerError};

/// Where events go. Clone it freely.
#[derive(Clone, Debug)]
pub(super) enum Recorder {
    /// To the ledger of this process, which knows each event's outcome.
    Ledger(Ledger),
    /// To a stream: what it took is accepted, and the ledger tells repeats apart later.
    Stream(Box<Publisher>),
}

impl Recorder {
    /// Records events that arrived at `at`, and returns once they are on disk or replicated, with a receipt for each in
    /// order.
    ///
    /// # Errors
    /// When they can't be recorded now: nothing was acknowledged.
    pub(super) async fn record(
        &self,
        arrivals: Vec<Arrival>,
        at: Timestamp,
    ) -> Result<Vec<Receipt>, LedgerError> {
        match self {
            Self::Ledger(ledger) => ledger.record(arrivals, at).await,
            Self::Stream(publisher) => publisher.record(arrivals, at).await,
        }
    }

    /// Has subjects forgotten, and returns once that is on disk or replicated.
    ///
    /// # Errors
    /// When it can't be recorded now.
    pub(super) async fn erase(&self, erasures: Vec<Erasure>, at: Timestamp) -> Result<(), LedgerError> {
        match self {
            Self::Ledger(ledger) => ledger.erase(erasures, at).await,
            Self::Stream(publisher) => publisher.erase(erasures).await,
        }
    }
}
