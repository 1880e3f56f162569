//! Why a model can't be had: one word for each thing that the reader would do about it.

use std::io;
use std::path::{Path, PathBuf};

use api::model_secret::hub::{CA, TOKEN};
use api::wire::report::Outcome;

/// Why a model can't be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The repository's address can't be used. What was given is not repeated, since it may hold a password.
    #[error("{named} {what}")]
    Address {
        /// Where it was given.
        named: String,
        /// What is wrong, with the remedy.
        what: &'static str,
    },
    /// A file of the Secret can't be used.
    #[error("{} (`{key}` of the Secret) {what}", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// The key of the Secret.
        key: &'static str,
        /// What is wrong, with the remedy.
        what: &'static str,
    },
    /// No client can be made.
    #[error("no connection can be prepared: look at {CA}, where there is one")]
    Client(#[source] reqwest::Error),
    /// 401.
    #[error(
        "{url} wants to know who asks (401), as it also does of repositories that don't exist: look at the name of the \
         repository, and give a token that may read it, as {TOKEN}"
    )]
    Unauthorized {
        /// What was asked for.
        url: String,
    },
    /// 403.
    #[error(
        "{url} is not for the owner of this token (403): accept the model's terms on its page, or ask its owner for access"
    )]
    Forbidden {
        /// What was asked for.
        url: String,
    },
    /// 404.
    #[error("{url} does not exist (404): look at repo, revision and file")]
    NotFound {
        /// What was asked for.
        url: String,
    },
    /// Another answer that asking again would not change.
    #[error("{url} was refused ({status}): look whether the address is that of a repository of Hugging Face")]
    Refused {
        /// What was asked for.
        url: String,
        /// The answer's status.
        status: u16,
    },
    /// A redirect that is not followed.
    #[error("{url} leads astray: it may send nobody from https to http, nor in a circle")]
    Astray {
        /// What was asked for.
        url: String,
        /// What the client said.
        source: reqwest::Error,
    },
    /// The repository did not answer, or answered that it is busy, as often as we asked.
    #[error("{url} does not answer: look whether this network lets it through, and whether the mirror runs")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What the client said, where it was more than a status.
        source: Option<reqwest::Error>,
    },
    /// An answer is not what the repository's interface says.
    #[error("{url} answers otherwise than a repository of Hugging Face: {what}")]
    Strange {
        /// What was asked for.
        url: String,
        /// What is strange.
        what: String,
    },
    /// The repository lists a file whose name leads out of its folder.
    #[error(
        "the repository lists {name:?}, which leads out of its folder: do not use it, and tell its owner"
    )]
    UnsafeName {
        /// The name.
        name: String,
    },
    /// A file is larger than one of its name ever is.
    #[error(
        "{file} of {repo} has {size} bytes, and no such file has more than {most}: do not use the repository, and find \
         out whether the mirror altered it"
    )]
    TooLarge {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
        /// What the repository lists.
        size: u64,
        /// What is fetched at most.
        most: u64,
    },
    /// The repository lacks what a model needs.
    #[error("{repo} has no {file}: {remedy}")]
    Lacks {
        /// The repository.
        repo: String,
        /// What is missing.
        file: String,
        /// What helps.
        remedy: &'static str,
    },
    /// The index of the weights can't be used.
    #[error("{} of {repo} {what}", api::model_files::INDEX)]
    Index {
        /// The repository.
        repo: String,
        /// What is wrong.
        what: String,
    },
    /// A file is not what its repository says, twice in a row. Nothing of it is kept.
    #[error(
        "{file} has the checksum {found}, its repository says {expected}: do not use it, and find out whether the mirror \
         altered it"
    )]
    Checksum {
        /// The file.
        file: String,
        /// What the repository lists.
        expected: String,
        /// What came.
        found: String,
    },
    /// The volume has no room.
    #[error("there is no room for {}: make the volume larger, or remove models that nobody uses from it", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The volume can't be read or written.
    #[error("cannot {act} {}: look whether the volume lets user 65532 write", path.display())]
    Disk {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FetchError {
    /// Whether the same inputs would fail again.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Unreachable { .. } | Self::Disk { .. } => Outcome::Failed,
            Self::Address { .. }
            | Self::Secret { .. }
            | Self::Client(_)
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::Astray { .. }
            | Self::Strange { .. }
            | Self::UnsafeName { .. }
            | Self::TooLarge { .. }
            | Self::Lacks { .. }
            | Self::Index { .. }
            | Self::Checksum { .. }
            | Self::Full { .. } => Outcome::Misconfigured,
        }
    }

    /// What the system said of a file; a full volume is a word of its own.
    pub(super) fn disk(act: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path: path.to_owned() },
            _ => Self::Disk { act, path: path.to_owned(), source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_full_volume_is_told_from_a_broken_one() {
        let full = Path::new("/dev/full");
        let said = std::fs::File::create(full).and_then(|mut file| file.write_all(b"x"));
        let error = FetchError::disk("write", full, said.expect_err("that device is always full"));
        assert!(error.to_string().starts_with("there is no room for /dev/full: make the volume larger"));
        assert_eq!(error.outcome(), Outcome::Misconfigured);
        let gone = std::fs::read("/nowhere").expect_err("there is no such file");
        assert_eq!(FetchError::disk("read", Path::new("/nowhere"), gone).outcome(), Outcome::Failed);
    }
}
