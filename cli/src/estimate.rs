//! `broadside estimate`: what each variant is worth, and what that allows one to say, from totals in a file.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::offline::file::{self, Error};
use crate::offline::{Question, table};
use crate::terminal::Output;

/// Estimate what each variant is worth, from totals in a file.
///
/// Says the same as the operator says of the same totals, without a cluster. docs/offline.md describes the form of the
/// file and of the answer. Exits with 0 whatever the verdict is, with 1 when the file makes no sense.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The totals as JSON. `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How the answer is printed.
    #[arg(short, long, value_enum, default_value = "json")]
    output: Format,
}

/// How the answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For programs.
    Json,
    /// For people.
    Table,
}

/// Prints the answer.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Error> {
    let output = Output::detect();
    let text = file::answer(&args.file, |bytes| {
        let question = Question::parse(bytes)?;
        let answer = question.estimate()?;
        Ok(match args.output {
            Format::Json => file::json(&answer),
            Format::Table => table(&question, &answer, output.width()),
        })
    })?;
    output.print(&text)?;
    Ok(ExitCode::SUCCESS)
}
