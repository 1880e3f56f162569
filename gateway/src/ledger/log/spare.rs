//! The file that comes next, prepared beforehand.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::LogError;

/// How long a full disk is left alone before it is tried again.
const TRIED_EVERY: Duration = Duration::from_secs(1);

/// A file of zeros on its way.
#[derive(Debug)]
pub(super) struct Spare {
    path: PathBuf,
    length: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Preparing(JoinHandle<std::io::Result<()>>),
    Full(Instant),
}

impl Spare {
    /// Begins to write it, beside whoever calls.
    pub(super) fn prepare(folder: &Path, length: u64) -> Self {
        let path = folder.join("next");
        Self { state: State::Preparing(preparing(path.clone(), length)), path, length }
    }

    /// The file, once it is on disk, at least of this length.
    ///
    /// # Errors
    /// When the disk is full, which is tried again after a while, or can't be written.
    pub(super) fn take(&mut self, length: u64) -> Result<PathBuf, LogError> {
        match std::mem::replace(&mut self.state, State::Full(Instant::now())) {
            State::Full(since) if since.elapsed() < TRIED_EVERY => {
                self.state = State::Full(since);
                return Err(LogError::Full);
            }
            State::Preparing(thread) => self.prepared(thread)?,
            State::Full(_) => self.prepared(preparing(self.path.clone(), self.length))?,
        }
        if self.length < length {
            self.length = length;
            self.prepared(preparing(self.path.clone(), length))?;
        }
        Ok(self.path.clone())
    }

    fn prepared(&self, thread: JoinHandle<std::io::Result<()>>) -> Result<(), LogError> {
        match thread.join().expect("writing zeros does not panic") {
            Ok(()) => Ok(()),
            Err(error) if is_full(&error) => Err(LogError::Full),
            Err(source) => Err(LogError::Io { path: self.path.clone(), source }),
        }
    }
}

fn preparing(path: PathBuf, length: u64) -> JoinHandle<std::io::Result<()>> {
    std::thread::spawn(move || {
        // A part of a file is of no use, and its room may be needed.
        write_zeros(&path, length).inspect_err(|_| drop(std::fs::remove_file(&path)))
    })
}

/// Writes a file of zeros: blocks that are only promised would be given while events wait.
pub(super) fn write_zeros(path: &Path, length: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let zeros = vec![0; 1 << 20];
    let mut left = length;
    while left > 0 {
        let part = left.min(zeros.len() as u64);
        file.write_all(&zeros[..usize::try_from(part).expect("at most a megabyte")])?;
        left -= part;
    }
    file.sync_all()
}

/// Whether there was no room.
pub(in crate::ledger) fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}
