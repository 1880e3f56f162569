//! What a repository lists, and what of it is fetched.

use api::model_files::{self, ADAPTER, CONFIG, INDEX, SMALL, TOKENIZER, WEIGHTS};
use serde::Deserialize;

use super::FetchError;
use super::check::Checksum;

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// Its path in the repository.
    pub(super) path: String,
    /// Its bytes.
    pub(super) size: u64,
    /// What they come to.
    pub(super) checksum: Checksum,
}

impl Remote {
    /// Its path in the model's folder: that of the repository, but for a GGUF file, which the worker looks for in the
    /// folder itself.
    pub(super) fn name(&self) -> &str {
        if self.path.ends_with(".gguf") {
            self.path.rsplit('/').next().unwrap_or(&self.path)
        } else {
            &self.path
        }
    }
}

/// An entry as the interface gives it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    size: u64,
    oid: String,
    lfs: Option<Large>,
}

#[derive(Clone, Debug, Deserialize)]
struct Large {
    oid: String,
    size: u64,
}

/// The files of a commit. Their bytes together can be counted.
#[derive(Debug)]
pub(super) struct Listing(Vec<Remote>);

/// The most bytes of a file that is read besides the weights, all of it into memory. A tokenizer of a quarter of a
/// million words has some 32 MiB; an index of 140 thousand tensors, as of hundreds of experts in each layer, half that.
fn most(name: &str) -> u64 {
    if name == TOKENIZER { 128 << 20 } else { 32 << 20 }
}

impl Listing {
    /// Reads the entries.
    pub(super) fn new(entries: Vec<Entry>, url: &str) -> Result<Self, FetchError> {
        let files = entries.into_iter().filter(|entry| entry.kind == "file");
        let files = files.map(|entry| remote(entry, url)).collect::<Result<Vec<_>, _>>()?;
        let total = files.iter().try_fold(0, |sum: u64, file| sum.checked_add(file.size));
        let endless = || FetchError::Strange {
            url: url.to_owned(),
            what: "its files have more bytes together than can be counted".to_owned(),
        };
        total.map(|_| Self(files)).ok_or_else(endless)
    }

    /// What is read besides the weights. An index belongs to safetensors.
    ///
    /// # Errors
    /// When the model can't be read with what the repository holds, or a file is too large for its name.
    pub(super) fn small(&self, repo: &str, file: Option<&str>) -> Result<Vec<&Remote>, FetchError> {
        for (name, remedy) in self.needed(file) {
            self.demand(repo, name, remedy)?;
        }
        let names = SMALL.into_iter().filter(|name| file.is_none() || *name != INDEX);
        names.filter_map(|name| self.find(name)).map(|remote| bounded(repo, remote)).collect()
    }

    /// What a model can't be read without, as far as no index has to be read for it, and what helps where it is missing.
    fn needed<'a>(&self, file: Option<&'a str>) -> Vec<(&'a str, &'static str)> {
        const ORIGIN: &str = "take the repository that it was made from";
        const VOLUME: &str =
            "put the .gguf file on a volume, with the tokenizer of the model that it was made from";
        if let Some(file) = file {
            return vec![(file, "name a .gguf file that is there"), (TOKENIZER, VOLUME)];
        }
        let weights = (WEIGHTS, "take a repository with safetensors, or name a .gguf file of this one");
        let weights = self.find(INDEX).is_none().then_some(weights);
        weights.into_iter().chain([(TOKENIZER, ORIGIN), (CONFIG, ORIGIN)]).collect()
    }

    /// The weights: the one file that is asked for, those that the index names, or the one of the usual name.
    pub(super) fn weights(
        &self,
        repo: &str,
        file: Option<&str>,
        index: Option<&[u8]>,
    ) -> Result<Vec<&Remote>, FetchError> {
        let no_index = |what| FetchError::Index { repo: repo.to_owned(), what };
        let names = match (file, index) {
            (Some(file), _) => vec![file.to_owned()],
            (None, Some(index)) => model_files::shards(index).map_err(no_index)?,
            (None, None) => vec![WEIGHTS.to_owned()],
        };
        names.iter().map(|name| self.demand(repo, name, "it is not complete")).collect()
    }

    fn demand(&self, repo: &str, name: &str, remedy: &'static str) -> Result<&Remote, FetchError> {
        let lacks = || FetchError::Lacks { repo: repo.to_owned(), file: name.to_owned(), remedy };
        self.find(name).ok_or_else(lacks)
    }

    /// The files of an adapter, by its folder.
    pub(super) fn adapter(&self, repo: &str, folder: &str) -> Result<Vec<&Remote>, FetchError> {
        let remedy =
            "name a folder of the repository that holds an adapter in the form of peft, with safetensors";
        let find = |name| {
            let file = format!("{folder}/{name}");
            self.find(&file).ok_or(FetchError::Lacks { repo: repo.to_owned(), file, remedy })
        };
        let [config, weights] = ADAPTER.map(find);
        Ok(vec![bounded(repo, config?)?, weights?])
    }

    fn find(&self, path: &str) -> Option<&Remote> {
        self.0.iter().find(|remote| remote.path == path)
    }
}

fn bounded<'a>(repo: &str, remote: &'a Remote) -> Result<&'a Remote, FetchError> {
    let (size, most) = (remote.size, most(&remote.path));
    if size > most {
        return Err(FetchError::TooLarge { repo: repo.to_owned(), file: remote.path.clone(), size, most });
    }
    Ok(remote)
}

fn remote(entry: Entry, url: &str) -> Result<Remote, FetchError> {
    let Entry { kind: _, path, size, oid, lfs } = entry;
    if !is_inside(&path) {
        return Err(FetchError::UnsafeName { name: path });
    }
    let (size, checksum) = match lfs {
        Some(large) => (large.size, Checksum::Sha256(large.oid.trim_start_matches("sha256:").to_owned())),
        None => (size, Checksum::GitBlob(oid)),
    };
    let is_sum = match &checksum {
        Checksum::Sha256(sum) => is_hex(sum, 64),
        Checksum::GitBlob(sum) => is_hex(sum, 40),
    };
    if !is_sum {
        let what = format!("the checksum of {path} is {checksum}");
        return Err(FetchError::Strange { url: url.to_owned(), what });
    }
    Ok(Remote { path, size, checksum })
}

/// Whether a path stays in its folder.
fn is_inside(path: &str) -> bool {
    !path.contains(['\\', '\0']) && path.split('/').all(|part| !["", ".", ".."].contains(&part))
}

/// Whether a revision is a commit, which never moves.
pub(super) fn is_commit(revision: &str) -> bool {
    is_hex(revision, 40)
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(paths: &[&str]) -> Result<Listing, FetchError> {
        sized(paths, 1)
    }

    fn sized(paths: &[&str], size: u64) -> Result<Listing, FetchError> {
        let entry = |path: &&str| Entry {
            kind: "file".to_owned(),
            path: (*path).to_owned(),
            size,
            oid: "0".repeat(40),
            lfs: path
                .ends_with(".safetensors")
                .then(|| Large { oid: format!("sha256:{}", "a".repeat(64)), size: 9 }),
        };
        Listing::new(paths.iter().map(entry).collect(), "https://hub")
    }

    fn names(files: Vec<&Remote>) -> Vec<&str> {
        files.into_iter().map(Remote::name).collect()
    }

    const ALL: [&str; 13] = [
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "README.md",
        "brands/acme/adapter_config.json",
        "brands/acme/adapter_model.safetensors",
        "config.json",
        "consolidated.safetensors",
        "gguf/tiny-Q8_0.gguf",
        "model-1.safetensors",
        "model.safetensors",
        "modules.json",
        "original/config.json",
        "tokenizer.json",
    ];

    #[test]
    fn what_is_read_is_fetched_and_nothing_else() {
        let listing = listing(&ALL).expect("a listing");
        let small = ["config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json"];
        assert_eq!(names(listing.small("a/b", None).expect("whole")), small);
        let weights =
            |file, index: Option<&str>| listing.weights("a/b", file, index.map(str::as_bytes)).map(names);
        assert_eq!(weights(None, None).expect("there"), ["model.safetensors"]);
        let index = r#"{"weight_map": {"x": "model-1.safetensors"}}"#;
        assert_eq!(weights(None, Some(index)).expect("there"), ["model-1.safetensors"]);
        assert_eq!(weights(Some("gguf/tiny-Q8_0.gguf"), None).expect("there"), ["tiny-Q8_0.gguf"]);
    }

    #[test]
    fn an_adapter_keeps_its_folder() {
        let listing = listing(&ALL).expect("a listing");
        let acme = ["brands/acme/adapter_config.json", "brands/acme/adapter_model.safetensors"];
        assert_eq!(names(listing.adapter("a/b", "brands/acme").expect("there")), acme);
        let said = listing.adapter("a/b", "brands/other").expect_err("none").to_string();
        assert!(said.contains("a/b has no brands/other/adapter_config.json: name a folder"), "{said}");
    }

    #[test]
    fn a_file_that_is_read_whole_has_a_bound() {
        let listing = sized(&ALL, (128 << 20) + 1).expect("a listing");
        assert!(matches!(listing.small("a/b", None), Err(FetchError::TooLarge { .. })));
        assert!(matches!(listing.adapter("a/b", "brands/acme"), Err(FetchError::TooLarge { .. })));
    }

    #[test]
    fn what_is_missing_is_named_with_a_remedy() {
        let check = |paths: &[&str], file, index: Option<&str>, says: &str| {
            let listing = listing(paths).expect("a listing");
            let read = || listing.weights("a/b", file, index.map(str::as_bytes));
            let said = listing.small("a/b", file).and_then(|_| read()).expect_err(says).to_string();
            assert!(said.contains(says), "{said}");
        };
        check(&["tokenizer.json"], None, None, "a/b has no model.safetensors: take a repository with");
        check(&["model.safetensors"], None, None, "a/b has no tokenizer.json: take the repository");
        check(
            &["q8.gguf"],
            Some("q8.gguf"),
            None,
            "a/b has no tokenizer.json: put the .gguf file on a volume",
        );
        check(&["model.safetensors", "tokenizer.json"], None, None, "a/b has no config.json");
        check(&["model.safetensors.index.json", "tokenizer.json"], None, None, "a/b has no config.json");
        check(&ALL, Some("x.gguf"), None, "a/b has no x.gguf: name a .gguf file");
        check(&ALL, None, Some(r#"{"weight_map": {"x": "model-2.safetensors"}}"#), "model-2.safetensors");
        check(
            &ALL,
            None,
            Some(r#"{"weight_map": {"x": "../model-1.safetensors"}}"#),
            "is no safetensors beside it",
        );
    }

    #[test]
    fn a_name_that_leads_out_of_its_folder_is_refused() {
        for path in ["../config.json", "/etc/passwd", "a/../../b", "a//b", "./a", "a\\..\\b", ""] {
            assert!(matches!(listing(&[path]), Err(FetchError::UnsafeName { .. })), "{path}");
        }
    }

    #[test]
    fn only_a_whole_commit_never_moves() {
        assert!(is_commit(&"0a".repeat(20)));
        for revision in ["main", "0a0a0a0", &"0A".repeat(20), "../aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
            assert!(!is_commit(revision), "{revision}");
        }
    }
}
