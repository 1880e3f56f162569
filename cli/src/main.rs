//! The `broadside` command.

use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("a TLS provider is installed once")?;
    let program = std::env::args().next().unwrap_or_default();
    let matches = cli::Cli::command().bin_name(cli::called_as(&program)).get_matches();
    let cli = cli::Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok(cli::run(cli).await?)
}
