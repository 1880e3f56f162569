//! Who was counted, and what for: the one module that knows which embedded store there is, [fjall](https://docs.rs/fjall).
//!
//! Each newcomer is asked for here, and is not there, unless a decision was told before. Keys come in no order and are many, so they are written sorted and
//! seldom, as a log-structured tree likes best; `docs/design/ledger-store.md` has the measurements.

use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use foldhash::HashMap;

use super::state::Key;
use super::unit::Past;

/// Memory for blocks of the tree, in bytes. A newcomer needs none of them, but for a false alarm of one filter in a
/// hundred.
const CACHE: u64 = 32 << 20;

/// The set of units that were counted.
pub(super) struct Counted {
    /// What changed since the last flush began; nothing stands for a unit that was erased.
    recent: HashMap<Key, Option<Past>>,
    /// On their way to the disk, sorted.
    leaving: Arc<Changes>,
    stored: Stored,
}

/// Units that were counted, or erased, sorted by key.
type Changes = Vec<(Key, Option<Past>)>;

/// Written to no other end than to be written; a unit's key has 24 bytes.
const PURGED: [u8; 1] = [0];

/// The part on disk.
#[derive(Clone)]
pub(super) struct Stored {
    keys: Keyspace,
    _database: Database,
}

impl Counted {
    /// Opens the set in `folder`, which is created where it is missing.
    ///
    /// # Errors
    /// When it can't be read.
    pub(super) fn open(folder: &Path) -> Result<Self, fjall::Error> {
        let database = Database::builder(folder).cache_size(CACHE).worker_threads(1).open()?;
        let keys = database.keyspace("units", KeyspaceCreateOptions::default)?;
        let stored = Stored { keys, _database: database };
        Ok(Self { recent: HashMap::default(), leaving: Arc::default(), stored })
    }

    /// What is kept of this unit, if it was counted.
    ///
    /// # Errors
    /// When the disk can't be read.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Past>, fjall::Error> {
        if let Some(change) = self.recent.get(key) {
            return Ok(change.clone());
        }
        if let Ok(place) = self.leaving.binary_search_by_key(key, |(key, _)| *key) {
            return Ok(self.leaving[place].1.clone());
        }
        Ok(self.stored.keys.get(key.bytes())?.map(|bytes| read(&bytes)))
    }

    /// Remembers units that were counted, in memory.
    pub(super) fn insert(&mut self, units: impl IntoIterator<Item = (Key, Past)>) {
        self.recent.extend(units.into_iter().map(|(key, past)| (key, Some(past))));
    }

    /// Forgets units, at once in memory and with the next flush on disk.
    pub(super) fn erase(&mut self, keys: impl IntoIterator<Item = Key>) {
        self.recent.extend(keys.into_iter().map(|key| (key, None)));
    }

    /// How many were counted since they last left.
    pub(super) fn recent(&self) -> usize {
        self.recent.len()
    }

    /// What is only in memory, and where it is to be written. Until [`Counted::arrived`] it stays in memory as well.
    pub(super) fn leave(&mut self) -> (Arc<Changes>, Stored) {
        // What could not be written before leaves again, unless it has changed since.
        for (key, change) in self.leaving.iter() {
            self.recent.entry(*key).or_insert_with(|| change.clone());
        }
        let mut changes: Changes = std::mem::take(&mut self.recent).into_iter().collect();
        changes.sort_unstable_by_key(|(key, _)| *key);
        self.leaving = Arc::new(changes);
        (Arc::clone(&self.leaving), self.stored.clone())
    }

    /// What left is on disk.
    pub(super) fn arrived(&mut self) {
        self.leaving = Arc::default();
    }
}

impl Stored {
    /// Writes sorted units. They are on disk when this returns; files of before still have those that were erased, until
    /// these are [purged](Stored::purge).
    ///
    /// # Errors
    /// When they can't be written.
    pub(super) fn write(&self, changes: &[(Key, Option<Past>)]) -> Result<(), fjall::Error> {
        let mut sorted = self.keys.start_ingestion()?;
        for (key, change) in changes {
            match change {
                Some(past) => {
                    let past = postcard::to_allocvec(past).expect("a vector takes all there is");
                    sorted.write(key.bytes().as_slice(), past)?;
                }
                None => sorted.write_tombstone(key.bytes().as_slice())?,
            }
        }
        sorted.finish()
    }

    /// Writes the tree anew without what was erased, and lets go of the files of before: fjall keeps these for readers of
    /// the past, of whom there are none, until it is written to once more. It takes as much room again as the set has.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn purge(&self) -> Result<(), fjall::Error> {
        for _ in 0..2 {
            self.keys.major_compact()?;
            let mut sorted = self.keys.start_ingestion()?;
            sorted.write(PURGED, [])?;
            sorted.finish()?;
        }
        self.keys.major_compact()
    }
}

/// Of a unit whose bytes can't be read it is still known that it was counted; nothing is late for it.
fn read(bytes: &[u8]) -> Past {
    postcard::from_bytes(bytes).unwrap_or_else(|_| Past::closed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::check::Experiment;

    fn key(subject: [u8; 16]) -> Key {
        let experiment =
            Experiment { campaign: "8c4e".into(), placement: "hero".into(), seed: 1, guardrail: None };
        Key::new(&experiment, subject)
    }

    fn flush(counted: &mut Counted) {
        let (changes, stored) = counted.leave();
        stored.write(&changes).unwrap();
        stored.purge().unwrap();
        counted.arrived();
    }

    /// How many files have these bytes.
    fn files_with(folder: &Path, bytes: &[u8]) -> usize {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let count = |path: std::path::PathBuf| match path.is_dir() {
            true => files_with(&path, bytes),
            false => usize::from(memchr::memmem::find(&std::fs::read(path).unwrap(), bytes).is_some()),
        };
        entries.map(count).sum()
    }

    #[test]
    fn who_was_erased_is_unknown_at_once_and_in_no_file_after_the_next_flush() {
        let folder = tempfile::tempdir().unwrap();
        let mut counted = Counted::open(folder.path()).unwrap();
        let (alice, bob) = (*b"\x9e\x37alice.........", *b"\xf3\x9cbob...........");
        let is_known = |counted: &Counted, who| counted.get(&key(who)).unwrap().is_some();
        for round in 1..4 {
            counted.insert([(key(alice), Past::closed()), (key(bob), Past::closed())]);
            flush(&mut counted);
            assert!(files_with(folder.path(), &alice) > 0, "else nothing is shown");
            counted.erase([key(alice)]);
            assert!(!is_known(&counted, alice));
            flush(&mut counted);
            assert_eq!(files_with(folder.path(), &alice), 0, "round {round}");
            assert_eq!((is_known(&counted, alice), is_known(&counted, bob)), (false, true));
        }
    }
}
