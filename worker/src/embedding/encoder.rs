//! The transformer of an embedder, by candle's modules.

use std::path::Path;

use candle_core::{Device, Result, Tensor};
use candle_nn::Activation;
use candle_transformers::models::{bert, xlm_roberta};
use engine::{EngineError, Weights};
use serde::Deserialize;

use super::EmbedderError;
use crate::model::ModelError;

/// A family and its sizes.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    family: Family,
    sizes: Sizes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Bert,
    XlmRoberta,
}

/// What `config.json` says, by the names of Hugging Face.
#[derive(Clone, Debug, Deserialize)]
struct Sizes {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    pad_token_id: u32,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn absolute() -> String {
    "absolute".to_owned()
}

impl Plan {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// When it is none, or of a family or with a feature that is not read.
    pub(super) fn open(path: &Path) -> std::result::Result<Self, EmbedderError> {
        #[derive(Deserialize)]
        struct Head {
            model_type: String,
        }
        let bytes =
            std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        let parse = |source| ModelError::Parse { path: path.to_owned(), source };
        let Head { model_type } = serde_json::from_slice(&bytes).map_err(parse)?;
        let family = match model_type.as_str() {
            "bert" => Family::Bert,
            "xlm-roberta" => Family::XlmRoberta,
            _ => return Err(EmbedderError::Family(model_type)),
        };
        let sizes: Sizes = serde_json::from_slice(&bytes).map_err(parse)?;
        Ok(Self { family, sizes: sizes.checked()? })
    }

    /// The most tokens of a text. XLM-RoBERTa counts positions from behind that of padding.
    pub(super) fn positions(&self) -> usize {
        match self.family {
            Family::Bert => self.sizes.max_position_embeddings,
            Family::XlmRoberta => {
                self.sizes.max_position_embeddings.saturating_sub(self.sizes.pad_token_id as usize + 1)
            }
        }
    }

    /// Reads the weights.
    ///
    /// # Errors
    /// When one is missing or of another shape.
    pub(super) fn load(&self, weights: &Weights) -> std::result::Result<Encoder, EmbedderError> {
        let family = match self.family {
            Family::Bert => "bert",
            Family::XlmRoberta => "xlm-roberta",
        };
        let module = self.module(weights).map_err(|source| EngineError::Stock { family, source })?;
        Ok(Encoder(module))
    }

    fn module(&self, weights: &Weights) -> Result<Module> {
        let builder = weights.builder();
        // A model that was saved with a head has its name before each of its weights.
        let under = |name: &str| {
            if weights.has(&format!("{name}.embeddings.word_embeddings.weight")) {
                builder.pp(name)
            } else {
                builder.clone()
            }
        };
        match self.family {
            Family::Bert => bert::BertModel::load(under("bert"), &self.sizes.bert()).map(Module::Bert),
            Family::XlmRoberta => {
                xlm_roberta::XLMRobertaModel::new(&self.sizes.xlm_roberta(), under("roberta"))
                    .map(Module::XlmRoberta)
            }
        }
    }
}

impl Sizes {
    fn checked(self) -> std::result::Result<Self, EngineError> {
        let unsupported = |field, found: String, known| Err(EngineError::Unsupported { field, found, known });
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let found = self.num_attention_heads.to_string();
            return unsupported("num_attention_heads", found, "a divisor of hidden_size");
        }
        if self.position_embedding_type != "absolute" {
            return unsupported("position_embedding_type", self.position_embedding_type, "absolute");
        }
        match self.activation() {
            Some(_) => Ok(self),
            None => unsupported("hidden_act", self.hidden_act, "gelu, gelu_new, gelu_pytorch_tanh and relu"),
        }
    }

    fn activation(&self) -> Option<Activation> {
        match self.hidden_act.as_str() {
            "gelu" => Some(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Activation::NewGelu),
            "relu" => Some(Activation::Relu),
            _ => None,
        }
    }

    fn bert(&self) -> bert::Config {
        let hidden_act = match self.activation() {
            Some(Activation::Relu) => bert::HiddenAct::Relu,
            Some(Activation::NewGelu) => bert::HiddenAct::GeluApproximate,
            _ => bert::HiddenAct::Gelu,
        };
        bert::Config {
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            hidden_act,
            max_position_embeddings: self.max_position_embeddings,
            type_vocab_size: self.type_vocab_size,
            layer_norm_eps: self.layer_norm_eps,
            pad_token_id: self.pad_token_id as usize,
            model_type: None,
            ..bert::Config::default()
        }
    }

    fn xlm_roberta(&self) -> xlm_roberta::Config {
        xlm_roberta::Config {
            hidden_size: self.hidden_size,
            layer_norm_eps: self.layer_norm_eps,
            attention_probs_dropout_prob: 0.0,
            hidden_dropout_prob: 0.0,
            num_attention_heads: self.num_attention_heads,
            position_embedding_type: self.position_embedding_type.clone(),
            intermediate_size: self.intermediate_size,
            hidden_act: self.activation().unwrap_or(Activation::Gelu),
            num_hidden_layers: self.num_hidden_layers,
            vocab_size: self.vocab_size,
            max_position_embeddings: self.max_position_embeddings,
            type_vocab_size: self.type_vocab_size,
            pad_token_id: self.pad_token_id,
        }
    }
}

/// A transformer that reads a text in both directions.
pub(super) struct Encoder(Module);

enum Module {
    Bert(bert::BertModel),
    XlmRoberta(xlm_roberta::XLMRobertaModel),
}

impl Encoder {
    /// A vector for each token, one a row.
    ///
    /// # Errors
    /// When a token is none of the vocabulary, or the arithmetic fails.
    pub(super) fn states(&self, tokens: &[u32]) -> std::result::Result<Tensor, EmbedderError> {
        self.read(tokens).map_err(failed)
    }

    fn read(&self, tokens: &[u32]) -> Result<Tensor> {
        let tokens = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
        let (kinds, seen) = (tokens.zeros_like()?, tokens.ones_like()?);
        let states = match &self.0 {
            Module::Bert(module) => module.forward(&tokens, &kinds, Some(&seen))?,
            Module::XlmRoberta(module) => module.forward(&tokens, &seen, &kinds, None, None, None)?,
        };
        states.squeeze(0)
    }
}

/// What a module of candle's says.
pub(super) fn failed(error: candle_core::Error) -> EmbedderError {
    EngineError::from(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERT: &str = r#"{"model_type": "bert", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 514, "type_vocab_size": 1,
        "layer_norm_eps": 1e-5, "pad_token_id": 1}"#;

    fn open(config: &str) -> std::result::Result<Plan, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        std::fs::write(&path, config).expect("written");
        Plan::open(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn positions_are_those_that_a_text_can_have() {
        for (family, positions) in [("bert", 514), ("xlm-roberta", 512)] {
            let plan = open(&BERT.replace("bert", family)).expect(family);
            assert_eq!(plan.positions(), positions, "{family}");
        }
    }

    #[test]
    fn what_is_not_read_is_named() {
        let check = |from: &str, to: &str, says: &str| {
            let said = open(&BERT.replace(from, to)).expect_err(says);
            assert!(said.contains(says), "{said}");
        };
        check("bert", "distilbert", "the model_type is \"distilbert\": bert and xlm-roberta are read");
        check("\"pad_token_id\": 1", "\"hidden_act\": \"silu\", \"pad_token_id\": 1", "hidden_act is silu");
        check("attention_heads\": 2", "attention_heads\": 0", "num_attention_heads is 0");
        check("attention_heads\": 2", "attention_heads\": 3", "num_attention_heads is 3");
        let relative = "\"position_embedding_type\": \"relative_key\", \"pad_token_id\": 1";
        check("\"pad_token_id\": 1", relative, "position_embedding_type is relative_key");
        check("hidden_size", "dim", "is not what its name says");
    }
}
