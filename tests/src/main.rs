//! `make demo`: from one manifest to a decided winner.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use stage::demo::{Args, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain of causes in one line, and no trace of ours: what failed is the cluster or the machine.
            let _unread = writeln!(
                std::io::stderr(),
                "\nerror: {error:#}\nTo begin again: make demo. To remove what there is: make demo-down."
            );
            ExitCode::FAILURE
        }
    }
}
