//! Group commit: one task writes, and what waits while it writes goes to disk together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::wire::totals::TotalsResponse;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::check::Arrival;
use super::metrics::LedgerMetrics;
use super::millis;
use super::store::{Store, StoreError, Transaction};
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
    /// The writer ended: what was sent may or may not be on disk.
    #[error("the ledger is stopping: send the same request again")]
    Stopping,
}

#[derive(Debug)]
enum Command {
    Record(Record),
    Totals { campaign: String, at: Timestamp, reply: oneshot::Sender<TotalsResponse> },
    Sweep { at: Timestamp },
}

#[derive(Debug)]
struct Record {
    arrivals: Vec<Arrival>,
    at: Timestamp,
    reply: oneshot::Sender<Vec<Receipt>>,
    /// Given back when the record is answered.
    _room: OwnedSemaphorePermit,
}

impl Command {
    fn is_record(&self) -> bool {
        matches!(self, Self::Record(_))
    }
}

/// An answer that is sent once the transaction is on disk.
enum Answer {
    Recorded(oneshot::Sender<Vec<Receipt>>, Vec<Receipt>),
    Totals(oneshot::Sender<TotalsResponse>, TotalsResponse),
}

impl Ledger {
    /// Starts the writer. Its handle ends with the last ledger that is dropped, or with the first fault of the store:
    /// the process should end then, and go on from what is on disk.
    pub fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> (Self, JoinHandle<Result<(), StoreError>>) {
        let (queue, commands) = unbounded_channel();
        let room = Arc::new(Semaphore::new(QUEUE_LIMIT));
        let metrics = LedgerMetrics::new(registry);
        let writer = Writer { store: Arc::new(store), clock, metrics };
        (Self { queue, room }, tokio::spawn(writer.run(commands)))
    }

    /// Records events that arrived at `at`, and returns when they are on disk, with a receipt for each in order.
    ///
    /// # Errors
    /// When the queue is full, or the writer has ended.
    pub async fn record(&self, arrivals: Vec<Arrival>, at: Timestamp) -> Result<Vec<Receipt>, LedgerError> {
        let events = u32::try_from(arrivals.len()).map_err(|_| LedgerError::Busy)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(events).map_err(|_| LedgerError::Busy)?;
        let (reply, receipts) = oneshot::channel();
        self.send(Command::Record(Record { arrivals, at, reply, _room: room }))?;
        receipts.await.map_err(|_| LedgerError::Stopping)
    }

    /// The sums of a campaign, exact for `at`.
    ///
    /// # Errors
    /// When the writer has ended.
    pub async fn totals(&self, campaign: String, at: Timestamp) -> Result<TotalsResponse, LedgerError> {
        let (reply, totals) = oneshot::channel();
        self.send(Command::Totals { campaign, at, reply })?;
        totals.await.map_err(|_| LedgerError::Stopping)
    }

    /// Whether the writer takes events.
    pub fn is_running(&self) -> bool {
        !self.queue.is_closed()
    }

    fn send(&self, command: Command) -> Result<(), LedgerError> {
        self.queue.send(command).map_err(|_| LedgerError::Stopping)
    }
}

struct Writer {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    metrics: LedgerMetrics,
}

impl Writer {
    async fn run(self, mut commands: UnboundedReceiver<Command>) -> Result<(), StoreError> {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                command = commands.recv() => {
                    let Some(first) = command else { return Ok(()) };
                    let mut waiting = vec![first];
                    while let Ok(next) = commands.try_recv() {
                        waiting.push(next);
                    }
                    self.write(waiting).await?;
                }
                _ = ticks.tick() => self.write(vec![Command::Sweep { at: self.clock.now() }]).await?,
            }
        }
    }

    /// Writes all that waits in one transaction, then answers.
    async fn write(&self, commands: Vec<Command>) -> Result<(), StoreError> {
        let (store, metrics) = (Arc::clone(&self.store), self.metrics.clone());
        let written = tokio::task::spawn_blocking(move || {
            let (begin, recorded) = (Instant::now(), commands.iter().any(Command::is_record));
            let answers = store.transaction(|transaction| metrics.carry_out(transaction, commands))?;
            // What nobody waited for, or what wrote nothing, would hide the waits of senders.
            if recorded {
                metrics.committed(begin.elapsed());
            }
            Ok(answers)
        });
        written.await.expect("the store returns its faults and does not panic").map(answer)
    }
}

impl LedgerMetrics {
    fn carry_out(
        &self,
        transaction: &mut Transaction<'_>,
        commands: Vec<Command>,
    ) -> Result<Vec<Answer>, StoreError> {
        let mut answers = Vec::with_capacity(commands.len());
        for command in commands {
            answers.extend(self.carry_out_one(transaction, command)?);
        }
        Ok(answers)
    }

    fn carry_out_one(
        &self,
        transaction: &mut Transaction<'_>,
        command: Command,
    ) -> Result<Option<Answer>, StoreError> {
        match command {
            Command::Sweep { at } => {
                self.matured(transaction.sweep(millis(at))?);
                Ok(None)
            }
            Command::Totals { campaign, at, reply } => {
                self.matured(transaction.sweep(millis(at))?);
                let placements = transaction.totals(&campaign)?;
                Ok(Some(Answer::Totals(
                    reply,
                    TotalsResponse { campaign, as_of: whole_milliseconds(at), placements },
                )))
            }
            Command::Record(Record { arrivals, at, reply, _room }) => {
                self.matured(transaction.sweep(millis(at))?);
                let receive = |arrival| transaction.receive(arrival, millis(at));
                let receipts = arrivals.into_iter().map(receive).collect::<Result<_, _>>()?;
                Ok(Some(Answer::Recorded(reply, receipts)))
            }
        }
    }
}

/// The ledger counts in milliseconds, and so do its sums.
fn whole_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(millis(at)).unwrap_or(at)
}

/// Who asked may have gone: then nobody reads the answer.
fn answer(answers: Vec<Answer>) {
    for answer in answers {
        match answer {
            Answer::Recorded(reply, receipts) => drop(reply.send(receipts)),
            Answer::Totals(reply, totals) => drop(reply.send(totals)),
        }
    }
}
