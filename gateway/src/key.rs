//! The release's secret, from a file: a mounted Secret, or one that `openssl rand` made.

use std::path::{Path, PathBuf};

use api::wire::token::{Key, ShortKey};

/// Reads the key. All bytes of the file count, a line break at its end too: both roles must read the same file.
///
/// # Errors
/// When the file can't be read, or has fewer than 32 bytes.
pub fn read(path: &Path) -> Result<Key, KeyFileError> {
    let secret =
        std::fs::read(path).map_err(|source| KeyFileError::Unreadable { path: path.to_owned(), source })?;
    Key::new(&secret).map_err(|source| KeyFileError::Short { path: path.to_owned(), source })
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_file_and_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let missing = read(&path).unwrap_err().to_string();
        assert!(missing.contains(path.to_str().unwrap()) && missing.contains("--key-file"), "{missing}");
        std::fs::write(&path, [1; 31]).unwrap();
        let short = read(&path).unwrap_err().to_string();
        assert!(short.contains(path.to_str().unwrap()) && short.contains("head -c 32"), "{short}");
        std::fs::write(&path, [1; 32]).unwrap();
        assert!(read(&path).is_ok());
    }
}
