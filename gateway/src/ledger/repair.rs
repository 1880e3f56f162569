//! What of a ledger can't be read, and how to go on without it.

use std::path::{Path, PathBuf};

use super::log::{self, LogError};
use super::store::{FileLengths, LOG, StoreError, lock, restored};

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is only told.
    Look,
    /// What can't be read is set aside, and all that follows it.
    SetAside,
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// What is wrong, in the order in which it was met.
    pub faults: Vec<LogError>,
    /// The files that were set aside.
    pub set_aside: Vec<PathBuf>,
}

/// Looks whether the ledger in `folder` can be opened. With [`Mode::SetAside`] it can be afterwards, with all that was
/// acknowledged before the first fault of the log.
///
/// # Errors
/// When the ledger is in use, can't be read for another reason, or has no checkpoint from which its log goes on: then
/// only a backup helps.
pub fn repair(folder: &Path, mode: Mode) -> Result<Found, StoreError> {
    let _lock = lock(folder)?;
    let (last, _) = restored(folder)?;
    let (folder, mut found) = (folder.join(LOG), Found { faults: Vec::new(), set_aside: Vec::new() });
    while let Err(fault) = log::verify(&folder, last) {
        let can_be_mended = matches!(fault, LogError::Damaged { .. } | LogError::Missing { .. });
        if !can_be_mended || !log::goes_on(&folder, last)? {
            return Err(fault.into());
        }
        if mode == Mode::SetAside {
            found.set_aside.extend(log::set_aside(&folder, &fault, last, FileLengths::default())?);
        }
        found.faults.push(fault);
        if mode == Mode::Look {
            break;
        }
    }
    Ok(found)
}
