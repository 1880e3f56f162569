//! The log: what was accepted, in the order in which it was, and nothing else. What is committed to it is on disk.
//!
//! It is a chain of files of fixed length, each named by the number of its first [group](segment). A group is what was
//! synced at once: [entries](entry), one after the other.
//!
//! **What it tells apart.** A group that a crash left half written was acknowledged to nobody, and is taken off when the
//! log is opened. What can only be damage is refused with the place: a file that is shorter than its head says, a group
//! that can't be read before one that can, a file that is missing between others or at the end.
//!
//! **Room.** The next file is written full of zeros beforehand, so a full disk shows before anything is accepted, and a
//! sync changes no file's length, which would cost half as much again.

mod entry;
mod erase;
mod mend;
mod segment;
mod sound;
mod spare;

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::Duration;

use entry::Writer;
pub(super) use entry::{Entry, EntryError, entries, message};
pub(super) use erase::erase;
pub(super) use mend::{goes_on, set_aside, verify};
pub(super) use segment::first;
use segment::{Contents, Segment};
pub(super) use sound::{kept, sound};
use spare::Spare;
pub(super) use spare::is_full;

use crate::size::Size;

/// How long files are, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct FileLengths {
    /// The first. Each is twice as long as the one before.
    pub shortest: u64,
    /// The longest.
    pub longest: u64,
}

impl Default for FileLengths {
    /// A quiet ledger stays small, and a busy one needs another file every ten seconds.
    fn default() -> Self {
        Self { shortest: 4 << 20, longest: 64 << 20 }
    }
}

impl FileLengths {
    /// The length of the file after one of that length.
    fn after(self, length: u64) -> u64 {
        (2 * length).clamp(self.shortest, self.longest)
    }
}

/// Why the log can't go on.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is no room for another file.
    #[error("the ledger's volume is full: enlarge it; until then no event is taken, and nothing is lost")]
    Full,
    /// Reading or writing failed.
    #[error("the ledger's log {} can't be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file was written by another version.
    #[error("the log {} is of version {found}: use the version of the gateway that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version.
        found: u32,
    },
    /// A file does not hold what it did.
    #[error(
        "the log {} is damaged at byte {at}: {what}. Restore the volume from a backup, or go on without what can't be \
         read: gateway repair --data {}",
        path.display(),
        path.parent().and_then(Path::parent).unwrap_or(path).display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From here on it can't be read.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A file is not there.
    #[error(
        "the log lacks what follows group {after} in {}: restore the volume from a backup, or go on without it: \
         gateway repair --data {}",
        folder.display(),
        folder.parent().unwrap_or(folder).display()
    )]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The last group that is there.
        after: u64,
    },
}

impl LogError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// The log, open to be written.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    lengths: FileLengths,
    segment: Segment,
    spare: Spare,
    writer: Writer,
}

impl Log {
    /// Opens the log in `folder`, which is created where it is missing, and hands each entry after group `after` to
    /// `visit`, in order.
    ///
    /// # Errors
    /// When it can't be read, is damaged, does not begin early enough, ends before `after`, or when `visit` errs.
    pub(super) fn open<E: From<LogError>>(
        folder: &Path,
        lengths: FileLengths,
        after: u64,
        mut visit: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<Self, E> {
        std::fs::create_dir_all(folder).map_err(LogError::io(folder))?;
        erase::clear(folder)?;
        let mut end = None;
        for path in needed(folder, after)? {
            end = Some(Contents::read(&path)?.replay(after, &mut visit)?);
        }
        let (segment, writer) = match end {
            None if after > 0 => return Err(missing(folder, 0).into()),
            None => (Segment::create(folder, 1, lengths.shortest)?, Writer::default()),
            Some(end) if end.next <= after => return Err(missing(folder, end.next - 1).into()),
            Some(end) => Segment::reopen(end)?,
        };
        let spare = Spare::prepare(folder, lengths.after(segment.length()));
        Ok(Self { folder: folder.to_owned(), lengths, segment, spare, writer })
    }

    /// Makes room for a group of these bytes at most; nothing else is written before [`Log::commit`].
    ///
    /// # Errors
    /// When the disk is full: nothing has changed, and the same call may succeed later.
    pub(super) fn begin(&mut self, bytes: u64) -> Result<(), LogError> {
        if self.segment.fits(bytes) { Ok(()) } else { self.turn(bytes) }
    }

    /// Goes on in another file, so that all that is written so far can be removed once it is needed no more.
    ///
    /// # Errors
    /// As [`Log::begin`].
    pub(super) fn part(&mut self) -> Result<(), LogError> {
        if self.segment.is_empty() { Ok(()) } else { self.turn(0) }
    }

    /// Whether all that is written stands in files that are at their end.
    pub(super) fn is_parted(&self) -> bool {
        self.segment.is_empty()
    }

    fn turn(&mut self, bytes: u64) -> Result<(), LogError> {
        let needed = segment::length_for(bytes);
        let next = Segment::begin(&self.spare.take(needed)?, &self.folder, self.segment.next())?;
        self.segment.seal()?;
        self.spare = Spare::prepare(&self.folder, self.lengths.after(next.length()));
        self.segment = next;
        self.writer = Writer::default();
        Ok(())
    }

    /// Puts an entry into the group.
    pub(super) fn add(&mut self, entry: &Entry) {
        self.writer.add(entry);
    }

    /// Writes the group, if there is something in it. When this returns, it is on disk. How many bytes it has.
    ///
    /// # Errors
    /// When writing fails: the process should end then, and go on from what is on disk.
    pub(super) fn commit(&mut self) -> Result<u64, LogError> {
        let version = self.writer.version();
        self.writer.take(|body| if body.is_empty() { Ok(0) } else { self.segment.append(body, version) })
    }

    /// The number of the last group.
    pub(super) fn last(&self) -> u64 {
        self.segment.next() - 1
    }

    /// Hands each entry that is still there to `visit`, in order, and changes nothing. Another process may write meanwhile.
    ///
    /// # Errors
    /// When the log can't be read or is damaged, or when `visit` errs.
    pub(crate) fn read<E: From<LogError>>(
        folder: &Path,
        mut visit: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut paths = segment::list(folder)?;
        // What follows the last may have come since: it ends where it did.
        let last = paths.pop();
        for path in paths {
            Contents::read(&path)?.replay(0, &mut visit)?;
        }
        last.map_or(Ok(()), |path| Contents::read(&path)?.visit(0, &mut visit).map(drop))
    }

    /// Whether all that was ever written is still there.
    ///
    /// # Errors
    /// When the files can't be listed.
    pub(crate) fn goes_back_to_the_first(folder: &Path) -> Result<bool, LogError> {
        Ok(segment::list(folder)?.first().is_none_or(|path| first(path) == Some(1)))
    }

    /// Removes the files that hold nothing after group `after`, the oldest first: those that were written before all of `keep`,
    /// and as many more as take more than `room` together. Gives the bytes of those that stay.
    ///
    /// # Errors
    /// When they can't be listed or removed.
    pub(crate) fn remove_until(
        folder: &Path,
        after: u64,
        keep: Duration,
        room: Size,
    ) -> Result<u64, LogError> {
        let files = only_kept(folder, after)?;
        let mut taken: u64 = files.iter().map(|(_, file)| file.len()).sum();
        for (path, file) in &files {
            let age = file.modified().map_err(LogError::io(path))?.elapsed();
            // Of a time in the future nothing is known; the next one may be kept in its place.
            if age.is_ok_and(|age| age <= keep) && !keep.is_zero() && taken <= room.0 {
                return Ok(taken);
            }
            std::fs::remove_file(path).map_err(LogError::io(path))?;
            taken -= file.len();
        }
        Ok(taken)
    }

    /// Bytes of files that hold nothing after group `after`.
    ///
    /// # Errors
    /// When they can't be listed.
    pub(crate) fn kept_until(folder: &Path, after: u64) -> Result<u64, LogError> {
        Ok(only_kept(folder, after)?.iter().map(|(_, file)| file.len()).sum())
    }
}

fn missing(folder: &Path, after: u64) -> LogError {
    LogError::Missing { folder: folder.to_owned(), after }
}

/// The files that hold groups after `after`, and the last in any case.
pub(super) fn needed(folder: &Path, after: u64) -> Result<Vec<PathBuf>, LogError> {
    Ok(apart(folder, after)?.1)
}

fn only_kept(folder: &Path, after: u64) -> Result<Vec<(PathBuf, Metadata)>, LogError> {
    let of = |path: PathBuf| {
        let file = std::fs::metadata(&path).map_err(LogError::io(&path))?;
        Ok((path, file))
    };
    apart(folder, after)?.0.into_iter().map(of).collect()
}

/// The files that hold nothing after group `after`, and those that are needed. The log may grow meanwhile, so it is looked at
/// once.
fn apart(folder: &Path, after: u64) -> Result<(Vec<PathBuf>, Vec<PathBuf>), LogError> {
    let mut paths = segment::list(folder)?;
    let begins_after = |path: &PathBuf| first(path).is_some_and(|first| first > after + 1);
    let first = paths.iter().position(begins_after).unwrap_or(paths.len()).saturating_sub(1);
    if paths.first().is_some_and(begins_after) {
        return Err(missing(folder, after));
    }
    let needed = paths.split_off(first);
    Ok((paths, needed))
}
