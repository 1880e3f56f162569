//! Of which part of a stream the ledger in a folder is.
//!
//! It stands in the file `checkpoints/part`, beside the sums that are of that part alone, so that a backup has it too. A
//! ledger of all there is has no such file.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use api::wire::part::Part;

use crate::ledger::store::{CHECKPOINTS, LOG, StoreError, lock};

/// Why a folder is not that of a part.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is of another.
    #[error(
        "--data: {} is the ledger of part {found}, and --part is {asked} (0/1, if not said): give each ledger the folder \
         of its part. Where the number of parts changed, delete the folder, and the ledger is made anew from the stream, \
         as far as the stream has everything", path.display()
    )]
    Another {
        /// The folder.
        path: PathBuf,
        /// Of which it is.
        found: Part,
        /// Of which it should be.
        asked: Part,
    },
    /// What it says is no part.
    #[error("{} tells no part such as 0/2: restore the folder from a backup, or delete it", .0.display())]
    Damaged(PathBuf),
    /// The file can't be read or written.
    #[error("{} can't be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes sure that the ledger in `folder` is of this part. One that is only being made is of it from now on.
///
/// # Errors
/// When it is of another, is in use, or can't be read or written.
pub fn claim(folder: &Path, part: Part) -> Result<(), FolderError> {
    let _lock = lock(folder)?;
    let found = match read(&note(folder))? {
        None if !folder.join(LOG).exists() => return write(&note(folder), part),
        found => found.unwrap_or(Part::WHOLE),
    };
    if found == part {
        Ok(())
    } else {
        Err(FolderError::Another { path: folder.to_owned(), found, asked: part })
    }
}

/// The file that tells the part.
pub(in crate::ledger) fn note(folder: &Path) -> PathBuf {
    folder.join(CHECKPOINTS).join("part")
}

fn read(path: &Path) -> Result<Option<Part>, FolderError> {
    match std::fs::read_to_string(path) {
        Ok(text) => text.trim_end().parse().map(Some).map_err(|_| FolderError::Damaged(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

/// Whole or not at all. It is on disk when this returns.
fn write(path: &Path, part: Part) -> Result<(), FolderError> {
    if part == Part::WHOLE {
        return Ok(());
    }
    let beside = path.with_extension("next");
    let written = File::create(&beside).and_then(|mut file| {
        writeln!(file, "{part}")?;
        file.sync_all()
    });
    let named = written.and_then(|()| std::fs::rename(&beside, path));
    let synced = named.and_then(|()| path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()));
    synced.map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> FolderError {
    move |source| FolderError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::store::{Bounds, Store};

    fn part(text: &str) -> Part {
        text.parse().unwrap()
    }

    fn claimed(folder: &Path, text: &str) -> String {
        claim(folder, part(text)).map_or_else(|error| error.to_string(), |()| "claimed".to_owned())
    }

    #[test]
    fn a_folder_stays_of_the_part_that_it_was_made_for() {
        for (made, others) in [("1/2", ["0/2", "1/3", "0/1"]), ("0/1", ["0/2", "1/2", "0/3"])] {
            let folder = tempfile::tempdir().unwrap();
            let data = folder.path().join("data");
            for _ in 0..2 {
                assert_eq!(claimed(&data, made), "claimed", "{made}");
                drop(Store::open(&data, Bounds::default()).unwrap());
            }
            for other in others {
                let said = claimed(&data, other);
                let expected = format!("is the ledger of part {made}, and --part is {other} ");
                assert!(said.contains(&expected) && said.contains("delete the folder"), "{said}");
            }
            assert_eq!(claimed(&data, made), "claimed", "{made}");
        }
    }

    #[test]
    fn a_ledger_that_was_only_being_made_keeps_its_part() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(claimed(folder.path(), "1/2"), "claimed");
        assert!(claimed(folder.path(), "0/2").contains("part 1/2"));
    }

    #[test]
    fn a_note_that_tells_nothing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(claimed(folder.path(), "1/2"), "claimed");
        for text in ["", "2", "2/2", "one"] {
            std::fs::write(note(folder.path()), text).unwrap();
            let said = claimed(folder.path(), "1/2");
            assert!(said.contains("checkpoints/part tells no part"), "{text:?}: {said}");
        }
    }

    #[test]
    fn a_folder_in_use_is_claimed_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let _store = Store::open(folder.path(), Bounds::default()).unwrap();
        assert!(matches!(claim(folder.path(), Part::WHOLE), Err(FolderError::Store(StoreError::InUse(_)))));
    }
}
