//! Which embedded store suits the set of those who were counted: keys of twenty bytes in no order, written in large
//! sorted groups while the ledger goes on, and asked for about each newcomer, who is not there.
//!
//! `make bench-stores` prints the table; a folder as argument is the disk.

use std::path::Path;
use std::time::{Duration, Instant};

use stores::megabytes;

/// A subject's pseudonym behind the number of its experiment.
type Key = [u8; 20];

/// Keys that are there before.
const BEFORE: u64 = 10_000_000;
/// Keys of a group.
const GROUP: u64 = 250_000;
/// Groups that are measured.
const GROUPS: u64 = 12;

trait Set {
    /// Keys in their order, on disk when it returns.
    fn add(&mut self, keys: &[Key]);
    fn holds(&self, key: &Key) -> bool;
}

type Open = fn(&Path) -> Box<dyn Set>;

/// Keys come in no order: the finalizer of SplitMix64, twice.
fn key(number: u64) -> Key {
    let mixed = |seed: u64| {
        let z = number.wrapping_add(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mut key = [0; 20];
    key[4..12].copy_from_slice(&mixed(0).to_be_bytes());
    key[12..].copy_from_slice(&mixed(1 << 60).to_be_bytes());
    key
}

mod redb_set {
    use redb::{Database, ReadableDatabase, TableDefinition};

    use super::{Key, Path, Set};

    const KEYS: TableDefinition<'_, Key, ()> = TableDefinition::new("keys");

    pub struct Redb(Database);

    impl Redb {
        pub fn open(folder: &Path) -> Self {
            let mut builder = Database::builder();
            Self(builder.set_cache_size(64 << 20).create(folder.join("ledger.redb")).expect("it opens"))
        }
    }

    impl Set for Redb {
        fn add(&mut self, keys: &[Key]) {
            let write = self.0.begin_write().expect("one writer");
            {
                let mut table = write.open_table(KEYS).expect("a table");
                for key in keys {
                    table.insert(key, ()).expect("it writes");
                }
            }
            write.commit().expect("it is on disk");
        }

        fn holds(&self, key: &Key) -> bool {
            let read = self.0.begin_read().expect("it reads");
            read.open_table(KEYS).expect("a table").get(key).expect("it reads").is_some()
        }
    }
}

mod fjall_set {
    use fjall::{Database, Keyspace, KeyspaceCreateOptions};

    use super::{Key, Path, Set};

    pub struct Fjall {
        keys: Keyspace,
        _database: Database,
    }

    impl Fjall {
        pub fn open(folder: &Path) -> Self {
            let database = Database::builder(folder.join("fjall"));
            let database = database.cache_size(64 << 20).worker_threads(1).open().expect("it opens");
            let keys = database.keyspace("keys", KeyspaceCreateOptions::default).expect("a keyspace");
            Self { keys, _database: database }
        }
    }

    impl Set for Fjall {
        fn add(&mut self, keys: &[Key]) {
            let mut sorted = self.keys.start_ingestion().expect("it starts");
            for key in keys {
                sorted.write(key.as_slice(), []).expect("it writes");
            }
            sorted.finish().expect("it is on disk");
        }

        fn holds(&self, key: &Key) -> bool {
            self.keys.contains_key(key).expect("it reads")
        }
    }
}

mod sqlite_set {
    use rusqlite::Connection;

    use super::{Key, Path, Set};

    pub struct Sqlite(Connection);

    impl Sqlite {
        pub fn open(folder: &Path) -> Self {
            let connection = Connection::open(folder.join("ledger.sqlite")).expect("it opens");
            let set = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;
                CREATE TABLE IF NOT EXISTS keys (key BLOB PRIMARY KEY) WITHOUT ROWID;";
            connection.execute_batch(set).expect("it is set up");
            Self(connection)
        }
    }

    impl Set for Sqlite {
        fn add(&mut self, keys: &[Key]) {
            let transaction = self.0.transaction().expect("one writer");
            {
                let mut put = transaction.prepare_cached("INSERT OR IGNORE INTO keys VALUES (?1)").expect("SQL");
                for key in keys {
                    put.execute([&key[..]]).expect("it writes");
                }
            }
            transaction.commit().expect("it is on disk");
        }

        fn holds(&self, key: &Key) -> bool {
            let mut get = self.0.prepare_cached("SELECT 1 FROM keys WHERE key = ?1").expect("SQL");
            get.exists([&key[..]]).expect("it reads")
        }
    }
}

fn sorted(from: u64) -> Vec<Key> {
    let mut keys: Vec<Key> = (from..from + GROUP).map(key).collect();
    keys.sort_unstable();
    keys
}

fn main() {
    let disk = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    println!("{:<28} {:>12} {:>12} {:>12} {:>8}", "the set of the counted", "keys/s", "longest s", "lookups/s", "MB");
    let opened: [(&str, Open); 3] = [
        ("fjall 3.1, ingestion", |folder| Box::new(fjall_set::Fjall::open(folder))),
        ("redb 4.6", |folder| Box::new(redb_set::Redb::open(folder))),
        ("SQLite (rusqlite 0.37)", |folder| Box::new(sqlite_set::Sqlite::open(folder))),
    ];
    for (name, open) in opened {
        let folder = tempfile::tempdir_in(&disk).expect("a folder");
        let mut set = open(folder.path());
        for from in (0..BEFORE).step_by(GROUP as usize) {
            set.add(&sorted(from));
        }
        let (mut adding, mut asking, mut longest) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        for from in (BEFORE..BEFORE + GROUPS * GROUP).step_by(GROUP as usize) {
            let begin = Instant::now();
            assert!((from..from + GROUP).all(|number| !set.holds(&key(number))));
            asking += begin.elapsed();
            let keys = sorted(from);
            let begin = Instant::now();
            set.add(&keys);
            longest = longest.max(begin.elapsed());
            adding += begin.elapsed();
        }
        assert!((0..1000).all(|number| set.holds(&key(number * 1000))), "{name} lost a key");
        let rate = |time: Duration| (GROUPS * GROUP) as f64 / time.as_secs_f64();
        println!(
            "{name:<28} {:>12.0} {:>12.2} {:>12.0} {:>8}",
            rate(adding),
            longest.as_secs_f64(),
            rate(asking),
            megabytes(folder.path())
        );
    }
}
