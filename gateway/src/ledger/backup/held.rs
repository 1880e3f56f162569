//! The files of a ledger as they were at one moment, whatever the ledger does meanwhile.
//!
//! No file is changed once another refers to it, but for the newest of the log, which only grows; files come, go and are
//! replaced. A file that is open can be read after it has gone. So all are opened, and then looked for again: where each
//! is still there, and no other, they were all there at the moment between.

use std::fs::File;
use std::io::{ErrorKind, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::BackupError;
use super::copy::{Copier, every_file};
use super::manifest::TakenFile;
use crate::ledger::checkpoint;
use crate::ledger::log::{self, LogError};
use crate::ledger::store::{CHECKPOINTS, COUNTED, LOG, StoreError, checkpoint_error};
use crate::ledger::stream::part;

/// How often it is tried. A ledger at its fastest changes a file a few times in a second, and looking takes milliseconds.
const TRIES: usize = 30;

/// How long between.
const TRIED_EVERY: Duration = Duration::from_millis(10);

/// The files that a ledger needs to go on, open.
#[derive(Debug)]
pub(super) struct Held(Vec<HeldFile>);

#[derive(Debug)]
struct HeldFile {
    /// From the ledger's folder on.
    name: PathBuf,
    file: File,
}

impl Held {
    /// Holds the files of the ledger in `data`.
    ///
    /// # Errors
    /// When they can't be read, when the log lacks a file, or when they change at every try.
    pub(super) fn of(data: &Path) -> Result<Self, BackupError> {
        for _ in 1..TRIES {
            // A fault may be a file that has just gone: the last try tells.
            if let Ok(Some(held)) = Self::at_once(data) {
                return Ok(held);
            }
            std::thread::sleep(TRIED_EVERY);
        }
        Self::at_once(data)?.ok_or_else(|| BackupError::Restless(data.to_owned()))
    }

    /// None where something moved.
    fn at_once(data: &Path) -> Result<Option<Self>, BackupError> {
        let names = names(data)?;
        let Some(held) = Self::open(data, &names)? else { return Ok(None) };
        Ok(held.stayed(data, &names)?.then_some(held))
    }

    /// None where one has gone.
    fn open(data: &Path, names: &[PathBuf]) -> Result<Option<Self>, BackupError> {
        let mut held = Vec::with_capacity(names.len());
        for name in names {
            let path = data.join(name);
            match File::open(&path) {
                Ok(file) => held.push(HeldFile { name: name.clone(), file }),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(BackupError::io(&path)(error)),
            }
        }
        Ok(Some(Self(held)))
    }

    /// Whether these are still all, and each the one that it was.
    fn stayed(&self, data: &Path, names: &[PathBuf]) -> Result<bool, BackupError> {
        // In this order: what came and went before the names were read again had others replaced, whose numbers tell.
        Ok(self::names(data)? == names && self.0.iter().all(|file| file.is_still_in(data)))
    }

    /// How many bytes they have.
    pub(super) fn bytes(&self) -> u64 {
        let length = |held: &HeldFile| held.file.metadata().map_or(0, |found| found.len());
        self.0.iter().map(length).sum()
    }

    /// With which group the log begins that is held.
    pub(super) fn first_group(&self) -> Option<u64> {
        self.0.iter().find_map(|held| log::first(&held.name))
    }

    /// Copies them to the folder `to`.
    ///
    /// # Errors
    /// When a file can't be read or written, or the log is damaged.
    pub(super) fn copy(
        &self,
        data: &Path,
        to: &Path,
        copier: &mut Copier,
    ) -> Result<Vec<TakenFile>, BackupError> {
        let follower = |place: usize| log::first(&self.0.get(place + 1)?.name);
        let copied = self.0.iter().enumerate().map(|(place, HeldFile { name, file })| {
            let path = data.join(name);
            if log::first(name).is_none() {
                return Ok(copier.copy(file, &path, to, name)?);
            }
            let bytes = log::sound(&path, follower(place), || whole(file).map_err(LogError::io(&path)))?;
            Ok(copier.copy(&bytes[..], &path, to, name)?)
        });
        copied.collect()
    }
}

impl HeldFile {
    /// Whether its name is still that of this file. While we hold it, no other can have its number.
    fn is_still_in(&self, data: &Path) -> bool {
        let number = |found: std::fs::Metadata| (found.dev(), found.ino());
        let there = std::fs::metadata(data.join(&self.name)).map(number);
        let held = self.file.metadata().map(number);
        there.is_ok_and(|there| held.is_ok_and(|held| held == there))
    }
}

/// All of a file, from its beginning.
fn whole(mut file: &File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    std::io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(bytes)
}

/// The names of the files that the ledger needs, those of the log last and in their order.
fn names(data: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let states = checkpoint::list(&data.join(CHECKPOINTS)).map_err(checkpoint_error(data))?;
    let last = states.first().map_or(0, |(last, _)| *last);
    let counted = data.join(COUNTED);
    let counted = every_file(&counted).map_err(BackupError::io(&counted))?;
    let logs = log::needed(&data.join(LOG), last).map_err(StoreError::from)?;
    let part = part::note(data);
    let states = states.into_iter().map(|(_, path)| path).chain(part.exists().then_some(part));
    let paths = states.chain(counted).chain(logs);
    Ok(paths.map(|path| path.strip_prefix(data).unwrap_or(&path).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::ledger::state::State;
    use crate::ledger::store::{Bounds, Store};

    fn replace(path: &Path) {
        let beside = path.with_extension("beside");
        std::fs::copy(path, &beside).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    #[test]
    fn what_is_held_was_there_at_one_moment() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path();
        drop(Store::open(data, Bounds::default()).unwrap());
        let state = |last| {
            let nothing = State::default().snapshot();
            checkpoint::write(&data.join(CHECKPOINTS), last, &nothing).unwrap();
        };
        state(0);
        let current = every_file(&data.join(COUNTED)).unwrap();
        let current = current.iter().find(|path| path.ends_with("1/current")).unwrap().clone();
        let log = data.join(LOG).join("00000000000000000001.log");
        let append = |path: &Path| File::options().append(true).open(path).unwrap().write_all(b"x").unwrap();
        let changes: [(&str, bool, &dyn Fn()); 5] = [
            ("nothing", true, &|| {}),
            ("the log grew", true, &|| append(&log)),
            ("the set has another list of its files", false, &|| replace(&current)),
            ("another checkpoint", false, &|| state(1)),
            ("a file of the set has gone", false, &|| std::fs::remove_file(&current).unwrap()),
        ];
        for (sentence, stays, change) in changes {
            let names = names(data).unwrap();
            let held = Held::open(data, &names).unwrap().unwrap();
            change();
            assert_eq!(held.stayed(data, &names).unwrap(), stays, "{sentence}");
        }
    }
}
