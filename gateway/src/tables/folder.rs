//! Tables from a folder of AdTable files, YAML or JSON: the gateway without Kubernetes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use api::AdTable;

use super::Keeper;

/// How often the folder is looked at. Polling, since notifications do not cross network file systems or the symbolic
/// links by which a mounted ConfigMap changes.
const INTERVAL: Duration = Duration::from_secs(1);

/// Follows a folder for good, looking each second. Each file is one table; hidden files are left alone.
pub async fn watch(path: PathBuf, keeper: Keeper) {
    let mut folder = Folder::new(path, keeper);
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let looked = tokio::task::spawn_blocking(move || {
            folder.look();
            folder
        });
        folder = match looked.await {
            Ok(folder) => folder,
            Err(error) => return tracing::error!(%error, "the folder of tables is no longer followed"),
        };
    }
}

/// A folder as it was last seen.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    keeper: Keeper,
    files: HashMap<PathBuf, File>,
    looked: bool,
}

/// A file as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    stamp: Stamp,
    /// The campaign whose table it last held; a file that broke still vouches for it.
    uid: Option<String>,
}

/// What changes when a file does.
type Stamp = (Option<SystemTime>, u64);

impl Folder {
    /// The folder at `path`, not looked at yet.
    pub fn new(path: PathBuf, keeper: Keeper) -> Self {
        Self { path, keeper, files: HashMap::new(), looked: false }
    }

    /// Reads what changed and makes it visible. A folder that can't be read leaves the tables as they are.
    pub fn look(&mut self) {
        let stamps = match stamps(&self.path) {
            Ok(stamps) => stamps,
            Err(error) => return tracing::warn!(%error, "the folder of tables can't be read"),
        };
        if self.looked && self.is_unchanged(&stamps) {
            return;
        }
        self.looked = true;
        self.files.retain(|path, _| stamps.contains_key(path));
        for (path, stamp) in stamps {
            self.read(path, stamp);
        }
        let vouched: HashSet<&str> = self.files.values().filter_map(|file| file.uid.as_deref()).collect();
        self.keeper.retain(|uid| vouched.contains(uid));
        self.keeper.publish();
        self.keeper.complete();
    }

    fn is_unchanged(&self, stamps: &BTreeMap<PathBuf, Stamp>) -> bool {
        self.files.len() == stamps.len()
            && stamps
                .iter()
                .all(|(path, stamp)| self.files.get(path).is_some_and(|file| file.stamp == *stamp))
    }

    fn read(&mut self, path: PathBuf, stamp: Stamp) {
        let before = self.files.get(&path);
        if before.is_some_and(|file| file.stamp == stamp) {
            return;
        }
        let uid = match parse(&path) {
            Ok(table) => {
                // Of a file the log tells, and nobody else can be told.
                let _ = self.keeper.offer(&table);
                Some(table.spec.campaign.uid)
            }
            Err(reason) => {
                self.keeper.unreadable(&path.display().to_string(), reason);
                before.and_then(|file| file.uid.clone())
            }
        };
        self.files.insert(path, File { stamp, uid });
    }
}

fn parse(path: &Path) -> Result<AdTable, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    // A snippet of the file would bring copy into the log.
    serde_saphyr::from_str(&text).map_err(|error| error.without_snippet().to_string())
}

/// By path, so that of two files of one table the same is taken everywhere.
fn stamps(folder: &Path) -> std::io::Result<BTreeMap<PathBuf, Stamp>> {
    let mut stamps = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        // A file may vanish between the list and the look: then it is not there.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if metadata.is_file() && is_table(&path) {
            stamps.insert(path, (metadata.modified().ok(), metadata.len()));
        }
    }
    Ok(stamps)
}

fn is_table(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str());
    !hidden && matches!(extension, Some("yaml" | "yml" | "json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{SAMPLE, Sample};
    use crate::tables::Tables;
    use prometheus_client::registry::Registry;

    struct Fixture {
        directory: tempfile::TempDir,
        folder: Folder,
        tables: Tables,
    }

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let (keeper, tables) = Keeper::new(&mut Registry::default());
            let folder = Folder::new(directory.path().to_owned(), keeper);
            Self { directory, folder, tables }
        }

        fn number_after(&mut self, name: &str, text: Option<&str>) -> Option<i64> {
            let path = self.directory.path().join(name);
            match text {
                Some(text) => std::fs::write(path, text).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
            self.folder.look();
            self.tables.load().of(SAMPLE.uid).map(|table| table.number)
        }
    }

    fn file(number: i64) -> String {
        serde_json::to_string(&Sample { number, ..SAMPLE }.object()).unwrap()
    }

    #[test]
    fn a_file_is_taken_changed_kept_when_it_breaks_and_dropped() {
        let mut fixture = Fixture::new();
        fixture.folder.look();
        assert!(fixture.tables.is_complete(), "an empty folder is complete");
        assert_eq!(fixture.number_after("notes.txt", Some("no table")), None);
        assert_eq!(fixture.number_after(".hidden.yaml", Some(&file(9))), None);
        assert_eq!(fixture.number_after("a.yaml", Some(&file(1))), Some(1));
        assert_eq!(fixture.number_after("a.yaml", Some(&file(12))), Some(12));
        assert_eq!(fixture.number_after("a.yaml", Some(&file(3))), Some(12), "a number never falls");
        assert_eq!(
            fixture.number_after("a.yaml", Some("spec: [")),
            Some(12),
            "a broken file changes nothing"
        );
        assert_eq!(fixture.number_after("a.yaml", None), None);
        assert_eq!(fixture.number_after("a.yaml", Some(&file(3))), Some(3), "a deleted table is forgotten");
    }
}
