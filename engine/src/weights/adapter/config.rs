//! `adapter_config.json`: what of PEFT's LoRA is merged, and what is refused.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::EngineError;

/// Ranks and scales of a plain LoRA.
///
/// `fan_in_fan_out` is not among what is read: it turns the matrices of `Conv1D` around, as GPT-2 has them, and PEFT
/// itself ignores it for `Linear`, of which all families here are made.
#[derive(Debug, Deserialize)]
pub(super) struct Lora {
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: Option<bool>,
    /// By the end of a module's name. The first that fits counts, and PEFT writes them sorted.
    #[serde(default)]
    rank_pattern: Option<BTreeMap<String, usize>>,
    #[serde(default)]
    alpha_pattern: Option<BTreeMap<String, f64>>,
}

/// Fields that make of LoRA something that is more than a product of two matrices, unless they are off or empty.
const FURTHER: [&str; 14] = [
    "use_dora",
    "modules_to_save",
    "lora_bias",
    "trainable_token_indices",
    "target_parameters",
    "layer_replication",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "megatron_config",
    "monteclora_config",
    "use_bdlora",
    "use_qalora",
    "velora_config",
];

/// Ways to begin that leave the model's own weights as they are. The others take something out of them first.
const GENTLE: [&str; 3] = ["gaussian", "eva", "orthogonal"];

impl Lora {
    pub(super) fn read(json: &[u8], path: &Path) -> Result<Self, EngineError> {
        let malformed = |error: serde_json::Error| EngineError::Malformed {
            path: path.to_owned(),
            what: error.to_string(),
        };
        let fields: Map<String, Value> = serde_json::from_slice(json).map_err(malformed)?;
        check(&fields)?;
        let lora: Self = serde_json::from_value(Value::Object(fields)).map_err(malformed)?;
        lora.check_patterns()?;
        Ok(lora)
    }

    /// Rank and scale of a module, by its name inside the model.
    pub(super) fn of(&self, module: &str) -> (usize, f32) {
        let rank = fitting(self.rank_pattern.as_ref(), module).unwrap_or(self.r);
        let alpha = fitting(self.alpha_pattern.as_ref(), module).unwrap_or(self.lora_alpha);
        let by = if self.use_rslora == Some(true) { (rank as f64).sqrt() } else { rank as f64 };
        (rank, (alpha / by) as f32)
    }

    fn check_patterns(&self) -> Result<(), EngineError> {
        let keys = |field, keys: Option<Vec<&String>>| {
            let unclear = keys.into_iter().flatten().find(|key| !is_name(key));
            unclear.map_or(Ok(()), |key| refused(field, key))
        };
        keys("rank_pattern", self.rank_pattern.as_ref().map(|it| it.keys().collect()))?;
        keys("alpha_pattern", self.alpha_pattern.as_ref().map(|it| it.keys().collect()))?;
        let ranks = self.rank_pattern.iter().flat_map(BTreeMap::values).chain([&self.r]);
        if ranks.into_iter().any(|rank| *rank == 0) {
            return refused("r", "0");
        }
        Ok(())
    }
}

fn check(fields: &Map<String, Value>) -> Result<(), EngineError> {
    let value = |field: &str| fields.get(field).unwrap_or(&Value::Null);
    let unless = |good: bool, field: &str| {
        if good { Ok(()) } else { refused(field, &value(field).to_string()) }
    };
    unless(value("peft_type") == "LORA", "peft_type")?;
    unless(value("bias") == "none" || is_off(value("bias")), "bias")?;
    let begin = value("init_lora_weights");
    let gentle = begin.as_str().is_none_or(|begin| GENTLE.contains(&begin));
    unless(gentle, "init_lora_weights")?;
    FURTHER.into_iter().try_for_each(|field| unless(is_off(value(field)), field))
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(_) | Value::String(_) => false,
    }
}

/// PEFT reads a key as a regular expression; one that is a name alone is all that is read here.
fn is_name(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn fitting<T: Copy>(pattern: Option<&BTreeMap<String, T>>, module: &str) -> Option<T> {
    let fits =
        |key: &str| module.strip_suffix(key).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    pattern?.iter().find(|(key, _)| fits(key)).map(|(_, value)| *value)
}

fn refused<T>(field: &str, found: &str) -> Result<T, EngineError> {
    Err(EngineError::Adapter { field: field.to_owned(), found: found.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &str) -> Result<Lora, String> {
        let json = format!("{{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8{fields}}}");
        Lora::read(json.as_bytes(), Path::new("adapter_config.json")).map_err(|error| error.to_string())
    }

    #[test]
    fn rank_and_scale_are_those_of_the_first_pattern_that_fits() {
        let patterns = r#", "rank_pattern": {"layers.0.self_attn.q_proj": 16, "q_proj": 2}, "alpha_pattern": {"v_proj": 1}"#;
        let roots = format!(r#"{patterns}, "use_rslora": true"#);
        for (fields, module, rank, scale) in [
            ("", "model.layers.0.self_attn.q_proj", 4, 2.0),
            (r#", "use_rslora": true"#, "q_proj", 4, 4.0),
            (patterns, "model.layers.0.self_attn.q_proj", 16, 0.5),
            (patterns, "model.layers.1.self_attn.q_proj", 2, 4.0),
            (patterns, "model.layers.1.self_attn.v_proj", 4, 0.25),
            (patterns, "model.layers.1.self_attn.eq_proj", 4, 2.0),
            (&roots, "model.layers.0.self_attn.q_proj", 16, 2.0),
            (r#", "rank_pattern": null, "fan_in_fan_out": true, "bias": "none""#, "q_proj", 4, 2.0),
        ] {
            let lora = read(fields).expect(fields);
            assert_eq!(lora.of(module), (rank, scale), "{fields}, {module}");
        }
    }

    #[test]
    fn what_is_more_than_a_product_is_refused_by_its_field() {
        for (fields, says) in [
            (r#", "use_dora": true"#, "the adapter's use_dora is true:"),
            (r#", "bias": "lora_only""#, "the adapter's bias is \"lora_only\":"),
            (r#", "modules_to_save": ["lm_head"]"#, "the adapter's modules_to_save is [\"lm_head\"]:"),
            (r#", "init_lora_weights": "pissa_niter_4""#, "the adapter's init_lora_weights is"),
            (r#", "target_parameters": ["mlp.experts"]"#, "the adapter's target_parameters is"),
            (r#", "lora_bias": true"#, "merge_and_unload"),
            (r#", "peft_type": "IA3""#, "the adapter's peft_type is \"IA3\":"),
            (r#", "rank_pattern": {"layers\\.[01]\\.q_proj": 2}"#, "the adapter's rank_pattern is layers"),
            (r#", "alpha_pattern": {"^q_proj": 2}"#, "the adapter's alpha_pattern is ^q_proj:"),
            (r#", "r": 0"#, "the adapter's r is 0:"),
            (r#", "r": "four""#, "adapter_config.json is not what its name says"),
        ] {
            let said = read(fields).map(|_| ()).expect_err(fields);
            assert!(said.contains(says), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_no_configuration_says_so() {
        for text in ["", "[]", r#"{"peft_type": "LORA", "lora_alpha": 8}"#] {
            let said = Lora::read(text.as_bytes(), Path::new("adapter_config.json")).expect_err(text);
            assert!(matches!(said, EngineError::Malformed { .. }), "{said}");
        }
    }
}
