//! Events on their way into the stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::wire::event::Outcome;
use api::wire::part::partition;
use futures::future::try_join_all;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::Connection;
use crate::ledger::check::{Arrival, Erasure};
use crate::ledger::log::{self, Entry};
use crate::ledger::millis;
use crate::ledger::unit::Receipt;
use crate::ledger::writer::{LedgerError, QUEUE_LIMIT};

/// Puts events into the stream. Clone it freely.
#[derive(Clone, Debug)]
pub struct Publisher {
    jetstream: async_nats::jetstream::Context,
    connection: Connection,
    room: Arc<Semaphore>,
}

impl Publisher {
    /// Publishes to the stream of this connection, which is made where it is not there.
    pub fn new(connection: &Connection) -> Self {
        let (jetstream, connection) = (connection.jetstream(), connection.clone());
        let making = connection.clone();
        tokio::spawn(async move { drop(making.stream().await) });
        Self { jetstream, connection, room: Arc::new(Semaphore::new(QUEUE_LIMIT)) }
    }

    /// Takes events that arrived at `at`, and returns once the stream has them on all of its replicas that it needs. Each is accepted: whether it repeats
    /// another is seen by the ledger.
    ///
    /// # Errors
    /// When too many wait, or the stream does not take them in time.
    pub async fn record(&self, arrivals: Vec<Arrival>, at: Timestamp) -> Result<Vec<Receipt>, LedgerError> {
        let events = u32::try_from(arrivals.len()).map_err(|_| LedgerError::Busy)?;
        let _room = self.room.try_acquire_many(events).map_err(|_| LedgerError::Busy)?;
        let receipts = vec![Receipt::of(Outcome::Accepted); arrivals.len()];
        let messages =
            dealt(arrivals, at).into_iter().map(|(partition, entries)| self.publish(partition, entries));
        try_join_all(messages).await?;
        Ok(receipts)
    }

    /// Takes erasures, as [`Publisher::record`] takes events: the ledgers carry them out when they come to them, and again
    /// when they are made anew.
    ///
    /// # Errors
    /// When too many wait, or the stream does not take them in time.
    pub async fn erase(&self, erasures: Vec<Erasure>) -> Result<(), LedgerError> {
        let events = u32::try_from(erasures.len().min(QUEUE_LIMIT)).map_err(|_| LedgerError::Busy)?;
        let _room = self.room.try_acquire_many(events).map_err(|_| LedgerError::Busy)?;
        let mut dealt: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
        for erasure in erasures {
            dealt.entry(partition(&erasure.campaign)).or_default().push(Entry::Erased(erasure));
        }
        let messages = dealt.into_iter().map(|(partition, entries)| self.publish(partition, entries));
        try_join_all(messages).await.map(drop)
    }

    async fn publish(&self, partition: u32, entries: Vec<Entry>) -> Result<(), LedgerError> {
        let subject = self.connection.subject(partition);
        let message = log::message(&entries).into();
        let sent = self.jetstream.publish(subject, message).await;
        let taken = match sent {
            Ok(sent) => sent.await.map(drop),
            Err(error) => Err(error),
        };
        taken.map_err(|error| {
            tracing::debug!(%error, "the stream did not take a message");
            LedgerError::Unreachable
        })
    }
}

/// By partition, behind the moment of their arrival: entries tell their own moments relative to it.
fn dealt(arrivals: Vec<Arrival>, at: Timestamp) -> BTreeMap<u32, Vec<Entry>> {
    let mut dealt: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
    for arrival in arrivals {
        let entries = dealt.entry(partition(&arrival.experiment.campaign)).or_default();
        if entries.is_empty() {
            entries.push(Entry::Clock(millis(at)));
        }
        entries.push(Entry::Arrival(arrival));
    }
    dealt
}
