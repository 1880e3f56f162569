//! Gets the binaries: from a folder that has them, the cache, the official releases, or a build from their Go modules.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::binaries::Binary;
use crate::{Places, Progress};

mod build;
mod release;

/// Why a binary could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder of `BROADSIDE_CLUSTER_BIN` lacks a binary.
    #[error(
        "BROADSIDE_CLUSTER_BIN names {folder}, which lacks `{binary}`: put it there, or unset the variable"
    )]
    NotGiven {
        /// The folder that was named.
        folder: PathBuf,
        /// What it lacks.
        binary: &'static str,
    },
    /// The cache could not be written.
    #[error("cannot write the cache {path}: make it writable, or name another folder in XDG_CACHE_HOME")]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A download failed after its host had answered, and there is no Go to build with instead.
    #[error(
        "cannot download {url}: try again, install Go 1.26 (`apt install golang-go`, or https://go.dev/dl), or put the \
         binaries into a folder named by BROADSIDE_CLUSTER_BIN"
    )]
    Download {
        /// What was asked for.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// A download is not what its publisher says it is. Nothing of it is kept.
    #[error(
        "{url} has the SHA-256 {found}, its publisher says {expected}: do not use it, and find out who altered it"
    )]
    Checksum {
        /// What was downloaded.
        url: String,
        /// What the publisher lists.
        expected: String,
        /// What came.
        found: String,
    },
    /// A publisher's list of checksums does not name the file.
    #[error(
        "{url} lists no checksum for {file}: put the binaries into a folder named by BROADSIDE_CLUSTER_BIN"
    )]
    Unlisted {
        /// The list.
        url: String,
        /// What it lacks.
        file: String,
    },
    /// An archive lacks the binary, or is none.
    #[error("{url} does not hold `{member}`: put the binaries into a folder named by BROADSIDE_CLUSTER_BIN")]
    Archive {
        /// What was downloaded.
        url: String,
        /// What was looked for.
        member: String,
        /// What the archive's reader said, if anything.
        source: Option<io::Error>,
    },
    /// There is neither internet nor Go.
    #[error(
        "no release host answers and there is no Go to build with: install Go 1.26 (`apt install golang-go`, or \
         https://go.dev/dl), or put the binaries into a folder named by BROADSIDE_CLUSTER_BIN"
    )]
    NoWay,
    /// A build failed.
    #[error(
        "building {binary} failed; the end of what Go said:\n{output}\nMake Go and its module proxy work, then try again"
    )]
    Build {
        /// What was built.
        binary: &'static str,
        /// The last lines of its output.
        output: String,
    },
}

/// Finds binaries, and gets those that are missing.
#[derive(Clone, Debug)]
pub struct Fetch {
    places: Places,
    progress: Progress,
}

impl Fetch {
    /// Looks in `places` and says on `progress` what takes long.
    pub const fn new(places: Places, progress: Progress) -> Self {
        Self { places, progress }
    }

    /// The paths of `wanted`, in their order; each exists and is executable.
    ///
    /// Two programs that fetch at once wait for each other and fetch once.
    pub async fn binaries(&self, wanted: &[Binary]) -> Result<Vec<PathBuf>, Error> {
        let mut source = None;
        let mut found = Vec::with_capacity(wanted.len());
        for &binary in wanted {
            found.push(self.one(binary, &mut source).await?);
        }
        Ok(found)
    }

    /// The path of one binary.
    pub async fn binary(&self, binary: Binary) -> Result<PathBuf, Error> {
        self.one(binary, &mut None).await
    }

    async fn one(&self, binary: Binary, source: &mut Option<Source>) -> Result<PathBuf, Error> {
        if let Some(folder) = &self.places.binaries {
            return given(folder, binary);
        }
        let path = self.places.cache.join(binary.component().folder()).join(binary.name());
        if path.is_file() {
            return Ok(path);
        }
        let _lock = lock(&path).await?;
        // Another program may have fetched it while we waited.
        if !path.is_file() {
            self.get(binary, &path, source).await?;
        }
        Ok(path)
    }

    /// Gets one binary in a way that a crash cannot leave half of it: under another name first.
    async fn get(&self, binary: Binary, path: &Path, known: &mut Option<Source>) -> Result<(), Error> {
        let part = path.with_extension("part");
        let source = match known {
            Some(source) => source,
            None => known.insert(Source::choose().await?),
        };
        match source {
            Source::Releases(client) => self.download(client, build::find_go(), binary, &part).await?,
            Source::Go(go) => self.build(go, binary, &part).await?,
        }
        executable(&part).and_then(|()| fs::rename(&part, path)).map_err(|source| cache_error(path, source))
    }

    /// Downloads; where that fails and there is `go`, builds. A download that is not what its publisher says it is
    /// remains an error: the reader must hear of it.
    async fn download(
        &self,
        client: &reqwest::Client,
        go: Option<PathBuf>,
        binary: Binary,
        part: &Path,
    ) -> Result<(), Error> {
        let what = format!("downloading {} {}", binary.name(), binary.component().version());
        let done = self.progress.during(&what, release::download(client, binary, part)).await;
        match (done, go) {
            (Err(Error::Download { url, .. }), Some(go)) => {
                self.progress.say(&format!("cannot download {url}: building {} instead", binary.name()));
                self.build(&go, binary, part).await
            }
            (done, _) => done,
        }
    }

    async fn build(&self, go: &Path, binary: Binary, part: &Path) -> Result<(), Error> {
        let what = format!("building {} {} with Go", binary.name(), binary.component().version());
        self.progress.during(&what, build::build(go, binary, part)).await
    }
}

/// Where missing binaries come from; chosen once, when the first is missing.
enum Source {
    Releases(reqwest::Client),
    Go(PathBuf),
}

impl Source {
    async fn choose() -> Result<Self, Error> {
        if let Some(client) = release::reachable().await {
            return Ok(Self::Releases(client));
        }
        build::find_go().map(Self::Go).ok_or(Error::NoWay)
    }
}

fn given(folder: &Path, binary: Binary) -> Result<PathBuf, Error> {
    let path = folder.join(binary.name());
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::NotGiven { folder: folder.to_owned(), binary: binary.name() })
}

/// Holds off other programs that would write the same release folder. The kernel lets go when we end, however we end.
async fn lock(path: &Path) -> Result<File, Error> {
    let folder = path.parent().expect("a binary lies in a release folder").to_owned();
    let blocking = tokio::task::spawn_blocking(move || {
        fs::create_dir_all(&folder)
            .and_then(|()| File::create(folder.join(".lock")))
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|source| cache_error(&folder, source))
    });
    blocking.await.expect("locking a file does not panic")
}

fn executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn cache_error(path: &Path, source: io::Error) -> Error {
    Error::Cache { path: path.to_owned(), source }
}

/// The name of this machine's processor in the names of releases.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(binaries: Option<PathBuf>, cache: PathBuf) -> Fetch {
        let places = Places { binaries, cache, state: PathBuf::new(), executable: None };
        Fetch::new(places, Progress::silent())
    }

    #[tokio::test]
    async fn a_given_folder_wins_over_the_cache() {
        let given = tempfile::tempdir().unwrap();
        let cache = tempfile::tempdir().unwrap();
        fs::write(given.path().join("etcd"), "given").unwrap();
        let fetch = fetch(Some(given.path().into()), cache.path().into());
        assert_eq!(fetch.binary(Binary::Etcd).await.unwrap(), given.path().join("etcd"));
    }

    #[tokio::test]
    async fn a_given_folder_that_lacks_a_binary_is_an_error_that_names_the_variable() {
        let given = tempfile::tempdir().unwrap();
        let error =
            fetch(Some(given.path().into()), given.path().into()).binary(Binary::Helm).await.unwrap_err();
        assert!(error.to_string().contains("BROADSIDE_CLUSTER_BIN"), "{error}");
    }

    #[tokio::test]
    async fn what_cannot_be_downloaded_is_built_where_there_is_go() {
        let folder = tempfile::tempdir().unwrap();
        let go = folder.path().join("go");
        // The file to write is the last word but one.
        fs::write(&go, "#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\necho built > \"$1\"\n").unwrap();
        executable(&go).unwrap();
        let fetch = fetch(None, folder.path().into());
        let (client, part) = (release::unreachable(), folder.path().join("helm.part"));
        fetch.download(&client, Some(go), Binary::Helm, &part).await.unwrap();
        assert_eq!(fs::read_to_string(&part).unwrap(), "built\n");
        let error = fetch.download(&client, None, Binary::Helm, &part).await.unwrap_err();
        assert!(matches!(error, Error::Download { .. }), "{error}");
    }

    #[tokio::test]
    async fn the_cache_is_keyed_by_release() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("etcd-v3.7.3");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("etcd"), "cached").unwrap();
        let path = fetch(None, cache.path().into()).binary(Binary::Etcd).await.unwrap();
        assert_eq!(path, folder.join("etcd"));
    }
}
