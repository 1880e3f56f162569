//! Where a model is kept and reckoned with.

use candle_core::{DType, Device};

use crate::EngineError;

/// Where a model is kept and reckoned with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// On the CPU, by kernels of our own.
    Cpu,
    /// On the CPU, by the tensors with which devices reckon: slower, and how what a device does is checked without one.
    Tensors,
    /// On the first device of NVIDIA, with weights in 16 bits.
    Cuda,
}

impl Place {
    /// On a device where this build has any, on the CPU where it has none.
    #[must_use]
    pub fn best() -> Self {
        if cfg!(feature = "cuda") { Self::Cuda } else { Self::Cpu }
    }
}

/// A device that is open, and the form of numbers on it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) device: Device,
    pub(crate) dtype: DType,
}

impl Target {
    pub(crate) fn open(place: Place) -> Result<Self, EngineError> {
        match place {
            // Products in 16 bits are none of the CPU's.
            Place::Cpu | Place::Tensors => Ok(Self { device: Device::Cpu, dtype: DType::F32 }),
            Place::Cuda => Ok(Self { device: open_cuda()?, dtype: DType::BF16 }),
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn open_cuda() -> Result<Device, EngineError> {
    Err(EngineError::NoCuda)
}

#[cfg(feature = "cuda")]
fn open_cuda() -> Result<Device, EngineError> {
    let device = Device::new_cuda(0).map_err(|source| EngineError::Device { source })?;
    let context = device.as_cuda_device()?.cuda_stream().context().clone();
    let (major, minor) = context
        .compute_capability()
        .map_err(|error| EngineError::Device { source: candle_core::Error::wrap(error) })?;
    let compiled = option_env!("CUDA_COMPUTE_CAP").and_then(|it| it.parse().ok());
    check_capability(compiled, Capability { major, minor })?;
    Ok(device)
}

/// What a device can do, as NVIDIA numbers it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg(any(feature = "cuda", test))]
struct Capability {
    major: i32,
    minor: i32,
}

#[cfg(any(feature = "cuda", test))]
impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The first that reckons with brain floats, in which weights are kept.
#[cfg(any(feature = "cuda", test))]
const OLDEST: i32 = 80;

/// Code for a capability runs on devices of it and of later ones, and on none before. `compiled` is as `CUDA_COMPUTE_CAP`
/// says it, 80 for 8.0; nothing where the build did not say.
#[cfg(any(feature = "cuda", test))]
fn check_capability(compiled: Option<i32>, present: Capability) -> Result<(), EngineError> {
    let compiled = compiled.unwrap_or(OLDEST).max(OLDEST);
    let compiled = Capability { major: compiled / 10, minor: compiled % 10 };
    if compiled <= present {
        return Ok(());
    }
    Err(EngineError::Capability { compiled: compiled.to_string(), present: present.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_before_the_one_that_was_compiled_for_is_refused_by_name() {
        let check = |compiled, major, minor| check_capability(compiled, Capability { major, minor });
        for (compiled, major, minor) in [(Some(80), 8, 0), (Some(80), 8, 9), (Some(89), 12, 0), (None, 8, 0)]
        {
            assert!(check(compiled, major, minor).is_ok(), "{compiled:?} on {major}.{minor}");
        }
        let error = check(Some(90), 8, 6).expect_err("it is too old").to_string();
        assert!(error.contains("for compute capability 9.0 and the device has 8.6"), "{error}");
        for (compiled, major, minor) in [(Some(120), 9, 0), (Some(75), 7, 5), (None, 7, 5)] {
            assert!(check(compiled, major, minor).is_err(), "{compiled:?} on {major}.{minor}");
        }
    }
}
