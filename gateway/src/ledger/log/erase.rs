//! Files of the log, written anew without what is to be forgotten.

use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::segment::Contents;
use super::spare::is_full;
use super::{Entry, LogError, apart};
use crate::ledger::check::{Erasure, Subject};

/// Takes what is about these subjects out of all files that hold nothing after group `until`: those are kept to be read, and
/// nobody goes on from them.
///
/// A file is there as it was or as it is to be, whenever it is read.
///
/// # Errors
/// When a file can't be read or written.
pub(crate) fn erase(folder: &Path, until: u64, erasures: &[Erasure]) -> Result<(), LogError> {
    // In another campaign the same person has another pseudonym.
    let erased: HashSet<&Subject> = erasures.iter().map(|erasure| &erasure.subject).collect();
    for path in &apart(folder, until)?.0 {
        let contents = match Contents::read(path) {
            Err(LogError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => continue,
            contents => contents?,
        };
        let is_kept = |entry: &Entry| entry.subject().is_none_or(|subject| !erased.contains(subject));
        if let Some(bytes) = contents.only(is_kept)? {
            replace(path, &bytes)?;
        }
    }
    Ok(())
}

/// Removes what a rewriting that was cut off has left.
pub(super) fn clear(folder: &Path) -> Result<(), LogError> {
    for entry in std::fs::read_dir(folder).map_err(LogError::io(folder))? {
        let path = entry.map_err(LogError::io(folder))?.path();
        if path.extension().is_some_and(|extension| extension == BESIDE) {
            std::fs::remove_file(&path).map_err(LogError::io(&path))?;
        }
    }
    Ok(())
}

/// How the name of a file ends that is not whole yet.
const BESIDE: &str = "erasing";

fn replace(path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    let beside = path.with_extension(BESIDE);
    let replaced = write(&beside, path, bytes).and_then(|()| {
        std::fs::rename(&beside, path)?;
        File::open(path.parent().unwrap_or(path))?.sync_all()
    });
    replaced.map_err(|source| {
        // A part of a file is of no use, and its room may be needed.
        drop(std::fs::remove_file(&beside));
        if is_full(&source) { LogError::Full } else { LogError::Io { path: path.to_owned(), source } }
    })
}

/// The age of `like` stays, since by that a file is removed one day.
fn write(to: &Path, like: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let written = std::fs::metadata(like)?.modified()?;
    let mut file = File::create(to)?;
    file.write_all(bytes)?;
    file.set_modified(written)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::check::{Arrival, Click, Draw, Experiment, What};
    use crate::ledger::log::{FileLengths, Log};
    use crate::ledger::unit::Arm;

    /// A click of a subject on a variant; both by number.
    fn clicked(subject: u8, variant: u32) -> Entry {
        let experiment =
            Experiment { campaign: "8c4e".into(), placement: "hero".into(), seed: 1, guardrail: None };
        let arm = Arm { round: variant, segment: "all".into(), variant: format!("variant-{variant}") };
        let what = What::Click(Click { at: 7, draw: Draw { arm, probability: 1 } });
        Entry::Arrival(Arrival { experiment, subject: [subject; 16], what })
    }

    fn entries(folder: &Path) -> Vec<Entry> {
        let mut entries = Vec::new();
        let read = Log::read(folder, |entry| {
            entries.extend(Some(entry).filter(|entry| *entry != Entry::Clock(7)));
            Ok::<_, LogError>(())
        });
        read.unwrap();
        entries
    }

    /// Names have numbers, in as many bytes as they need: the first that goes would make all others one less, and its own, when
    /// it is named again, longer.
    #[test]
    fn a_file_that_is_full_holds_what_is_left_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let lengths = FileLengths { shortest: 32 << 10, longest: 32 << 10 };
        let mut log = Log::open(folder.path(), lengths, 0, |_| Ok::<_, LogError>(())).unwrap();
        let mut written = vec![clicked(1, 0)];
        written.extend((1..130).map(|variant| clicked(2, variant)));
        // As often as the file has room for, the draw that the first one named.
        written.extend((0..1000).map(|_| clicked(2, 0)));
        for entry in &written {
            log.begin(100).unwrap();
            log.add(&Entry::Clock(7));
            log.add(entry);
            log.commit().unwrap();
        }
        log.part().unwrap();
        assert_eq!(entries(folder.path()).len(), written.len());
        let erasure = Erasure { campaign: "8c4e".into(), subject: [1; 16] };
        erase(folder.path(), log.last(), &[erasure]).unwrap();
        written.retain(|entry| entry.subject() != Some(&[1; 16]));
        assert_eq!(entries(folder.path()), written);
    }
}
