//! `broadside-cluster`: starts and ends clusters, and is the first process inside each.

mod args;
mod commands;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use args::{Arguments, Command};

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            // `{:#}` prints the whole chain of causes; if even that cannot be written, the exit code says it.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        // The first process must reap every child itself, which a runtime with threads of its own would disturb.
        Command::Init { state } => cluster::inside::init(&state).context("the node's first process failed"),
        Command::Pause => {
            cluster::inside::pause();
            Ok(())
        }
        command => tokio::runtime::Runtime::new()?.block_on(commands::run(command)),
    }
}
