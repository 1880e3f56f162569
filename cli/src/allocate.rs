//! `broadside allocate`: what the next round shows, from totals in a file.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::offline::Question;
use crate::offline::file::{self, Error};
use crate::terminal::Output;

/// Divide the next round among the variants, from totals in a file.
///
/// Prints JSON: shares in parts per million, and the rule that made them; for each segment where the file has several.
/// docs/offline.md describes the form of the file and of the answer.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The totals as JSON, as `estimate` reads them, with a `policy`. `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Prints the shares.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Error> {
    let answer = file::answer(&args.file, |bytes| Question::parse(bytes)?.allocate())?;
    Output::detect().print(&file::json(&answer))?;
    Ok(ExitCode::SUCCESS)
}
