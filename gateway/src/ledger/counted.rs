//! Who was counted: the one module that knows which embedded store there is, [fjall](https://docs.rs/fjall).
//!
//! Each newcomer is asked for here, and is not there. Keys come in no order and are many, so they are written sorted and
//! seldom, as a log-structured tree likes best; `docs/design/ledger-store.md` has the measurements.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::state::Key;

/// Memory for blocks of the tree, in bytes. A newcomer needs none of them, but for a false alarm of one filter in a
/// hundred.
const CACHE: u64 = 32 << 20;

/// The set of units that were counted.
pub(super) struct Counted {
    /// Counted since the last flush began.
    recent: HashSet<Key>,
    /// On their way to the disk, sorted.
    leaving: Arc<Vec<Key>>,
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
        Ok(Self { recent: HashSet::new(), leaving: Arc::default(), stored })
    }

    /// Whether this unit was counted.
    ///
    /// # Errors
    /// When the disk can't be read.
    pub(super) fn contains(&self, key: &Key) -> Result<bool, fjall::Error> {
        let in_memory = self.recent.contains(key) || self.leaving.binary_search(key).is_ok();
        Ok(in_memory || self.stored.keys.contains_key(key.bytes())?)
    }

    /// Remembers units that were counted, in memory.
    pub(super) fn insert(&mut self, keys: impl IntoIterator<Item = Key>) {
        self.recent.extend(keys);
    }

    /// What is only in memory, and where it is to be written. Until [`Counted::arrived`] it stays in memory as well.
    pub(super) fn leave(&mut self) -> (Arc<Vec<Key>>, Stored) {
        let mut keys: Vec<Key> = self.recent.drain().chain(self.leaving.iter().copied()).collect();
        keys.sort_unstable();
        self.leaving = Arc::new(keys);
        (Arc::clone(&self.leaving), self.stored.clone())
    }

    /// What left is on disk.
    pub(super) fn arrived(&mut self) {
        self.leaving = Arc::default();
    }
}

impl Stored {
    /// Writes sorted keys. They are on disk when this returns.
    ///
    /// # Errors
    /// When they can't be written.
    pub(super) fn write(&self, keys: &[Key]) -> Result<(), fjall::Error> {
        let mut sorted = self.keys.start_ingestion()?;
        for key in keys {
            sorted.write(key.bytes().as_slice(), [])?;
        }
        sorted.finish()
    }
}
