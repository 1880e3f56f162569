//! LoRA adapters in PEFT's form: `adapter_config.json` and `adapter_model.safetensors`, merged while weights are read.
//!
//! A matrix `W` becomes `W + scale · B · A` in 32-bit floats, row by row, before it is rounded to any other form: what is
//! kept has the size that it had without the adapter. The adapter's two matrices are in memory only while theirs is read.
//!
//! Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, 2021, section 4.1.

mod config;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Stored, Weights, safetensors};
use crate::EngineError;
use config::Lora;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// What PEFT puts before the names of the model that it wraps.
const WRAPPED: &str = "base_model.model.";
const DOWN: &str = ".lora_A.weight";
const UP: &str = ".lora_B.weight";

/// An adapter that is open and of the shape of its model.
#[derive(Debug)]
pub(super) struct Adapter {
    config: PathBuf,
    file: Weights,
    /// By the names of the weights that they change.
    updates: BTreeMap<String, Update>,
}

/// What one matrix gains, on disk.
#[derive(Debug)]
struct Update {
    /// The name of `A`, `[rank, inputs]`.
    down: String,
    /// The name of `B`, `[outputs, rank]`.
    up: String,
    rank: usize,
    scale: f32,
    was_read: AtomicBool,
}

impl Adapter {
    /// Opens an adapter for a model.
    pub(super) fn open(folder: &Path, model: &Weights) -> Result<Self, EngineError> {
        let config = folder.join(CONFIG);
        let lora = Lora::read(&safetensors::read(&config)?, &config)?;
        let path = folder.join(WEIGHTS);
        let file = safetensors::open_file_alone(&path)?;
        // In their order, so that of several faults the same is named each time.
        let mut names: Vec<&str> = file.tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        let updates = names.iter().filter_map(|name| update(name, &lora, &file, model).transpose());
        let updates = updates.collect::<Result<BTreeMap<_, _>, _>>()?;
        if updates.is_empty() {
            let what = format!("it has no {}", &DOWN[1..]);
            return Err(EngineError::Malformed { path, what });
        }
        Ok(Self { config, file, updates })
    }

    /// Its files: the configuration, then the weights.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.config.as_path()).chain(self.file.files())
    }

    /// What the rows of a matrix gain, if they gain anything.
    pub(super) fn gain(&self, name: &str) -> Result<Option<Gain>, EngineError> {
        let Some(update) = self.updates.get(name) else { return Ok(None) };
        update.was_read.store(true, Ordering::Relaxed);
        let floats = |name: &str| Ok::<_, EngineError>(self.file.floats(name, None)?.0);
        let (down, up) = (floats(&update.down)?, floats(&update.up)?);
        Ok(Some(Gain { down, up, rank: update.rank, scale: update.scale }))
    }

    /// Refuses an update of a weight that the decoder never asked for, such as a head beside tied embeddings.
    pub(super) fn check_all_read(&self) -> Result<(), EngineError> {
        match self.updates.values().find(|update| !update.was_read.load(Ordering::Relaxed)) {
            Some(update) => Err(EngineError::AdapterTensor { name: update.down.clone() }),
            None => Ok(()),
        }
    }
}

/// The update that a tensor begins, by the weight that it changes; nothing for the second tensor of one.
fn update(
    name: &str,
    lora: &Lora,
    file: &Weights,
    model: &Weights,
) -> Result<Option<(String, Update)>, EngineError> {
    let stray = || EngineError::AdapterTensor { name: name.to_owned() };
    let module = name.strip_suffix(DOWN).or(name.strip_suffix(UP)).ok_or_else(stray)?;
    let (down, up) = (format!("{module}{DOWN}"), format!("{module}{UP}"));
    match (file.has(&down), file.has(&up)) {
        (true, true) if name == up => return Ok(None),
        (true, true) => {}
        _ => return Err(stray()),
    }
    let inside = module.strip_prefix(WRAPPED).unwrap_or(module);
    let weight = format!("{inside}.weight");
    let Some(Stored { shape, .. }) = model.tensors.get(&weight) else { return Err(stray()) };
    let [outputs, inputs] = shape[..] else { return Err(stray()) };
    let (rank, scale) = lora.of(inside);
    check_shape(file, &down, [rank, inputs])?;
    check_shape(file, &up, [outputs, rank])?;
    Ok(Some((weight, Update { down, up, rank, scale, was_read: AtomicBool::new(false) })))
}

fn check_shape(file: &Weights, name: &str, wanted: [usize; 2]) -> Result<(), EngineError> {
    let found = &file.tensors[name].shape;
    if *found == wanted {
        return Ok(());
    }
    Err(EngineError::AdapterShape { name: name.to_owned(), found: found.clone(), wanted: wanted.to_vec() })
}

/// What the rows of one matrix gain: `scale · B · A`, never multiplied out as a whole.
#[derive(Debug)]
pub(super) struct Gain {
    down: Vec<f32>,
    up: Vec<f32>,
    rank: usize,
    scale: f32,
}

impl Gain {
    /// Adds what the row of one output gains.
    pub(super) fn add(&self, output: usize, row: &mut [f32]) {
        let ups = &self.up[output * self.rank..][..self.rank];
        for (up, down) in ups.iter().zip(self.down.chunks_exact(row.len())) {
            let factor = self.scale * up;
            row.iter_mut().zip(down).for_each(|(weight, down)| *weight += factor * down);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Form, Matrix, Q8Matrix};

    /// That the merged floats are right is held to peft's in `tests/adapters.rs`.
    #[test]
    fn weights_are_rounded_after_the_merge_to_the_last_bit() {
        let oracles = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles");
        let (plain, _) = Weights::open(&oracles.join("qwen3")).expect("a model");
        let name = "model.layers.1.mlp.down_proj.weight";
        let (before, shape) = plain.floats(name, None).expect("a matrix");
        let merged = plain.with_adapter(&oracles.join("adapters/qwen3")).expect("its adapter");
        let (after, _) = merged.floats(name, None).expect("a matrix");
        assert_ne!(before, after);
        let mut rounded = Q8Matrix::zeros(shape[0], shape[1]);
        after.chunks(shape[1]).enumerate().for_each(|(row, weights)| rounded.set_row(row, weights));
        let outputs: Vec<u32> = (0..64).collect();
        let rows = |matrix: Matrix| matrix.rows(&outputs, shape[1]).expect("rows");
        let read = merged.stacked(&[(name, shape[0])], shape[1], Form::Q8).expect("a matrix");
        assert_eq!(rows(read), rows(Matrix::Q8(rounded)));
    }
}
