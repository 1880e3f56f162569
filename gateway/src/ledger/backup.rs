//! A copy of the ledger from which it goes on, taken while it runs or not.
//!
//! ```text
//!   --data ──▶ held: all files as they were at one moment ──▶ --to: copies, then manifest.json
//!                                                                     │
//!   --data ◀── renamed at the end ◀── --data/restoring ◀── each held to its length and checksum
//! ```
//!
//! **Why it is whole.** A backup is the folder as it was at one moment, so it is what a crash at that moment would have
//! left, and a ledger is made to go on from that ([`store`](super::store)): all that was acknowledged is in the log or in
//! a checkpoint, and whoever a checkpoint counted is in `counted/`. The newest file of the log may have grown since; it
//! is cut after its last whole group.
//!
//! **What it holds**: the checkpoints, `counted/`, and the log, with what is only kept for export. Not the release's key,
//! nor tables.

mod copy;
mod held;
mod manifest;
mod restore;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use self::copy::{Copier, CopyError, discard, sync_folders};
use self::held::Held;
use self::manifest::{Manifest, TakenFile};
pub use self::restore::{RestoreError, restore};
use super::log::{self, LogError};
use super::store::{CHECKPOINTS, LOG, RESTORING, StoreError, restored};

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there already.
    #[error("--to: {} is not empty: name a folder that is empty or not there", .0.display())]
    Taken(PathBuf),
    /// There was no moment at which nothing moved.
    #[error("the ledger {} changed whenever it was looked at: take the backup again", .0.display())]
    Restless(PathBuf),
    /// The ledger can't be read, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file can't be read or written.
    #[error("{} can't be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl BackupError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

impl From<CopyError> for BackupError {
    fn from(CopyError { path, source }: CopyError) -> Self {
        Self::Io { path, source }
    }
}

impl From<LogError> for BackupError {
    fn from(error: LogError) -> Self {
        Self::Store(error.into())
    }
}

/// How much was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Files.
    pub files: usize,
    /// Bytes.
    pub bytes: u64,
}

/// Copies the ledger in `data` to the folder `to`, as it is at `now` or a little later. All that was acknowledged before is in
/// the copy, and the copy is on disk. Nothing is written to `data`, and the ledger may run.
///
/// # Errors
/// When `to` is not empty, the ledger is damaged, or something can't be read or written. Then `to` is as empty as it was.
pub fn backup(data: &Path, to: &Path, now: Timestamp) -> Result<Copied, BackupError> {
    if data.join(RESTORING).exists() {
        return Err(StoreError::Unfinished(data.to_owned()).into());
    }
    make_empty(to)?;
    copy_all(data, to, now).inspect_err(|_| drop(discard(to)))
}

fn copy_all(data: &Path, to: &Path, now: Timestamp) -> Result<Copied, BackupError> {
    let held = Held::of(data)?;
    let kept = log::kept(&data.join(LOG), held.first_group())?;
    let mut copier = Copier::new("backing up", held.bytes() + total(&kept));
    let mut files = held.copy(data, to, &mut copier)?;
    files.extend(copy_kept(data, &kept, held.first_group(), to, &mut copier)?);
    can_be_opened(to)?;
    let copied = Copied { files: files.len(), bytes: files.iter().map(|file| file.bytes).sum() };
    sync_folders(to).map_err(BackupError::io(to))?;
    Manifest::new(now, files).write(to).map_err(BackupError::io(to))?;
    Ok(copied)
}

/// Makes a folder, or takes one that has nothing in it.
fn make_empty(folder: &Path) -> Result<(), BackupError> {
    copy::make(folder).map_err(BackupError::io(folder))?;
    match copy::is_empty(folder).map_err(BackupError::io(folder))? {
        true => Ok(()),
        false => Err(BackupError::Taken(folder.to_owned())),
    }
}

/// Copies the files that are only kept, from the newest back: the ledger removes the oldest first, and where it meanwhile has
/// there is no gap.
fn copy_kept(
    data: &Path,
    kept: &[PathBuf],
    mut follower: Option<u64>,
    to: &Path,
    copier: &mut Copier,
) -> Result<Vec<TakenFile>, BackupError> {
    let mut files = Vec::new();
    for path in kept.iter().rev() {
        let read = || std::fs::read(path).map_err(LogError::io(path));
        let bytes = match log::sound(path, follower, read) {
            Err(LogError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => break,
            sound => sound?,
        };
        let name = path.strip_prefix(data).unwrap_or(path);
        files.push(copier.copy(&bytes[..], path, to, name)?);
        follower = log::first(path);
    }
    Ok(files)
}

/// The copy is read as a ledger reads it when it starts: a backup that can't be restored is none.
fn can_be_opened(folder: &Path) -> Result<(), BackupError> {
    let checkpoints = folder.join(CHECKPOINTS);
    std::fs::create_dir_all(&checkpoints).map_err(BackupError::io(&checkpoints))?;
    let (last, _) = restored(folder)?;
    log::verify(&folder.join(LOG), last)?;
    Ok(())
}

fn total(paths: &[PathBuf]) -> u64 {
    paths.iter().filter_map(|path| Some(std::fs::metadata(path).ok()?.len())).sum()
}
