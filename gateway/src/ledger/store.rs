//! The ledger on disk. The one module that knows which embedded store there is: [redb](https://docs.rs/redb).
//!
//! | Table | Key | Value |
//! | --- | --- | --- |
//! | `experiments` | campaign UID, placement, seed | number |
//! | `units` | experiment's number, subject's pseudonym | the unit as JSON; empty once it is counted |
//! | `due` | moment, experiment's number, pseudonym | – |
//! | `pending` | experiment's number | open exposures |
//! | `cells` | experiment's number, round, segment, variant | n, Σy, Σy² |
//!
//! A counted unit costs its key of twenty bytes: who was counted must be known for as long as the experiment runs.
//! All of a transaction is on disk or nothing of it.

use std::path::{Path, PathBuf};

use api::wire::totals::{CellTotals, PlacementTotals};
use redb::{Database, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::Millis;
use super::check::{Arrival, Experiment, Subject, What};
use super::unit::{self, Open, Receipt, Unit};

const EXPERIMENTS: TableDefinition<'_, (&str, &str, i64), u32> = TableDefinition::new("experiments");
const UNITS: TableDefinition<'_, UnitKey, &[u8]> = TableDefinition::new("units");
const DUE: TableDefinition<'_, (Millis, u32, Subject), ()> = TableDefinition::new("due");
const PENDING: TableDefinition<'_, u32, u64> = TableDefinition::new("pending");
const CELLS: TableDefinition<'_, (u32, u32, &str, &str), Sums> = TableDefinition::new("cells");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// What the tables above mean; another number is another meaning, which we refuse to guess at.
const SCHEMA: u64 = 1;

/// Memory for pages, in bytes: hot are the open units and the upper levels of the trees. redb's own default is a
/// gigabyte, more than the whole pod should need.
const CACHE: usize = 64 * 1024 * 1024;

type UnitKey = (u32, Subject);

/// n, Σy, Σy². Sums of zeros and ones are exact in floating point up to 2⁵³.
type Sums = (u64, f64, f64);

/// The ledger's file.
#[derive(Debug)]
pub struct Store {
    database: Database,
}

/// Why the store failed. After any of these its process should end: what is on disk is whole, what is in memory may
/// not be.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder can't be used.
    #[error("the folder {} can't be used: create it and let this user write there", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file can't be opened.
    #[error("the ledger {} can't be opened: is another process using it?", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<redb::DatabaseError>,
    },
    /// The file was written by another version.
    #[error("the ledger has schema {0}, this version reads {SCHEMA}: use the version that wrote it")]
    Schema(u64),
    /// Reading or writing failed.
    #[error("the ledger can't be read or written: see whether its volume is full")]
    Disk(#[source] Box<redb::Error>),
    /// What is stored can't be read.
    #[error("the ledger holds a unit that can't be read: restore the volume")]
    Unit(#[source] serde_json::Error),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Disk(Box::new(error.into()))
    }
}

impl Store {
    /// Opens the ledger in `folder`, and creates both where they are missing. After a crash redb checks its file
    /// first: a million units are 70 MB and took 0.15 s. Its `quick_repair` would spare that at the price of slower
    /// commits, and waits until somebody has a hundred million.
    ///
    /// # Errors
    /// When the folder can't be written, the file is in use or broken, or it is of another version.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Folder { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let path = folder.join("ledger.redb");
        let unopened = |source| StoreError::Open { path: path.clone(), source: Box::new(source) };
        let database = Database::builder().set_cache_size(CACHE).create(&path).map_err(unopened)?;
        let store = Self { database };
        store.check_schema()?;
        Ok(store)
    }

    /// Runs `work` in one transaction. When this returns `Ok`, all of it is on disk; on `Err` nothing of it is.
    ///
    /// # Errors
    /// When `work` does, or when reading or writing fails.
    pub fn transaction<T>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let write = self.database.begin_write()?;
        let mut transaction = Transaction::open(&write)?;
        let result = work(&mut transaction)?;
        let changed = transaction.changed;
        drop(transaction);
        if changed {
            write.commit()?;
        } else {
            write.abort()?;
        }
        Ok(result)
    }

    fn check_schema(&self) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        let found = write.open_table(META)?.get("schema")?.map(|found| found.value());
        match found {
            Some(SCHEMA) => {}
            Some(other) => return Err(StoreError::Schema(other)),
            None => {
                write.open_table(META)?.insert("schema", SCHEMA)?;
            }
        }
        Ok(write.commit()?)
    }
}

/// One transaction: what is done in it is seen in it at once, and by others when it is committed.
pub struct Transaction<'t> {
    experiments: Table<'t, (&'static str, &'static str, i64), u32>,
    units: Table<'t, UnitKey, &'static [u8]>,
    due: Table<'t, (Millis, u32, Subject), ()>,
    pending: Table<'t, u32, u64>,
    cells: Table<'t, (u32, u32, &'static str, &'static str), Sums>,
    changed: bool,
}

impl<'t> Transaction<'t> {
    fn open(write: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            experiments: write.open_table(EXPERIMENTS)?,
            units: write.open_table(UNITS)?,
            due: write.open_table(DUE)?,
            pending: write.open_table(PENDING)?,
            cells: write.open_table(CELLS)?,
            changed: false,
        })
    }

    /// Counts the exposures whose window has passed at `now`, and forgets rewards that waited in vain. How many
    /// exposures were counted.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub fn sweep(&mut self, now: Millis) -> Result<u64, StoreError> {
        let mut counted = 0;
        while let Some((_, experiment, subject)) = self.pop_due(now)? {
            let key = (experiment, subject);
            match self.unit(key)? {
                Some(Unit::Open(open)) => {
                    self.count(key, &open)?;
                    counted += 1;
                }
                _ => drop(self.units.remove(key)?),
            }
        }
        Ok(counted)
    }

    /// What becomes of an event that arrives at `now`. Sweep up to `now` before, so that nothing is open that should
    /// be counted.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub fn receive(&mut self, arrival: Arrival, now: Millis) -> Result<Receipt, StoreError> {
        let key = (self.number(&arrival.experiment)?, arrival.subject);
        let before = self.unit(key)?;
        let (receipt, after) = match arrival.what {
            What::Exposure(exposure) => unit::expose(before.clone(), exposure, now),
            What::Reward(reward) => unit::reward(before.clone(), reward, now),
        };
        if after != before {
            self.replace(key, before.as_ref(), after.as_ref())?;
        }
        Ok(receipt)
    }

    /// The sums of a campaign, by placement, seed and cell.
    ///
    /// # Errors
    /// When reading fails.
    pub fn totals(&self, campaign: &str) -> Result<Vec<PlacementTotals>, StoreError> {
        let mut placements = Vec::new();
        for entry in self.experiments.range((campaign, "", i64::MIN)..)? {
            let (key, number) = entry?;
            let (uid, name, seed) = key.value();
            if uid != campaign {
                break;
            }
            placements.push(self.placement(name, seed, number.value())?);
        }
        Ok(placements)
    }

    fn placement(&self, name: &str, seed: i64, number: u32) -> Result<PlacementTotals, StoreError> {
        let pending_exposures = self.pending.get(number)?.map_or(0, |pending| pending.value());
        let mut cells = Vec::new();
        for entry in self.cells.range((number, 0, "", "")..)? {
            let (key, sums) = entry?;
            if key.value().0 != number {
                break;
            }
            cells.push(cell(key.value(), sums.value()));
        }
        Ok(PlacementTotals { name: name.to_owned(), seed, pending_exposures, cells })
    }

    /// The first that is due at `now`, taken off the list.
    fn pop_due(&mut self, now: Millis) -> Result<Option<(Millis, u32, Subject)>, StoreError> {
        let first = self.due.first()?.map(|(key, _)| key.value());
        let Some(first) = first.filter(|(moment, ..)| *moment <= now) else { return Ok(None) };
        self.due.remove(first)?;
        self.changed = true;
        Ok(Some(first))
    }

    fn count(&mut self, key: UnitKey, open: &Open) -> Result<(), StoreError> {
        let cell = (key.0, open.arm.round, open.arm.segment.as_str(), open.arm.variant.as_str());
        let (n, sum, squares) = self.cells.get(cell)?.map_or((0, 0.0, 0.0), |sums| sums.value());
        let reward = if open.rewarded { 1.0 } else { 0.0 };
        self.cells.insert(cell, (n + 1, sum + reward, squares + reward * reward))?;
        self.units.insert(key, [].as_slice())?;
        self.add_pending(key.0, |pending| pending.saturating_sub(1))
    }

    /// Stores a unit anew, with the list of what is due.
    fn replace(
        &mut self,
        key: UnitKey,
        before: Option<&Unit>,
        after: Option<&Unit>,
    ) -> Result<(), StoreError> {
        self.changed = true;
        let (was, is) = (before.and_then(Unit::due), after.and_then(Unit::due));
        if was != is {
            was.map(|moment| self.due.remove((moment, key.0, key.1)).map(drop)).transpose()?;
            is.map(|moment| self.due.insert((moment, key.0, key.1), ()).map(drop)).transpose()?;
        }
        if let Some(unit) = after {
            let json = serde_json::to_vec(unit).map_err(StoreError::Unit)?;
            self.units.insert(key, json.as_slice())?;
        }
        let opened = matches!(after, Some(Unit::Open(_))) && !matches!(before, Some(Unit::Open(_)));
        if opened { self.add_pending(key.0, |pending| pending + 1) } else { Ok(()) }
    }

    fn unit(&self, key: UnitKey) -> Result<Option<Unit>, StoreError> {
        let Some(stored) = self.units.get(key)? else { return Ok(None) };
        match stored.value() {
            [] => Ok(Some(Unit::Counted)),
            json => serde_json::from_slice(json).map(Some).map_err(StoreError::Unit),
        }
    }

    /// The number of an experiment; a new one gets the next. None is ever removed, so the next is their count.
    fn number(&mut self, experiment: &Experiment) -> Result<u32, StoreError> {
        let Experiment { campaign, placement, seed } = experiment;
        let key = (campaign.as_str(), placement.as_str(), *seed);
        if let Some(number) = self.experiments.get(key)? {
            return Ok(number.value());
        }
        let next = redb::ReadableTableMetadata::len(&self.experiments)?;
        let next = u32::try_from(next).expect("nobody makes four thousand million experiments");
        self.experiments.insert(key, next)?;
        self.changed = true;
        Ok(next)
    }

    fn add_pending(&mut self, experiment: u32, change: impl FnOnce(u64) -> u64) -> Result<(), StoreError> {
        let pending = self.pending.get(experiment)?.map_or(0, |pending| pending.value());
        self.pending.insert(experiment, change(pending))?;
        Ok(())
    }
}

fn cell(
    (_, round, segment, variant): (u32, u32, &str, &str),
    (exposures, rewards, squares): Sums,
) -> CellTotals {
    CellTotals {
        round,
        segment: segment.to_owned(),
        variant: variant.to_owned(),
        exposures,
        rewards,
        squared_rewards: squares,
    }
}
