//! The command `broadside`, also `kubectl broadside`.
//!
//! ```text
//! check     a file ──▶ every fault of its campaigns       with the operator's own code, offline
//!           and how long their tests will take            by playing them with the operator's own statistics
//! estimate  totals ──▶ effects, a verdict, a sentence     with the operator's own statistics, offline
//! allocate  totals ──▶ the shares of the next round       with the operator's own policies, offline
//! replay    decisions and rewards ──▶ what another policy would have brought, offline
//! model     a folder ──▶ an image that a pod takes a model from
//! results   a campaign ──▶ a table with bars              from what the operator wrote in status; computes nothing
//! review    a campaign ──▶ its copy, on a screen or as a spreadsheet ──▶ approve, reject, recall ──▶ reviews in your name
//! verify    a winner with its evidence ──▶ the same verdict, or where it differs, offline
//! promote   a decided campaign ──▶ its texts in files of a work tree, and a message for the commit
//! simulate  a table ──▶ people who ask, see and act       through the gateway's HTTP API, as applications do
//! ```
//!
//! Each command is a module: what was typed (`Args`), the pure part that a test can hold, and `run`, which touches the
//! world. The crate refuses to know how verdicts are reached: it shows what the operator says, or asks `experiment`.

mod allocate;
mod campaign;
mod check;
mod connection;
mod estimate;
pub mod gitops;
pub mod model;
pub mod offline;
mod replay;
mod results;
mod review;
mod simulate;
mod terminal;
mod text;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use check::{Brands, Finding, Report, Severity, check, check_beside};
pub use results::render;
pub use review::{SheetError, Word, WordError, find, read_sheet, screen, write_sheet};
pub use simulate::world;

/// Checks campaigns, shows their results, approves their copy, estimates and allocates from totals, replays logs, packs models,
/// simulates people.
#[derive(Debug, Parser)]
#[command(name = "broadside", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one of it, and it is taken apart at once")]
enum Command {
    Allocate(allocate::Args),
    Approve(review::ApproveArgs),
    Check(check::Args),
    Estimate(estimate::Args),
    Model(model::Args),
    Promote(gitops::PromoteArgs),
    Recall(review::RecallArgs),
    Reject(review::RejectArgs),
    Edit(review::EditArgs),
    Replay(replay::Args),
    Results(results::Args),
    Review(review::Args),
    Simulate(simulate::Args),
    Verify(gitops::VerifyArgs),
}

/// Why a command could not do its work. Faults that `check` finds are no error: they are its answer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum Error {
    /// Of `check`.
    Check(#[from] check::Error),
    /// Of `estimate` and `allocate`.
    Offline(#[from] offline::file::Error),
    /// Of `model`.
    Model(#[from] model::Error),
    /// Of `replay`.
    Replay(#[from] replay::Error),
    /// Of `verify`.
    Gitops(#[from] gitops::Error),
    /// Of `results`.
    Results(#[from] results::Error),
    /// Of `review`, `approve`, `reject` and `recall`.
    Review(#[from] review::Error),
    /// Of `simulate`.
    Simulate(#[from] simulate::Error),
}

/// Carries out what was typed.
///
/// # Errors
/// When a file, the cluster or the gateway can't be read; each error names the way out.
pub async fn run(cli: Cli) -> Result<ExitCode, Error> {
    Ok(match cli.command {
        Command::Allocate(args) => allocate::run(&args)?,
        Command::Approve(args) => review::approve(args).await?,
        Command::Check(args) => check::run(&args)?,
        Command::Estimate(args) => estimate::run(&args)?,
        Command::Model(args) => model::run(&args)?,
        Command::Promote(args) => gitops::promote(args).await?,
        Command::Recall(args) => review::recall(args).await?,
        Command::Reject(args) => review::reject(args).await?,
        Command::Edit(args) => review::edit(args).await?,
        Command::Replay(args) => replay::run(&args)?,
        Command::Results(args) => results::run(args).await?,
        Command::Review(args) => review::run(args).await?,
        Command::Simulate(args) => simulate::run(args).await?,
        Command::Verify(args) => gitops::verify(&args)?,
    })
}

/// The name that usage lines show: kubectl starts its plugins under the name of their file.
///
/// ```
/// assert_eq!(cli::called_as("/usr/local/bin/kubectl-broadside"), "kubectl broadside");
/// assert_eq!(cli::called_as("broadside"), "broadside");
/// ```
pub fn called_as(program: &str) -> &'static str {
    match Path::new(program).file_stem().and_then(|name| name.to_str()) {
        Some("kubectl-broadside") => "kubectl broadside",
        _ => "broadside",
    }
}
