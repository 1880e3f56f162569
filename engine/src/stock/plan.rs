//! What a configuration says to a module of candle's, made complete.

use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::Content;
use serde_json::{Map, Value, json};

use crate::EngineError;
use crate::families::{STOCK, STOCK_GGUF};
use crate::text::Shape;

/// A family and what its module needs.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    family: &'static str,
    shape: Shape,
    pub(super) source: Source,
}

/// Where the module's sizes come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A `config.json` in the form that the module reads.
    Json(Map<String, Value>),
    /// The file itself.
    Gguf(PathBuf),
}

impl Plan {
    pub(crate) fn family(&self) -> &'static str {
        self.family
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Nothing where the family is none of these.
    pub(crate) fn from_json(json: &[u8], path: &Path) -> Result<Option<Self>, EngineError> {
        let malformed = |what: String| EngineError::Malformed { path: path.to_owned(), what };
        let mut config: Map<String, Value> =
            serde_json::from_slice(json).map_err(|error| malformed(error.to_string()))?;
        let Some(family) = config.get("model_type").and_then(Value::as_str).and_then(known) else {
            return Ok(None);
        };
        check_positions(family, &config)?;
        complete(family, &mut config);
        let size =
            |key: &str| config.get(key).and_then(Value::as_u64).and_then(|it| usize::try_from(it).ok());
        let needed = |key: &str| size(key).ok_or_else(|| malformed(format!("it has no {key}")));
        let positions = needed("max_position_embeddings")?.min(size("sliding_window").unwrap_or(usize::MAX));
        let shape = Shape { vocabulary: needed("vocab_size")?, positions };
        Ok(Some(Self { family, shape, source: Source::Json(config) }))
    }

    /// Nothing where the family is none of these.
    pub(crate) fn from_gguf(content: &Content, path: &Path) -> Result<Option<Self>, EngineError> {
        let text = content.metadata.get("general.architecture").and_then(|it| it.to_string().ok());
        let Some(family) = text.and_then(|text| STOCK_GGUF.into_iter().find(|known| known == text)) else {
            return Ok(None);
        };
        let size = |key: &str| {
            let value = content.metadata.get(&format!("{family}.{key}"))?;
            value.to_u32().ok().and_then(|it| usize::try_from(it).ok())
        };
        let missing =
            |what: &str| EngineError::Malformed { path: path.to_owned(), what: format!("it has no {what}") };
        let embeddings = content.tensor_infos.get("token_embd.weight").and_then(|it| it.shape.dims().first());
        let positions = size("context_length").ok_or_else(|| missing("context_length"))?;
        let shape = Shape {
            vocabulary: *embeddings.ok_or_else(|| missing("token_embd.weight"))?,
            // Zero where there is no window.
            positions: positions
                .min(size("attention.sliding_window").filter(|it| *it > 0).unwrap_or(positions)),
        };
        Ok(Some(Self { family, shape, source: Source::Gguf(path.to_owned()) }))
    }
}

fn known(model_type: &str) -> Option<&'static str> {
    STOCK.into_iter().find(|known| *known == model_type)
}

/// Refuses stretched positions, of which these modules know nothing and say nothing; but for Phi 3's.
fn check_positions(family: &str, config: &Map<String, Value>) -> Result<(), EngineError> {
    let scaling =
        ["rope_scaling", "rope_parameters"].into_iter().find_map(|key| config.get(key)?.as_object());
    let kind = scaling.and_then(|it| it.get("rope_type").or_else(|| it.get("type"))).and_then(Value::as_str);
    match kind {
        None | Some("default") => Ok(()),
        Some("longrope") if family == "phi3" => Ok(()),
        Some(other) => Err(EngineError::Unsupported {
            field: "rope type",
            found: format!("{other:?}"),
            known: "\"default\" in families that run through candle's modules",
        }),
    }
}

/// Fields that a module needs and a configuration leaves out, or says elsewhere. Nothing is made up that would change
/// what is written: what else is missing, the module names.
fn complete(family: &str, config: &mut Map<String, Value>) {
    if family == "falcon" {
        // Falcon's configurations have none, and its makers trained with so many.
        config.entry("max_position_embeddings").or_insert(json!(2048));
    }
    // What transformers writes since version 5.
    let parameters = config.get("rope_parameters").and_then(Value::as_object).cloned().unwrap_or_default();
    for key in ["rope_theta", "partial_rotary_factor"] {
        if let Some(value) = parameters.get(key) {
            config.entry(key).or_insert_with(|| value.clone());
        }
    }
    for (key, value) in [
        ("attention_bias", json!(false)),
        ("use_flash_attn", json!(false)),
        ("qk_layernorm", json!(false)),
        // No window: as wide as the text may be long.
        ("sliding_window", config.get("max_position_embeddings").cloned().unwrap_or_default()),
    ] {
        let field = config.entry(key).or_insert(Value::Null);
        if field.is_null() {
            *field = value;
        }
    }
    // Gemma's module refuses both; where the second is there, it is the one that counts.
    if config.get("hidden_activation").is_some_and(|it| !it.is_null()) {
        config.remove("hidden_act");
    }
    // A window that is switched off is none, and one that is on cuts the positions: after the prompt, where tokens are
    // read one by one, these modules keep no window.
    if config.get("use_sliding_window") == Some(&Value::Bool(false)) {
        config["sliding_window"] = config.get("max_position_embeddings").cloned().unwrap_or_default();
    }
}
