//! A file that is there whole or not at all.

use std::fs::File;
use std::io::Result;
use std::path::{Path, PathBuf};

/// A file that is written beside its place. Dropped before it is published, it is gone.
pub(super) struct Draft {
    path: PathBuf,
    beside: PathBuf,
    file: File,
}

impl Draft {
    /// Begins the file that is to be at `path`; what it holds is written to the handle.
    pub(super) fn create(path: &Path) -> Result<(Self, File)> {
        let name = path.file_name().ok_or_else(|| std::io::Error::other("it has no name"))?;
        let beside = path.with_file_name(format!(".{}.part", name.to_string_lossy()));
        let file = File::create(&beside)?;
        let draft = Self { path: path.to_owned(), beside, file };
        let file = draft.file.try_clone()?;
        Ok((draft, file))
    }

    /// Puts it where it belongs, in the place of one that was there. It is on disk when this returns.
    pub(super) fn publish(self) -> Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.beside, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Else the name itself may be lost in a crash.
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Once it is published there is nothing there.
        let _ = std::fs::remove_file(&self.beside);
    }
}
