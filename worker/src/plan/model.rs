//! A model as far as its size is concerned: what its `config.json` says, without its weights, or the head of a GGUF file.

use std::path::Path;

use api::model_files::CONFIG;
use engine::{Architecture, EngineError, Weights};
use serde::Deserialize;

use crate::model::Advice;

/// A model whose weights need not be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// What people call it.
    pub name: String,
    /// The languages that it writes, as primary tags; `*` for more than a hundred, and empty where nobody says.
    pub languages: Vec<String>,
    /// The sizes.
    pub shape: Architecture,
    /// Numbers that are added behind products or scale heads, over all layers.
    extra: u64,
}

/// What a configuration says that the engine takes from the weights.
#[derive(Debug, Deserialize)]
struct Family {
    model_type: String,
    attention_bias: Option<bool>,
}

/// Matrices of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrices {
    /// How many there are.
    pub count: u64,
    /// Rows of each.
    pub outputs: u64,
    /// Columns of each.
    pub inputs: u64,
}

impl Matrices {
    fn new(count: usize, outputs: usize, inputs: usize) -> Self {
        Self { count: count as u64, outputs: outputs as u64, inputs: inputs as u64 }
    }

    /// How many numbers they hold together.
    #[must_use]
    pub fn numbers(self) -> u64 {
        self.count * self.outputs * self.inputs
    }
}

impl Model {
    /// Reads a model's folder, its `config.json` alone, or a GGUF file; the name is that of the folder or the GGUF file.
    ///
    /// # Errors
    /// When it can't be read, or is of a model that the engine does not know.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let config = if path.is_dir() { path.join(CONFIG) } else { path.to_owned() };
        let is_gguf = path.extension().is_some_and(|extension| extension == "gguf");
        if is_gguf || (path.is_dir() && !config.exists()) {
            return Self::of_weights(path);
        }
        let json =
            std::fs::read(&config).map_err(|source| EngineError::Read { path: config.clone(), source })?;
        Self::new(name(config.parent()), Vec::new(), &json, &config)
    }

    /// A GGUF file has no configuration beside it, and tells by its weights what a configuration tells by its family.
    fn of_weights(path: &Path) -> Result<Self, EngineError> {
        let (weights, configuration) = Weights::open(path)?;
        let family = configuration.stock_family().unwrap_or_default().to_owned();
        let mut shape = configuration.architecture().cloned().ok_or(EngineError::NotOurs(family))?;
        let Architecture { hidden, layers, heads, key_heads, head_width, .. } = shape;
        shape.tied.get_or_insert(!weights.has("lm_head.weight"));
        let parts = [
            ("q_proj.bias", (heads + 2 * key_heads) * head_width),
            ("o_proj.bias", hidden),
            ("q_norm.weight", 2 * head_width),
        ];
        let there = parts.iter().filter(|(part, _)| weights.has(&format!("model.layers.0.self_attn.{part}")));
        let extra = there.map(|(_, numbers)| (layers * numbers) as u64).sum();
        Ok(Self { name: name(Some(path)), languages: Vec::new(), shape, extra })
    }

    fn new(name: String, languages: Vec<String>, json: &[u8], path: &Path) -> Result<Self, EngineError> {
        let shape = Architecture::from_config(json, path)?;
        let malformed = |error: serde_json::Error| EngineError::Malformed {
            path: path.to_owned(),
            what: error.to_string(),
        };
        let family: Family = serde_json::from_slice(json).map_err(malformed)?;
        Ok(Self { name, languages, extra: extra(&family, &shape), shape })
    }

    /// The classes of models, smallest first.
    #[must_use]
    pub fn classes() -> Vec<Self> {
        let known = entries().into_iter().map(|Entry { name, languages, config, .. }| {
            let json = serde_json::to_vec(&config).expect("a configuration is plain data");
            Self::new(name, languages, &json, Path::new("models.yaml")).expect("the table is tested")
        });
        std::iter::once(Self::handbill()).chain(known).collect()
    }

    /// Our own, as it is shipped.
    fn handbill() -> Self {
        let config = include_bytes!("../../../models/handbill/config.json");
        let advice = include_bytes!("../../../models/handbill/generation_config.json");
        let Advice { languages, .. } = serde_json::from_slice(advice).expect("it is tested");
        Self::new("Handbill".to_owned(), languages, config, Path::new("config.json")).expect("it is tested")
    }

    /// Whether it writes all of these; a model of which nobody says is taken at its user's word.
    #[must_use]
    pub fn writes(&self, languages: &[String]) -> bool {
        let knows = |language: &String| self.languages.iter().any(|known| known == "*" || known == language);
        self.languages.is_empty() || languages.iter().all(knows)
    }

    /// The matrix that turns tokens into numbers.
    #[must_use]
    pub fn embeddings(&self) -> Matrices {
        Matrices::new(1, self.shape.vocabulary, self.shape.hidden)
    }

    /// Whether the embeddings give the logits too. Where a configuration does not say, its family's default is that they
    /// do not.
    #[must_use]
    pub fn is_tied(&self) -> bool {
        self.shape.tied.unwrap_or(false)
    }

    /// All matrices that every token is multiplied with, those of the logits first.
    #[must_use]
    pub fn products(&self) -> [Matrices; 5] {
        let Architecture { vocabulary, hidden, feed_forward, layers, heads, key_heads, head_width, .. } =
            self.shape;
        let (queries, keys) = (heads * head_width, key_heads * head_width);
        [
            Matrices::new(1, vocabulary, hidden),
            Matrices::new(layers, queries + 2 * keys, hidden),
            Matrices::new(layers, hidden, queries),
            Matrices::new(layers, 2 * feed_forward, hidden),
            Matrices::new(layers, hidden, feed_forward),
        ]
    }

    /// Numbers that stand in no matrix: norms and biases.
    #[must_use]
    pub fn vectors(&self) -> u64 {
        let Architecture { hidden, layers, .. } = self.shape;
        ((2 * layers + 1) * hidden) as u64 + self.extra
    }

    /// How many numbers the model holds.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let head_of_its_own = if self.is_tied() { 0 } else { self.embeddings().numbers() };
        self.products().into_iter().map(Matrices::numbers).sum::<u64>() + head_of_its_own + self.vectors()
    }
}

fn name(path: Option<&Path>) -> String {
    let last = path.and_then(Path::file_name);
    last.map_or_else(|| "the model".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Qwen2 adds something to queries, keys and values, and a Llama that says so to the attention's output too; Qwen3 has
/// norms of heads.
fn extra(family: &Family, shape: &Architecture) -> u64 {
    let Architecture { hidden, layers, heads, key_heads, head_width, .. } = *shape;
    let of_queries = (heads + 2 * key_heads) * head_width;
    let biased = family.attention_bias == Some(true);
    let of_layer = match family.model_type.as_str() {
        "qwen2" => of_queries,
        "qwen3" => 2 * head_width + if biased { of_queries + hidden } else { 0 },
        _ if biased => of_queries + hidden,
        _ => 0,
    };
    (layers * of_layer) as u64
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    languages: Vec<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "what the tests hold the sizes to"))]
    parameters: u64,
    config: serde_json::Value,
}

fn entries() -> Vec<Entry> {
    serde_saphyr::from_str(include_str!("models.yaml")).expect("the table is tested")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_give_the_published_number_of_parameters_to_the_last_one() {
        for (model, entry) in Model::classes().iter().skip(1).zip(entries()) {
            assert_eq!(model.parameters(), entry.parameters, "{}", entry.name);
        }
        assert!(Model::classes().is_sorted_by_key(Model::parameters), "smallest first");
    }

    #[test]
    fn a_model_is_known_by_its_folder() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/handbill");
        let shipped = Model::open(&path).expect("the shipped model has a configuration");
        assert_eq!(Model::open(&path.join("config.json")).expect("its configuration alone"), shipped);
        let class = &Model::classes()[0];
        assert_eq!((shipped.name.as_str(), &shipped.shape), ("handbill", &class.shape));
        assert!(shipped.writes(&["sw".to_owned()]), "a folder's configuration does not say");
    }

    #[test]
    fn a_model_writes_what_its_makers_say() {
        let classes = Model::classes();
        let writes = |name: &str, languages: &[&str]| {
            let model = classes.iter().find(|model| model.name == name).expect("a class");
            model.writes(&languages.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
        };
        assert!(writes("Handbill", &["en"]) && !writes("Handbill", &["en", "sw"]));
        assert!(writes("Llama-3.1-8B", &["de", "th"]) && !writes("Llama-3.1-8B", &["zh"]));
        assert!(writes("Qwen3-0.6B", &["en", "sw", "zh"]));
    }
}
