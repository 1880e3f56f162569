//! Folders in the layout of Hugging Face.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::Deserialize;

use super::{Stored, Weights, open_file};
use crate::{Configuration, EngineError};

/// Headers above this are none: the format's own bound.
const LONGEST_HEADER: u64 = 100_000_000;

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Whether a folder holds weights in this form.
pub(super) fn is_in(folder: &Path) -> bool {
    folder.join(WEIGHTS).exists() || folder.join(INDEX).exists()
}

pub(super) fn open(folder: &Path) -> Result<(Weights, Configuration), EngineError> {
    let config = folder.join("config.json");
    let configuration = Configuration::from_json(&read(&config)?, &config)?;
    Ok((weights(folder)?, configuration))
}

/// The tensors alone.
pub(super) fn weights(folder: &Path) -> Result<Weights, EngineError> {
    let mut weights = Weights::default();
    for path in shards(folder)? {
        let file = open_file(&path)?;
        add(&mut weights, path, file)?;
    }
    weights.check_lengths()
}

/// The tensors of one file.
pub(super) fn open_file_alone(path: &Path) -> Result<Weights, EngineError> {
    let mut weights = Weights::default();
    add(&mut weights, path.to_owned(), open_file(path)?)?;
    weights.check_lengths()
}

/// `model.safetensors`, or the files that `model.safetensors.index.json` names.
fn shards(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: HashMap<String, String>,
    }
    let index = folder.join(INDEX);
    if !index.exists() {
        return Ok(vec![folder.join(WEIGHTS)]);
    }
    let malformed = |what: String| EngineError::Malformed { path: index.clone(), what };
    let Index { weight_map } =
        serde_json::from_slice(&read(&index)?).map_err(|error| malformed(error.to_string()))?;
    let names: BTreeSet<String> = weight_map.into_values().collect();
    // A file of the model's folder, and no other.
    match names.iter().find(|name| Path::new(name).components().count() != 1) {
        Some(name) => Err(malformed(format!("{name:?} is no file beside it"))),
        None => Ok(names.into_iter().map(|name| folder.join(name)).collect()),
    }
}

fn add(weights: &mut Weights, path: PathBuf, file: File) -> Result<(), EngineError> {
    let unreadable = |source| EngineError::Read { path: path.clone(), source };
    let malformed = |what: String| EngineError::Malformed { path: path.clone(), what };
    let mut length = [0; 8];
    file.read_exact_at(&mut length, 0).map_err(unreadable)?;
    let length = u64::from_le_bytes(length);
    let whole = file.metadata().map_err(unreadable)?.len();
    if length > LONGEST_HEADER || length + 8 > whole {
        return Err(malformed(format!("its header would have {length} bytes")));
    }
    let mut header = vec![0; usize::try_from(length).map_err(|error| malformed(error.to_string()))?];
    file.read_exact_at(&mut header, 8).map_err(unreadable)?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| malformed(error.to_string()))?;
    let index = weights.files.len();
    for (name, info) in metadata.tensors() {
        let Some(kind) = kind(info.dtype) else { continue };
        let offset = 8 + length + info.data_offsets.0 as u64;
        weights.tensors.insert(name, Stored { file: index, offset, kind, shape: info.shape.clone() });
    }
    weights.files.push((path, file));
    Ok(())
}

/// Floats are read; whatever else a file holds is no weight of a decoder.
fn kind(dtype: Dtype) -> Option<GgmlDType> {
    match dtype {
        Dtype::F32 => Some(GgmlDType::F32),
        Dtype::F16 => Some(GgmlDType::F16),
        Dtype::BF16 => Some(GgmlDType::BF16),
        _ => None,
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, EngineError> {
    std::fs::read(path).map_err(|source| EngineError::Read { path: path.to_owned(), source })
}
