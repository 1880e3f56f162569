//! GGUF files.

use std::collections::HashMap;
use std::io::BufReader;
use std::path::Path;

use candle_core::quantized::gguf_file::Content;

use super::names::by_hugging_face;
use super::{Conversation, Stored, Weights, open_file};
use crate::{Configuration, EngineError};

/// Divides the frequencies of rotary positions.
const FACTORS: &str = "rope_freqs.weight";

pub(super) fn open(path: &Path) -> Result<(Weights, Configuration), EngineError> {
    let file = open_file(path)?;
    let content = Content::read(&mut BufReader::new(&file))
        .map_err(|error| EngineError::Malformed { path: path.to_owned(), what: error.to_string() })?;
    let tensors = content.tensor_infos.iter().map(|(name, info)| {
        let offset = content.tensor_data_offset.saturating_add(info.offset);
        let stored = Stored { file: 0, offset, kind: info.ggml_dtype, shape: info.shape.dims().to_vec() };
        (by_hugging_face(name), stored)
    });
    let tensors: HashMap<String, Stored> = tensors.collect();
    let files = vec![(path.to_owned(), file)];
    let weights = Weights { files, tensors, adapter: None, conversation: conversation(&content) };
    let weights = weights.check_lengths()?;
    let factors = weights.has(FACTORS).then(|| weights.floats(FACTORS, None)).transpose()?;
    let factors = factors.map(|(factors, _)| factors);
    let configuration = Configuration::from_gguf(&content, factors.as_deref(), path)?;
    Ok((weights, configuration))
}

fn conversation(content: &Content) -> Conversation {
    let value = |name| content.metadata.get(name);
    let token = |name| value(name).and_then(|value| value.to_u32().ok());
    let template = value("tokenizer.chat_template").and_then(|value| value.to_string().ok());
    Conversation {
        template: template.cloned(),
        opening: token("tokenizer.ggml.bos_token_id"),
        closing: token("tokenizer.ggml.eos_token_id"),
    }
}
