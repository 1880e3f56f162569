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
    /// `x · Wᵀ`: the product of every row of `x` with every output.
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

    /// Bytes of its weights in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Dense(matrix) => matrix.bytes(),
            Self::Q8(matrix) => matrix.bytes(),
            Self::Candle(parts) => parts.iter().map(bytes_in_candle).sum(),
        }
    }

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

fn bytes_in_candle(matrix: &QMatMul) -> usize {
    match matrix {
        QMatMul::QTensor(tensor) => tensor.storage_size_in_bytes(),
        QMatMul::Tensor(tensor) | QMatMul::TensorF16(tensor) => {
            tensor.elem_count() * tensor.dtype().size_in_bytes()
        }
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

#[cfg(test)]
mod tests {
    use candle_core::quantized::{GgmlDType, QTensor};

    use super::*;

    /// Candle's matrices round as their form says, so what is held to is the product with the rounded weights.
    #[test]
    fn forms_that_candle_multiplies_stand_one_above_the_other() {
        let (inputs, outputs, rows) = (256, 48, 3);
        let number = |index: usize| ((index * 7919) % 1000) as f32 / 500.0 - 1.0;
        let part = |seed: usize| {
            let weights: Vec<f32> = (0..inputs * outputs).map(|index| number(index + seed)).collect();
            let tensor = Tensor::from_vec(weights, (outputs, inputs), &Device::Cpu).expect("a tensor");
            let rounded = QTensor::quantize(&tensor, GgmlDType::Q4K).expect("groups of 256");
            let weights = rounded.dequantize(&Device::Cpu).expect("weights").to_vec2::<f32>().expect("rows");
            (QMatMul::from_qtensor(rounded).expect("a matrix"), weights)
        };
        let parts = [part(1), part(2)];
        let matrix = Matrix::Candle(parts.iter().map(|(matrix, _)| matrix.clone()).collect());
        let mut x = Columns::zeros(rows, inputs);
        let row = |row: usize| (0..inputs).map(|column| number(31 * row + column)).collect::<Vec<f32>>();
        (0..rows).for_each(|index| x.set_row(index, &row(index)));
        let out = matrix.apply(&x).expect("a product");
        for (output, weights) in parts.iter().flat_map(|(_, weights)| weights).enumerate() {
            for index in 0..rows {
                let exact: f32 = row(index).iter().zip(weights).map(|(x, weight)| x * weight).sum();
                let found = out.get(index, output);
                assert!((found - exact).abs() < 0.5, "row {index}, output {output}: {found} {exact}");
            }
        }
        let read = matrix.rows(&[5, 0], inputs).expect("rows");
        assert_eq!(
            (read.row(0, inputs), read.row(1, inputs)),
            (parts[0].1[5].clone(), parts[0].1[0].clone())
        );
    }
}
