//! What a backup holds: the file that is written last, and without which a folder is no backup.

use std::fs::File;
use std::io::Write;
use std::path::{Component, Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::copy::sync;
use crate::ledger::store::PARTS;

/// Its name.
pub(super) const MANIFEST: &str = "manifest.json";

const VERSION: u32 = 1;

/// The files of a backup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    version: u32,
    taken_at: Timestamp,
    /// All but this one.
    pub(super) files: Vec<TakenFile>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TakenFile {
    /// From the backup's folder on.
    pub(super) path: String,
    /// Its length.
    pub(super) bytes: u64,
    /// The SHA-256 of its content, in hexadecimal.
    pub(super) sha256: String,
}

/// As it is written: with a checksum of its own.
#[derive(Serialize, Deserialize)]
struct Sealed {
    backup: Box<RawValue>,
    sha256: String,
}

/// Why a manifest can't be used.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It is not as it was written.
    Damaged,
    /// Another version wrote it.
    Version(u32),
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Manifest {
    pub(super) fn new(taken_at: Timestamp, files: Vec<TakenFile>) -> Self {
        Self { version: VERSION, taken_at, files }
    }

    /// Writes it to a folder, whole or not at all. It is on disk when this returns.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn write(&self, folder: &Path) -> std::io::Result<()> {
        let backup = serde_json::value::to_raw_value(self)?;
        let sha256 = checksum(&backup);
        let text = serde_json::to_vec(&Sealed { backup, sha256 })?;
        let beside = folder.join("next.json");
        written(&beside, &text).inspect_err(|_| drop(std::fs::remove_file(&beside)))?;
        std::fs::rename(&beside, folder.join(MANIFEST))?;
        sync(folder)
    }

    /// The manifest of this text.
    ///
    /// # Errors
    /// When it is none, or names what no ledger has.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let Sealed { backup, sha256 } = read(text)?;
        if checksum(&backup) != sha256 {
            return Err(Unreadable::Damaged);
        }
        let Versioned { version } = read(backup.get().as_bytes())?;
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let manifest: Self = read(backup.get().as_bytes())?;
        let is_ours = manifest.files.iter().all(|file| is_of_a_ledger(Path::new(&file.path)));
        if is_ours { Ok(manifest) } else { Err(Unreadable::Damaged) }
    }

    /// How many bytes the files have.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

fn written(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn read<'t, T: Deserialize<'t>>(text: &'t [u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(text).map_err(|_| Unreadable::Damaged)
}

fn checksum(backup: &RawValue) -> String {
    api::name::hex(&Sha256::digest(backup.get()))
}

/// Whether a restore may write there: within a part of the ledger, and nowhere else.
fn is_of_a_ledger(path: &Path) -> bool {
    let is_part = PARTS.iter().any(|part| path.starts_with(part));
    is_part && path.components().all(|component| matches!(component, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(files: &[&str]) -> Manifest {
        let file = |path: &&str| TakenFile { path: (*path).to_owned(), bytes: 1, sha256: "00".into() };
        Manifest::new(Timestamp::UNIX_EPOCH, files.iter().map(file).collect())
    }

    fn read_back(manifest: &Manifest) -> Result<Manifest, Unreadable> {
        let folder = tempfile::tempdir().unwrap();
        manifest.write(folder.path()).unwrap();
        Manifest::parse(&std::fs::read(folder.path().join(MANIFEST)).unwrap())
    }

    #[test]
    fn a_manifest_names_files_of_a_ledger_and_nothing_outside() {
        let read = read_back(&manifest(&["log/1.log", "counted/keyspaces/1/current"])).unwrap();
        assert_eq!((read.files.len(), read.bytes()), (2, 2));
        for path in ["log/../../key", "/etc/passwd", "../log", "lock", "", "restoring/log/1.log"] {
            assert!(matches!(read_back(&manifest(&[path])), Err(Unreadable::Damaged)), "{path}");
        }
    }

    #[test]
    fn a_manifest_of_another_version_is_told() {
        let later = Manifest { version: 2, ..manifest(&[]) };
        assert!(matches!(read_back(&later), Err(Unreadable::Version(2))));
    }
}
