//! How fast a model writes.
#![expect(clippy::print_stdout, reason = "figures are what this program is for")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use engine::cpu::Form;
use engine::{Decoder, Input, Text, Weights};

fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|it| it.parse::<f64>().ok()).expect("a number") / 1024.0
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let form = if arguments.iter().any(|it| it == "q8") { Form::Q8 } else { Form::AsStored };
    let start = Instant::now();
    let (weights, shape) = Weights::open(Path::new(&arguments[1])).expect("model");
    let decoder = Decoder::load(&weights, shape, form).expect("decoder");
    println!("load {:.2} s, peak {:.0} MiB", start.elapsed().as_secs_f64(), peak());
    let prompt: Vec<u32> = (0..128).map(|i| (i * 7919 + 13) % 32000).collect();
    for rows in [1usize, 8, 32, 1, 8, 32] {
        let start = Instant::now();
        let mut prefix = decoder.text(None);
        let logits = decoder.read(&mut [Input { text: &mut prefix, tokens: &prompt }]).expect("read");
        let prefill = start.elapsed().as_secs_f64();
        let prefix = Arc::new(prefix);
        let first = best(&logits.row(0));
        let mut texts: Vec<(Text, u32)> =
            (0..rows).map(|_| (decoder.text(Some(Arc::clone(&prefix))), first)).collect();
        let start = Instant::now();
        let mut model = 0.0;
        for _ in 0..64 {
            let mut tokens: Vec<[u32; 1]> = texts.iter().map(|it| [it.1]).collect();
            let mut inputs: Vec<Input<'_>> =
                texts.iter_mut().zip(&tokens).map(|((text, _), tokens)| Input { text, tokens }).collect();
            let t = Instant::now();
            let logits = decoder.read(&mut inputs).expect("read");
            model += t.elapsed().as_secs_f64();
            for (row, token) in tokens.iter_mut().enumerate() {
                token[0] = best(&logits.row(row));
            }
            for (text, token) in texts.iter_mut().zip(&tokens) {
                text.1 = token[0];
            }
        }
        let decode = start.elapsed().as_secs_f64();
        println!(
            "rows {rows}: prefill {:.3} s, decode {:.1} tok/s (model alone {:.1}), end to end {:.1}, peak {:.0} MiB",
            prefill,
            64.0 * rows as f64 / decode,
            64.0 * rows as f64 / model,
            64.0 * rows as f64 / (decode + prefill),
            peak()
        );
    }
}

fn best(logits: &[f32]) -> u32 {
    logits
        .iter()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (i, l)| if *l > best.1 { (i as u32, *l) } else { best })
        .0
}
