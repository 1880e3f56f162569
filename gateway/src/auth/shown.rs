//! A key as an application shows it.

use std::path::Path;
use std::sync::Arc;

use super::ApiKey;
use super::files::{ApiKeyFileError, name, paths, read_bytes};

/// A key that is sent, and the namespace that it opens.
pub struct ShownKey {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The key itself.
    pub key: String,
}

impl ShownKey {
    /// The first of a folder, by the names of its files; nothing where it has none.
    ///
    /// # Errors
    /// When the folder or the file can't be read, or the file holds no key.
    pub fn first_of(folder: &Path) -> Result<Option<Self>, ApiKeyFileError> {
        let paths = paths(folder)?;
        let Some((path, name)) = paths.iter().find_map(|path| Some((path, name(path)?))) else {
            return Ok(None);
        };
        let content = read_bytes(path)?;
        let wrong = |fault| ApiKeyFileError::Wrong { path: path.clone(), fault };
        let namespace = Arc::clone(ApiKey::new(name, &content).map_err(wrong)?.namespace());
        let key = String::from_utf8_lossy(content.trim_ascii_end()).into_owned();
        Ok(Some(Self { namespace, key }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_of_a_folder_is_shown_with_its_namespace() {
        let folder = tempfile::tempdir().unwrap();
        let first = || {
            let shown = ShownKey::first_of(folder.path());
            shown.map(|shown| shown.map(|ShownKey { namespace, key }| (namespace.to_string(), key)))
        };
        assert!(first().unwrap().is_none());
        std::fs::write(folder.path().join("shop.web"), "1".repeat(32)).unwrap();
        std::fs::write(folder.path().join("blog.web"), format!("{}\n", "2".repeat(32))).unwrap();
        std::fs::create_dir(folder.path().join("..data")).unwrap();
        assert_eq!(first().unwrap(), Some(("blog".to_owned(), "2".repeat(32))));
        std::fs::write(folder.path().join("a"), "3".repeat(32)).unwrap();
        assert!(first().unwrap_err().to_string().contains("NAMESPACE.NAME"));
    }
}
