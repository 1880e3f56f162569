//! Where a model's weights lie, and how they come into memory: a few rows at a time, so that a matrix never stands there
//! twice.

mod adapter;
mod builder;
mod gguf;
mod names;
mod safetensors;

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use candle_core::quantized::{GgmlDType, QMatMul, QTensor, ggml_file};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use half::{bf16, f16};

pub(crate) use builder::builder;

use adapter::{Adapter, Gain};

use crate::cpu::{DenseMatrix, Form, Matrix, Q8Matrix};
use crate::{Configuration, EngineError};

/// Bytes of a matrix that are read at once.
const AT_ONCE: usize = 1 << 20;
/// Weights of a group of `Q8_0`, and its bytes: the scale in 16 bits, and one byte for each.
const GROUP: usize = 32;
const GROUP_BYTES: usize = 2 + GROUP;

/// A model's weights on disk.
#[derive(Debug, Default)]
pub struct Weights {
    files: Vec<(PathBuf, File)>,
    /// By the names of Hugging Face.
    tensors: HashMap<String, Stored>,
    /// What is merged into them while they are read.
    adapter: Option<Box<Adapter>>,
    conversation: Conversation,
}

/// What a GGUF file says of how one speaks with its model; safetensors say it in files beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The chat template.
    pub template: Option<String>,
    /// The token that opens every text.
    pub opening: Option<u32>,
    /// The token that closes every text.
    pub closing: Option<u32>,
}

/// One tensor on disk.
#[derive(Clone, Debug)]
struct Stored {
    file: usize,
    offset: u64,
    kind: GgmlDType,
    shape: Vec<usize>,
}

impl Stored {
    fn row_bytes(&self) -> usize {
        let inputs = self.shape.last().copied().unwrap_or(1);
        inputs / self.kind.block_size() * self.kind.type_size()
    }

    fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() / self.kind.block_size() * self.kind.type_size()
    }

    /// Where it ends in its file; nothing where its rows are no whole blocks, or no file is as large.
    fn end(&self) -> Option<u64> {
        let inputs = self.shape.last().copied().unwrap_or(1);
        let count = self.shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size))?;
        let bytes = (count / self.kind.block_size()).checked_mul(self.kind.type_size())?;
        let whole = inputs > 0 && inputs.is_multiple_of(self.kind.block_size());
        self.offset.checked_add(bytes as u64).filter(|_| whole)
    }
}

impl Weights {
    /// Opens a model: a folder in the layout of Hugging Face (`config.json` and one or more safetensors), another that
    /// holds one GGUF file, or that file itself.
    ///
    /// # Errors
    /// When files are missing, are no model, end too early, or are of a family that the engine does not know.
    pub fn open(path: &Path) -> Result<(Self, Configuration), EngineError> {
        match gguf_file(path)? {
            Some(file) if !safetensors::is_in(path) => gguf::open(&file?),
            _ => safetensors::open(path),
        }
    }

    /// Opens the safetensors of a folder in the layout of Hugging Face, of whatever family they are.
    ///
    /// # Errors
    /// When files are missing, are no safetensors, or end too early.
    pub fn of_folder(folder: &Path) -> Result<Self, EngineError> {
        safetensors::weights(folder)
    }

    /// Gives each weight, as 32-bit floats on the CPU, to a module of candle's that asks for it.
    #[must_use]
    pub fn builder(&self) -> VarBuilder<'_> {
        builder(self, DType::F32, &Device::Cpu)
    }

    /// The same with a LoRA adapter of PEFT's merged into them: a folder with `adapter_config.json` and
    /// `adapter_model.safetensors`. Matrices are merged while they are read, in 32-bit floats, so that none is in memory
    /// twice.
    ///
    /// # Errors
    /// When the weights are GGUF, the adapter is more than plain LoRA, or it was made for a model of other shapes.
    pub fn with_adapter(self, folder: &Path) -> Result<Self, EngineError> {
        if let Some((path, _)) = self.files.iter().find(|(path, _)| is_gguf(path)) {
            return Err(EngineError::AdapterOfGguf { path: path.clone() });
        }
        let adapter = Some(Box::new(Adapter::open(folder, &self)?));
        Ok(Self { adapter, ..self })
    }

    /// The files of the adapter, if there is one: its configuration, then its weights.
    pub fn adapter_files(&self) -> impl Iterator<Item = &Path> {
        self.adapter.iter().flat_map(|adapter| adapter.files())
    }

    /// Refuses an adapter of which a part was merged into nothing that was read.
    pub(crate) fn check_adapter_read(&self) -> Result<(), EngineError> {
        self.adapter.as_ref().map_or(Ok(()), |adapter| adapter.check_all_read())
    }

    /// What the file says of how one speaks with the model; nothing where it is none of GGUF.
    #[must_use]
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// The files that hold the weights, in the order of their names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// Whether there is a weight of this name, by the names of Hugging Face.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Refuses a layer's weights that a decoder of ours would leave out: copy would be wrong, and nobody would know why.
    pub(crate) fn check_parts(&self, known: &[&str]) -> Result<(), EngineError> {
        let is_extra = |name: &&String| {
            let behind = name.strip_prefix("model.layers.").and_then(|name| name.split_once('.'));
            // A name of GGUF's that has none of Hugging Face's.
            name.starts_with("blk.") || behind.is_some_and(|(_, part)| !known.contains(&part))
        };
        match self.tensors.keys().filter(is_extra).min() {
            Some(name) => Err(EngineError::Extra { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// One number for each of `length` columns.
    pub(crate) fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, EngineError> {
        let stored = self.get(name, &[length])?;
        let mut values = Vec::with_capacity(length);
        self.read_rows(name, stored, |_, row| values.extend_from_slice(&row.floats()))?;
        Ok(values)
    }

    /// The same, if there is such a weight.
    pub(crate) fn perhaps_vector(&self, name: &str, length: usize) -> Result<Option<Vec<f32>>, EngineError> {
        if self.has(name) { self.vector(name, length).map(Some) } else { Ok(None) }
    }

    /// A tensor of any shape, or of one that is given, and its shape.
    pub(crate) fn floats(
        &self,
        name: &str,
        shape: Option<&[usize]>,
    ) -> Result<(Vec<f32>, Vec<usize>), EngineError> {
        let any = self.tensors.get(name).map_or(&[][..], |stored| &stored.shape);
        let stored = self.get(name, shape.unwrap_or(any))?;
        if !is_simple(stored.kind) {
            let weights = self.quantized(stored)?.dequantize(&Device::Cpu)?;
            return Ok((weights.flatten_all()?.to_vec1()?, stored.shape.clone()));
        }
        let mut values = Vec::with_capacity(stored.shape.iter().product());
        self.read_rows(name, stored, |_, row| values.extend_from_slice(&row.floats()))?;
        Ok((values, stored.shape.clone()))
    }

    /// Several matrices of as many inputs, one above the other.
    pub(crate) fn stacked(
        &self,
        parts: &[(&str, usize)],
        inputs: usize,
        form: Form,
    ) -> Result<Matrix, EngineError> {
        let stored = parts.iter().map(|(name, outputs)| self.get(name, &[*outputs, inputs]));
        let stored = stored.collect::<Result<Vec<_>, _>>()?;
        let outputs = parts.iter().map(|(_, outputs)| outputs).sum();
        if !stored.iter().all(|it| is_simple(it.kind)) {
            return self.through_candle(&stored);
        }
        let rounded = form == Form::Q8 || stored.iter().all(|it| it.kind == GgmlDType::Q8_0);
        let mut matrix = if rounded && inputs.is_multiple_of(GROUP) {
            Matrix::Q8(Q8Matrix::zeros(outputs, inputs))
        } else {
            Matrix::Dense(DenseMatrix::zeros(outputs, inputs))
        };
        let mut first = 0;
        for (stored, (name, _)) in stored.into_iter().zip(parts) {
            self.read_rows(name, stored, |index, row| row.put(&mut matrix, first + index))?;
            first += stored.shape[0];
        }
        Ok(matrix)
    }

    fn through_candle(&self, stored: &[&Stored]) -> Result<Matrix, EngineError> {
        let read = |stored: &&Stored| Ok(QMatMul::from_qtensor(self.quantized(stored)?)?);
        Ok(Matrix::Candle(stored.iter().map(read).collect::<Result<_, EngineError>>()?))
    }

    fn quantized(&self, stored: &Stored) -> Result<QTensor, EngineError> {
        let mut bytes = vec![0; stored.bytes()];
        self.read_at(stored, 0, &mut bytes)?;
        Ok(ggml_file::qtensor_from_ggml(stored.kind, &bytes, stored.shape.clone(), &Device::Cpu)?)
    }

    fn get(&self, name: &str, shape: &[usize]) -> Result<&Stored, EngineError> {
        let found = self.tensors.get(name).filter(|stored| stored.shape == shape);
        found.ok_or_else(|| EngineError::Weight { name: name.to_owned(), shape: shape.to_vec() })
    }

    /// Gives each row of a tensor, with what an adapter adds to it.
    fn read_rows(
        &self,
        name: &str,
        stored: &Stored,
        mut each: impl FnMut(usize, Row<'_>),
    ) -> Result<(), EngineError> {
        let gain = self.adapter.as_ref().map_or(Ok(None), |adapter| adapter.gain(name))?;
        let mut merged = Vec::new();
        let row_bytes = stored.row_bytes();
        let mut buffer = vec![0; row_bytes * (AT_ONCE / row_bytes.max(1)).max(1)];
        let mut done = 0;
        while done < stored.bytes() {
            let bytes = buffer.len().min(stored.bytes() - done);
            self.read_at(stored, done, &mut buffer[..bytes])?;
            for (row, bytes) in buffer[..bytes].chunks_exact(row_bytes).enumerate() {
                let (index, row) = (done / row_bytes + row, Row { kind: stored.kind, bytes });
                match &gain {
                    Some(gain) => each(index, row.plus(gain, index, &mut merged)),
                    None => each(index, row),
                }
            }
            done += bytes;
        }
        Ok(())
    }

    fn read_at(&self, stored: &Stored, start: usize, bytes: &mut [u8]) -> Result<(), EngineError> {
        let (path, file) = &self.files[stored.file];
        let read = file.read_exact_at(bytes, stored.offset + start as u64);
        read.map_err(|source| EngineError::Read { path: path.clone(), source })
    }

    /// Refuses tensors of shapes that nothing has, and a file that ends before one of its tensors does.
    fn check_lengths(self) -> Result<Self, EngineError> {
        for (index, (path, file)) in self.files.iter().enumerate() {
            let of_file = self.tensors.iter().filter(|(_, stored)| stored.file == index);
            let ends = of_file.map(|(name, stored)| {
                let what = || format!("the tensor {name} has the shape {:?}", stored.shape);
                stored.end().ok_or_else(|| EngineError::Malformed { path: path.clone(), what: what() })
            });
            let expected = ends.collect::<Result<Vec<_>, _>>()?.into_iter().max().unwrap_or(0);
            let found =
                file.metadata().map_err(|source| EngineError::Read { path: path.clone(), source })?.len();
            if found < expected {
                return Err(EngineError::Truncated { path: path.clone(), expected, found });
            }
        }
        Ok(self)
    }
}

/// Whether the engine multiplies weights of this kind itself.
fn is_simple(kind: GgmlDType) -> bool {
    matches!(kind, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16 | GgmlDType::Q8_0)
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gguf")
}

/// The GGUF file that `path` is or holds, if any; which of several is not told.
fn gguf_file(path: &Path) -> Result<Option<Result<PathBuf, EngineError>>, EngineError> {
    if !path.is_dir() {
        return Ok(is_gguf(path).then(|| Ok(path.to_owned())));
    }
    let unreadable = |source| EngineError::Read { path: path.to_owned(), source };
    let entries = std::fs::read_dir(path).map_err(unreadable)?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|it| it.path())).filter(|it| is_gguf(it)).collect();
    files.sort();
    match files.len() {
        0 => Ok(None),
        1 => Ok(files.pop().map(Ok)),
        count => Ok(Some(Err(EngineError::Malformed {
            path: path.to_owned(),
            what: format!("it holds {count} GGUF files: name one of them"),
        }))),
    }
}

fn open_file(path: &Path) -> Result<File, EngineError> {
    File::open(path).map_err(|source| EngineError::Read { path: path.to_owned(), source })
}

/// One row of a tensor, as its file has it.
struct Row<'a> {
    kind: GgmlDType,
    bytes: &'a [u8],
}

impl Row<'_> {
    /// The row and what it gains, as 32-bit floats in a buffer that is used again.
    fn plus<'a>(&self, gain: &Gain, output: usize, buffer: &'a mut Vec<u8>) -> Row<'a> {
        let mut weights = self.floats();
        gain.add(output, &mut weights);
        buffer.clear();
        buffer.extend(weights.iter().flat_map(|weight| weight.to_le_bytes()));
        Row { kind: GgmlDType::F32, bytes: buffer }
    }

    fn floats(&self) -> Vec<f32> {
        let halves = || self.bytes.as_chunks::<2>().0.iter();
        match self.kind {
            GgmlDType::F32 => {
                self.bytes.as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it)).collect()
            }
            GgmlDType::F16 => halves().map(|it| f16::from_le_bytes(*it).to_f32()).collect(),
            GgmlDType::BF16 => halves().map(|it| bf16::from_le_bytes(*it).to_f32()).collect(),
            _ => self
                .groups()
                .flat_map(|(scale, quants)| quants.map(|it| scale.to_f32() * f32::from(it)))
                .collect(),
        }
    }

    /// Scale and integers of each group of `Q8_0`.
    fn groups(&self) -> impl Iterator<Item = (f16, [i8; GROUP])> {
        self.bytes.as_chunks::<GROUP_BYTES>().0.iter().map(|group| {
            let scale = f16::from_le_bytes([group[0], group[1]]);
            (scale, std::array::from_fn(|index| group[2 + index] as i8))
        })
    }

    fn put(&self, matrix: &mut Matrix, output: usize) {
        match matrix {
            Matrix::Q8(matrix) if self.kind == GgmlDType::Q8_0 => {
                for (group, (scale, quants)) in self.groups().enumerate() {
                    matrix.set_group(output, group, scale, &quants);
                }
            }
            Matrix::Q8(matrix) => matrix.set_row(output, &self.floats()),
            Matrix::Dense(matrix) => matrix.set_row(output, &self.floats()),
            Matrix::Candle(_) => unreachable!("candle's matrices are read whole"),
        }
    }
}
