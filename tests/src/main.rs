//! `make demo`: from one manifest to a decided winner.

use clap::Parser;
use stage::demo::{Args, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    run(Args::parse()).await
}
