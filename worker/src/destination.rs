//! Where finished variants go: a folder here, the cluster elsewhere.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use api::{AdVariant, AdVariantSpec};

/// Takes variants, and knows those that were taken before.
///
/// The worker asks once what exists and then delivers the variants of a placement as soon as they are chosen, which is
/// when all its drafts are judged. One who is killed loses the drafts of a placement, and writes them again from the same
/// dice. Calls come from one thread and may block.
pub trait Destination {
    /// The variants of `campaign` that were delivered before, by this run or an earlier one, in any order.
    ///
    /// # Errors
    /// When it cannot be known; the worker then stops rather than write a double.
    fn existing(&mut self, campaign: &str) -> Result<Vec<AdVariantSpec>, DestinationError>;

    /// Takes one variant. Its name comes from its content, so delivering it twice is delivering it once.
    ///
    /// # Errors
    /// When it was not taken.
    fn deliver(&mut self, variant: &AdVariantSpec) -> Result<(), DestinationError>;
}

/// Why a destination did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// A variant could not be written or read.
    #[error("cannot {act} {}", path.display())]
    File {
        /// What was tried.
        act: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the folder is no variant.
    #[error("{} is not an AdVariant: move it away, or delete it to have its variant written again", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: Box<serde_saphyr::Error>,
    },
    /// A variant is none that the destination takes, and will be none the next time.
    #[error("a variant was refused")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A destination outside this crate failed.
    #[error("the destination failed")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl DestinationError {
    /// Whether another try would fail too.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Parse { .. } | Self::Refused(_) => true,
            Self::File { .. } | Self::Other(_) => false,
        }
    }
}

/// A folder with one `AdVariant` manifest per file, fit for `kubectl apply -f`.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Uses a folder, and makes it where there is none.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &Path) -> Result<Self, DestinationError> {
        fs::create_dir_all(path).map_err(|source| file("make", path, source))?;
        Ok(Self { path: path.to_owned() })
    }

    fn manifests(&self) -> Result<Vec<PathBuf>, DestinationError> {
        let read = |source| file("read", &self.path, source);
        let entries = fs::read_dir(&self.path).map_err(read)?;
        let paths = entries.map(|entry| Ok(entry.map_err(read)?.path())).collect::<Result<Vec<_>, _>>()?;
        Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect())
    }
}

impl Destination for Folder {
    fn existing(&mut self, campaign: &str) -> Result<Vec<AdVariantSpec>, DestinationError> {
        let specs =
            self.manifests()?.into_iter().map(|path| read_manifest(&path)).collect::<Result<Vec<_>, _>>()?;
        Ok(specs.into_iter().filter(|spec| spec.campaign == campaign).collect())
    }

    fn deliver(&mut self, variant: &AdVariantSpec) -> Result<(), DestinationError> {
        let name = api::name::variant(&variant.campaign, &variant.placement, &variant.slots);
        let path = self.path.join(format!("{name}.yaml"));
        let text = serde_saphyr::to_string(&AdVariant::new(&name, variant.clone()))
            .map_err(|error| DestinationError::Other(Box::new(error)))?;
        // Written beside and renamed: a reader, or a run after a crash, never sees half a variant.
        let beside = path.with_extension("part");
        fs::write(&beside, text).map_err(|source| file("write", &beside, source))?;
        fs::rename(&beside, &path).map_err(|source| file("write", &path, source))
    }
}

fn read_manifest(path: &Path) -> Result<AdVariantSpec, DestinationError> {
    let text = fs::read_to_string(path).map_err(|source| file("read", path, source))?;
    let variant: AdVariant = serde_saphyr::from_str(&text)
        .map_err(|source| DestinationError::Parse { path: path.to_owned(), source: Box::new(source) })?;
    Ok(variant.spec)
}

fn file(act: &'static str, path: &Path, source: io::Error) -> DestinationError {
    DestinationError::File { act, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use api::{Origin, Slots};

    use super::*;

    fn variant(campaign: &str, headline: &str) -> AdVariantSpec {
        AdVariantSpec {
            campaign: campaign.into(),
            placement: "hero".into(),
            origin: Origin::Generated,
            slots: Slots::from([("headline".into(), headline.into())]),
            edit: None,
            provenance: None,
            appraisal: None,
        }
    }

    #[test]
    fn what_was_delivered_comes_back_as_it_was_and_twice_is_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut destination = Folder::open(folder.path()).expect("opens");
        for text in ["yes", "'quoted': \"both\" # no comment", "- 3\u{a0}%", "Café 👩‍🚀", "null"] {
            let one = variant("one", text);
            destination.deliver(&one).expect("delivered");
            destination.deliver(&one).expect("delivered again");
            assert!(destination.existing("one").expect("known").contains(&one), "{text}");
        }
        assert_eq!(destination.existing("one").expect("known").len(), 5);
        assert!(destination.existing("other").expect("known").is_empty());
    }

    #[test]
    fn a_half_written_file_is_no_variant_and_a_broken_one_stops_the_run() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("one.part"), "kind: Ad").expect("written");
        let mut destination = Folder::open(folder.path()).expect("opens");
        assert!(destination.existing("one").expect("known").is_empty());
        fs::write(folder.path().join("one.yaml"), "kind: Ad").expect("written");
        assert!(matches!(destination.existing("one"), Err(DestinationError::Parse { .. })));
    }
}
