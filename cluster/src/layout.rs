//! Names of the files inside a cluster's folder.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::certificates::Identity;

/// A cluster's folder, as one side sees it: a node sees its own at another path than the host does.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// Folders that every cluster has.
const FOLDERS: [&str; 4] = ["etcd", "log", "pki", "run"];

impl Layout {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Any file, by its path inside the folder.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// The same as a word for a command line.
    pub(crate) fn word(&self, inside: &str) -> String {
        self.path(inside).display().to_string()
    }

    pub(crate) fn certificate(&self, name: &str) -> String {
        self.word(&format!("pki/{name}.crt"))
    }

    pub(crate) fn key(&self, name: &str) -> String {
        self.word(&format!("pki/{name}.key"))
    }

    pub(crate) fn kubeconfig(&self, name: &str) -> String {
        self.word(&format!("{name}.kubeconfig"))
    }

    /// Where volume plugins would be. The default is `/usr/libexec/kubernetes/kubelet-plugins/volume/exec`, a folder of
    /// the machine's, and whoever looks there makes it.
    pub(crate) fn volume_plugins(&self) -> String {
        self.word("volume-plugins")
    }

    /// Makes the folder, readable by its owner alone: it holds keys. Fails where it exists.
    pub(crate) fn create(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700);
        if let Some(above) = self.root.parent() {
            fs::create_dir_all(above)?;
        }
        builder.create(&self.root)?;
        FOLDERS.iter().try_for_each(|folder| builder.create(self.path(folder)))
    }

    /// Writes a file that nobody else may read, in a way that no reader sees half of it.
    pub(crate) fn write(&self, inside: &str, content: &str) -> io::Result<()> {
        let path = self.path(inside);
        let part = path.with_added_extension("part");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&part)?.write_all(content.as_bytes())?;
        fs::rename(part, path)
    }

    /// Writes a certificate and its key under one name.
    pub(crate) fn write_identity(&self, name: &str, identity: &Identity) -> io::Result<()> {
        self.write(&format!("pki/{name}.crt"), &identity.certificate)?;
        self.write(&format!("pki/{name}.key"), &identity.key)
    }

    /// The end of a log, for an error message.
    pub(crate) fn log_tail(&self, name: &str) -> String {
        let text = fs::read(self.path(&format!("log/{name}.log"))).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}

/// Components say why they end in their last words.
const SHOWN_LINES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("one"));
        layout.create().unwrap();
        layout.write("pki/ca.key", "secret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(layout.root()), 0o700);
        assert_eq!(mode(&layout.path("pki/ca.key")), 0o600);
        assert!(layout.create().is_err(), "two clusters share a folder");
    }
}
