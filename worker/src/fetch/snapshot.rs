//! The folder of one commit, and whose turn it is to fill it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use api::model_files::ADAPTER;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::FetchError;
use super::listing::Remote;

/// The folder of one commit; with a GGUF file, of that file alone, since a folder is one model.
pub(super) struct Snapshot {
    folder: PathBuf,
}

/// Written last. What it lists is there, and was checked.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    repo: String,
    commit: String,
    files: Vec<Kept>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    name: String,
    size: u64,
    checksum: String,
}

const MARKER: &str = ".complete.json";

impl Snapshot {
    pub(super) fn new(into: &Path, repo: &str, commit: &str, file: Option<&str>) -> Self {
        let name = match file {
            Some(file) => format!("{commit}--{}", file.replace('/', "--")),
            None => commit.to_owned(),
        };
        Self { folder: into.join(repo.replace('/', "--")).join(name) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the marker is there, the files have the sizes that it says, and the adapter's are among them, if one is
    /// wanted. Their bytes were checked before it was written.
    pub(super) fn is_complete(&self, adapter: Option<&str>) -> bool {
        let Some(marker) = self.marker() else { return false };
        let lists = |name: &String| marker.files.iter().any(|kept| kept.name == *name);
        let mut wanted = adapter.into_iter().flat_map(adapter_files);
        marker.files.iter().all(|kept| self.is_whole(kept)) && wanted.all(|name| lists(&name))
    }

    fn marker(&self) -> Option<Marker> {
        serde_json::from_slice(&fs::read(self.folder.join(MARKER)).ok()?).ok()
    }

    fn is_whole(&self, kept: &Kept) -> bool {
        fs::metadata(self.folder.join(&kept.name)).is_ok_and(|metadata| metadata.len() == kept.size)
    }

    /// Waits until no other pod fills this folder. The kernel lets go of the turn when its holder ends, however it ends.
    pub(super) fn take_turn(&self) -> Result<Turn, FetchError> {
        let failed = |source| FetchError::disk("write", &self.folder, source);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let file = File::create(self.folder.join(".lock")).map_err(failed)?;
        let taken = match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                info!("another pod fetches the same model: waiting for it");
                file.lock()
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        match taken {
            Ok(()) => Ok(Turn::Taken { _lock: file }),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Turn::own_parts()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes the marker, in a way that no reader sees half of it. Adapters that were fetched before stay in it: each is
    /// wanted by another model of the same commit.
    pub(super) fn complete(&self, repo: &str, commit: &str, files: &[&Remote]) -> Result<(), FetchError> {
        let kept = |remote: &&Remote| Kept {
            name: remote.name().to_owned(),
            size: remote.size,
            checksum: remote.checksum.to_string(),
        };
        let mut files: Vec<Kept> = files.iter().map(kept).collect();
        let before = self.marker().into_iter().flat_map(|marker| marker.files);
        let others = before.filter(|it| self.is_whole(it) && files.iter().all(|new| new.name != it.name));
        let others: Vec<Kept> = others.collect();
        files.extend(others);
        let marker = Marker { repo: repo.to_owned(), commit: commit.to_owned(), files };
        let text = serde_json::to_vec_pretty(&marker).expect("a marker is plain data");
        let path = self.folder.join(MARKER);
        let beside = path.with_added_extension(format!("part-{}", std::process::id()));
        let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, &path));
        written.map_err(|source| FetchError::disk("write", &path, source))
    }
}

fn adapter_files(folder: &str) -> impl Iterator<Item = String> {
    ADAPTER.into_iter().map(move |name| format!("{folder}/{name}"))
}

/// Leave to write in a folder.
pub(super) enum Turn {
    /// Nobody else does.
    Taken {
        /// Held until this is dropped.
        _lock: File,
    },
    /// The volume knows no locks, so others may: each writes parts of its own.
    OwnParts(String),
}

impl Turn {
    /// Processes of different pods may have the same number, but not at the same nanosecond.
    fn own_parts() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::OwnParts(format!("part-{}-{}", std::process::id(), now.as_nanos()))
    }

    /// The extension of files that are not complete.
    pub(super) fn part(&self) -> &str {
        match self {
            Self::Taken { .. } => "part",
            Self::OwnParts(part) => part,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::check::Checksum;

    #[test]
    fn a_folder_is_complete_when_its_marker_is_there_and_its_files_are_whole() {
        let cache = tempfile::tempdir().expect("a folder");
        let commit = "0".repeat(40);
        let snapshot = Snapshot::new(cache.path(), "Qwen/Qwen3-8B", &commit, None);
        let turn = snapshot.take_turn().expect("nobody else");
        assert!(!snapshot.is_complete(None));
        let remote = written(&snapshot, "config.json");
        snapshot.complete("Qwen/Qwen3-8B", &commit, &[&remote]).expect("written");
        assert!(snapshot.is_complete(None));
        fs::write(snapshot.folder().join("config.json"), "{").expect("written");
        assert!(!snapshot.is_complete(None), "a file that was cut");
        drop(turn);
    }

    fn written(snapshot: &Snapshot, path: &str) -> Remote {
        let target = snapshot.folder().join(path);
        fs::create_dir_all(target.parent().expect("a folder")).expect("made");
        fs::write(target, "{}").expect("written");
        Remote { path: path.to_owned(), size: 2, checksum: Checksum::GitBlob(String::new()) }
    }

    #[test]
    fn adapters_of_one_commit_are_complete_each_for_itself() {
        let cache = tempfile::tempdir().expect("a folder");
        let snapshot = Snapshot::new(cache.path(), "a/b", "0", None);
        let config = written(&snapshot, "config.json");
        snapshot.complete("a/b", "0", &[&config]).expect("written");
        assert!(!snapshot.is_complete(Some("acme")) && snapshot.is_complete(None));
        for adapter in ["acme", "brands/other"] {
            let [first, second] = ADAPTER.map(|name| written(&snapshot, &format!("{adapter}/{name}")));
            snapshot.complete("a/b", "0", &[&config, &first, &second]).expect("written");
        }
        assert!(snapshot.is_complete(Some("acme")) && snapshot.is_complete(Some("brands/other")));
        fs::remove_file(snapshot.folder().join("acme").join(ADAPTER[1])).expect("removed");
        assert!(!snapshot.is_complete(Some("acme")));
    }

    #[test]
    fn two_files_of_one_commit_are_two_models() {
        let folder = |file| Snapshot::new(Path::new("/c"), "a/b", "0", Some(file)).folder().to_owned();
        assert_eq!(folder("q4.gguf"), Path::new("/c/a--b/0--q4.gguf"));
        assert_ne!(folder("q4.gguf"), folder("q8.gguf"));
    }
}
