//! Brings a model out of a repository in the layout of Hugging Face.
//!
//! ```text
//! revision ─▶ commit ─▶ listing ─▶ files that are read ─▶ part, resumed ─▶ checked, renamed ─▶ marker ─▶ link
//! ```
//!
//! A folder is named by its commit and complete when its marker is there, which is written last; a marked folder of a
//! commit is used without asking anybody.
//! Pods that share a volume take turns, each sees whole files alone, and one that was killed is taken over from where
//! it was.
//! What is checked is what lies on the disk, against the checksums of the listing.
//!
//! The module refuses to know what a model is made of: it fetches the files of [`api::model_files`], and whether the
//! worker can read them is the worker's word.

mod check;
mod download;
mod error;
mod hub;
mod listing;
mod patience;
mod progress;
mod snapshot;

use std::fs;
use std::path::{Path, PathBuf};

use api::model_files::INDEX;
use tracing::info;

pub use error::FetchError;
pub use hub::Access;
pub use patience::Patience;

use download::Download;
use hub::Hub;
use listing::{Listing, Remote};
use progress::Progress;
use snapshot::Snapshot;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The repository.
    pub repo: String,
    /// A commit, branch or tag.
    pub revision: String,
    /// The one GGUF file that is wanted in place of safetensors.
    pub file: Option<String>,
    /// The folder of a LoRA adapter in the repository that is wanted beside the model.
    pub adapter: Option<String>,
    /// The folder that keeps what was fetched.
    pub into: PathBuf,
}

/// The folder of the model, complete.
///
/// # Errors
/// When it can't be had; each error names the way out, and says by its outcome whether to try again.
pub async fn fetch(wanted: &Wanted, access: &Access, patience: Patience) -> Result<PathBuf, FetchError> {
    let (file, adapter) = (wanted.file.as_deref(), wanted.adapter.as_deref());
    if listing::is_commit(&wanted.revision) {
        let snapshot = Snapshot::new(&wanted.into, &wanted.repo, &wanted.revision, file);
        if snapshot.is_complete(adapter) {
            info!(folder = %snapshot.folder().display(), "the model is here already");
            return Ok(snapshot.folder().to_owned());
        }
    }
    let hub = Hub::open(access, patience)?;
    let commit = hub.commit(&wanted.repo, &wanted.revision).await?;
    let snapshot = Snapshot::new(&wanted.into, &wanted.repo, &commit, file);
    let turn = snapshot.take_turn()?;
    // Whoever had the turn before may have fetched it all.
    if !snapshot.is_complete(adapter) {
        let listing = hub.listing(&wanted.repo, &commit).await?;
        let files = Fetcher { hub: &hub, wanted, commit: &commit, snapshot: &snapshot, part: turn.part() };
        files.fetch(&listing).await?;
    }
    info!(folder = %snapshot.folder().display(), "the model is complete");
    Ok(snapshot.folder().to_owned())
}

/// Makes `link` lead to `folder`, whatever it led to before.
///
/// # Errors
/// When the link can't be written.
pub fn link(folder: &Path, link: &Path) -> Result<(), FetchError> {
    let beside = link.with_added_extension("part");
    let linked = match fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => std::path::absolute(folder)
            .and_then(|folder| std::os::unix::fs::symlink(folder, &beside))
            .and_then(|()| fs::rename(&beside, link)),
    };
    linked.map_err(|source| FetchError::disk("write", link, source))
}

/// Fetches the files of one commit.
struct Fetcher<'a> {
    hub: &'a Hub,
    wanted: &'a Wanted,
    commit: &'a str,
    snapshot: &'a Snapshot,
    /// The extension of files that are not complete.
    part: &'a str,
}

impl Fetcher<'_> {
    async fn fetch(&self, listing: &Listing) -> Result<(), FetchError> {
        let file = self.wanted.file.as_deref();
        let small = listing.small(&self.wanted.repo, file)?;
        self.all(&small, &mut Progress::silent()).await?;
        let index =
            small.iter().any(|remote| remote.name() == INDEX).then(|| self.read_index()).transpose()?;
        let Wanted { repo, adapter, .. } = self.wanted;
        let adapter = adapter.as_ref().map(|folder| listing.adapter(repo, folder)).transpose()?;
        let mut weights = listing.weights(repo, file, index.as_deref())?;
        weights.extend(adapter.into_iter().flatten());
        let mut progress = Progress::of(weights.iter().map(|remote| remote.size).sum());
        self.all(&weights, &mut progress).await?;
        let kept: Vec<&Remote> = small.into_iter().chain(weights).collect();
        self.snapshot.complete(&self.wanted.repo, self.commit, &kept)
    }

    async fn all(&self, files: &[&Remote], progress: &mut Progress) -> Result<(), FetchError> {
        for remote in files {
            let target = self.snapshot.folder().join(remote.name());
            let url = self.hub.file(&self.wanted.repo, self.commit, &remote.path);
            let part = target.with_added_extension(self.part);
            Download { hub: self.hub, url, remote, target, part }.run(progress).await?;
        }
        Ok(())
    }

    fn read_index(&self) -> Result<Vec<u8>, FetchError> {
        let path = self.snapshot.folder().join(INDEX);
        fs::read(&path).map_err(|source| FetchError::disk("read", &path, source))
    }
}
