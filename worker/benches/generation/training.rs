//! Our trainer beside torch: the shape of Handbill, the same batches, the same optimizer, in turns. Each is a process of
//! its own.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};
use worker::process::{self, Work};
use worker::random::Random;
use worker::tokens::Tokens;
use worker::train::batch::{Batch, Sequence};
use worker::train::corpus::Corpus;
use worker::train::model::Decoder;
use worker::train::names::Names;
use worker::train::optimizer::Optimizer;
use worker::train::recipe::{Recipe, TrainingRecipe};
use worker::train::take_step;

use super::line::{Bound, Line, median};

/// Batches of a turn. They are of different lengths, as in a training.
const BATCHES: usize = 4;
/// Our steps per minute against torch's.
const LEAST: f64 = 0.65;

pub(crate) fn lines(python: &Path, turns: usize) -> Vec<Line> {
    let recipe = recipe();
    let task = task(&recipe.training, &draw(&recipe));
    let program = std::env::current_exe().expect("it runs");
    let mut ours = Trainer::start(Command::new(program).args(["--trainer", "--python", "-", "--model", "-"]));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/training.py");
    let mut torch = Trainer::start(Command::new(python).arg(script).arg(folder().join("config.json")));
    let version = torch.steps(&task).1;
    ours.steps(&Value::Null);
    let turns: Vec<(f64, f64)> =
        (0..turns).map(|_| (ours.steps(&Value::Null).0, torch.steps(&task).0)).collect();
    vec![Line {
        what: format!("{} rows in a step, {version}", recipe.training.batch),
        figure: median(turns.iter().map(|(ours, peer)| ours / peer).collect()),
        ours: median(turns.iter().map(|(ours, _)| *ours).collect()),
        peer: median(turns.iter().map(|(_, peer)| *peer).collect()),
        bound: Bound::AtLeast(LEAST),
    }]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/handbill")
}

fn recipe() -> Recipe {
    Recipe::open(&folder().join("recipe.yaml")).expect("the shipped recipe is valid")
}

/// Rows of the corpus, sorted into batches of like length.
fn draw(recipe: &Recipe) -> Vec<Vec<Sequence>> {
    let corpus = Corpus::open(&recipe.corpus.folder, &recipe.corpus.languages).expect("the shipped corpus");
    let tokens = Tokens::open(&folder().join("tokenizer.json")).expect("the shipped tokenizer");
    let mut random = Random::from_seed(1);
    let mut row = || corpus.row(Names::Training, &mut random).expect("a row");
    let rows =
        (0..BATCHES * recipe.training.batch).map(|_| Sequence::new(&row(), &tokens).expect("it encodes"));
    let mut rows: Vec<Sequence> = rows.collect();
    rows.sort_by_key(Sequence::length);
    rows.chunks(recipe.training.batch).map(<[Sequence]>::to_vec).collect()
}

/// Trains when told to, until its input ends: our side of the row. It is a process of its own, since `worker train` has
/// its memory and its threads set up otherwise than writing has them.
pub(crate) fn serve() {
    process::prepare(Work::Training, None).expect("it can be started anew");
    let recipe = recipe();
    let batches = draw(&recipe);
    let decoder = Decoder::new(recipe.model, recipe.tokenizer.vocabulary, &mut Random::from_seed(1));
    let decoder = decoder.expect("a decoder");
    let mut optimizer = Optimizer::new(&decoder, &recipe.training).expect("an optimizer");
    for _told in std::io::stdin().lines() {
        let start = Instant::now();
        for rows in &batches {
            take_step(&decoder, &mut optimizer, rows, recipe.training.shards).expect("it fits");
        }
        println!("{}", json!({"seconds": start.elapsed().as_secs_f64(), "version": "ours"}));
    }
}

/// A trainer in a process of its own, which stays and takes commands. It ends when its input does.
struct Trainer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Answer {
    seconds: f64,
    version: String,
}

impl Trainer {
    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the peers are installed: run make bench-peers");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, input, output }
    }

    /// Goes through the batches once: steps per minute, and whose they are.
    fn steps(&mut self, command: &Value) -> (f64, String) {
        writeln!(self.input.as_mut().expect("it is open"), "{command}").expect("the trainer listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the trainer answers");
        let answer: Answer =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("the trainer says {line:?}: {error}"));
        (60.0 * BATCHES as f64 / answer.seconds, answer.version)
    }
}

impl Drop for Trainer {
    fn drop(&mut self) {
        self.input = None;
        let _ended = self.child.wait();
    }
}

/// What torch is told: the same batches, and the numbers of the recipe.
fn task(recipe: &TrainingRecipe, batches: &[Vec<Sequence>]) -> Value {
    json!({
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "rate": recipe.learning_rate,
        "decay": recipe.weight_decay,
        "clip": recipe.clip,
        "batches": batches.iter().map(|rows| batch(rows)).collect::<Vec<_>>(),
    })
}

/// A batch as the peer reads it. It is asked what ours is asked: the logits of copy alone.
fn batch(rows: &[Sequence]) -> Value {
    let Batch { tokens, positions, labels, asked: _ } =
        Batch::new(&rows.iter().collect::<Vec<_>>()).expect("a batch");
    let tokens = tokens.to_vec2::<u32>().expect("two axes");
    json!({"tokens": tokens, "positions": positions.to_vec1::<u32>().expect("one axis"), "labels": labels})
}
