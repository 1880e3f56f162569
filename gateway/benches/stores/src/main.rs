//! Which embedded store suits the ledger: what it does for each event, in groups that are on disk before anybody is told,
//! beside a bare loop that appends as many bytes and calls `fdatasync` for each group.
//!
//! For each event the ledger reads a unit, writes it, writes when it is due, and takes an older one off that list and
//! writes that it was counted: [`Store::group`]. `make bench-stores` prints the table; a folder as argument is the disk.

use std::io::{Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use stores::megabytes;

/// A subject's pseudonym behind the number of its experiment.
type Unit = [u8; 20];
/// A moment before a unit.
type Due = [u8; 28];

/// As large as a unit whose window runs.
const OPEN: [u8; 80] = [b'x'; 80];
/// Bytes of an event on its way.
const EVENT_BYTES: usize = 400;
/// Units that are there before.
const BEFORE: u64 = 1_000_000;
/// How long a line is measured.
const TURN: Duration = Duration::from_secs(3);
const TURNS: usize = 3;

trait Store {
    /// Events `from..to`, on disk when it returns.
    fn group(&mut self, from: u64, to: u64);
}

type Open = fn(&Path) -> Box<dyn Store>;

fn unit(event: u64) -> Unit {
    let mut unit = [0; 20];
    // Pseudonyms come in no order.
    let mixed = u128::from(event).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    unit[4..].copy_from_slice(&mixed.to_be_bytes());
    unit
}

fn due(event: u64) -> Due {
    let mut due = [0; 28];
    due[..8].copy_from_slice(&event.to_be_bytes());
    due[8..].copy_from_slice(&unit(event));
    due
}

/// The event whose window ends with this one.
fn ends(event: u64) -> Option<u64> {
    event.checked_sub(BEFORE / 10)
}

mod redb_store {
    use redb::{Database, ReadableTable, TableDefinition};

    use super::{Due, OPEN, Path, Store, Unit, due, ends, unit};

    const UNITS: TableDefinition<'_, Unit, &[u8]> = TableDefinition::new("units");
    const DUES: TableDefinition<'_, Due, ()> = TableDefinition::new("due");

    pub struct Redb(Database);

    impl Redb {
        pub fn open(folder: &Path) -> Self {
            let mut builder = Database::builder();
            Self(builder.set_cache_size(64 << 20).create(folder.join("ledger.redb")).expect("it opens"))
        }
    }

    impl Store for Redb {
        fn group(&mut self, from: u64, to: u64) {
            let write = self.0.begin_write().expect("one writer");
            {
                let mut units = write.open_table(UNITS).expect("a table");
                let mut dues = write.open_table(DUES).expect("a table");
                for event in from..to {
                    assert!(units.get(unit(event)).expect("it reads").is_none());
                    units.insert(unit(event), OPEN.as_slice()).expect("it writes");
                    dues.insert(due(event), ()).expect("it writes");
                    if let Some(old) = ends(event) {
                        assert!(dues.remove(due(old)).expect("it writes").is_some());
                        units.insert(unit(old), [].as_slice()).expect("it writes");
                    }
                }
            }
            write.commit().expect("it is on disk");
        }
    }
}

mod fjall_store {
    use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

    use super::{OPEN, Path, Store, due, ends, unit};

    pub struct Fjall {
        database: Database,
        units: Keyspace,
        dues: Keyspace,
    }

    impl Fjall {
        pub fn open(folder: &Path) -> Self {
            let database =
                Database::builder(folder.join("fjall")).cache_size(64 << 20).open().expect("it opens");
            let open = |name| database.keyspace(name, KeyspaceCreateOptions::default).expect("a keyspace");
            Self { units: open("units"), dues: open("due"), database }
        }
    }

    impl Store for Fjall {
        fn group(&mut self, from: u64, to: u64) {
            let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
            for event in from..to {
                assert!(self.units.get(unit(event)).expect("it reads").is_none());
                batch.insert(&self.units, unit(event), OPEN);
                batch.insert(&self.dues, due(event), []);
                if let Some(old) = ends(event) {
                    batch.remove(&self.dues, due(old));
                    batch.insert(&self.units, unit(old), []);
                }
            }
            batch.commit().expect("it is on disk");
        }
    }
}

mod sqlite_store {
    use rusqlite::{Connection, OptionalExtension};

    use super::{OPEN, Path, Store, due, ends, unit};

    pub struct Sqlite(Connection);

    impl Sqlite {
        pub fn open(folder: &Path) -> Self {
            let connection = Connection::open(folder.join("ledger.sqlite")).expect("it opens");
            // FULL: in WAL mode each transaction is on disk when it returns.
            let set = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;
                CREATE TABLE IF NOT EXISTS units (unit BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID;
                CREATE TABLE IF NOT EXISTS due (due BLOB PRIMARY KEY) WITHOUT ROWID;";
            connection.execute_batch(set).expect("it is set up");
            Self(connection)
        }
    }

    impl Store for Sqlite {
        fn group(&mut self, from: u64, to: u64) {
            let transaction = self.0.transaction().expect("one writer");
            {
                let prepare = |sql| transaction.prepare_cached(sql).expect("SQL");
                let mut get = prepare("SELECT value FROM units WHERE unit = ?1");
                let mut put = prepare("INSERT OR REPLACE INTO units VALUES (?1, ?2)");
                let mut put_due = prepare("INSERT INTO due VALUES (?1)");
                let mut take_due = prepare("DELETE FROM due WHERE due = ?1");
                for event in from..to {
                    let before: Option<Vec<u8>> =
                        get.query_row([&unit(event)[..]], |row| row.get(0)).optional().expect("it reads");
                    assert!(before.is_none());
                    put.execute([&unit(event)[..], &OPEN[..]]).expect("it writes");
                    put_due.execute([&due(event)[..]]).expect("it writes");
                    if let Some(old) = ends(event) {
                        assert_eq!(take_due.execute([&due(old)[..]]).expect("it writes"), 1);
                        put.execute([&unit(old)[..], &[][..]]).expect("it writes");
                    }
                }
            }
            transaction.commit().expect("it is on disk");
        }
    }
}

/// The bound: nothing but the bytes. The file begins anew before it is large.
struct Bare(std::fs::File);

const LARGE: u64 = 1 << 30;

impl Bare {
    fn open(folder: &Path) -> Self {
        Self(std::fs::File::create(folder.join("bare")).expect("it opens"))
    }
}

impl Store for Bare {
    fn group(&mut self, from: u64, to: u64) {
        let bytes = vec![b'x'; EVENT_BYTES * (to - from) as usize];
        if self.0.stream_position().expect("a file") > LARGE {
            self.0.set_len(0).and_then(|()| self.0.rewind()).expect("it begins anew");
        }
        self.0.write_all(&bytes).expect("it writes");
        self.0.sync_data().expect("it is on disk");
    }
}

/// Events a second over one turn.
fn rate(store: &mut dyn Store, next: &mut u64, group: u64) -> f64 {
    let (begin, first) = (Instant::now(), *next);
    while begin.elapsed() < TURN {
        store.group(*next, *next + group);
        *next += group;
    }
    (*next - first) as f64 / begin.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    let disk = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    println!("{:<28} {:>12} {:>12} {:>12} {:>8}", "events a second, groups of", "100", "1000", "10000", "MB");
    let opened: [(&str, Open); 4] = [
        ("bare append, fdatasync", |folder| Box::new(Bare::open(folder))),
        ("fjall 3.1", |folder| Box::new(fjall_store::Fjall::open(folder))),
        ("redb 4.6", |folder| Box::new(redb_store::Redb::open(folder))),
        ("SQLite (rusqlite 0.37)", |folder| Box::new(sqlite_store::Sqlite::open(folder))),
    ];
    let mut stores = Vec::new();
    for (name, open) in opened {
        let folder = tempfile::tempdir_in(&disk).expect("a folder");
        let mut store = open(folder.path());
        for from in (0..BEFORE).step_by(10_000) {
            store.group(from, from + 10_000);
        }
        stores.push((name, folder, store, BEFORE, [const { Vec::new() }; 3]));
    }
    // In turns, so that a disk's moods meet all of them.
    for _ in 0..TURNS {
        for (_, _, store, next, rates) in &mut stores {
            for (group, rates) in [100, 1000, 10_000].into_iter().zip(rates) {
                rates.push(rate(&mut **store, next, group));
            }
        }
    }
    for (name, folder, _, _, [hundred, thousand, more]) in stores {
        let (hundred, thousand, more) = (median(hundred), median(thousand), median(more));
        println!("{name:<28} {hundred:>12.0} {thousand:>12.0} {more:>12.0} {:>8}", megabytes(folder.path()));
    }
}
