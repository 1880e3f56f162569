//! A matrix in the form in which it is multiplied.

use candle_core::quantized::QMatMul;
use candle_core::{Device, Module, Tensor};

use super::columns::Columns;
use super::dense::DenseMatrix;
use super::q8::Q8Matrix;

/// In which form weights are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// As the file has them: floats as 32-bit floats, integers as they are.
    AsStored,
    /// Floats rounded to 8 bits when they are read; integers as they are.
    Q8,
}

/// A matrix of weights.
#[derive(Clone, Debug)]
pub enum Matrix {
    /// 32-bit floats.
    Dense(DenseMatrix),
    /// 8-bit integers with a scale for every 32.
    Q8(Q8Matrix),
    /// Any other of GGUF's forms, multiplied by candle; several are one above the other.
    Candle(Vec<QMatMul>),
}

impl Matrix {
    /// `x · Wᵀ`; `inputs` is the width of `x` that counts.
    ///
    /// # Errors
    /// When candle can't.
    pub fn apply(&self, x: &Columns) -> candle_core::Result<Columns> {
        match self {
            Self::Dense(matrix) => Ok(matrix.apply(x)),
            Self::Q8(matrix) => Ok(matrix.apply(x)),
            Self::Candle(parts) => through_candle(parts, x),
        }
    }
}

impl Matrix {
    /// The weights of some outputs, one row for each: how embeddings are read.
    ///
    /// # Errors
    /// When candle can't.
    pub fn rows(&self, outputs: &[u32], inputs: usize) -> candle_core::Result<Columns> {
        let mut rows = Columns::zeros(outputs.len(), inputs);
        let mut weights = vec![0.0; inputs];
        for (row, output) in outputs.iter().enumerate() {
            match self {
                Self::Dense(matrix) => matrix.read_row(*output as usize, &mut weights),
                Self::Q8(matrix) => matrix.read_row(*output as usize, &mut weights),
                Self::Candle(parts) => {
                    let id = Tensor::from_slice(&[*output], 1, &Device::Cpu)?;
                    weights = parts[0].embedding(&id)?.flatten_all()?.to_vec1()?;
                }
            }
            rows.set_row(row, &weights);
        }
        Ok(rows)
    }
}

fn through_candle(parts: &[QMatMul], x: &Columns) -> candle_core::Result<Columns> {
    let rows: Vec<f32> = (0..x.rows()).flat_map(|row| x.row(row, x.width())).collect();
    let input = Tensor::from_vec(rows, (x.rows(), x.width()), &Device::Cpu)?;
    let products = parts.iter().map(|part| part.forward(&input)).collect::<candle_core::Result<Vec<_>>>()?;
    let product = Tensor::cat(&products, 1)?;
    let mut out = Columns::zeros(x.rows(), product.dim(1)?);
    for (row, values) in product.to_vec2::<f32>()?.iter().enumerate() {
        out.set_row(row, values);
    }
    Ok(out)
}
