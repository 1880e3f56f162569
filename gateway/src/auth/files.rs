//! The keys of applications from a folder: a mounted Secret, or several that are projected into one.
//!
//! ```text
//! shop.web             a key of the namespace `shop`
//! shop.web-2027        another one, so that applications can change over before the first goes
//! blog.pages           a key of the namespace `blog`
//! ```

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use super::{ApiKey, ApiKeyError, ApiKeys};

/// How often the folder is looked at. A changed Secret reaches its volume within a minute or two.
const EVERY: Duration = Duration::from_secs(30);

/// The keys in force, for readers: clone it freely. Reading takes no lock.
#[derive(Clone, Debug)]
pub struct ApiKeyring(Arc<ArcSwap<ApiKeys>>);

impl ApiKeyring {
    /// A ring of these keys.
    pub fn new(keys: ApiKeys) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(keys)))
    }

    /// The keys as they stand. Hold them for one request, not longer.
    pub fn load(&self) -> Guard<Arc<ApiKeys>> {
        self.0.load()
    }
}

/// Where the keys of applications come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyFiles {
    /// Their folder.
    pub folder: PathBuf,
    /// How often each may ask in a second; nothing where it may ask as often as it likes.
    pub rate: Option<NonZeroU32>,
}

/// What a look at the folder found.
struct Found {
    keys: ApiKeys,
    faults: Vec<ApiKeyFileError>,
}

impl ApiKeyFiles {
    /// The keys as they stand.
    ///
    /// # Errors
    /// When the folder, or a file in it, can't be read or holds no key.
    pub fn open(&self) -> Result<ApiKeyring, ApiKeyFileError> {
        let Found { keys, faults } = self.read(&ApiKeys::default())?;
        if let Some(fault) = faults.into_iter().next() {
            return Err(fault);
        }
        tell(&keys);
        Ok(ApiKeyring::new(keys))
    }

    /// Reads them again from time to time. A file that holds no key is logged, and its key before stays: the others are
    /// somebody else's, whose keys come and go all the same.
    pub async fn watch(self, keyring: ApiKeyring) {
        loop {
            tokio::time::sleep(EVERY).await;
            match self.read(&keyring.load()) {
                Ok(found) => found.replace(&keyring),
                Err(error) => tracing::warn!(%error, "API keys refused, those before stay"),
            }
        }
    }

    fn read(&self, before: &ApiKeys) -> Result<Found, ApiKeyFileError> {
        let paths = paths(&self.folder)?;
        let mut found = Found { keys: ApiKeys::default(), faults: Vec::new() };
        paths.iter().filter_map(|path| Some((path, name(path)?))).for_each(|(path, name)| {
            found.take(path, name, self.key(path, name, before), before);
        });
        Ok(found)
    }

    fn key(&self, path: &Path, name: &str, before: &ApiKeys) -> Result<ApiKey, ApiKeyFileError> {
        let key = read(path, name)?;
        Ok(match self.rate {
            Some(rate) => key.limited(rate, before),
            None => key,
        })
    }
}

impl Found {
    fn take(&mut self, path: &Path, name: &str, key: Result<ApiKey, ApiKeyFileError>, before: &ApiKeys) {
        let Err(fault) = key.and_then(|key| self.add(path, key)) else { return };
        self.faults.push(fault);
        if let Some(known) = before.named(name) {
            // Where another file holds it by now, that one opens the namespace which its name tells.
            let _ = self.keys.add(known.clone());
        }
    }

    fn add(&mut self, path: &Path, key: ApiKey) -> Result<(), ApiKeyFileError> {
        self.keys.add(key).map_err(|fault| ApiKeyFileError::Wrong { path: path.to_owned(), fault })
    }

    fn replace(self, keyring: &ApiKeyring) {
        for error in &self.faults {
            tracing::warn!(%error, "API key refused, the one before stays");
        }
        if *keyring.load().as_ref() != self.keys {
            tell(&self.keys);
            keyring.0.store(Arc::new(self.keys));
        }
    }
}

fn tell(keys: &ApiKeys) {
    match keys.len() {
        0 => tracing::warn!("there is no API key: no application is let in"),
        keys => tracing::info!(keys, "API keys read"),
    }
}

/// What a folder of keys has, in an order that the file system does not choose, so that of two files with one key always the
/// same is refused.
pub(super) fn paths(folder: &Path) -> Result<Vec<PathBuf>, ApiKeyFileError> {
    let unreadable = |source| ApiKeyFileError::Folder { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

/// The name of a file of keys. What begins with a dot is a mounted Secret's own.
pub(super) fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str().filter(|name| !name.starts_with('.'))
}

fn read(path: &Path, name: &str) -> Result<ApiKey, ApiKeyFileError> {
    let content = read_bytes(path)?;
    ApiKey::new(name, &content).map_err(|fault| ApiKeyFileError::Wrong { path: path.to_owned(), fault })
}

pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, ApiKeyFileError> {
    std::fs::read(path).map_err(|source| ApiKeyFileError::Unreadable { path: path.to_owned(), source })
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyFileError {
    /// The folder can't be read.
    #[error("the folder of API keys {} can't be read: mount a Secret there, or name another with --api-keys", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file can't be read.
    #[error("the API key {} can't be read: let this process read it, or take it away", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds no key.
    #[error("the API key {} {fault}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: ApiKeyError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> ApiKeyFiles {
        ApiKeyFiles { folder: folder.to_owned(), rate: None }
    }

    fn write(folder: &Path, name: &str, digit: &str) {
        std::fs::write(folder.join(name), digit.repeat(32)).unwrap();
    }

    #[test]
    fn an_error_names_the_file_and_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let check = |path: &Path, remedy: &str| {
            let said = files(&folder.path().join("keys")).open().unwrap_err().to_string();
            assert!(said.contains(path.to_str().unwrap()) && said.contains(remedy), "{said}");
        };
        let keys = folder.path().join("keys");
        check(&keys, "--api-keys");
        std::fs::create_dir(&keys).unwrap();
        write(&keys, "shop.web", "1");
        write(&keys, "shop.zoo", "1");
        check(&keys.join("shop.zoo"), "is the key of shop.web too");
        std::fs::write(keys.join("shop.zoo"), "short").unwrap();
        check(&keys.join("shop.zoo"), "openssl rand -hex 32");
        std::fs::remove_file(keys.join("shop.zoo")).unwrap();
        write(&keys, "web", "2");
        check(&keys.join("web"), "NAMESPACE.NAME");
        std::fs::remove_file(keys.join("web")).unwrap();
        std::fs::create_dir(keys.join("shop.folder")).unwrap();
        check(&keys.join("shop.folder"), "take it away");
    }

    #[tokio::test(start_paused = true)]
    async fn keys_come_and_go_and_a_broken_file_keeps_its_own() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "shop.web", "1");
        std::fs::create_dir(folder.path().join("..data")).unwrap();
        let files = files(folder.path());
        let keyring = files.open().unwrap();
        tokio::spawn(files.watch(keyring.clone()));
        let opened = async |digit: &str| {
            tokio::time::sleep(2 * EVERY).await;
            keyring.load().find(digit.repeat(32).as_bytes()).map(|key| key.name().to_owned())
        };
        assert_eq!(opened("1").await.as_deref(), Some("shop.web"));
        write(folder.path(), "shop.web-2", "2");
        write(folder.path(), "blog.web", "3");
        assert_eq!(opened("2").await.as_deref(), Some("shop.web-2"));
        assert_eq!(opened("1").await.as_deref(), Some("shop.web"), "both, while applications change over");
        std::fs::write(folder.path().join("shop.web-2"), "broken").unwrap();
        std::fs::remove_file(folder.path().join("shop.web")).unwrap();
        assert_eq!(opened("1").await, None, "somebody else's broken file holds up no revocation");
        assert_eq!(opened("2").await.as_deref(), Some("shop.web-2"));
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(opened("3").await.as_deref(), Some("blog.web"), "a volume that is away locks nobody out");
    }
}
