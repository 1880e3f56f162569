//! Holds the decoder to what transformers writes: every token of every row, in all families and forms of files.
//!
//! `tests/oracles/make.py` made the checkpoints and the expected tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::cpu::Form;
use engine::{Decoder, Input, Place, Text, Weights, begin};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    prefix: Vec<u32>,
    rows: Vec<Vec<u32>>,
    checkpoints: BTreeMap<String, Checkpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checkpoint {
    files: Vec<String>,
    next: Vec<Vec<u32>>,
    first_logits: Vec<f32>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles")
}

fn expected() -> Expected {
    let text = std::fs::read_to_string(folder().join("expected.json")).expect("the oracle's figures");
    serde_json::from_str(&text).expect("the oracle's figures are JSON")
}

fn decoder(file: &str, place: Place) -> Decoder {
    let (weights, configuration) = Weights::open(&folder().join(file)).expect("a model");
    Decoder::load_at(&weights, configuration, Form::AsStored, place).expect("a decoder")
}

fn likeliest(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    u32::try_from(best.expect("a vocabulary").0).expect("few tokens")
}

/// A row that is being written.
struct Row {
    index: usize,
    text: Text,
    next: Vec<u32>,
    written: Vec<u32>,
}

/// Writes all rows, at most `at_once` together; one that is done leaves, and the next one takes its place.
fn write(decoder: &Decoder, expected: &Expected, lengths: &[usize], at_once: usize) -> Vec<Vec<u32>> {
    let mut prefix = decoder.text(None);
    decoder.read(&mut [Input { text: &mut prefix, tokens: &expected.prefix }]).expect("the prefix fits");
    let prefix = Arc::new(prefix);
    let mut waiting = expected.rows.iter().enumerate().map(|(index, tokens)| {
        // A row of nothing of its own still needs a token to be read.
        let (text, next) = match tokens.is_empty() {
            true => alone(decoder, &expected.prefix),
            false => (decoder.text(Some(Arc::clone(&prefix))), tokens.clone()),
        };
        Row { index, text, next, written: Vec::new() }
    });
    let mut done = vec![Vec::new(); expected.rows.len()];
    let mut live: Vec<Row> = Vec::new();
    loop {
        live.extend(waiting.by_ref().take(at_once - live.len()));
        if live.is_empty() {
            return done;
        }
        let mut inputs: Vec<Input<'_>> =
            live.iter_mut().map(|row| Input { text: &mut row.text, tokens: &row.next }).collect();
        let logits = decoder.read(&mut inputs).expect("it fits");
        for (place, row) in live.iter_mut().enumerate() {
            let token = likeliest(&logits.row(place));
            row.written.push(token);
            row.next = vec![token];
        }
        live.retain_mut(|row| {
            let goes_on = row.written.len() < lengths[row.index];
            if !goes_on {
                done[row.index] = std::mem::take(&mut row.written);
            }
            goes_on
        });
    }
}

/// The prefix but for its last token, which comes next.
fn alone(decoder: &Decoder, prefix: &[u32]) -> (Text, Vec<u32>) {
    let (last, before) = prefix.split_last().expect("a prefix");
    let mut text = decoder.text(None);
    decoder.read(&mut [Input { text: &mut text, tokens: before }]).expect("the prefix fits");
    (text, vec![*last])
}

fn check(name: &str, checkpoint: &Checkpoint, expected: &Expected, place: Place, at_once: &[usize]) {
    for file in &checkpoint.files {
        let decoder = decoder(file, place);
        let lengths: Vec<usize> = checkpoint.next.iter().map(Vec::len).collect();
        for at_once in at_once.iter().copied() {
            let written = write(&decoder, expected, &lengths, at_once);
            assert_eq!(written, checkpoint.next, "{name}, {file}, {place:?}, {at_once} rows at once");
        }
        // Rows that end at different times leave gaps which others fill.
        let lengths: Vec<usize> = (0..lengths.len()).map(|index| 1 + index * 7 % lengths[index]).collect();
        let written = write(&decoder, expected, &lengths, 5);
        for (index, (written, next)) in written.iter().zip(&checkpoint.next).enumerate() {
            assert_eq!(
                written,
                &next[..lengths[index]],
                "{name}, {file}, {place:?}, row {index} beside others"
            );
        }
    }
}

#[test]
fn every_token_is_the_one_that_transformers_writes() {
    let expected = expected();
    // Products in 8 bits round the activations too, so only their logits are held to the oracle's, below.
    for (name, checkpoint) in expected.checkpoints.iter().filter(|(name, _)| !name.contains("q8_0")) {
        check(name, checkpoint, &expected, Place::Cpu, &[1, 8, 32]);
    }
}

#[test]
fn tensors_as_devices_reckon_with_them_write_the_same() {
    let expected = expected();
    for (name, checkpoint) in &expected.checkpoints {
        check(name, checkpoint, &expected, Place::Tensors, &[32]);
    }
}

#[test]
fn logits_are_those_of_transformers_within_rounding() {
    let expected = expected();
    for (name, checkpoint) in &expected.checkpoints {
        let at = |place| checkpoint.files.iter().map(move |file| (file, place));
        for (file, place) in at(Place::Cpu).chain(at(Place::Tensors)) {
            let decoder = decoder(file, place);
            let mut text = decoder.text(None);
            let tokens: Vec<u32> = expected.prefix.iter().chain(&expected.rows[0]).copied().collect();
            let logits =
                decoder.read(&mut [Input { text: &mut text, tokens: &tokens }]).expect("it fits").row(0);
            let scale = checkpoint.first_logits.iter().fold(0.0f32, |most, logit| most.max(logit.abs()));
            for (token, (found, wanted)) in logits.iter().zip(&checkpoint.first_logits).enumerate() {
                let rounds = file.contains("q8_0") && place == Place::Cpu;
                let tolerance = scale * if rounds { 5e-2 } else { 1e-5 };
                assert!(
                    (found - wanted).abs() <= tolerance,
                    "{name}, {file}, {place:?}, token {token}: {found} {wanted}"
                );
            }
        }
    }
}

#[test]
fn a_texts_logits_depend_on_its_tokens_alone_to_the_last_bit() {
    let expected = expected();
    let prompts: Vec<Vec<u32>> =
        expected.rows.iter().map(|row| expected.prefix.iter().chain(row).copied().collect()).collect();
    for (file, form) in [
        ("llama", Form::AsStored),
        ("mistral", Form::AsStored),
        ("qwen3", Form::Q8),
        ("llama-q8_0.gguf", Form::AsStored),
    ] {
        let (weights, configuration) = Weights::open(&folder().join(file)).expect("a model");
        let decoder = Decoder::load(&weights, configuration, form).expect("a decoder");
        let together = together(&decoder, &prompts);
        for (prompt, logits) in prompts.iter().zip(&together) {
            let mut whole = decoder.text(None);
            let alone =
                decoder.read(&mut [Input { text: &mut whole, tokens: prompt }]).expect("it fits").row(0);
            assert_eq!(&alone, logits, "{file}: read alone and as a branch of a tree");
            let mut slow = decoder.text(None);
            let last = prompt.chunks(1).map(|tokens| decoder.read(&mut [Input { text: &mut slow, tokens }]));
            let last = last.last().expect("a token").expect("it fits").row(0);
            assert_eq!(&last, logits, "{file}: read token by token");
        }
    }
}

/// A long text is read in steps, and its tree has several stretches.
#[test]
fn tensors_give_the_logits_of_our_kernels_however_a_text_is_cut() {
    let expected = expected();
    let prompts: Vec<Vec<u32>> = [0, 1, 9, 400]
        .iter()
        .flat_map(|more| [(more, 3), (more, 7)])
        .map(|(more, last)| {
            let cycle = expected.prefix.iter().cycle().take(40 + more);
            cycle.chain(&[5, last, last]).copied().collect()
        })
        .collect();
    for file in ["llama-scaled", "mistral", "qwen3"] {
        let (ours, theirs) = (decoder(file, Place::Cpu), decoder(file, Place::Tensors));
        let (ours, theirs) = (together(&ours, &prompts), together(&theirs, &prompts));
        for (prompt, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            let scale = ours.iter().fold(0.0f32, |most, logit| most.max(logit.abs()));
            let apart = ours.iter().zip(theirs).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(apart <= 2e-5 * scale, "{file}, prompt {prompt}: {apart} of {scale}");
        }
    }
}

/// The logits behind each prompt, all read as one tree.
fn together(decoder: &Decoder, prompts: &[Vec<u32>]) -> Vec<Vec<f32>> {
    let mut begun = begin(decoder, prompts).expect("prompts fit");
    let mut inputs: Vec<Input<'_>> =
        begun.iter_mut().map(|it| Input { text: &mut it.text, tokens: &it.rest }).collect();
    let logits = decoder.read(&mut inputs).expect("it fits");
    (0..prompts.len()).map(|row| logits.row(row)).collect()
}
