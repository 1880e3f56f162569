//! The families of models that can be read.

/// Those that a decoder of ours reads, by the names of `model_type` in a `config.json`.
pub(crate) const OWN: [&str; 4] = ["llama", "mistral", "qwen2", "qwen3"];

/// What a layer of those that a decoder of ours reads is made of, by the names of Hugging Face; the last is a table that old checkpoints keep.
pub(crate) const LAYER_PARTS: [&str; 16] = [
    "input_layernorm.weight",
    "self_attn.q_proj.weight",
    "self_attn.k_proj.weight",
    "self_attn.v_proj.weight",
    "self_attn.o_proj.weight",
    "self_attn.q_proj.bias",
    "self_attn.k_proj.bias",
    "self_attn.v_proj.bias",
    "self_attn.o_proj.bias",
    "self_attn.q_norm.weight",
    "self_attn.k_norm.weight",
    "post_attention_layernorm.weight",
    "mlp.gate_proj.weight",
    "mlp.up_proj.weight",
    "mlp.down_proj.weight",
    "self_attn.rotary_emb.inv_freq",
];

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
