//! Who was counted, and what for: the one module that knows which embedded store there is, [fjall](https://docs.rs/fjall).
//!
//! Each newcomer is asked for here, and is not there. Keys come in no order and are many, so they are written sorted and
//! seldom, as a log-structured tree likes best; `docs/design/ledger-store.md` has the measurements.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::state::Key;
use super::unit::Past;

/// Memory for blocks of the tree, in bytes. A newcomer needs none of them, but for a false alarm of one filter in a
/// hundred.
const CACHE: u64 = 32 << 20;

/// The set of units that were counted.
pub(super) struct Counted {
    /// Counted since the last flush began.
    recent: HashMap<Key, Past>,
    /// On their way to the disk, sorted.
    leaving: Arc<Vec<(Key, Past)>>,
    stored: Stored,
}

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
        Ok(Self { recent: HashMap::new(), leaving: Arc::default(), stored })
    }

    /// What is kept of this unit, if it was counted.
    ///
    /// # Errors
    /// When the disk can't be read.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Past>, fjall::Error> {
        if let Some(past) = self.recent.get(key) {
            return Ok(Some(past.clone()));
        }
        if let Ok(place) = self.leaving.binary_search_by_key(key, |(key, _)| *key) {
            return Ok(Some(self.leaving[place].1.clone()));
        }
        Ok(self.stored.keys.get(key.bytes())?.map(|bytes| read(&bytes)))
    }

    /// Remembers units that were counted, in memory.
    pub(super) fn insert(&mut self, units: impl IntoIterator<Item = (Key, Past)>) {
        self.recent.extend(units);
    }

    /// How many were counted since they last left.
    pub(super) fn recent(&self) -> usize {
        self.recent.len()
    }

    /// What is only in memory, and where it is to be written. Until [`Counted::arrived`] it stays in memory as well.
    pub(super) fn leave(&mut self) -> (Arc<Vec<(Key, Past)>>, Stored) {
        let mut units: Vec<_> =
            std::mem::take(&mut self.recent).into_iter().chain(self.leaving.iter().cloned()).collect();
        units.sort_unstable_by_key(|(key, _)| *key);
        self.leaving = Arc::new(units);
        (Arc::clone(&self.leaving), self.stored.clone())
    }

    /// What left is on disk.
    pub(super) fn arrived(&mut self) {
        self.leaving = Arc::default();
    }
}

impl Stored {
    /// Writes sorted units. They are on disk when this returns.
    ///
    /// # Errors
    /// When they can't be written.
    pub(super) fn write(&self, units: &[(Key, Past)]) -> Result<(), fjall::Error> {
        let mut sorted = self.keys.start_ingestion()?;
        for (key, past) in units {
            let past = postcard::to_allocvec(past).expect("a vector takes all there is");
            sorted.write(key.bytes().as_slice(), past)?;
        }
        sorted.finish()
    }
}

/// Of a unit whose bytes can't be read it is still known that it was counted; nothing is late for it.
fn read(bytes: &[u8]) -> Past {
    postcard::from_bytes(bytes).unwrap_or_else(|_| Past::closed())
}
