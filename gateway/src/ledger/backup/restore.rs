//! A ledger from its backup.
//!
//! All is written to the folder `restoring` within that of the ledger, which may be a volume of its own, and renamed from
//! there. While `restoring` is there no ledger opens the folder; a restore that was cut off is begun anew.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Copied;
use super::copy::{Copier, CopyError, discard, is_empty, make, sync, sync_folders};
use super::manifest::{MANIFEST, Manifest, TakenFile, Unreadable};
use crate::ledger::store::{PARTS, RESTORING, StoreError, hold};

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Something is there already.
    #[error(
        "--data: {} is not empty, and a ledger is not written over: name a folder that is empty or not there",
        .0.display()
    )]
    Taken(PathBuf),
    /// There is no manifest.
    #[error(
        "--from: {} has no manifest.json: it is no backup, or one that did not end; name another",
        .0.display()
    )]
    NoBackup(PathBuf),
    /// The backup is not as it was written.
    #[error("the backup's file {} is damaged: {what}. Nothing was restored: use another backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// It was written by another version.
    #[error("the backup {} is of version {found}: use the version of the gateway that wrote it", path.display())]
    Version {
        /// The backup.
        path: PathBuf,
        /// The version.
        found: u32,
    },
    /// The folder can't be used.
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

impl RestoreError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

impl From<CopyError> for RestoreError {
    fn from(CopyError { path, source }: CopyError) -> Self {
        Self::Io { path, source }
    }
}

/// Makes a ledger in `data` from the backup in `from`, once all of it was held to its manifest. When this returns, it is on
/// disk; when it errs, `data` is as empty as it was.
///
/// # Errors
/// When the backup is damaged or did not end, `data` is not empty or is in use, or something can't be read or written.
pub fn restore(from: &Path, data: &Path) -> Result<Copied, RestoreError> {
    free(data)?;
    let manifest = manifest(from)?;
    let mut reader = Copier::new("verifying", manifest.bytes());
    for file in &manifest.files {
        verify(from, file, |opened, path, name| reader.read(opened, path, name))?;
    }
    make(data).map_err(RestoreError::io(data))?;
    let _lock = hold(data)?;
    // It may have begun before it was held.
    free(data)?;
    write(from, data, &manifest).inspect_err(|_| drop(discard(data)))?;
    Ok(Copied { files: manifest.files.len(), bytes: manifest.bytes() })
}

/// Whether nothing is in `data` but what another restore left, which was cut off.
fn free(data: &Path) -> Result<(), RestoreError> {
    match is_empty(data) {
        Ok(false) if !data.join(RESTORING).exists() => Err(RestoreError::Taken(data.to_owned())),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(RestoreError::io(data)(error)),
        _ => Ok(()),
    }
}

fn manifest(from: &Path) -> Result<Manifest, RestoreError> {
    let path = from.join(MANIFEST);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(RestoreError::NoBackup(from.to_owned()));
        }
        read => read.map_err(RestoreError::io(&path))?,
    };
    Manifest::parse(&text).map_err(|error| match error {
        Unreadable::Damaged => RestoreError::Damaged { path, what: "it is not as it was written" },
        Unreadable::Version(found) => RestoreError::Version { path: from.to_owned(), found },
    })
}

/// Hands a file over, and holds what was read to the manifest.
fn verify(
    from: &Path,
    file: &TakenFile,
    with: impl FnOnce(File, &Path, &Path) -> Result<TakenFile, CopyError>,
) -> Result<(), RestoreError> {
    let path = from.join(&file.path);
    let opened = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(RestoreError::Damaged { path, what: "it is missing" });
        }
        opened => opened.map_err(RestoreError::io(&path))?,
    };
    let found = with(opened, &path, Path::new(&file.path))?;
    let what = match found.bytes == file.bytes {
        _ if found == *file => return Ok(()),
        false => "it does not have the length that the manifest tells",
        true => "it does not have the content that the manifest tells",
    };
    Err(RestoreError::Damaged { path, what })
}

/// Writes beside, then renames.
fn write(from: &Path, data: &Path, manifest: &Manifest) -> Result<(), RestoreError> {
    let beside = data.join(RESTORING);
    discard(data).map_err(RestoreError::io(data))?;
    std::fs::create_dir(&beside).and_then(|()| sync(data)).map_err(RestoreError::io(&beside))?;
    let mut copier = Copier::new("restoring", manifest.bytes());
    for file in &manifest.files {
        verify(from, file, |opened, path, name| copier.copy(opened, path, &beside, name))?;
    }
    sync_folders(&beside).and_then(|()| place(&beside, data)).map_err(RestoreError::io(data))
}

/// The last step is that `restoring` goes: then it is a ledger.
fn place(beside: &Path, data: &Path) -> std::io::Result<()> {
    for part in PARTS.iter().filter(|part| beside.join(part).exists()) {
        std::fs::rename(beside.join(part), data.join(part))?;
    }
    sync(data)?;
    std::fs::remove_dir(beside)?;
    sync(data)
}
