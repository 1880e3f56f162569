//! The ledger, behind the stream.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};

use super::{Connection, TRIED_EVERY};
use crate::clock::Clock;
use crate::ledger::check::Arrival;
use crate::ledger::log::{self, Entry};
use crate::ledger::writer::{Fed, Ledger, LedgerError};

/// How long nothing has to come before the stream is asked whether there is more.
const QUIET: Duration = Duration::from_secs(1);

/// How far the clock of the stream's server may be behind ours. The ledger's time stays as far behind.
const SKEW: SignedDuration = SignedDuration::from_secs(2);

/// How many messages are handed to the ledger together.
const TOGETHER: usize = 256;

/// Why the ledger can't follow.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The stream no longer has what comes next.
    #[error(
        "the stream begins with message {first}, and the ledger has those up to {last}: what lies between is lost to it. \
         Delete the folder of --data to count anew what the stream has, and let the stream keep more"
    )]
    Gap {
        /// The first that it has.
        first: u64,
        /// The last that the ledger has.
        last: u64,
    },
    /// The stream is another.
    #[error(
        "the stream ends with message {end}, and the ledger has those up to {last}: it is another stream. \
         Delete the folder of --data to count what it has"
    )]
    Another {
        /// The last that the stream has.
        end: u64,
        /// The last that the ledger has.
        last: u64,
    },
    /// The ledger ended.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Hands all messages after `last` to the ledger, in order, for as long as it takes them. A stream that can't be reached is
/// waited for.
///
/// # Errors
/// When messages are missing, or the ledger ends.
pub async fn follow(
    connection: Connection,
    ledger: Ledger,
    mut last: u64,
    clock: Arc<dyn Clock>,
) -> Result<(), FollowError> {
    loop {
        let stream = connection.stream().await;
        check(&stream, last).await?;
        if let Err(error) = follow_while_reached(&stream, &ledger, &mut last, &*clock).await? {
            tracing::warn!(%error, "the stream is read again from where it was");
        }
        tokio::time::sleep(TRIED_EVERY).await;
    }
}

/// Whether the stream has what comes after `last`.
async fn check(stream: &Stream, last: u64) -> Result<(), FollowError> {
    let Ok(info) = stream.get_info().await else { return Ok(()) };
    let (first, end) = (info.state.first_sequence, info.state.last_sequence);
    match last {
        0 => Ok(()),
        _ if end < last => Err(FollowError::Another { end, last }),
        _ if first > last + 1 => Err(FollowError::Gap { first, last }),
        _ => Ok(()),
    }
}

type Interrupted = Box<dyn std::error::Error + Send + Sync>;

async fn follow_while_reached(
    stream: &Stream,
    ledger: &Ledger,
    last: &mut u64,
    clock: &dyn Clock,
) -> Result<Result<(), Interrupted>, FollowError> {
    let policy = DeliverPolicy::ByStartSequence { start_sequence: *last + 1 };
    let config = pull::OrderedConfig { deliver_policy: policy, ..pull::OrderedConfig::default() };
    let consumer = match stream.create_consumer(config).await {
        Ok(consumer) => consumer,
        Err(error) => return Ok(Err(error.into())),
    };
    let messages = match consumer.messages().await {
        Ok(messages) => messages,
        Err(error) => return Ok(Err(error.into())),
    };
    let mut messages = messages.ready_chunks(TOGETHER);
    loop {
        match tokio::time::timeout(QUIET, messages.next()).await {
            Err(_) => {
                if let Some(until) = caught_up(stream, *last, clock).await {
                    ledger.caught_up(until)?;
                }
            }
            Ok(None) => return Ok(Ok(())),
            Ok(Some(chunk)) => {
                let (fed, interrupted) = read(chunk);
                if !follows(*last, &fed) {
                    check(stream, *last).await?;
                }
                let reached = fed.last().map_or(*last, |fed| fed.sequence);
                if !fed.is_empty() {
                    ledger.feed(fed).await?;
                }
                *last = reached;
                if let Some(error) = interrupted {
                    return Ok(Err(error));
                }
            }
        }
    }
}

/// Whether these come one after the other: if not, the stream may have let go of some that we had not read.
fn follows(last: u64, fed: &[Fed]) -> bool {
    fed.iter().zip(last + 1..).all(|(fed, expected)| fed.sequence == expected)
}

/// Up to when all that the stream took is with us, if it has no more than we do.
async fn caught_up(stream: &Stream, last: u64, clock: &dyn Clock) -> Option<Timestamp> {
    let asked = clock.now();
    let info = stream.get_info().await.ok()?;
    (info.state.last_sequence <= last).then(|| asked.saturating_sub(SKEW).unwrap_or(asked))
}

/// The messages up to the first that did not come well.
fn read<E: Into<Interrupted>>(chunk: Vec<Result<Message, E>>) -> (Vec<Fed>, Option<Interrupted>) {
    let mut fed = Vec::with_capacity(chunk.len());
    for message in chunk {
        match message.map_err(Into::into).and_then(|message| fed_of(&message)) {
            Ok(message) => fed.push(message),
            Err(error) => return (fed, Some(error)),
        }
    }
    (fed, None)
}

fn fed_of(message: &Message) -> Result<Fed, Interrupted> {
    let info = message.info()?;
    let at = Timestamp::from_nanosecond(info.published.unix_timestamp_nanos())?;
    Ok(Fed { sequence: info.stream_sequence, at, arrivals: arrivals(&message.payload, info.stream_sequence) })
}

/// What a message holds. One that is not ours can't be: it is told and passed over, or nobody could ever go on.
fn arrivals(payload: &[u8], sequence: u64) -> Vec<Arrival> {
    let entries = log::entries(payload).unwrap_or_else(|error| {
        tracing::error!(%error, sequence, "a message of the stream is not ours and is passed over");
        Vec::new()
    });
    let arrival = |entry| if let Entry::Arrival(arrival) = entry { Some(arrival) } else { None };
    entries.into_iter().filter_map(arrival).collect()
}
