//! Events on their way into the stream.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use api::wire::event::Outcome;
use futures::future::try_join_all;
use jiff::Timestamp;
use siphasher::sip::SipHasher24;
use tokio::sync::Semaphore;

use super::Connection;
use crate::ledger::check::Arrival;
use crate::ledger::log::{self, Entry};
use crate::ledger::millis;
use crate::ledger::unit::Receipt;
use crate::ledger::writer::{LedgerError, QUEUE_LIMIT};

/// Into how many subjects campaigns are dealt, so that several ledgers can share a stream.
const PARTITIONS: u64 = 64;

/// Puts events into the stream. Clone it freely.
#[derive(Clone, Debug)]
pub struct Publisher {
    jetstream: async_nats::jetstream::Context,
    stream: String,
    room: Arc<Semaphore>,
}

impl Publisher {
    /// Publishes to the stream of this connection, which is made where it is not there.
    pub fn new(connection: &Connection) -> Self {
        let (jetstream, stream) = (connection.jetstream(), connection.place.stream.clone());
        let connection = connection.clone();
        tokio::spawn(async move { drop(connection.stream().await) });
        Self { jetstream, stream, room: Arc::new(Semaphore::new(QUEUE_LIMIT)) }
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

    async fn publish(&self, partition: u64, entries: Vec<Entry>) -> Result<(), LedgerError> {
        let subject = format!("{}.events.{partition}", self.stream);
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
fn dealt(arrivals: Vec<Arrival>, at: Timestamp) -> BTreeMap<u64, Vec<Entry>> {
    let mut dealt: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
    for arrival in arrivals {
        let mut hasher = SipHasher24::new();
        arrival.experiment.campaign.hash(&mut hasher);
        let entries = dealt.entry(hasher.finish() % PARTITIONS).or_default();
        if entries.is_empty() {
            entries.push(Entry::Clock(millis(at)));
        }
        entries.push(Entry::Arrival(arrival));
    }
    dealt
}
