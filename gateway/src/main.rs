//! The gateway: see the library for what it does.

use clap::Parser;
use gateway::args::{Cli, Config};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli { role, log, log_format } = Cli::parse();
    gateway::telemetry::start(&log, log_format)?;
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.expect("nothing has installed a provider before the first line of main");
    gateway::run::run(Config::try_from(role)?).await?;
    Ok(())
}
