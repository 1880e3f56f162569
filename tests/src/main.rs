//! `make demo`: from one manifest to a decided winner.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use stage::demo::{Args, run};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let remedy = args.remedy();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain of causes in one line, and no trace of ours: what failed is the cluster or the machine.
            let _unread = writeln!(std::io::stderr(), "\nerror: {error:#}\n{remedy}");
            ExitCode::FAILURE
        }
    }
}
