//! The `broadside` command.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches};

#[tokio::main]
async fn main() -> ExitCode {
    run().await.unwrap_or_else(|error| {
        explain(&error);
        ExitCode::FAILURE
    })
}

async fn run() -> anyhow::Result<ExitCode> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("a TLS provider is installed once")?;
    let program = std::env::args().next().unwrap_or_default();
    let matches = cli::Cli::command().bin_name(cli::called_as(&program)).get_matches();
    let cli = cli::Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok(cli::run(cli).await?)
}

/// Says what went wrong and why. What anyhow prints has a backtrace where the environment asks for one, which is of no use
/// to whoever typed a name wrong.
fn explain(error: &anyhow::Error) {
    let mut text = format!("Error: {error}\n");
    for (number, cause) in error.chain().skip(1).enumerate() {
        text.push_str(if number == 0 { "\nCaused by:\n    " } else { "    " });
        text.push_str(&cause.to_string());
        text.push('\n');
    }
    // Where nobody listens there is nobody to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
