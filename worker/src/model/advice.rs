//! What a model's makers advise.

use std::path::Path;

use api::model_files::{CONFIG, GENERATION};
use engine::Sampling;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::ModelError;

/// What `generation_config.json` holds: the makers' advice on how to write with the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// How to sample.
    #[serde(flatten)]
    pub sampling: Sampling,
    /// The languages that it writes, as primary tags such as `en`; empty where its makers do not say.
    #[serde(default)]
    pub languages: Vec<String>,
    /// The tokens with which it ends a text; empty where `config.json` says them.
    #[serde(
        default,
        rename = "eos_token_id",
        deserialize_with = "one_or_several",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub ends: Vec<u32>,
}

fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Ids {
        One(u32),
        Several(Vec<u32>),
    }
    Ok(match Ids::deserialize(deserializer)? {
        Ids::One(id) => vec![id],
        Ids::Several(ids) => ids,
    })
}

impl Advice {
    /// What stands in a model's folder; the tokens that end a text may stand in its configuration instead.
    ///
    /// # Errors
    /// When one of the two files is there and can't be read.
    pub fn of(folder: &Path) -> Result<Self, ModelError> {
        let read = |name| {
            let path = folder.join(name);
            if path.exists() { Self::open(&path) } else { Ok(Self::default()) }
        };
        let mut advice = read(GENERATION)?;
        if advice.ends.is_empty() {
            advice.ends = read(CONFIG)?.ends;
        }
        Ok(advice)
    }

    /// Reads a `generation_config.json`, or a `config.json`, in which older models have some of it. What stands there as
    /// `null` is not said.
    ///
    /// # Errors
    /// When it cannot be read or is none.
    fn open(path: &Path) -> Result<Self, ModelError> {
        let bytes =
            std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        let parse = |source| ModelError::Parse { path: path.to_owned(), source };
        let mut said: serde_json::Map<String, Value> = serde_json::from_slice(&bytes).map_err(parse)?;
        said.retain(|_, value| !value.is_null());
        serde_json::from_value(Value::Object(said)).map_err(parse)
    }
}
