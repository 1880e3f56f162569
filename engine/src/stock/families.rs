//! The modules, by family.

use std::fmt;
use std::fs::File;
use std::io::BufReader;

use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Error, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{
    falcon, gemma, gemma2, gemma3, glm4_new, helium, lfm2, mixtral, olmo, olmo2, phi, phi3, quantized_glm4,
    quantized_phi3, qwen2_moe, qwen3_moe, smol::smollm3, starcoder2,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Module;
use super::plan::{Plan, Source};
use crate::Weights;
use crate::device::Target;
use crate::weights::builder;

pub(super) fn load(weights: &Weights, plan: &Plan, target: &Target) -> Result<Box<dyn Module>> {
    match &plan.source {
        Source::Json(config) => {
            let mut config = config.clone();
            // Where nothing is said, the embeddings give the logits if no other matrix does.
            let tied = Value::Bool(!weights.has("lm_head.weight"));
            for name in ["tie_word_embeddings", "tie_embedding"] {
                config.entry(name).or_insert_with(|| tied.clone());
            }
            from_config(builder(weights, target.dtype, &target.device), plan.family(), &Value::Object(config))
        }
        Source::Gguf(path) => {
            from_gguf(plan.family(), &mut BufReader::new(File::open(path)?), &target.device)
        }
    }
}

fn from_config(vb: VarBuilder<'_>, family: &str, config: &Value) -> Result<Box<dyn Module>> {
    Ok(match family {
        "falcon" => {
            boxed(falcon::Falcon::load(vb, parsed(config)?)?, |model, tokens, _| model.forward(tokens))
        }
        "gemma" => boxed(gemma::Model::new(false, &parsed(config)?, vb)?, gemma::Model::forward),
        "gemma2" => boxed(gemma2::Model::new(false, &parsed(config)?, vb)?, gemma2::Model::forward),
        "gemma3_text" => boxed(gemma3::Model::new(false, &parsed(config)?, vb)?, gemma3::Model::forward),
        "glm4" => {
            boxed(glm4_new::ModelForCausalLM::new(&parsed(config)?, vb)?, glm4_new::ModelForCausalLM::forward)
        }
        "helium" => boxed(helium::Model::new(&parsed(config)?, vb)?, helium::Model::forward),
        "lfm2" => {
            let config = parsed::<lfm2::Lfm2Config>(config)?.into_config(false);
            let cache = lfm2::Cache::new(true, vb.dtype(), &config, vb.device())?;
            boxed((lfm2::Model::new(&config, vb)?, cache), |(model, cache), tokens, position| {
                model.forward(tokens, position, cache)
            })
        }
        "mixtral" => boxed(mixtral::Model::new(&parsed(config)?, vb)?, mixtral::Model::forward),
        "olmo" => boxed(olmo::Model::new(&parsed(config)?, vb)?, olmo::Model::forward),
        "olmo2" => boxed(olmo2::Model::new(&parsed(config)?, vb)?, olmo2::Model::forward),
        "phi" => boxed(phi::Model::new(&parsed(config)?, vb)?, |model, tokens, _| model.forward(tokens)),
        "phi3" => boxed(phi3::Model::new(&parsed(config)?, vb)?, phi3::Model::forward),
        "qwen2_moe" => boxed(qwen2_moe::Model::new(&parsed(config)?, vb)?, qwen2_moe::Model::forward),
        "qwen3_moe" => boxed(
            qwen3_moe::ModelForCausalLM::new(&parsed(config)?, vb)?,
            qwen3_moe::ModelForCausalLM::forward,
        ),
        "smollm3" => {
            boxed(smollm3::ModelForCausalLM::new(&parsed(config)?, vb)?, smollm3::ModelForCausalLM::forward)
        }
        "starcoder2" => boxed(starcoder2::Model::new(&parsed(config)?, vb)?, starcoder2::Model::forward),
        other => unreachable!("a plan is of a family that is known, not {other}"),
    })
}

fn from_gguf(family: &str, file: &mut BufReader<File>, device: &Device) -> Result<Box<dyn Module>> {
    let content = Content::read(file)?;
    Ok(match family {
        "glm4" => boxed(
            quantized_glm4::ModelWeights::from_gguf(content, file, device, DType::F32)?,
            quantized_glm4::ModelWeights::forward,
        ),
        "phi3" => boxed(
            quantized_phi3::ModelWeights::from_gguf(false, content, file, device)?,
            quantized_phi3::ModelWeights::forward,
        ),
        other => unreachable!("a plan is of a family that is known, not {other}"),
    })
}

fn parsed<C: DeserializeOwned>(config: &Value) -> Result<C> {
    C::deserialize(config).map_err(Error::wrap)
}

type Forward<M> = fn(&mut M, &Tensor, usize) -> Result<Tensor>;

fn boxed<M: Clone + Send + Sync + 'static>(model: M, forward: Forward<M>) -> Box<dyn Module> {
    Box::new(Read { model, forward })
}

/// A model and its way to read.
struct Read<M> {
    model: M,
    forward: Forward<M>,
}

impl<M: Clone + Send + Sync + 'static> Module for Read<M> {
    fn again(&self) -> Box<dyn Module> {
        boxed(self.model.clone(), self.forward)
    }

    fn read(&mut self, tokens: &Tensor, position: usize) -> Result<Tensor> {
        (self.forward)(&mut self.model, tokens, position)
    }
}

impl<M> fmt::Debug for Read<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<M>())
    }
}
