//! Group commit: one thread writes, and what waits while it writes goes to disk together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::wire::totals::TotalsResponse;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::check::{Arrival, Erasure};
use super::metrics::LedgerMetrics;
use super::millis;
use super::store::{Group, Store, StoreError};
use super::unit::Receipt;
use crate::clock::Clock;

/// How many events wait at most. At some 400 bytes each this bounds memory to about ten megabytes, and at the speed of
/// a slow disk it is a few seconds of work: longer than that no sender waits for an answer.
pub const QUEUE_LIMIT: usize = 20_000;

/// How often exposures are counted when nothing else happens. Totals do not wait for it.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The ledger, for those who send to it: clone it freely. The writer ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Ledger {
    queue: UnboundedSender<Command>,
    room: Arc<Semaphore>,
}

/// Why the ledger took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Too much is waiting.
    #[error("too many events are waiting: send the same request again in a second")]
    Busy,
    /// The tables are not read yet, so that every event would be unknown.
    #[error("the ledger is starting: send the same request again in a second")]
    Starting,
    /// The stream did not take it in time: it may or may not be in there.
    #[error("the stream of events can't be reached: send the same request again")]
    Unreachable,
    /// There is no room on disk.
    #[error("the ledger's volume is full: send the same request again once there is room")]
    Full,
    /// The writer ended: what was sent may or may not be on disk.
    #[error("the ledger is stopping: send the same request again")]
    Stopping,
}

/// What a message of a stream holds.
#[derive(Debug)]
pub struct Fed {
    /// Its number.
    pub sequence: u64,
    /// When the stream took it.
    pub at: Timestamp,
    /// What arrived.
    pub arrivals: Vec<Arrival>,
    /// Who is to be forgotten, after it.
    pub erasures: Vec<Erasure>,
}

impl Fed {
    fn len(&self) -> usize {
        self.arrivals.len() + self.erasures.len()
    }

    /// A message that holds nothing.
    pub fn nothing(sequence: u64) -> Self {
        Self { sequence, at: Timestamp::UNIX_EPOCH, arrivals: Vec::new(), erasures: Vec::new() }
    }
}

#[derive(Debug)]
enum Command {
    Record(Record),
    Feed { messages: Vec<Fed>, _room: OwnedSemaphorePermit },
    CaughtUp { until: Timestamp },
    Totals { campaign: String, at: Timestamp, reply: oneshot::Sender<Result<TotalsResponse, LedgerError>> },
    Sweep { at: Timestamp },
    Mark { at: Timestamp, reply: oneshot::Sender<Result<Timestamp, LedgerError>> },
    Erase(Erase),
    Campaigns { reply: oneshot::Sender<Result<BTreeSet<String>, LedgerError>> },
}

#[derive(Debug)]
struct Record {
    arrivals: Vec<Arrival>,
    at: Timestamp,
    reply: oneshot::Sender<Result<Vec<Receipt>, LedgerError>>,
    /// Given back when the record is answered.
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Erase {
    erasures: Vec<Erasure>,
    at: Timestamp,
    reply: oneshot::Sender<Result<(), LedgerError>>,
    /// Given back when the erasures are answered.
    _room: OwnedSemaphorePermit,
}

impl Command {
    fn is_record(&self) -> bool {
        matches!(self, Self::Record(_))
    }
}

/// An answer that is sent once the group is on disk.
enum Answer {
    Recorded(oneshot::Sender<Result<Vec<Receipt>, LedgerError>>, Vec<Receipt>),
    Totals(oneshot::Sender<Result<TotalsResponse, LedgerError>>, Result<TotalsResponse, LedgerError>),
    Marked(oneshot::Sender<Result<Timestamp, LedgerError>>, Result<Timestamp, LedgerError>),
    Erased(oneshot::Sender<Result<(), LedgerError>>),
    Campaigns(oneshot::Sender<Result<BTreeSet<String>, LedgerError>>, BTreeSet<String>),
}

impl Ledger {
    /// Starts the writer. Its handle ends with the last ledger that is dropped, or with the first fault of the store:
    /// the process should end then, and go on from what is on disk.
    pub fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> (Self, JoinHandle<Result<(), StoreError>>) {
        Self::start_with(store, Horizon::None, clock, registry)
    }

    /// The same for a ledger that is [fed](Ledger::feed) from a stream: that tells its time. Else what waits in the stream
    /// would be late, and a ledger that is made anew from the stream would have other sums.
    pub fn start_behind_stream(
        store: Store,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> (Self, JoinHandle<Result<(), StoreError>>) {
        Self::start_with(store, Horizon::Unknown, clock, registry)
    }

    fn start_with(
        store: Store,
        time: Horizon,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> (Self, JoinHandle<Result<(), StoreError>>) {
        let (queue, commands) = unbounded_channel();
        let room = Arc::new(Semaphore::new(QUEUE_LIMIT));
        let metrics = LedgerMetrics::new(registry);
        tokio::spawn(tick(queue.downgrade(), clock));
        let writer = Writer { store, metrics, time, held: Vec::new() };
        let (ended, end) = oneshot::channel();
        std::thread::spawn(move || drop(ended.send(writer.run(commands))));
        let end = async { end.await.expect("the writer returns its faults and does not panic") };
        (Self { queue, room }, tokio::spawn(end))
    }

    /// Records events that arrived at `at`, and returns when they are on disk, with a receipt for each in order.
    ///
    /// # Errors
    /// When the queue or the disk is full, or the writer has ended.
    pub async fn record(&self, arrivals: Vec<Arrival>, at: Timestamp) -> Result<Vec<Receipt>, LedgerError> {
        let _room = self.room_for(arrivals.len())?;
        let (reply, receipts) = oneshot::channel();
        self.send(Command::Record(Record { arrivals, at, reply, _room }))?;
        receipts.await.map_err(|_| LedgerError::Stopping)?
    }

    /// The sums of a campaign, exact for `at`.
    ///
    /// # Errors
    /// When the disk is full, or the writer has ended.
    pub async fn totals(&self, campaign: String, at: Timestamp) -> Result<TotalsResponse, LedgerError> {
        let (reply, totals) = oneshot::channel();
        self.send(Command::Totals { campaign, at, reply })?;
        totals.await.map_err(|_| LedgerError::Stopping)?
    }

    /// Writes into the log how far the ledger's time is at `at`, and returns that time once it is on disk. What was due by
    /// then was counted before it, in the log too.
    ///
    /// # Errors
    /// When the time is not known yet, the disk is full, or the writer has ended.
    pub async fn mark(&self, at: Timestamp) -> Result<Timestamp, LedgerError> {
        let (reply, marked) = oneshot::channel();
        self.send(Command::Mark { at, reply })?;
        marked.await.map_err(|_| LedgerError::Stopping)?
    }

    /// Forgets subjects, and returns when that is on disk: events of before count for nothing any more.
    ///
    /// # Errors
    /// When the queue or the disk is full, or the writer has ended.
    pub async fn erase(&self, erasures: Vec<Erasure>, at: Timestamp) -> Result<(), LedgerError> {
        let _room = self.room_for(erasures.len().min(QUEUE_LIMIT))?;
        let (reply, erased) = oneshot::channel();
        self.send(Command::Erase(Erase { erasures, at, reply, _room }))?;
        erased.await.map_err(|_| LedgerError::Stopping)?
    }

    /// The campaigns of which anything is known.
    ///
    /// # Errors
    /// When the disk is full, or the writer has ended.
    pub async fn campaigns(&self) -> Result<BTreeSet<String>, LedgerError> {
        let (reply, campaigns) = oneshot::channel();
        self.send(Command::Campaigns { reply })?;
        campaigns.await.map_err(|_| LedgerError::Stopping)?
    }

    /// Hands over messages of a stream, once there is room for them.
    ///
    /// # Errors
    /// When the writer has ended.
    pub async fn feed(&self, messages: Vec<Fed>) -> Result<(), LedgerError> {
        let events = messages.iter().map(Fed::len).sum::<usize>().clamp(1, QUEUE_LIMIT);
        let events = u32::try_from(events).map_err(|_| LedgerError::Busy)?;
        let room =
            Arc::clone(&self.room).acquire_many_owned(events).await.map_err(|_| LedgerError::Stopping)?;
        self.send(Command::Feed { messages, _room: room })
    }

    /// Says that what the stream took until then was handed over.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn caught_up(&self, until: Timestamp) -> Result<(), LedgerError> {
        self.send(Command::CaughtUp { until })
    }

    /// Whether the writer takes events.
    pub fn is_running(&self) -> bool {
        !self.queue.is_closed()
    }

    fn room_for(&self, events: usize) -> Result<OwnedSemaphorePermit, LedgerError> {
        let events = u32::try_from(events).map_err(|_| LedgerError::Busy)?;
        Arc::clone(&self.room).try_acquire_many_owned(events).map_err(|_| LedgerError::Busy)
    }

    fn send(&self, command: Command) -> Result<(), LedgerError> {
        self.queue.send(command).map_err(|_| LedgerError::Stopping)
    }
}

/// Has exposures counted when nothing else happens, for as long as there is a ledger.
async fn tick(queue: WeakUnboundedSender<Command>, clock: Arc<dyn Clock>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(queue) = queue.upgrade() else { return };
        if queue.send(Command::Sweep { at: clock.now() }).is_err() {
            return;
        }
    }
}

struct Writer {
    store: Store,
    metrics: LedgerMetrics,
    time: Horizon,
    /// What came from the stream while the disk was full: the stream does not send it again.
    held: Vec<Command>,
}

/// Up to when all that happened is known.
#[derive(Clone, Copy, Debug)]
enum Horizon {
    /// Whatever arrives is known at once.
    None,
    /// Nothing came from the stream yet.
    Unknown,
    /// Up to this moment of the stream.
    Until(Timestamp),
}

impl Horizon {
    /// The ledger's time at a moment; none while it is unknown.
    fn at(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::None => Some(now),
            Self::Unknown => None,
            Self::Until(until) => Some(until),
        }
    }

    fn reach(&mut self, moment: Timestamp) {
        *self = match *self {
            Self::Until(until) => Self::Until(until.max(moment)),
            _ => Self::Until(moment),
        };
    }
}

impl Writer {
    fn run(mut self, mut commands: UnboundedReceiver<Command>) -> Result<(), StoreError> {
        let mut waiting = Vec::new();
        while commands.blocking_recv_many(&mut waiting, QUEUE_LIMIT) > 0 {
            let mut all = std::mem::take(&mut self.held);
            all.append(&mut waiting);
            self.write(all)?;
        }
        Ok(())
    }

    /// Writes all that waits in one group, then answers.
    fn write(&mut self, commands: Vec<Command>) -> Result<(), StoreError> {
        let Self { store, metrics, time, held } = self;
        let (begin, recorded) = (Instant::now(), commands.iter().any(Command::is_record));
        let (room, mut waiting) = (commands.iter().map(Command::room).sum(), commands);
        let carried_out = store.group(room, |group| {
            let carry_out = |command| metrics.carry_out(group, time, command);
            waiting.drain(..).map(carry_out).filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()
        });
        // What nobody waited for, or what wrote nothing, would hide the waits of senders.
        if recorded {
            metrics.committed(begin.elapsed());
        }
        metrics.store(store);
        match carried_out {
            Ok(answers) => {
                metrics.has_room();
                answers.into_iter().for_each(Answer::send);
            }
            Err(error) if error.is_full() => {
                metrics.is_full(&error);
                held.extend(waiting.into_iter().filter_map(Command::refused));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Command {
    /// The most bytes that it writes.
    fn room(&self) -> u64 {
        match self {
            Self::Record(record) => Group::room(&record.arrivals),
            Self::Feed { messages, _room } => messages
                .iter()
                .map(|fed| Group::room(&fed.arrivals) + Group::room_to_erase(&fed.erasures))
                .sum(),
            Self::Erase(erase) => Group::room_to_erase(&erase.erasures),
            Self::Totals { .. }
            | Self::Sweep { .. }
            | Self::Mark { .. }
            | Self::CaughtUp { .. }
            | Self::Campaigns { .. } => Group::room(&[]),
        }
    }

    /// Nothing of it was done; what can't be refused is given back.
    fn refused(self) -> Option<Self> {
        // Who asked may have gone: then nobody reads the answer.
        match self {
            Self::Record(record) => drop(record.reply.send(Err(LedgerError::Full))),
            Self::Totals { reply, .. } => drop(reply.send(Err(LedgerError::Full))),
            Self::Mark { reply, .. } => drop(reply.send(Err(LedgerError::Full))),
            Self::Erase(erase) => drop(erase.reply.send(Err(LedgerError::Full))),
            Self::Campaigns { reply } => drop(reply.send(Err(LedgerError::Full))),
            Self::Sweep { .. } => {}
            Self::CaughtUp { .. } | Self::Feed { .. } => return Some(self),
        }
        None
    }
}

impl Answer {
    fn send(self) {
        // Who asked may have gone: then nobody reads the answer.
        match self {
            Self::Recorded(reply, receipts) => drop(reply.send(Ok(receipts))),
            Self::Totals(reply, totals) => drop(reply.send(totals)),
            Self::Marked(reply, marked) => drop(reply.send(marked)),
            Self::Erased(reply) => drop(reply.send(Ok(()))),
            Self::Campaigns(reply, campaigns) => drop(reply.send(Ok(campaigns))),
        }
    }
}

impl LedgerMetrics {
    fn carry_out(
        &self,
        group: &mut Group<'_>,
        time: &mut Horizon,
        command: Command,
    ) -> Result<Option<Answer>, StoreError> {
        match command {
            Command::Sweep { at } => {
                self.sweep(group, time.at(at));
                self.is_known(time.at(at));
                Ok(None)
            }
            Command::Totals { campaign, at, reply } => {
                let Some(at) = time.at(at) else {
                    return Ok(Some(Answer::Totals(reply, Err(LedgerError::Starting))));
                };
                self.sweep(group, Some(at));
                let placements = group.totals(&campaign, millis(at));
                let totals = TotalsResponse { campaign, as_of: whole_milliseconds(at), placements };
                Ok(Some(Answer::Totals(reply, Ok(totals))))
            }
            Command::Mark { at, reply } => {
                let marked = time.at(at).ok_or(LedgerError::Starting);
                self.matured(marked.map_or(0, |at| group.mark(millis(at))));
                Ok(Some(Answer::Marked(reply, marked)))
            }
            Command::Erase(Erase { erasures, at, reply, _room }) => {
                self.sweep(group, Some(at));
                erasures.into_iter().for_each(|erasure| group.erase(erasure, millis(at)));
                Ok(Some(Answer::Erased(reply)))
            }
            Command::Campaigns { reply } => Ok(Some(Answer::Campaigns(reply, group.campaigns()))),
            Command::Record(Record { arrivals, at, reply, _room }) => {
                Ok(Some(Answer::Recorded(reply, self.receive(group, arrivals, at)?)))
            }
            Command::Feed { messages, _room } => {
                for Fed { sequence, at, arrivals, erasures } in messages {
                    time.reach(at);
                    self.receive(group, arrivals, at)?;
                    erasures.into_iter().for_each(|erasure| group.erase(erasure, millis(at)));
                    group.source(sequence);
                }
                Ok(None)
            }
            Command::CaughtUp { until } => {
                time.reach(until);
                Ok(None)
            }
        }
    }

    fn sweep(&self, group: &mut Group<'_>, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.matured(group.sweep(millis(at)));
        }
    }

    fn receive(
        &self,
        group: &mut Group<'_>,
        arrivals: Vec<Arrival>,
        at: Timestamp,
    ) -> Result<Vec<Receipt>, StoreError> {
        self.sweep(group, Some(at));
        arrivals.into_iter().map(|arrival| group.receive(arrival, millis(at))).collect()
    }
}

/// The ledger counts in milliseconds, and so do its sums.
fn whole_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(millis(at)).unwrap_or(at)
}
