//! How fast copy is written, beside transformers and llama.cpp on the same model in the same run, and how fast Handbill is
//! trained, beside torch.
//!
//! `make bench-peers` installs the peers and writes the model; `make bench-generation` prints the table. Runs of ours and
//! of a peer take turns, and a line's figure is the median of their ratios. `ARGS="--rows 2,3"` prints some rows,
//! `--turns 9` takes more turns. Rows 8 and 12 are of Handbill, on briefs that would have its copy break a rule.

#![expect(clippy::print_stdout, reason = "figures are what this program is for")]

#[path = "../tests/limits/mod.rs"]
mod limits;
#[path = "generation/line.rs"]
mod line;
#[path = "generation/ours.rs"]
mod ours;
#[path = "generation/peer.rs"]
mod peer;
#[path = "generation/rows.rs"]
mod rows;
#[path = "generation/training.rs"]
mod training;

use std::path::PathBuf;

use rows::Bench;

/// What can be typed.
#[derive(clap::Parser)]
struct Arguments {
    /// Folder with the model, in all its forms.
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    /// Python that has the peers.
    #[arg(long, value_name = "FILE")]
    python: PathBuf,
    /// Rows to print.
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_values_t = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12])]
    rows: Vec<u32>,
    /// How often each pair takes turns.
    #[arg(long, value_name = "N", default_value_t = 5)]
    turns: usize,
    /// Write with one engine and print the peak of memory: what the memory row starts.
    #[arg(long, hide = true)]
    peak_of_rows: Option<usize>,
    /// Train when told to: what the training row starts.
    #[arg(long, hide = true)]
    trainer: bool,
    /// cargo bench says so.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = <Arguments as clap::Parser>::parse();
    if let Some(rows) = arguments.peak_of_rows {
        println!("{}", ours::peak(&arguments.model, rows));
        return;
    }
    if arguments.trainer {
        return training::serve();
    }
    let mut bench = Bench::new(arguments.model, arguments.python, arguments.turns);
    println!("{:<66} {:>8} {:>9} {:>9}   asked", "", "figure", "ours", "peer");
    let missed: usize = arguments.rows.iter().map(|row| bench.print(*row)).sum();
    println!("{missed} missed");
}
