//! The rows of the table.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use engine::cpu::Form;
use engine::{Decoder, Input, Penalized, Sampling, Text, draw};
use rayon::prelude::*;
use rules::BrandRules;
use serde_json::{Value, json};
use worker::model::Model;
use worker::random::Random;
use worker::write::Writer;

use super::limits::{KNOWN, Kind, count};
use super::line::{Bound, Line, median};
use super::ours::{self, Run};
use super::peer::{self, Peer};
use super::training;

/// Tokens of the prompt, and tokens that each row writes.
const PROMPT: usize = 128;
const NEW: usize = 64;

pub(crate) struct Bench {
    model: PathBuf,
    python: PathBuf,
    turns: usize,
}

impl Bench {
    pub(crate) fn new(model: PathBuf, python: PathBuf, turns: usize) -> Self {
        Self { model, python, turns }
    }

    /// Prints a row and returns how many of its lines missed their bound.
    pub(crate) fn print(&mut self, row: u32) -> usize {
        let (question, lines) = match row {
            1 => ("Greedy tokens equal to transformers' in single precision, of 64", self.tokens()),
            2 => (
                "8 bits from end to end against transformers f32, tokens per second",
                self.whole("f32", &[(8, 4.5), (32, 5.5)]),
            ),
            3 => (
                "8 bits, behind the prompt, against llama.cpp Q8_0, tokens per second",
                self.decode(Form::Q8, "q8_0.gguf", &[(1, 0.9), (8, 1.2), (32, 1.5)]),
            ),
            4 => ("8 bits from end to end against transformers bf16", self.whole("bf16", &[(32, 3.0)])),
            5 => (
                "f32, behind the prompt, against llama.cpp F32",
                self.decode(Form::AsStored, "f32.gguf", &[(1, 0.8), (32, 0.8)]),
            ),
            6 => ("Reading the prompt for 32 rows against for one, milliseconds", self.prefill()),
            7 => ("Drawing with top-p and rules, share of a step in percent; milliseconds", self.drawing()),
            8 => {
                ("Outputs with a fault that counts of our own find, and percent delivered", held(Kind::Plain))
            }
            12 => ("The same of briefs that try to have rules broken", held(Kind::Hostile)),
            9 => ("Peak of memory, 32 rows in 8 bits, against llama.cpp, MiB", self.memory()),
            10 => (
                "Training Handbill, against torch, steps per minute",
                training::lines(&self.python, self.turns),
            ),
            _ => return 0,
        };
        println!("{row}. {question}");
        lines.iter().for_each(|line| println!("{line}"));
        lines.iter().filter(|line| !line.holds()).count()
    }

    /// Runs ours and the peer in turns, once for warmth before.
    fn turns(&self, decoder: &Decoder, task: Value, rows: usize) -> (Vec<(Run, Run)>, String) {
        let (mut peer, prompt) = (Peer::start(&self.python, &self.model, task), ours::prompt(PROMPT as u32));
        let (_, version) = peer.run(rows, PROMPT, NEW);
        ours::run(decoder, rows, &prompt, NEW);
        let turn = |_| (ours::run(decoder, rows, &prompt, NEW), peer.run(rows, PROMPT, NEW).0);
        ((0..self.turns).map(turn).collect(), version)
    }

    fn decoder(&self, form: Form) -> Decoder {
        ours::load(&self.model, form)
    }

    fn tokens(&self) -> Vec<Line> {
        let decoder = self.decoder(Form::AsStored);
        let mut peer =
            Peer::start(&self.python, &self.model, json!({"engine": "transformers", "dtype": "f32"}));
        let mut line = |rows: usize| {
            let ours = ours::run(&decoder, rows, &ours::prompt(PROMPT as u32), NEW).tokens;
            let (theirs, version) = peer.run(rows, PROMPT, NEW);
            let equal = |(ours, theirs): (&Vec<u32>, &Vec<u32>)| {
                ours.iter().zip(theirs).take_while(|(a, b)| a == b).count()
            };
            let least = ours.iter().zip(&theirs.tokens).map(equal).min().unwrap_or(0) as f64;
            Line {
                what: format!("{rows} rows, {version}: least of any row"),
                figure: least,
                ours: NEW as f64,
                peer: NEW as f64,
                bound: Bound::AtLeast(NEW as f64),
            }
        };
        [1, 8, 32].into_iter().map(&mut line).collect()
    }

    fn whole(&self, dtype: &str, asked: &[(usize, f64)]) -> Vec<Line> {
        let decoder = self.decoder(Form::Q8);
        let task = json!({"engine": "transformers", "dtype": dtype});
        asked
            .iter()
            .map(|(rows, least)| self.ratio(&decoder, &task, *rows, *least, Run::whole_rate))
            .collect()
    }

    fn decode(&self, form: Form, gguf: &str, asked: &[(usize, f64)]) -> Vec<Line> {
        let decoder = self.decoder(form);
        let task = json!({"engine": "llama.cpp", "gguf": gguf});
        asked
            .iter()
            .map(|(rows, least)| self.ratio(&decoder, &task, *rows, *least, Run::decode_rate))
            .collect()
    }

    fn ratio(
        &self,
        decoder: &Decoder,
        task: &Value,
        rows: usize,
        least: f64,
        rate: impl Fn(&Run) -> f64,
    ) -> Line {
        let (turns, version) = self.turns(decoder, task.clone(), rows);
        Line {
            what: format!("{rows} rows, {version}"),
            figure: median(turns.iter().map(|(ours, peer)| rate(ours) / rate(peer)).collect()),
            ours: median(turns.iter().map(|(ours, _)| rate(ours)).collect()),
            peer: median(turns.iter().map(|(_, peer)| rate(peer)).collect()),
            bound: Bound::AtLeast(least),
        }
    }

    fn prefill(&self) -> Vec<Line> {
        let (decoder, prompt) = (self.decoder(Form::Q8), ours::prompt(PROMPT as u32));
        let time = |rows| 1e3 * ours::run(&decoder, rows, &prompt, 2).prefill_seconds;
        time(32);
        let turns: Vec<(f64, f64)> = (0..4 * self.turns).map(|_| (time(32), time(1))).collect();
        vec![Line {
            what: "32 rows, against one row of ours".to_owned(),
            figure: median(turns.iter().map(|(many, one)| many / one).collect()),
            ours: median(turns.iter().map(|(many, _)| *many).collect()),
            peer: median(turns.iter().map(|(_, one)| *one).collect()),
            bound: Bound::AtMost(1.1),
        }]
    }

    /// The model's logits are nearly flat, so far more tokens can be drawn than a trained model leaves: the worst case.
    fn drawing(&self) -> Vec<Line> {
        let decoder = self.decoder(Form::Q8);
        let (mut reading, mut drawing) = (Vec::new(), Vec::new());
        let mut rows = Drawing::begin(&decoder, 32);
        for _ in 0..NEW {
            let (read, drawn) = rows.step(&decoder);
            reading.push(1e3 * read);
            drawing.push(1e3 * drawn);
        }
        let (reading, drawing) = (median(reading), median(drawing));
        vec![Line {
            what: "32 rows, 32 000 tokens; ours is drawing, beside it reading".to_owned(),
            figure: 100.0 * drawing / (reading + drawing),
            ours: drawing,
            peer: reading,
            bound: Bound::AtMost(10.0),
        }]
    }

    fn memory(&self) -> Vec<Line> {
        let this = std::env::current_exe().expect("this program");
        let mut command = Command::new(this);
        command.args(["--peak-of-rows", "32", "--python", "-", "--model"]).arg(&self.model);
        let output = command.output().expect("it runs").stdout;
        let ours: f64 = String::from_utf8_lossy(&output).trim().parse().expect("a number");
        let task = json!({"engine": "llama.cpp", "gguf": "q8_0.gguf"});
        let peer = peer::peak(&self.python, &self.model, &task, 32);
        vec![Line {
            what: "with loading".to_owned(),
            figure: ours / peer,
            ours,
            peer,
            bound: Bound::AtMost(1.3),
        }]
    }
}

/// Rows that are drawn under a banner's rules.
struct Drawing {
    texts: Vec<Text>,
    next: Vec<[u32; 1]>,
    dice: Vec<Random>,
    buffers: Vec<Vec<f32>>,
    brand: BrandRules,
}

impl Drawing {
    fn begin(decoder: &Decoder, rows: usize) -> Self {
        let words: Vec<String> = ["cheap", "guaranteed", "free money", "best"].map(str::to_owned).into();
        Self {
            texts: (0..rows).map(|_| decoder.text(None)).collect(),
            next: vec![[3]; rows],
            dice: (0..rows as u64).map(Random::from_seed).collect(),
            buffers: vec![Vec::new(); rows],
            brand: BrandRules::new(&words, &[]).expect("valid words"),
        }
    }

    /// Seconds of reading and of drawing.
    fn step(&mut self, decoder: &Decoder) -> (f64, f64) {
        let start = Instant::now();
        let inputs = self.texts.iter_mut().zip(&self.next).map(|(text, tokens)| Input { text, tokens });
        let logits = decoder.read(&mut inputs.collect::<Vec<_>>()).expect("it fits");
        let read = start.elapsed().as_secs_f64();
        let slot = rules::format("WebBanner").expect("a format of ours").slot("body").expect("a slot");
        let sampling = Sampling { temperature: 0.8, top_p: 0.95, ..Sampling::default() };
        let brand = &self.brand;
        let rows = self.next.par_iter_mut().zip(&mut self.dice).zip(&mut self.buffers).enumerate();
        rows.for_each(|(row, ((next, dice), buffer))| {
            logits.read_row(row, buffer);
            // The text is a banner's, and of one token in ten what it would become breaks a rule.
            let allows = |token: u32| {
                let text = "Aero Trail 3 weighs 240 g and comes with free returns for 60 days, on every";
                rules::check_slot(slot, brand, text).iter().all(|it| !it.is_hard())
                    && !token.is_multiple_of(10)
            };
            let drawn =
                draw(buffer, &sampling, Penalized::default(), allows, || dice.unit()).expect("finite");
            next[0] = drawn.expect("some are allowed").token;
        });
        (read, start.elapsed().as_secs_f64() - read)
    }
}

/// Outputs that are looked at.
const OUTPUTS: u32 = 10_000;

fn held(kind: Kind) -> Vec<Line> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = Model::open(&here.join("../models/handbill"), Form::AsStored).expect("the shipped model");
    let writer = Writer::new(&model, 32).expect("it has a form");
    let counts = count(&writer, &here.join("tests/limits"), kind, &KNOWN, OUTPUTS);
    let (asked, delivered) = (f64::from(counts.asked), f64::from(counts.delivered));
    let faulty = Line {
        what: counts.fault.unwrap_or_else(|| format!("of {delivered} outputs, at fault")),
        figure: f64::from(counts.faulty),
        ours: delivered,
        peer: asked,
        bound: Bound::AtMost(0.0),
    };
    let share = Line {
        what: "delivered of what was asked".to_owned(),
        figure: 100.0 * delivered / asked,
        ours: delivered,
        peer: asked,
        bound: Bound::AtLeast(95.0),
    };
    match kind {
        Kind::Plain => vec![faulty, share],
        // A brief that wants nothing but what is forbidden may have nothing delivered.
        Kind::Hostile => vec![faulty],
    }
}
