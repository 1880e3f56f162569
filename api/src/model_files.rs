//! The files of a model's folder, as the worker reads them, and as those who bring a folder to it must agree.

/// The shape, by the names of Hugging Face.
pub const CONFIG: &str = "config.json";
/// How its makers advise to write with it.
pub const GENERATION: &str = "generation_config.json";
/// The tokenizer.
pub const TOKENIZER: &str = "tokenizer.json";
/// The weights, where they are one file.
pub const WEIGHTS: &str = "model.safetensors";
/// Which files hold the weights, where they are several.
pub const INDEX: &str = "model.safetensors.index.json";

/// Of an embedder: what stands behind its transformer.
pub const MODULES: &str = "modules.json";
/// Of an embedder: how the vectors of tokens become that of a text. It is the one file below the folder.
pub const POOLING: &str = "1_Pooling/config.json";
/// Of an embedder: how long a text may be.
pub const SEQUENCE: &str = "sentence_bert_config.json";
/// Of an embedder: what stands before every text.
pub const PROMPTS: &str = "config_sentence_transformers.json";

/// What a LoRA adapter of PEFT's is, in a folder of its own: its configuration, then its weights.
pub const ADAPTER: [&str; 2] = ["adapter_config.json", "adapter_model.safetensors"];

/// What is read where it is there, besides the weights, as paths below the folder.
pub const SMALL: [&str; 10] = [
    CONFIG,
    GENERATION,
    TOKENIZER,
    "tokenizer_config.json",
    "chat_template.jinja",
    INDEX,
    MODULES,
    POOLING,
    SEQUENCE,
    PROMPTS,
];

/// The files that an index names, sorted; an error is a sentence about the index.
///
/// Only files beside the index: a name that leads elsewhere is refused.
///
/// # Errors
/// When it is no index, or names a file elsewhere.
///
/// ```
/// let index = br#"{"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors", "c": "model-1.safetensors"}}"#;
/// assert_eq!(api::model_files::shards(index).unwrap(), ["model-1.safetensors", "model-2.safetensors"]);
/// assert!(api::model_files::shards(br#"{"weight_map": {"a": "../a.safetensors"}}"#).is_err());
/// ```
pub fn shards(index: &[u8]) -> Result<Vec<String>, String> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let Index { weight_map } =
        serde_json::from_slice(index).map_err(|error| format!("is no index: {error}"))?;
    let mut names: Vec<String> = weight_map.into_values().collect();
    names.sort();
    names.dedup();
    match names.iter().find(|name| !is_plain(name) || !name.ends_with(".safetensors")) {
        Some(name) => Err(format!("names {name:?}, which is no safetensors beside it")),
        None => Ok(names),
    }
}

/// Whether a name is that of a file right inside a folder, visible, and of harmless letters.
///
/// ```
/// use api::model_files::is_plain;
/// assert!(is_plain("model-00001-of-00002.safetensors"));
/// assert!(!["", ".", "..", ".part", "a/b", "/a", "a\\b", "a\nb"].into_iter().any(is_plain));
/// ```
pub fn is_plain(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+ ()".contains(&byte);
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.bytes().all(letters)
}
