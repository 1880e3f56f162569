//! The ledger, behind the stream.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use api::wire::part::Part;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::stream::{RawMessageError, RawMessageErrorKind, Stream};
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use tokio_stream::StreamExt;

use super::kept::{Kept, gap};
use super::{Connection, TRIED_EVERY};
use crate::clock::Clock;
use crate::ledger::log::{self, Entry, EntryError};
use crate::ledger::writer::{Fed, Ledger, LedgerError};

/// How long nothing has to come before the stream is asked whether there is more.
const QUIET: Duration = Duration::from_secs(1);

/// How far the clock of the stream's server may be behind ours. The ledger's time stays as far behind.
const SKEW: SignedDuration = SignedDuration::from_secs(2);

/// How many messages are handed to the ledger together.
const TOGETHER: usize = 256;

/// How long it is waited for so many. A ledger of a part asks once for each time what the stream still has.
const GATHERED_WITHIN: Duration = Duration::from_millis(100);

/// Why the ledger can't follow.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The stream no longer has what comes next.
    #[error(
        "the stream begins with message {first}, and the ledger has read up to {last}: what was for it in between is lost. \
         Delete the folder of --data to count anew what the stream has, and let the stream keep more"
    )]
    Gap {
        /// The first that it has.
        first: u64,
        /// Up to where the ledger has all that is for it.
        last: u64,
    },
    /// The stream is another.
    #[error(
        "the stream ends with message {end}, and the ledger has read up to {last}: it is another stream. \
         Delete the folder of --data to count what it has"
    )]
    Another {
        /// The last that the stream has.
        end: u64,
        /// Up to where the ledger has all that is for it.
        last: u64,
    },
    /// The ledger ended.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Hands all messages of a part after `last` to the ledger, in order, for as long as it takes them. A stream that can't be
/// reached is waited for.
///
/// # Errors
/// When messages are missing, or the ledger ends.
pub async fn follow(
    connection: Connection,
    part: Part,
    ledger: Ledger,
    last: u64,
    clock: Arc<dyn Clock>,
) -> Result<(), FollowError> {
    let mut follower = Follower { subjects: connection.subjects(part), ledger, last, clock };
    loop {
        let stream = connection.stream().await;
        match follower.follow(&stream).await {
            Ok(()) => {}
            Err(End::Fault(fault)) => return Err(fault),
            Err(End::Interrupted(error)) => {
                tracing::warn!(%error, "the stream is read again from where it was");
            }
        }
        tokio::time::sleep(TRIED_EVERY).await;
    }
}

/// A ledger on its way through the stream.
struct Follower {
    /// Its part of the stream; none for all there is.
    subjects: Vec<String>,
    ledger: Ledger,
    /// Up to this message the ledger has all that is for it.
    last: u64,
    clock: Arc<dyn Clock>,
}

/// Why a stream is followed no further.
enum End {
    /// Nothing helps.
    Fault(FollowError),
    /// It may go well the next time.
    Interrupted(Interruption),
}

type Interruption = Box<dyn std::error::Error + Send + Sync>;

impl<E: Into<FollowError>> From<E> for End {
    fn from(fault: E) -> Self {
        Self::Fault(fault.into())
    }
}

fn interrupted(error: impl Into<Interruption>) -> End {
    End::Interrupted(error.into())
}

impl Follower {
    async fn follow(&mut self, stream: &Stream) -> Result<(), End> {
        kept(stream).await?.goes_on_after(self.last)?;
        let consumer = stream.create_consumer(self.order()).await.map_err(interrupted)?;
        let messages = consumer.messages().await.map_err(interrupted)?;
        let mut messages = pin!(messages.chunks_timeout(TOGETHER, GATHERED_WITHIN));
        loop {
            match tokio::time::timeout(QUIET, messages.next()).await {
                Ok(Some(chunk)) => self.take(stream, chunk).await?,
                Ok(None) => return Ok(()),
                Err(_) => self.rest(stream).await?,
            }
        }
    }

    /// What is asked of the stream: all that follows, in order.
    fn order(&self) -> pull::OrderedConfig {
        pull::OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.last + 1 },
            filter_subjects: self.subjects.clone(),
            ..pull::OrderedConfig::default()
        }
    }

    /// Hands over what came, once it is known that nothing is missing between.
    async fn take<E: Into<Interruption>>(
        &mut self,
        stream: &Stream,
        chunk: Vec<Result<Message, E>>,
    ) -> Result<(), End> {
        let (mut fed, interruption) = read(chunk);
        // A client that lost its consumer before the first message asks for all from the stream's beginning.
        fed.retain(|fed| fed.sequence > self.last);
        if gap(self.last, &fed).is_some() {
            fed = kept(stream).await?.sound(self.last, fed)?;
        }
        if let Some(newest) = fed.last().map(|fed| fed.sequence) {
            self.ledger.feed(fed).await?;
            self.last = newest;
        }
        interruption.map_or(Ok(()), |error| Err(End::Interrupted(error)))
    }

    /// Nothing came for a while. If the stream has no more for the ledger, then it knows that, and its time goes on.
    async fn rest(&mut self, stream: &Stream) -> Result<(), End> {
        let asked = self.clock.now();
        let kept = kept(stream).await?;
        kept.goes_on_after(self.last)?;
        let until = asked.saturating_sub(SKEW).unwrap_or(asked);
        if kept.end <= self.last {
            self.ledger.caught_up(until)?;
        } else if !self.is_more_to_come(stream).await? {
            // What was for others is not missed then, when the stream has let go of it.
            self.ledger.feed(vec![Fed { at: until, ..Fed::nothing(kept.end) }]).await?;
            self.last = kept.end;
        }
        Ok(())
    }

    /// Whether a later message is for the ledger. The stream's leader is asked, by subject: the consumer may lie with a
    /// server that is behind it.
    async fn is_more_to_come(&self, stream: &Stream) -> Result<bool, End> {
        if self.subjects.is_empty() {
            return Ok(true);
        }
        let found = self.subjects.iter().map(|subject| is_there(stream, subject, self.last + 1));
        Ok(try_join_all(found).await.map_err(interrupted)?.contains(&true))
    }
}

/// What the stream has now.
async fn kept(stream: &Stream) -> Result<Kept, End> {
    let info = stream.get_info().await.map_err(interrupted)?;
    Ok(Kept::from(&info.state))
}

/// Whether there is a message with that subject from `sequence` on.
async fn is_there(stream: &Stream, subject: &str, sequence: u64) -> Result<bool, RawMessageError> {
    match stream.raw_message_builder().sequence(sequence).next_by_subject(subject).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The messages up to the first that did not come well.
fn read<E: Into<Interruption>>(chunk: Vec<Result<Message, E>>) -> (Vec<Fed>, Option<Interruption>) {
    let mut fed = Vec::with_capacity(chunk.len());
    for message in chunk {
        match message.map_err(Into::into).and_then(|message| fed_of(&message)) {
            Ok(message) => fed.push(message),
            Err(error) => return (fed, Some(error)),
        }
    }
    (fed, None)
}

fn fed_of(message: &Message) -> Result<Fed, Interruption> {
    let info = message.info()?;
    let at = Timestamp::from_nanosecond(info.published.unix_timestamp_nanos())?;
    let mut fed = Fed { at, ..Fed::nothing(info.stream_sequence) };
    for entry in entries(&message.payload, info.stream_sequence)? {
        match entry {
            Entry::Arrival(arrival) => fed.arrivals.push(arrival),
            Entry::Erased(erasure) => fed.erasures.push(erasure),
            Entry::Clock(_) | Entry::Source(_) | Entry::Reopened(..) | Entry::Decided(..) => {}
        }
    }
    Ok(fed)
}

/// What a message holds. One that is not ours is told and passed over, or nobody could ever go on; one that a newer gateway
/// wrote is waited for, until a newer ledger reads it.
fn entries(payload: &[u8], sequence: u64) -> Result<Vec<Entry>, EntryError> {
    match log::entries(payload) {
        Err(error @ EntryError::Foreign) => {
            tracing::error!(%error, sequence, "a message of the stream is not ours and is passed over");
            Ok(Vec::new())
        }
        entries => entries,
    }
}
