//! Normalization by the root of the mean square.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::{last, slice};

/// Root mean square normalization over the last axis (Zhang and Sennrich, 2019, equation 4).
///
/// # Errors
/// When `weight` is not as wide as the last axis.
pub fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    x.apply_op2(weight, RmsNorm { epsilon: epsilon as f32 })
}

#[derive(Clone, Copy)]
struct RmsNorm {
    epsilon: f32,
}

impl RmsNorm {
    /// One over the root of the mean square of a row.
    fn inverse_root(self, row: &[f32]) -> f32 {
        let mean = row.iter().map(|x| x * x).sum::<f32>() / row.len() as f32;
        1.0 / (mean + self.epsilon).sqrt()
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        l1: &Layout,
        weight: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (slice(x, l1)?, slice(weight, l2)?);
        if last(l1)? != weight.len() {
            bail!("a norm of {} weights does not fit rows of {}", weight.len(), last(l1)?);
        }
        let mut result = vec![0f32; x.len()];
        for (row, result) in x.chunks(weight.len()).zip(result.chunks_mut(weight.len())) {
            let root = self.inverse_root(row);
            result.iter_mut().zip(row).zip(weight).for_each(|((result, x), w)| *result = x * root * w);
        }
        Ok((CpuStorage::F32(result), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _result: &Tensor,
        slope: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let slope = slope.contiguous()?;
        let by_x = x.apply_op3_no_bwd(weight, &slope, &RmsNormSlope(*self))?;
        let by_weight = x.apply_op2_no_bwd(&slope, &RmsNormWeightSlope(*self))?;
        Ok((Some(by_x), Some(by_weight)))
    }
}

/// The slope by `x`: `r (w g − x r² mean(w g x))`, with `r` one over the root.
struct RmsNormSlope(RmsNorm);

impl CustomOp3 for RmsNormSlope {
    fn name(&self) -> &'static str {
        "rms-norm-slope"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        l1: &Layout,
        weight: &CpuStorage,
        l2: &Layout,
        slope: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight, slope) = (slice(x, l1)?, slice(weight, l2)?, slice(slope, l3)?);
        let width = weight.len();
        let mut result = vec![0f32; x.len()];
        for ((row, slope), result) in x.chunks(width).zip(slope.chunks(width)).zip(result.chunks_mut(width)) {
            let root = self.0.inverse_root(row);
            let along: f32 = row.iter().zip(slope).zip(weight).map(|((x, g), w)| w * g * x).sum();
            let pull = root * root * along / width as f32;
            for (((result, x), g), w) in result.iter_mut().zip(row).zip(slope).zip(weight) {
                *result = root * (w * g - x * pull);
            }
        }
        Ok((CpuStorage::F32(result), l1.shape().clone()))
    }
}

/// The slope by the weights: the sum over rows of `g x r`.
struct RmsNormWeightSlope(RmsNorm);

impl CustomOp2 for RmsNormWeightSlope {
    fn name(&self) -> &'static str {
        "rms-norm-weight-slope"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        l1: &Layout,
        slope: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, slope, width) = (slice(x, l1)?, slice(slope, l2)?, last(l1)?);
        let mut result = vec![0f32; width];
        for (row, slope) in x.chunks(width).zip(slope.chunks(width)) {
            let root = self.0.inverse_root(row);
            result.iter_mut().zip(row).zip(slope).for_each(|((result, x), g)| *result += g * x * root);
        }
        Ok((CpuStorage::F32(result), Shape::from(width)))
    }
}
