//! Whether a folder is a model that the worker can read, as far as names, JSON and the first bytes of files tell.
//!
//! Families and shapes are the worker's matter: its engine does not reach this program.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use api::model_files::{CONFIG, INDEX, SMALL, TOKENIZER, WEIGHTS, shards};
use serde_json::Value;

use super::adapters::adapters;

/// What of a folder belongs into a model's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The files that are packed: the model's, those of adapters in folders of it, and what its license asks to go along.
    /// Paths below the folder, sorted.
    pub packed: Vec<String>,
    /// The files that are not.
    pub left: Vec<String>,
}

/// Why a folder is no model.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The folder or a file can't be read.
    #[error("{} can't be read", path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is missing.
    #[error("{} has no {file}: {remedy}", folder.display())]
    Lacks {
        /// The folder.
        folder: PathBuf,
        /// The file.
        file: String,
        /// What helps.
        remedy: &'static str,
    },
    /// A file is not what its name says.
    #[error("{} {what}: fetch it anew", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Several models in one folder.
    #[error("{} holds {count} GGUF files: keep the one that is meant", folder.display())]
    Several {
        /// The folder.
        folder: PathBuf,
        /// How many.
        count: usize,
    },
}

/// Licenses ask that they go along with what they cover.
const PAPERS: [&str; 3] = ["LICENSE", "NOTICE", "README"];

/// Looks into a folder.
///
/// # Errors
/// When it is no model, or not all of one.
pub(super) fn look(folder: &Path) -> Result<Contents, Fault> {
    let names = names(folder)?;
    let weights = weights(folder, &names)?;
    if !names.iter().any(|name| name == TOKENIZER) {
        return Err(lacks(folder, TOKENIZER, "take it from the repository that the model was made from"));
    }
    json(&folder.join(TOKENIZER), "model")?;
    let is_packed = |name: &String| {
        SMALL.contains(&name.as_str())
            || weights.contains(name)
            || PAPERS.iter().any(|paper| name.starts_with(paper))
    };
    let (mut packed, left): (Vec<String>, Vec<String>) = names.into_iter().partition(is_packed);
    let below = SMALL.into_iter().filter(|path| path.contains('/') && folder.join(path).is_file());
    packed.extend(below.map(str::to_owned));
    packed.extend(adapters(folder)?);
    packed.sort();
    Ok(Contents { packed, left })
}

/// The files of a folder, links to files among them, as caches of Hugging Face have them.
fn names(folder: &Path) -> Result<Vec<String>, Fault> {
    let unreadable = |source| Fault::Unreadable { path: folder.to_owned(), source };
    let entries =
        fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unreadable)?;
    let files = entries.into_iter().filter(|entry| entry.path().is_file());
    let mut names: Vec<String> = files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// The files of the weights, in the order in which the worker looks for them: safetensors, else one GGUF file.
fn weights(folder: &Path, names: &[String]) -> Result<Vec<String>, Fault> {
    let has = |name: &str| names.iter().any(|it| it == name);
    if !has(INDEX) && !has(WEIGHTS) {
        return gguf(folder, names);
    }
    if !has(CONFIG) {
        return Err(lacks(folder, CONFIG, "take it from the model's repository"));
    }
    json(&folder.join(CONFIG), "model_type")?;
    let files = if has(INDEX) { indexed(&folder.join(INDEX))? } else { vec![WEIGHTS.to_owned()] };
    for file in &files {
        if !has(file) {
            return Err(lacks(folder, file, "its index names it; fetch what is missing"));
        }
        safetensors(&folder.join(file))?;
    }
    Ok(files)
}

fn gguf(folder: &Path, names: &[String]) -> Result<Vec<String>, Fault> {
    let files: Vec<String> = names.iter().filter(|name| name.ends_with(".gguf")).cloned().collect();
    match files.as_slice() {
        [] => Err(lacks(folder, WEIGHTS, "put safetensors or one GGUF file into it")),
        [file] => {
            let path = folder.join(file);
            let first = first(&path)?;
            if first.starts_with(b"GGUF") {
                Ok(files)
            } else {
                Err(malformed(&path, "does not begin as GGUF does"))
            }
        }
        several => Err(Fault::Several { folder: folder.to_owned(), count: several.len() }),
    }
}

fn indexed(path: &Path) -> Result<Vec<String>, Fault> {
    shards(&read(path)?).map_err(|what| malformed(path, what))
}

/// A file that begins with the length of its header, then the header, which is JSON.
pub(super) fn safetensors(path: &Path) -> Result<(), Fault> {
    let length =
        fs::metadata(path).map_err(|source| Fault::Unreadable { path: path.to_owned(), source })?.len();
    let header = u64::from_le_bytes(first(path)?);
    match header.checked_add(8) {
        Some(end) if header > 1 && end <= length => Ok(()),
        _ => Err(malformed(path, "is no safetensors, or ends too early")),
    }
}

/// The first bytes; zeros where the file is shorter.
fn first(path: &Path) -> Result<[u8; 8], Fault> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(8).read_to_end(&mut bytes));
    read.map_err(|source| Fault::Unreadable { path: path.to_owned(), source })?;
    bytes.resize(8, 0);
    Ok(bytes.try_into().expect("there are eight"))
}

/// A file of JSON must be an object with a field that every one of its kind has.
pub(super) fn json(path: &Path, field: &str) -> Result<(), Fault> {
    let value: Value = serde_json::from_slice(&read(path)?)
        .map_err(|error| malformed(path, format!("is no JSON ({error})")))?;
    if value[field].is_null() { Err(malformed(path, format!("has no {field}"))) } else { Ok(()) }
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(path).map_err(|source| Fault::Unreadable { path: path.to_owned(), source })
}

pub(super) fn lacks(folder: &Path, file: &str, remedy: &'static str) -> Fault {
    Fault::Lacks { folder: folder.to_owned(), file: file.to_owned(), remedy }
}

fn malformed(path: &Path, what: impl Into<String>) -> Fault {
    Fault::Malformed { path: path.to_owned(), what: what.into() }
}

#[cfg(test)]
mod tests {
    use api::model_files::{MODULES, POOLING};

    use super::*;

    const TOKENS: (&str, &str) = (TOKENIZER, r#"{"model": {}}"#);
    const SHAPE: (&str, &str) = (CONFIG, r#"{"model_type": "llama"}"#);
    const WHOLE: &str = "\u{2}\0\0\0\0\0\0\0{}";

    fn looked(files: &[(&str, &str)]) -> Result<Contents, String> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("onnx")).expect("made");
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("the folder")).expect("made");
            fs::write(path, content).expect("written");
        }
        look(folder.path()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_model_is_packed_with_its_license_and_without_the_rest() {
        let check = |files: &[(&str, &str)], packed: &[&str], left: &[&str]| {
            let contents = looked(files).expect("a model");
            assert_eq!((contents.packed, contents.left), (owned(packed), owned(left)));
        };
        let owned_files = [TOKENS, SHAPE, (WEIGHTS, WHOLE), ("LICENSE", ""), ("pytorch_model.bin", "")];
        check(&owned_files, &["LICENSE", CONFIG, WEIGHTS, TOKENIZER], &["pytorch_model.bin"]);
        check(&[TOKENS, ("q8.gguf", "GGUF")], &["q8.gguf", TOKENIZER], &[]);
        let embedder = [
            TOKENS,
            SHAPE,
            (WEIGHTS, WHOLE),
            (MODULES, "[]"),
            (POOLING, "{}"),
            ("2_Dense/config.json", "{}"),
        ];
        check(&embedder, &[POOLING, CONFIG, WEIGHTS, MODULES, TOKENIZER], &[]);
        let both = [TOKENS, SHAPE, (WEIGHTS, WHOLE), ("q8.gguf", "GGUF")];
        check(&both, &[CONFIG, WEIGHTS, TOKENIZER], &["q8.gguf"]);
        let index = (INDEX, r#"{"weight_map": {"a": "model-1.safetensors"}}"#);
        let sharded = [TOKENS, SHAPE, index, ("model-1.safetensors", WHOLE), ("adapter.safetensors", WHOLE)];
        check(&sharded, &[CONFIG, "model-1.safetensors", INDEX, TOKENIZER], &["adapter.safetensors"]);
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_no_model_says_what_is_missing() {
        let check = |files: &[(&str, &str)], says: &str| {
            let said = looked(files).expect_err(says);
            assert!(said.contains(says), "{said}");
        };
        check(&[TOKENS, SHAPE], "has no model.safetensors: put safetensors or one GGUF file into it");
        check(&[TOKENS, (WEIGHTS, WHOLE)], "has no config.json");
        check(&[SHAPE, (WEIGHTS, WHOLE)], "has no tokenizer.json");
        check(&[TOKENS, (CONFIG, "{}"), (WEIGHTS, WHOLE)], "config.json has no model_type");
        check(&[TOKENS, (CONFIG, "<html>"), (WEIGHTS, WHOLE)], "config.json is no JSON");
        check(&[TOKENS, SHAPE, (WEIGHTS, "\u{9}\0\0\0\0\0\0\0{}")], "is no safetensors, or ends too early");
        check(&[TOKENS, SHAPE, (WEIGHTS, "version https://git-lfs.github.com/spec/v1")], "is no safetensors");
        check(&[TOKENS, ("a.gguf", "GGUF"), ("b.gguf", "GGUF")], "holds 2 GGUF files: keep the one");
        check(&[TOKENS, ("a.gguf", "GGML")], "does not begin as GGUF does");
        let index = (INDEX, r#"{"weight_map": {"a": "model-1.safetensors"}}"#);
        check(&[TOKENS, SHAPE, index], "has no model-1.safetensors: its index names it");
        let astray = (INDEX, r#"{"weight_map": {"a": "../model-1.safetensors"}}"#);
        check(&[TOKENS, SHAPE, astray], "is no safetensors beside it");
    }
}
