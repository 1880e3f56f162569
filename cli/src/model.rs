//! `broadside model`: what the people do who offer models.

mod adapters;
mod folder;
mod pack;

use std::process::ExitCode;

use clap::Subcommand;

pub use folder::{Contents, Fault};
pub use pack::{Error, image};

/// Prepare models for an AdModel.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Pack(pack::Args),
}

/// Carries out what was typed.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Error> {
    match &args.command {
        Command::Pack(args) => pack::run(args),
    }
}
