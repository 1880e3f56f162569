//! The families of models that can be read.

/// Those that a decoder of ours reads, by the names of `model_type` in a `config.json`.
pub(crate) const OWN: [&str; 4] = ["llama", "mistral", "qwen2", "qwen3"];

/// Those that are read through a module of candle's, by the same names.
pub(crate) const STOCK: [&str; 16] = [
    "falcon",
    "gemma",
    "gemma2",
    "gemma3_text",
    "glm4",
    "helium",
    "lfm2",
    "mixtral",
    "olmo",
    "olmo2",
    "phi",
    "phi3",
    "qwen2_moe",
    "qwen3_moe",
    "smollm3",
    "starcoder2",
];

/// Those that are read through a module of candle's, by the names of `general.architecture` in a GGUF file.
pub(crate) const STOCK_GGUF: [&str; 2] = ["glm4", "phi3"];
