//! The release's secret and the keys that sign tokens, from files: a mounted Secret, or what `head -c 32 /dev/urandom`
//! wrote.
//!
//! ```text
//! key                  hides subjects, for as long as the release lives; signs tokens until a dated key does
//! token-2026-12-01     signs tokens from that day on, in UTC
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::wire::token::{Keys, ShortKey};
use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// How often the folder is looked at. A changed Secret reaches its volume within a minute or two.
const EVERY: Duration = Duration::from_secs(30);

/// How the name of a dated key begins.
const DATED: &str = "token-";

/// The keys in force, for readers: clone it freely. Reading takes no lock.
#[derive(Clone, Debug)]
pub struct Keyring(Arc<ArcSwap<Keys>>);

impl Keyring {
    /// A ring of these keys.
    pub fn new(keys: Keys) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(keys)))
    }

    /// The keys as they stand. Hold them for one request, not longer.
    pub fn load(&self) -> Guard<Arc<Keys>> {
        self.0.load()
    }
}

/// Where keys come from.
#[derive(Debug)]
pub struct KeyFiles {
    folder: PathBuf,
    /// The secret, which is read once: another one would make everybody somebody else.
    secret: Keys,
}

impl KeyFiles {
    /// Reads the secret. All bytes of the file count, a line break at its end too: both roles must read the same file.
    ///
    /// # Errors
    /// When the file can't be read, or has fewer than 32 bytes.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let secret = Keys::new(&bytes(path)?).map_err(|source| short(path, source))?;
        // A bare name lies in this folder.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Ok(Self { folder: folder.unwrap_or(Path::new(".")).to_owned(), secret })
    }

    /// The secret with the dated keys beside it.
    ///
    /// # Errors
    /// When one of them can't be read, has fewer than 32 bytes, or no date.
    pub fn read(&self) -> Result<Keys, KeyFileError> {
        let unreadable = |source| KeyFileError::Unreadable { path: self.folder.clone(), source };
        let mut keys = self.secret.clone();
        for entry in std::fs::read_dir(&self.folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if let Some(from) = signs_from(&path)? {
                keys = keys.with(from, &bytes(&path)?).map_err(|source| short(&path, source))?;
            }
        }
        Ok(keys)
    }

    /// Reads them again from time to time. What can't be read is logged, and those before stay.
    pub async fn watch(self, keyring: Keyring) {
        loop {
            tokio::time::sleep(EVERY).await;
            match self.read() {
                Ok(keys) => keyring.0.store(Arc::new(keys)),
                Err(error) => tracing::warn!(%error, "keys refused, those before stay"),
            }
        }
    }
}

/// From when the key in that file signs; nothing where it is no dated key.
fn signs_from(path: &Path) -> Result<Option<Timestamp>, KeyFileError> {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some(date) = name.and_then(|name| name.strip_prefix(DATED)) else { return Ok(None) };
    let undated = |_| KeyFileError::Undated { path: path.to_owned() };
    let start = date.parse().and_then(|date: Date| date.to_zoned(TimeZone::UTC)).map_err(undated)?;
    Ok(Some(start.timestamp()))
}

fn bytes(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    std::fs::read(path).map_err(|source| KeyFileError::Unreadable { path: path.to_owned(), source })
}

fn short(path: &Path, source: ShortKey) -> KeyFileError {
    KeyFileError::Short { path: path.to_owned(), source }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file can't be read.
    #[error("the key file {} can't be read: mount the release's Secret there, or name another with --key-file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is too short to be a secret.
    #[error("the key file {} is too short: fill it with `head -c 32 /dev/urandom`", path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// How short.
        source: ShortKey,
    },
    /// The file's name tells no day.
    #[error("the key file {} tells no day from which it signs: name it such as token-2026-12-01", path.display())]
    Undated {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_file_and_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let check = |path: &Path, remedy: &str| {
            let said = KeyFiles::open(&folder.path().join("key")).and_then(|files| files.read()).unwrap_err();
            let said = said.to_string();
            assert!(said.contains(path.to_str().unwrap()) && said.contains(remedy), "{said}");
        };
        check(&path, "--key-file");
        std::fs::write(&path, [1; 31]).unwrap();
        check(&path, "head -c 32");
        std::fs::write(&path, [1; 32]).unwrap();
        let dated = folder.path().join("token-tomorrow");
        std::fs::write(&dated, [2; 32]).unwrap();
        check(&dated, "token-2026-12-01");
        std::fs::remove_file(dated).unwrap();
        let dated = folder.path().join("token-2026-12-01");
        std::fs::write(&dated, [2; 31]).unwrap();
        check(&dated, "head -c 32");
    }

    #[test]
    fn keys_that_lie_beside_the_secret_are_read_and_a_changed_secret_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, byte| std::fs::write(folder.path().join(name), [byte; 32]).unwrap();
        write("key", 1);
        write("something else", 3);
        let files = KeyFiles::open(&folder.path().join("key")).unwrap();
        let ids = |keys: &Keys| format!("{keys:?}").matches('"').count() / 2;
        assert_eq!(ids(&files.read().unwrap()), 1);
        write("token-2026-12-01", 2);
        write("key", 4);
        let keys = files.read().unwrap();
        assert_eq!(ids(&keys), 2);
        assert_eq!(keys.subject("one", "alice"), Keys::new(&[1; 32]).unwrap().subject("one", "alice"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_running_process_takes_a_new_key_and_keeps_its_keys_when_one_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("key"), [1; 32]).unwrap();
        let files = KeyFiles::open(&path("key")).unwrap();
        let keyring = Keyring::new(files.read().unwrap());
        tokio::spawn(files.watch(keyring.clone()));
        let ids = async || {
            tokio::time::sleep(2 * EVERY).await;
            format!("{:?}", **keyring.load()).matches('"').count() / 2
        };
        std::fs::write(path("token-2026-12-01"), [2; 32]).unwrap();
        assert_eq!(ids().await, 2);
        std::fs::write(path("token-2026-12-02"), [3; 3]).unwrap();
        std::fs::remove_file(path("token-2026-12-01")).unwrap();
        assert_eq!(ids().await, 2);
        std::fs::remove_file(path("token-2026-12-02")).unwrap();
        assert_eq!(ids().await, 1);
    }
}
