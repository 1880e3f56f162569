//! The gateway: see the library for what it does.

use clap::Parser;
use gateway::args::{Cli, Command};
use gateway::clock::SystemClock;
use gateway::{offline, probe, run};

/// A decision is some forty small allocations. Static images have the allocator of musl, which is slow with threads; this
/// one also gives 3 % over that of glibc (`make bench-gateway`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli { command, log, log_format } = Cli::parse();
    gateway::telemetry::start(&log, log_format)?;
    match Command::try_from(command)? {
        Command::Serve(config) => {
            install_provider();
            run::run(*config).await?;
        }
        Command::Probe(args) => {
            install_provider();
            probe::probe(&args, std::io::stdout().lock()).await?;
        }
        Command::Export(export) => offline::export(&export, std::io::stdout().lock())?,
        Command::Repair(repair) => offline::repair(&repair, std::io::stdout().lock())?,
        Command::Backup(backup) => offline::backup(&backup, &SystemClock, std::io::stdout().lock())?,
        Command::Restore(restore) => offline::restore(&restore, std::io::stdout().lock())?,
    }
    Ok(())
}

/// What encrypts connections.
fn install_provider() {
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.expect("nothing has installed a provider before");
}
