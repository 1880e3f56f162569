//! A recipe: everything that makes a model, so that the same recipe makes the same model again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The file that says how a model is made. Every number that matters stands in it; nothing is taken from the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recipe {
    /// Starts every draw: rows, weights, order.
    pub seed: u64,
    /// What is learned from.
    pub corpus: CorpusRecipe,
    /// How the tokenizer is made.
    pub tokenizer: TokenizerRecipe,
    /// The shape of the model.
    pub model: Shape,
    /// How it is trained.
    pub training: TrainingRecipe,
}

/// Languages by their primary tag, such as `en`, and how much of what is learned is in each.
pub type Weights = BTreeMap<String, usize>;

/// What is learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CorpusRecipe {
    /// Folder of the corpus, relative to the recipe, with a folder for each language.
    pub folder: PathBuf,
    /// The languages that are learned: of all rows, each has its weight's share of the sum of weights.
    pub languages: Weights,
    /// Rows to validate with, whose product names never occur in training.
    pub validation_rows: usize,
}

/// How the tokenizer is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenizerRecipe {
    /// Number of tokens.
    pub vocabulary: usize,
    /// Rows to learn it from.
    pub rows: usize,
}

/// The shape of a Llama-type decoder with tied embeddings and as many key heads as query heads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shape {
    /// Width of the residual stream.
    pub hidden: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Heads of attention; must divide `hidden` into even parts, since rotary embedding turns pairs.
    pub heads: usize,
    /// Width inside a feed-forward block.
    pub feed_forward: usize,
    /// Longest text in tokens.
    pub positions: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// Added to the mean square before its root, against division by zero.
    pub norm_epsilon: f64,
}

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainingRecipe {
    /// Number of steps; each sees new rows.
    pub steps: usize,
    /// Rows in a step.
    pub batch: usize,
    /// Parts of a batch that are worked on at the same time, each on one thread. Part of the recipe, and not taken
    /// from the machine, because the sum of gradients depends on it in its last bits.
    pub shards: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Steps over which the rate rises from zero.
    pub warm_up: usize,
    /// The last rate as a share of the highest.
    pub final_share: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest norm of all gradients together.
    pub clip: f64,
    /// Steps between two looks at the validation loss.
    pub validate_every: usize,
}

/// Why a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file is not there or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no recipe.
    #[error("{} is not a recipe", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said, with the line.
        source: Box<serde_saphyr::Error>,
    },
    /// A number makes no model.
    #[error("{field} {problem}")]
    Number {
        /// Where the number stands.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Recipe {
    /// Reads and checks a recipe; the corpus folder becomes one that can be opened.
    ///
    /// # Errors
    /// When the file cannot be read, is no recipe, or holds a number that makes no model.
    pub fn open(path: &Path) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecipeError::Read { path: path.to_owned(), source })?;
        let mut recipe: Self = serde_saphyr::from_str(&text)
            .map_err(|source| RecipeError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        recipe.check()?;
        recipe.corpus.folder = path.parent().unwrap_or(Path::new(".")).join(&recipe.corpus.folder);
        Ok(recipe)
    }

    fn check(&self) -> Result<(), RecipeError> {
        let Self { model, training, tokenizer, corpus, seed: _ } = self;
        let heads_fit = model.heads > 0 && model.hidden % (2 * model.heads) == 0;
        let shards_fit = training.shards > 0 && training.batch % training.shards == 0;
        let checks = [
            (heads_fit, "model.heads", "must divide model.hidden into even parts"),
            (model.layers > 0, "model.layers", "must be at least 1"),
            (model.feed_forward > 0, "model.feedForward", "must be at least 1"),
            (shards_fit && training.batch > 0, "training.shards", "must divide training.batch"),
            (training.steps > training.warm_up, "training.steps", "must be more than training.warmUp"),
            (training.validate_every > 0, "training.validateEvery", "must be at least 1"),
            (training.clip > 0.0, "training.clip", "must be more than 0"),
            (
                tokenizer.vocabulary > 258,
                "tokenizer.vocabulary",
                "must hold 256 bytes, 2 special tokens and a merge",
            ),
            (
                corpus.languages.values().any(|weight| *weight > 0),
                "corpus.languages",
                "must give a weight above 0 to at least one language",
            ),
            (corpus.validation_rows > 0, "corpus.validationRows", "must be at least 1"),
        ];
        match checks.into_iter().find(|(good, ..)| !good) {
            Some((_, field, problem)) => Err(RecipeError::Number { field, problem }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Recipe {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/handbill/recipe.yaml");
        Recipe::open(Path::new(path)).expect("the shipped recipe is valid")
    }

    #[test]
    fn the_shipped_recipe_finds_its_corpus() {
        assert!(shipped().corpus.folder.join("en/copy.yaml").is_file());
    }

    #[test]
    fn a_number_that_makes_no_model_is_named() {
        let mut recipe = shipped();
        recipe.model.heads = recipe.model.hidden + 1;
        assert_eq!(
            recipe.check().expect_err("no model").to_string(),
            "model.heads must divide model.hidden into even parts"
        );
        let mut recipe = shipped();
        recipe.training.shards = recipe.training.batch + 1;
        assert_eq!(
            recipe.check().expect_err("no model").to_string(),
            "training.shards must divide training.batch"
        );
        let mut recipe = shipped();
        recipe.corpus.languages = Weights::from([("en".to_owned(), 0)]);
        assert_eq!(
            recipe.check().expect_err("no model").to_string(),
            "corpus.languages must give a weight above 0 to at least one language"
        );
    }
}
