//! Files from one folder to another, with their checksums, and how far that is.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::manifest::TakenFile;
use crate::ledger::store::{COUNTED, PARTS, RESTORING};

/// How often whoever waits is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// How much is read at once, in bytes.
const PART: usize = 1 << 20;

/// Which file can't be read or written.
#[derive(Debug)]
pub(super) struct CopyError {
    pub(super) path: PathBuf,
    pub(super) source: std::io::Error,
}

impl CopyError {
    fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self { path: path.to_owned(), source }
    }
}

/// Copies files, and tells how far it is.
#[derive(Debug)]
pub(super) struct Copier {
    doing: &'static str,
    bytes: u64,
    total: u64,
    told: Instant,
}

impl Copier {
    pub(super) fn new(doing: &'static str, total: u64) -> Self {
        Self { doing, bytes: 0, total, told: Instant::now() }
    }

    /// Copies what `from` gives, which lies at `source`, to the file `name` of the folder `to`. It is on disk when this
    /// returns, but for the entries of its folders ([`sync_folders`]).
    ///
    /// # Errors
    /// When reading or writing fails, or the file is there already.
    pub(super) fn copy(
        &mut self,
        from: impl Read,
        source: &Path,
        to: &Path,
        name: &Path,
    ) -> Result<TakenFile, CopyError> {
        let path = to.join(name);
        let created = || {
            std::fs::create_dir_all(path.parent().unwrap_or(to))?;
            File::create_new(&path)
        };
        let mut file = created().map_err(CopyError::at(&path))?;
        let taken =
            self.take(from, source, name, |part| write(&mut file, part, name).map_err(CopyError::at(&path)))?;
        file.set_len(taken.bytes).and_then(|()| file.sync_all()).map_err(CopyError::at(&path))?;
        Ok(taken)
    }

    /// Length and checksum of what `from` gives, which lies at `source`.
    ///
    /// # Errors
    /// When reading fails.
    pub(super) fn read(
        &mut self,
        from: impl Read,
        source: &Path,
        name: &Path,
    ) -> Result<TakenFile, CopyError> {
        self.take(from, source, name, |_| Ok(()))
    }

    fn take(
        &mut self,
        mut from: impl Read,
        source: &Path,
        name: &Path,
        mut with: impl FnMut(&[u8]) -> Result<(), CopyError>,
    ) -> Result<TakenFile, CopyError> {
        let (mut part, mut bytes, mut hasher) = (vec![0; PART], 0, Sha256::new());
        loop {
            let read = from.read(&mut part).map_err(CopyError::at(source))?;
            if read == 0 {
                let sha256 = api::name::hex(&hasher.finalize());
                return Ok(TakenFile { path: name.display().to_string(), bytes, sha256 });
            }
            with(&part[..read])?;
            hasher.update(&part[..read]);
            bytes += read as u64;
            self.tell(read as u64);
        }
    }

    fn tell(&mut self, more: u64) {
        let Self { doing, bytes, total, told } = self;
        *bytes += more;
        if told.elapsed() > TOLD_EVERY {
            *told = Instant::now();
            tracing::info!(doing, bytes, total, "under way");
        }
    }
}

/// Writes a part of a file. The set of those who were counted has a file that is mostly hole, and stays so; the zeros of the
/// log are room that was taken beforehand, so they are written.
fn write(file: &mut File, part: &[u8], name: &Path) -> std::io::Result<()> {
    if name.starts_with(COUNTED) && part.iter().all(|byte| *byte == 0) {
        return file.seek_relative(i64::try_from(part.len()).expect("a part is a megabyte"));
    }
    file.write_all(part)
}

/// What a volume or a lock leaves in a folder that has nothing in it.
const NOTHING: [&str; 2] = ["lost+found", "lock"];

/// Whether a folder has nothing in it.
///
/// # Errors
/// When it can't be read.
pub(super) fn is_empty(folder: &Path) -> std::io::Result<bool> {
    let names: Result<Vec<_>, _> = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect();
    names.map(|names| names.iter().all(|name| NOTHING.iter().any(|nothing| name == nothing)))
}

/// The files of a folder and of those in it, in the order of their names.
///
/// # Errors
/// When it can't be read.
pub(super) fn every_file(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder)?.collect();
    let mut files = Vec::new();
    for entry in entries? {
        match entry.file_type()?.is_dir() {
            true => files.extend(every_file(&entry.path())?),
            false => files.push(entry.path()),
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Makes a folder where it is missing, and has its own entry on disk.
///
/// # Errors
/// When it can't be made.
pub(super) fn make(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::path::absolute(folder)?.parent().map_or(Ok(()), sync)
}

/// Removes what a backup or a restore wrote to a folder, `restoring` last.
///
/// # Errors
/// When something can't be removed.
pub(super) fn discard(folder: &Path) -> std::io::Result<()> {
    for part in PARTS.iter().chain(&[RESTORING]) {
        match std::fs::remove_dir_all(folder.join(part)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => sync(folder)?,
        }
    }
    Ok(())
}

/// Has the entries of a folder, and of those in it, on disk.
///
/// # Errors
/// When one can't be read.
pub(super) fn sync_folders(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync(folder)
}

/// Has the entries of a folder on disk.
///
/// # Errors
/// When it can't be read.
pub(super) fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
