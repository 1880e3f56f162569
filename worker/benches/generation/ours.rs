//! Our engine on the peers' task: one prompt, some rows, so many tokens each, greedily.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use engine::cpu::Form;
use engine::{Decoder, Input, Logits, Text, Weights};

/// How long something took, and what was written.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Until the first token of each row.
    pub(crate) prefill_seconds: f64,
    /// From there to the last.
    pub(crate) decode_seconds: f64,
    pub(crate) tokens: Vec<Vec<u32>>,
}

impl Run {
    /// Tokens per second behind the first ones.
    pub(crate) fn decode_rate(&self) -> f64 {
        self.tokens.iter().map(|row| row.len() - 1).sum::<usize>() as f64 / self.decode_seconds
    }

    /// Tokens per second from the beginning.
    pub(crate) fn whole_rate(&self) -> f64 {
        let count: usize = self.tokens.iter().map(Vec::len).sum();
        count as f64 / (self.prefill_seconds + self.decode_seconds)
    }
}

pub(crate) fn load(model: &Path, form: Form) -> Decoder {
    let (weights, configuration) = Weights::open(model).expect("a model: run make bench-peers");
    Decoder::load(&weights, configuration, form).expect("the model's weights")
}

/// The prompt of the peers: see peers.py.
pub(crate) fn prompt(tokens: u32) -> Vec<u32> {
    (0..tokens).map(|index| 3 + 7919 * index % 31991).collect()
}

pub(crate) fn run(decoder: &Decoder, rows: usize, prompt: &[u32], new: usize) -> Run {
    let start = Instant::now();
    let mut shared = decoder.text(None);
    let logits = decoder.read(&mut [Input { text: &mut shared, tokens: prompt }]).expect("the prompt fits");
    let first = likeliest(&logits, 0);
    let shared = Arc::new(shared);
    let mut texts: Vec<Text> = (0..rows).map(|_| decoder.text(Some(Arc::clone(&shared)))).collect();
    let mut tokens = vec![vec![first]; rows];
    let prefill_seconds = start.elapsed().as_secs_f64();
    for _ in 1..new {
        let inputs = texts.iter_mut().zip(&tokens);
        let mut inputs: Vec<Input<'_>> =
            inputs.map(|(text, tokens)| Input { text, tokens: &tokens[tokens.len() - 1..] }).collect();
        let logits = decoder.read(&mut inputs).expect("it fits");
        tokens.iter_mut().enumerate().for_each(|(row, tokens)| tokens.push(likeliest(&logits, row)));
    }
    Run { prefill_seconds, decode_seconds: start.elapsed().as_secs_f64() - prefill_seconds, tokens }
}

fn likeliest(logits: &Logits, row: usize) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (token, logit) in (0..).zip(logits.row(row)) {
        best = if logit > best.1 { (token, logit) } else { best };
    }
    best.0
}

/// Peak of this process's memory in MiB, after writing in 8 bits.
pub(crate) fn peak(model: &Path, rows: usize) -> f64 {
    run(&load(model, Form::Q8), rows, &prompt(128), 64);
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib = line.split_whitespace().next().and_then(|it| it.parse::<f64>().ok()).expect("a number");
    kib / 1024.0
}
