//! What a model runs on.

use serde::Deserialize;

/// What a model runs on.
#[derive(Clone, Debug, PartialEq)]
pub enum Device {
    /// A GPU of the table.
    Gpu(Gpu),
    /// Processors, and the machine's own memory.
    Cpu(Cpu),
}

/// A GPU, as its data sheet has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// Its short name.
    pub name: String,
    /// The value of the node label `nvidia.com/gpu.product`.
    pub product: String,
    /// Gigabytes, decimal.
    pub memory: u64,
    /// Gigabytes per second.
    pub bandwidth: u64,
    /// 10¹² operations per second, of dense products in 16 bits.
    pub teraflops: u64,
    /// Which instructions it knows.
    pub capability: String,
    /// Where this stands.
    pub source: String,
}

/// Processors, and the memory that a pod may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// How many.
    pub cpus: u64,
    /// Bytes.
    pub memory: u64,
    /// Gigabytes per second.
    pub bandwidth: u64,
}

/// In which form weights are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// 32-bit floats.
    F32,
    /// 16-bit floats, of either kind.
    Bf16,
    /// GGML's `Q8_0`: 8.5 bits.
    Q8,
    /// GGML's `Q4_K`: 4.5 bits.
    Q4,
}

/// Of a GPU's memory, what a model may take: the rest is the driver's, and what allocators can't use. vLLM takes as much.
const USABLE_PERCENT: u64 = 90;

/// Products per second of one core with AVX-512, measured: docs/design/engine.md has the table.
const FLOATS_PER_CORE: f64 = 258e9;
const INTEGERS_PER_CORE: f64 = 602e9;

impl Device {
    /// All GPUs that are known, smallest first.
    #[must_use]
    pub fn gpus() -> Vec<Gpu> {
        serde_saphyr::from_str(include_str!("gpus.yaml")).expect("the table is tested")
    }

    /// The GPU of a name, or of a node's label.
    #[must_use]
    pub fn gpu(name: &str) -> Option<Gpu> {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        Self::gpus().into_iter().find(|gpu| is(&gpu.name) || is(&gpu.product))
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Gpu(gpu) => format!("{} ({} GB, {} GB/s)", gpu.name, gpu.memory, gpu.bandwidth),
            Self::Cpu(cpu) => format!("{} CPUs ({} GB/s)", cpu.cpus, cpu.bandwidth),
        }
    }

    /// Bytes that a model may take.
    #[must_use]
    pub fn memory(&self) -> u64 {
        match self {
            Self::Gpu(gpu) => gpu.memory * 1_000_000_000 / 100 * USABLE_PERCENT,
            Self::Cpu(cpu) => cpu.memory,
        }
    }

    /// Bytes that it reads per second.
    #[must_use]
    pub fn bandwidth(&self) -> f64 {
        let gigabytes = match self {
            Self::Gpu(gpu) => gpu.bandwidth,
            Self::Cpu(cpu) => cpu.bandwidth,
        };
        gigabytes as f64 * 1e9
    }

    /// Operations per second, a multiplication and an addition counted as two.
    #[must_use]
    pub fn operations(&self, form: Form) -> f64 {
        match (self, form) {
            (Self::Gpu(gpu), _) => gpu.teraflops as f64 * 1e12,
            (Self::Cpu(cpu), Form::F32 | Form::Bf16) => cpu.cpus as f64 * FLOATS_PER_CORE,
            (Self::Cpu(cpu), Form::Q8 | Form::Q4) => cpu.cpus as f64 * INTEGERS_PER_CORE,
        }
    }

    /// Bytes of one number of keys and values.
    #[must_use]
    pub fn number_bytes(&self) -> u64 {
        match self {
            Self::Gpu(_) => 2,
            Self::Cpu(_) => 4,
        }
    }

    /// The form in which it keeps weights of another. Processors have no products of 16 bits here.
    #[must_use]
    pub fn kept(&self, form: Form) -> Form {
        match (self, form) {
            (Self::Cpu(_), Form::Bf16) => Form::F32,
            _ => form,
        }
    }

    /// The forms that are worth a look, the most faithful first.
    #[must_use]
    pub fn forms(&self) -> &'static [Form] {
        match self {
            Self::Gpu(_) => &[Form::Bf16, Form::Q8, Form::Q4],
            // On processors floats are three times slower and no better.
            Self::Cpu(_) => &[Form::Q8, Form::Q4],
        }
    }
}

impl Form {
    /// The name that people type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Q8 => "q8",
            Self::Q4 => "q4",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_found_by_name_and_by_the_label_of_a_node() {
        for (name, found) in
            [("l4", "L4"), ("NVIDIA-L4", "L4"), ("Tesla-T4", "T4"), ("nvidia-h100-80gb-hbm3", "H100")]
        {
            assert_eq!(Device::gpu(name).map(|gpu| gpu.name).as_deref(), Some(found), "{name}");
        }
        assert_eq!(Device::gpu("RTX"), None);
    }

    #[test]
    fn the_table_is_sorted_and_no_figure_is_of_another_unit() {
        let gpus = Device::gpus();
        assert!(gpus.is_sorted_by_key(|gpu| gpu.memory));
        for gpu in gpus {
            assert!((10..500).contains(&gpu.memory) && (200..20_000).contains(&gpu.bandwidth), "{gpu:?}");
            assert!((30..5_000).contains(&gpu.teraflops) && gpu.source.starts_with("NVIDIA"), "{gpu:?}");
        }
    }
}
