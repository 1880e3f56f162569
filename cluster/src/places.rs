//! The folders that this crate reads and writes. What the environment says of them is read here and nowhere else.

use std::env;
use std::path::{Path, PathBuf};

/// Where binaries come from and where clusters keep what they write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// A folder that already has all binaries; looked at first.
    pub binaries: Option<PathBuf>,
    /// Where fetched binaries are kept, by release.
    pub cache: PathBuf,
    /// One folder per running cluster, removed with it. Not on a file system that is an overlay, if there is a choice:
    /// images then unpack without sharing their layers.
    pub state: PathBuf,
    /// The `broadside-cluster` executable, which is the first process of a node. `None` looks beside the running
    /// program and in the folders above it, where cargo puts it.
    pub executable: Option<PathBuf>,
}

impl Places {
    /// Reads `BROADSIDE_CLUSTER_BIN`, `BROADSIDE_CLUSTER_EXECUTABLE`, `XDG_CACHE_HOME`, `XDG_STATE_HOME` and `HOME`.
    ///
    /// Root keeps clusters under `/var/lib/broadside`, everybody else under `~/.local/state/broadside`.
    pub fn from_env() -> Self {
        let home = folder("HOME").unwrap_or_else(env::temp_dir);
        let cache = folder("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache"));
        let state = folder("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state"));
        let state = if is_root() { PathBuf::from("/var/lib") } else { state };
        Self {
            binaries: folder("BROADSIDE_CLUSTER_BIN"),
            cache: cache.join("broadside/cluster"),
            state: state.join("broadside"),
            executable: folder("BROADSIDE_CLUSTER_EXECUTABLE"),
        }
    }

    /// The `broadside-cluster` executable: the one named, else the running program if it is that, else the nearest in
    /// the folders above the running program. A test of any package in a workspace so finds it once it is built.
    pub(crate) fn find_executable(&self) -> Option<PathBuf> {
        self.executable.clone().or_else(|| nearest(&env::current_exe().ok()?))
    }
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A variable that names a folder; one that is empty counts as unset, as the XDG specification says.
fn folder(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// How far above a program cargo may have put its sibling: `deps/`, then the profile's folder.
const LEVELS: usize = 3;

fn nearest(program: &Path) -> Option<PathBuf> {
    program
        .ancestors()
        .skip(1)
        .take(LEVELS)
        .map(|above| above.join("broadside-cluster"))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_finds_the_executable_one_folder_up() {
        let profile = tempfile::tempdir().unwrap();
        let deps = profile.path().join("deps");
        std::fs::create_dir(&deps).unwrap();
        std::fs::write(profile.path().join("broadside-cluster"), "").unwrap();
        assert_eq!(nearest(&deps.join("node-1f2e")), Some(profile.path().join("broadside-cluster")));
    }
}
