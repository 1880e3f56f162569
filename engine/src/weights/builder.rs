//! Our weights, as candle's modules ask for them.

use candle_core::{DType, Device, Error, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use crate::Weights;

/// Gives each tensor when it is asked for, so that the files never stand in memory beside the model.
pub(crate) fn builder<'a>(weights: &'a Weights, dtype: DType, device: &Device) -> VarBuilder<'a> {
    VarBuilder::from_backend(Box::new(OnDemand(weights)), dtype, device.clone())
}

struct OnDemand<'a>(&'a Weights);

impl SimpleBackend for OnDemand<'_> {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let values = self.0.floats(name, Some(shape.dims())).map_err(Error::wrap)?.0;
        Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let (values, shape) = self.0.floats(name, None).map_err(Error::wrap)?;
        Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.has(name)
    }
}
