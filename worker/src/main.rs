//! The `worker` binary; everything it does is in the library.

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use worker::args::{Arguments, Command};
use worker::process::{Work, end_when_told, prepare};
use worker::run::{Reporter, run};

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Generate(_) | Command::Regenerate(_) | Command::Complete(_) | Command::Plan(_) => {
            prepare(Work::Writing, arguments.threads)?;
        }
        Command::Train(_) => prepare(Work::Training, arguments.threads)?,
        Command::Fetch(_) => {}
    }
    let filter = EnvFilter::try_new(&arguments.log)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    log.with_ansi(stderr().is_terminal()).init();
    let reporter = Arc::new(Reporter::of(&arguments.command));
    let interrupted = Arc::clone(&reporter);
    end_when_told(move || interrupted.give_interrupted())?;
    Ok(ExitCode::from(run(&arguments.command, &reporter).exit_code()))
}
