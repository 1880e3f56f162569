//! Holds each family that runs through a module of candle_transformers to what transformers writes.
//!
//! `tests/oracles/stock.py` made the checkpoints and the expected tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::cpu::Form;
use engine::{Decoder, Input, Text, Weights, begin};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    prefix: Vec<u32>,
    rows: Vec<Vec<u32>>,
    checkpoints: BTreeMap<String, Checkpoint>,
}

#[derive(Deserialize)]
struct Checkpoint {
    files: Vec<String>,
    next: Vec<Vec<u32>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/stock")
}

fn expected() -> Expected {
    let text = std::fs::read_to_string(folder().join("expected.json")).expect("the oracle's figures");
    serde_json::from_str(&text).expect("the oracle's figures are JSON")
}

fn decoder(file: &str) -> Decoder {
    let (weights, configuration) = Weights::open(&folder().join(file)).expect("a model");
    Decoder::load(&weights, configuration, Form::AsStored).expect("a decoder")
}

fn likeliest(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    u32::try_from(best.expect("a vocabulary").0).expect("few tokens")
}

/// Writes so many tokens in each text, all in turns.
fn write(decoder: &Decoder, mut rows: Vec<(Text, Vec<u32>)>, count: usize) -> Vec<Vec<u32>> {
    let mut written = vec![Vec::new(); rows.len()];
    for _ in 0..count {
        let inputs = rows.iter_mut().map(|(text, tokens)| Input { text, tokens });
        let logits = decoder.read(&mut inputs.collect::<Vec<_>>()).expect("it fits");
        for (row, (_, next)) in rows.iter_mut().enumerate() {
            *next = vec![likeliest(&logits.row(row))];
            written[row].push(next[0]);
        }
    }
    written
}

#[test]
fn every_token_is_the_one_that_transformers_writes() {
    let expected = expected();
    let prompts: Vec<Vec<u32>> =
        expected.rows.iter().map(|row| expected.prefix.iter().chain(row).copied().collect()).collect();
    for (name, checkpoint) in &expected.checkpoints {
        for file in &checkpoint.files {
            let decoder = decoder(file);
            assert!(decoder.stock_family().is_some_and(|family| name.starts_with(family)), "{file}");
            let begun = begin(&decoder, &prompts).expect("prompts fit");
            let rows = begun.into_iter().map(|it| (it.text, it.rest)).collect();
            let written = write(&decoder, rows, checkpoint.next[0].len());
            assert_eq!(written, checkpoint.next, "{file}");
        }
    }
}

#[test]
fn a_text_behind_another_and_one_that_goes_on_by_several_tokens_are_read_alike() {
    let expected = expected();
    let prefix = &expected.prefix;
    for (name, checkpoint) in &expected.checkpoints {
        let decoder = decoder(&checkpoint.files[0]);
        let mut above = decoder.text(None);
        let (first, rest) = prefix.split_at(prefix.len() / 2);
        for tokens in [first, rest] {
            decoder.read(&mut [Input { text: &mut above, tokens }]).expect("it fits");
        }
        let text = decoder.text(Some(Arc::new(above)));
        assert_eq!(text.tokens(), prefix.len());
        let written = write(&decoder, vec![(text, expected.rows[1].clone())], 8);
        assert_eq!(written[0], checkpoint.next[1][..8], "{name}");
    }
}

#[test]
fn what_a_configuration_leaves_out_the_weights_tell() {
    let expected = expected();
    for (name, said) in
        [("smollm3", "\"tie_word_embeddings\": true"), ("olmo", "\"tie_word_embeddings\": false")]
    {
        let silent = tempfile::tempdir().expect("a folder");
        let file = |file: &str| (folder().join(name).join(file), silent.path().join(file));
        let (from, to) = file("model.safetensors");
        std::fs::copy(from, to).expect("copied");
        let (from, to) = file("config.json");
        let config = std::fs::read_to_string(from).expect("readable");
        assert!(config.contains(said), "{name}");
        std::fs::write(to, config.replace(said, "\"silent\": true")).expect("written");
        let decoder = decoder(silent.path().to_str().expect("a path in UTF-8"));
        let prompt = expected.prefix.iter().chain(&expected.rows[2]).copied().collect();
        let written = write(&decoder, vec![(decoder.text(None), prompt)], 8);
        assert_eq!(written[0], expected.checkpoints[name].next[2][..8], "{name}");
    }
}

#[test]
fn positions_end_at_a_window_which_the_modules_do_not_keep() {
    assert_eq!(decoder("gemma2").shape().positions, 128);
    assert_eq!(decoder("gemma").shape().positions, 256);
}
