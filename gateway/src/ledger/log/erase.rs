//! Files of the log, written anew without what is to be forgotten.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::segment::{self, Contents};
use super::{Entry, LogError, needed};
use crate::ledger::check::{Erasure, Subject};

/// Takes what is about these subjects out of all files that hold nothing after group `until`: those are kept to be read, and
/// nobody goes on from them.
///
/// A file is there as it was or as it is to be, whenever it is read.
///
/// # Errors
/// When a file can't be read or written.
pub(crate) fn erase(folder: &Path, until: u64, erasures: &[Erasure]) -> Result<(), LogError> {
    let all = segment::list(folder)?;
    let needed = needed(folder, until)?.len();
    // In another campaign the same person has another pseudonym.
    let erased: HashSet<&Subject> = erasures.iter().map(|erasure| &erasure.subject).collect();
    for path in &all[..all.len() - needed] {
        let contents = Contents::read(path)?;
        let is_kept = |entry: &Entry| entry.subject().is_none_or(|subject| !erased.contains(subject));
        if let Some(bytes) = contents.only(is_kept)? {
            replace(path, &bytes).map_err(LogError::io(path))?;
        }
    }
    Ok(())
}

/// Its age stays, since by that it is removed one day.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let written = std::fs::metadata(path)?.modified()?;
    let beside = path.with_extension("erasing");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.set_modified(written)?;
    file.sync_all()?;
    std::fs::rename(beside, path)?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}
