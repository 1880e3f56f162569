//! The ledger on disk.
//!
//! ```text
//!   arrival ─▶ state ─▶ log ─▶ acknowledged
//!                │
//!                └─ now and then ─▶ counted, then checkpoint ─▶ the log's oldest files go
//! ```
//!
//! | In the folder | What |
//! | --- | --- |
//! | `log/` | what was accepted, since the older of two checkpoints, and longer where that is wanted ([`log`](super::log)) |
//! | `checkpoints/` | the state of two moments ([`checkpoint`](super::checkpoint)) |
//! | `counted/` | all units that were counted, and what for, and for whom copy was chosen ([`counted`](super::counted)) |
//!
//! After a crash the newest checkpoint is read and what the log holds after it. That asks for nobody in `counted/`,
//! since the log holds only what was accepted; so it does no harm that keys are there before their checkpoint is.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use api::wire::totals::PlacementTotals;

use super::Millis;
use super::check::{Arrival, Erasure};
use super::checkpoint::{self, CheckpointError};
use super::counted::Counted;
use super::forgetting::{FileEnds, Forgetting};
use super::log::{self, Entry, Log};
pub use super::log::{FileLengths, LogError};
use super::state::{self, Before, Key, Received, State, Swept};
use super::unit::Receipt;
use crate::size::Size;

/// How large and how old the parts of a ledger grow.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The files of the log.
    pub files: FileLengths,
    /// How much is written to the log before the next checkpoint, in bytes.
    pub checkpoint_every: u64,
    /// How many units are counted before the next checkpoint, since they are in memory until then.
    pub counted_in_memory: usize,
    /// How long after a checkpoint the next may begin that only forgets somebody.
    pub forget_every: Duration,
    /// How long the log is kept beyond what two checkpoints need.
    pub keep_log: Duration,
    /// How much room that may take at most.
    pub kept_in: Size,
}

impl Default for Bounds {
    /// A checkpoint for each longest file of the log, which is read in about a second after a crash, or when some 20 MB of
    /// units are counted: not many more fit a hash table of 2¹⁸ places, and the next has twice as many.
    fn default() -> Self {
        let files = FileLengths::default();
        let (checkpoint_every, counted_in_memory) = (files.longest, 200_000);
        let (forget_every, keep_log, kept_in) = (Duration::from_secs(300), Duration::ZERO, Size::ALL);
        Self { files, checkpoint_every, counted_in_memory, forget_every, keep_log, kept_in }
    }
}

/// The ledger's folder, open.
pub struct Store {
    folder: PathBuf,
    bounds: Bounds,
    log: Log,
    state: State,
    counted: Counted,
    /// Bytes that were written to the log.
    written: u64,
    /// As many when the last checkpoint began.
    checkpoint_at: u64,
    /// When it began; none since the ledger was opened.
    checkpoint_began: Option<Instant>,
    checkpoint: Option<JoinHandle<Result<Taken, StoreError>>>,
    forgetting: Forgetting,
    /// Bytes of the log that are only kept.
    kept: Arc<AtomicU64>,
    /// Released with the last handle.
    _lock: File,
}

/// Why the store failed. After any of these but [`LogError::Full`] its process should end: what is on disk is whole, what
/// is in memory may not be.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder can't be used.
    #[error("the folder {} can't be used: create it and let this user write there", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error("the ledger {} is in use by another process: run one for each folder", .0.display())]
    InUse(PathBuf),
    /// It was written before there was a log.
    #[error("{} is a ledger of an older version: use that version, or another folder", .0.display())]
    Older(PathBuf),
    /// A restore into it was cut off.
    #[error("a restore into {} did not end: run gateway restore again", .0.display())]
    Unfinished(PathBuf),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A checkpoint can't be read or written.
    #[error("the checkpoints {} can't be used", folder.display())]
    Checkpoint {
        /// Their folder.
        folder: PathBuf,
        /// Why.
        source: CheckpointError,
    },
    /// What was counted can't be read or written.
    #[error("the set {} of those who were counted can't be used: restore the volume from a backup", folder.display())]
    Counted {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        source: Box<fjall::Error>,
    },
    /// The log does not fit what came before it.
    #[error("the log of {} does not fit its checkpoints: restore the volume from a backup", .0.display())]
    Contradiction(PathBuf),
}

impl Store {
    /// Opens the ledger in `folder`, which is created where it is missing.
    ///
    /// # Errors
    /// When the folder can't be written, is in use, is damaged, or is of another version.
    pub fn open(folder: &Path, bounds: Bounds) -> Result<Self, StoreError> {
        let lock = lock(folder)?;
        let mut counted = Counted::open(&folder.join(COUNTED)).map_err(counted_error(folder))?;
        let (last, mut state) = restored(folder)?;
        let mut now = 0;
        let log = Log::open(&folder.join(LOG), bounds.files, last, |entry| {
            let fits = replay(&mut state, &mut counted, &mut now, &entry);
            if fits { Ok(()) } else { Err(StoreError::Contradiction(folder.to_owned())) }
        })?;
        let kept = kept(folder)?;
        let folder = folder.to_owned();
        Ok(Self {
            folder,
            bounds,
            log,
            counted,
            written: 0,
            checkpoint_at: 0,
            checkpoint_began: None,
            checkpoint: None,
            forgetting: Forgetting::default(),
            kept: Arc::new(AtomicU64::new(kept)),
            state,
            _lock: lock,
        })
    }

    /// Runs `work`, whose entries take `room` bytes at most, as one group. When this returns `Ok`, all of it is on disk.
    ///
    /// # Errors
    /// With [`LogError::Full`] before anything is done, when the disk has no room for it. Else when `work` does, or when
    /// reading or writing fails.
    pub fn group<T>(
        &mut self,
        room: u64,
        work: impl FnOnce(&mut Group<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Err(error) = self.log.begin(room) {
            return Err(self.without_room(error));
        }
        let result = work(&mut Group(self))?;
        self.written += self.log.commit()?;
        self.keep_up()?;
        Ok(result)
    }

    /// How many units are kept in memory.
    pub fn units(&self) -> usize {
        self.state.units()
    }

    /// The last message that it has of the stream that it follows; zero for none.
    pub fn source(&self) -> u64 {
        self.state.source()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many bytes were written to the log since the ledger was opened.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes of the log that are kept for exports alone, and go when the rest needs their room.
    pub fn kept(&self) -> u64 {
        self.kept.load(Relaxed)
    }

    /// What was only kept goes before events are refused for good.
    fn without_room(&self, error: LogError) -> StoreError {
        // A file that is written anew meanwhile would be back after it was removed.
        if self.checkpoint.is_some() && self.forgetting.takes_out() {
            return error.into();
        }
        let needed =
            checkpoint::needed(&self.folder.join(CHECKPOINTS)).map_err(checkpoint_error(&self.folder));
        let freed = needed.and_then(|needed| {
            let left = Log::remove_until(&self.folder.join(LOG), needed, Duration::ZERO, Size(0))?;
            self.kept.store(left, Relaxed);
            Ok(())
        });
        freed.err().unwrap_or(error.into())
    }

    /// Ends a checkpoint that is done, and begins one that is due.
    fn keep_up(&mut self) -> Result<(), StoreError> {
        if self.checkpoint.as_ref().is_some_and(JoinHandle::is_finished) {
            self.end_checkpoint()?;
        }
        if self.checkpoint.is_none() && (self.is_due() || self.forgets()) {
            self.part()?;
            self.begin_checkpoint();
        }
        Ok(())
    }

    /// Whatever the checkpoint is made for, it helps to forget where it ends with a file of the log. Where there is no room
    /// for another it does not, and the next one may.
    fn part(&mut self) -> Result<(), StoreError> {
        if !self.forgetting.waits(&self.state) {
            return Ok(());
        }
        match self.log.part() {
            Err(LogError::Full) => Ok(()),
            parted => Ok(parted?),
        }
    }

    /// A checkpoint writes all units whose window runs, so with many of those it waits until as many were counted.
    fn is_due(&self) -> bool {
        let Bounds { checkpoint_every, counted_in_memory, .. } = self.bounds;
        self.written - self.checkpoint_at >= checkpoint_every
            || self.counted.recent() >= counted_in_memory.max(self.state.units())
    }

    /// Whether a checkpoint is due to forget somebody.
    fn forgets(&self) -> bool {
        let rested = self.checkpoint_began.is_none_or(|began| began.elapsed() >= self.bounds.forget_every);
        rested && self.forgetting.is_due(&self.state, self.log.last())
    }

    fn begin_checkpoint(&mut self) {
        (self.checkpoint_at, self.checkpoint_began) = (self.written, Some(Instant::now()));
        let Bounds { keep_log, kept_in, .. } = self.bounds;
        let (folder, kept) = (self.folder.clone(), Arc::clone(&self.kept));
        let (last, state) = (self.log.last(), self.state.snapshot());
        let ends = if self.log.is_parted() { FileEnds::Here } else { FileEnds::Later };
        let (changes, stored) = self.counted.leave();
        let erasures = self.forgetting.begin(&self.state, last, ends);
        self.checkpoint = Some(std::thread::spawn(move || {
            // First who was counted: a state without them would count people twice.
            stored.write(&changes).map_err(counted_error(&folder))?;
            let (checkpoints, log) = (folder.join(CHECKPOINTS), folder.join(LOG));
            let written = checkpoint::write(&checkpoints, last, &state);
            let needed = written.and_then(|()| checkpoint::prune(&checkpoints));
            let needed = needed.map_err(checkpoint_error(&folder))?;
            kept.store(Log::remove_until(&log, needed, keep_log, kept_in)?, Relaxed);
            if erasures.is_empty() {
                return Ok(Taken::Out);
            }
            let erased = log::erase(&log, needed, &erasures).map_err(StoreError::from);
            let purged = erased.and_then(|()| stored.purge().map_err(counted_error(&folder)));
            Taken::of(purged)
        }));
    }

    /// Waits for the checkpoint. One that found no room is no fault: the log has all that it would hold.
    fn end_checkpoint(&mut self) -> Result<(), StoreError> {
        let Some(thread) = self.checkpoint.take() else { return Ok(()) };
        match thread.join().expect("a checkpoint returns its faults and does not panic") {
            Ok(Taken::Out) => {
                self.counted.arrived();
                self.forgetting.end(&mut self.state);
            }
            Ok(Taken::Later) => self.counted.arrived(),
            Err(error) if error.is_full() => tracing::error!(%error, "the ledger's volume is full"),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// What became of those who were to be forgotten, once a checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// They are in no file but in checkpoints.
    Out,
    /// There was no room to write files anew: the next checkpoint tries it again.
    Later,
}

impl Taken {
    fn of(done: Result<(), StoreError>) -> Result<Self, StoreError> {
        match done {
            Ok(()) => Ok(Self::Out),
            Err(error) if error.is_full() => {
                tracing::error!(%error, "who was erased stands in files still, since there is no room to write them anew");
                Ok(Self::Later)
            }
            Err(error) => Err(error),
        }
    }
}

/// Bytes of the log that no checkpoint needs. One that lacks what an older checkpoint would need, as after a repair, has none.
fn kept(folder: &Path) -> Result<u64, StoreError> {
    let needed = checkpoint::needed(&folder.join(CHECKPOINTS)).map_err(checkpoint_error(folder))?;
    match Log::kept_until(&folder.join(LOG), needed) {
        Err(LogError::Missing { .. }) => Ok(0),
        kept => Ok(kept?),
    }
}

impl Drop for Store {
    /// Nobody else may open the folder while a checkpoint is written. Whether it is written does not matter.
    fn drop(&mut self) {
        if let Err(error) = self.end_checkpoint() {
            tracing::error!(%error, "the last checkpoint failed: the log will be read again instead");
        }
    }
}

/// A group that is being made: what is done in it is seen at once, and on disk once the group is.
pub struct Group<'s>(&'s mut Store);

impl Group<'_> {
    /// The most bytes that these arrivals of one moment take.
    pub fn room(arrivals: &[Arrival]) -> u64 {
        Entry::CLOCK + arrivals.iter().map(Entry::longest).sum::<u64>()
    }

    /// The most bytes that these erasures take.
    pub fn room_to_erase(erasures: &[Erasure]) -> u64 {
        Entry::CLOCK + erasures.iter().map(Entry::longest_erasure).sum::<u64>()
    }

    /// Counts the exposures whose window has passed at `now`, and forgets rewards that waited in vain. How many exposures
    /// were counted.
    pub fn sweep(&mut self, now: Millis) -> usize {
        let Self(Store { state, counted, log, forgetting, .. }) = self;
        let Swept { counted: units, exposures, forgotten } = state.sweep(now);
        if !units.is_empty() || forgotten > 0 || forgetting.waits(state) {
            log.add(&Entry::Clock(now));
        }
        counted.insert(units.into_iter().map(|(key, open)| (key, state::past(open))));
        exposures
    }

    /// As [`Group::sweep`], and the log tells that it came as far as `now` even where nothing was due.
    pub fn mark(&mut self, now: Millis) -> usize {
        let matured = self.sweep(now);
        self.0.log.add(&Entry::Clock(now));
        matured
    }

    /// What becomes of an event that arrives at `now`. Sweep up to `now` before, so that nothing is open that should be
    /// counted.
    ///
    /// # Errors
    /// When reading fails.
    pub fn receive(&mut self, arrival: Arrival, now: Millis) -> Result<Receipt, StoreError> {
        let Self(Store { state, counted, log, folder, .. }) = self;
        let received = state.receive(&arrival, now, |key| counted.get(key));
        let Received { receipt, before } = received.map_err(counted_error(folder))?;
        if receipt.is_kept() {
            log.add(&Entry::Clock(now));
            if let Some(before) = before {
                log.add(&known(&arrival, before));
            }
            counted.insert(state::kept(&arrival, now));
            log.add(&Entry::Arrival(arrival));
        }
        Ok(receipt)
    }

    /// Forgets a subject at `now`.
    pub fn erase(&mut self, erasure: Erasure, now: Millis) {
        let Self(Store { state, counted, log, .. }) = self;
        counted.erase(state.erase(erasure.clone()));
        log.add(&Entry::Clock(now));
        log.add(&Entry::Erased(erasure));
    }

    /// The campaigns of which anything is known.
    pub fn campaigns(&self) -> BTreeSet<String> {
        self.0.state.campaigns()
    }

    /// All up to this message of the stream that the ledger follows is in the group, or was before.
    pub fn source(&mut self, sequence: u64) {
        let Self(Store { state, log, .. }) = self;
        state.set_source(sequence);
        log.add(&Entry::Source(sequence));
    }

    /// The sums of a campaign at `now`, by placement, seed and cell. Sweep up to `now` before.
    pub fn totals(&self, campaign: &str, now: Millis) -> Vec<PlacementTotals> {
        self.0.state.totals(campaign, now)
    }
}

pub(super) const LOG: &str = "log";
pub(super) const CHECKPOINTS: &str = "checkpoints";
pub(super) const COUNTED: &str = "counted";

/// The folders of a ledger.
pub(super) const PARTS: [&str; 3] = [LOG, CHECKPOINTS, COUNTED];

/// What a restore writes first, and renames once it is whole.
pub(super) const RESTORING: &str = "restoring";

/// The folder, made and held against other processes.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let unusable = |source| StoreError::Folder { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(unusable)?;
    if folder.join("ledger.redb").exists() {
        return Err(StoreError::Older(folder.to_owned()));
    }
    let file = hold(folder)?;
    if folder.join(RESTORING).exists() {
        return Err(StoreError::Unfinished(folder.to_owned()));
    }
    std::fs::create_dir_all(folder.join(CHECKPOINTS)).map_err(unusable)?;
    Ok(file)
}

/// A folder that is there, held against other processes.
pub(super) fn hold(folder: &Path) -> Result<File, StoreError> {
    let unusable = |source| StoreError::Folder { path: folder.to_owned(), source };
    let file = File::create(folder.join("lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// The newest checkpoint, and the last group that is in it.
pub(super) fn restored(folder: &Path) -> Result<(u64, State), StoreError> {
    let folder = folder.join(CHECKPOINTS);
    checkpoint::newest(&folder).map_err(|source| StoreError::Checkpoint { folder, source })
}

/// Does again what was done; whether it could be.
fn replay(state: &mut State, counted: &mut Counted, now: &mut Millis, entry: &Entry) -> bool {
    match entry {
        Entry::Clock(moment) => {
            *now = *moment;
            let units = state.sweep(*moment).counted;
            counted.insert(units.into_iter().map(|(key, open)| (key, state::past(open))));
            true
        }
        Entry::Source(sequence) => {
            state.set_source(*sequence);
            true
        }
        Entry::Erased(erasure) => {
            counted.erase(state.erase(erasure.clone()));
            true
        }
        Entry::Decided(experiment, _, decided) => {
            state.expose_decided(experiment, *decided);
            true
        }
        Entry::Reopened(experiment, subject, past) => {
            state.reopen(Key::new(experiment, *subject), past.clone());
            true
        }
        Entry::Arrival(arrival) => {
            let Ok(received) = state.receive(arrival, *now, |_| Ok::<_, Infallible>(None));
            counted.insert(state::kept(arrival, *now));
            received.receipt.is_kept()
        }
    }
}

/// What was known before an event arrived.
fn known(Arrival { experiment, subject, what: _ }: &Arrival, before: Before) -> Entry {
    match before {
        Before::Counted(past) => Entry::Reopened(experiment.clone(), *subject, past),
        Before::Decided(decided) => Entry::Decided(experiment.clone(), *subject, decided),
    }
}

fn counted_error(folder: &Path) -> impl FnOnce(fjall::Error) -> StoreError {
    let folder = folder.join(COUNTED);
    move |source| StoreError::Counted { folder, source: Box::new(source) }
}

pub(super) fn checkpoint_error(folder: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let folder = folder.join(CHECKPOINTS);
    move |source| StoreError::Checkpoint { folder, source: source.into() }
}

impl StoreError {
    /// Whether it is for want of room.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Log(LogError::Full) => true,
            Self::Checkpoint { source: CheckpointError::Io(error), .. } => log::is_full(error),
            Self::Counted { source, .. } => {
                let (fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error))) = &**source
                else {
                    return false;
                };
                log::is_full(error)
            }
            _ => false,
        }
    }
}
