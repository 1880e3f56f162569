//! `broadside review`, `approve`, `reject`, `edit` and `recall`: a person's word on variants.
//!
//! ```text
//! review ──▶ what waits, on a screen or as a spreadsheet      screen, sheet
//!        ◀── the spreadsheet with decisions
//! approve, reject, edit, recall ──▶ words ──▶ AdReviews             word, write
//! ```

mod screen;
mod sheet;
mod word;
mod write;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use api::{AdCampaign, AdTable, AdVariant, Decision, Phase, Represented};
use kube::ResourceExt;

use crate::campaign::{self, Source, Target};
use crate::terminal::Output;
pub use screen::screen;
pub use sheet::{SheetError, read_sheet, write_sheet};
pub use word::{Word, WordError, find};

/// Show what waits for a person's word, or carry a review round through a spreadsheet.
///
/// With `--output csv` every variant is a row; whoever reads it writes `approve` or `reject` into the column `decision`, and a
/// reason where there is one. With `--from` such a file becomes reviews. Rows without a decision say nothing.
#[derive(Debug, clap::Args)]
#[command(mut_arg("on_behalf_of", |arg| arg.requires("from")))]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// How variants are printed.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Form,
    /// The spreadsheet with decisions, as CSV.
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    from: Option<PathBuf>,
    #[command(flatten)]
    behalf: Behalf,
}

/// Whose word it is, where that is another's than yours.
#[derive(Debug, clap::Args)]
struct Behalf {
    /// Write it for somebody who said so in Git, as a pipeline does. You need the right to represent them.
    #[arg(long, value_name = "PERSON", requires = "commit")]
    on_behalf_of: Option<String>,
    /// The commit with which they said so.
    #[arg(long, value_name = "HASH", requires = "on_behalf_of", value_parser = commit)]
    commit: Option<String>,
}

/// How variants are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people.
    Table,
    /// A spreadsheet, as RFC 4180 has it, that `--from` reads.
    Csv,
}

/// Approve variants: they may be served.
///
/// What is approved is the text as it is now. The review is written in your name, as the cluster knows you.
#[derive(Debug, clap::Args)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    target: Target,
    /// The variants: their names, or the digits at their ends.
    #[arg(value_name = "VARIANT", required_unless_present = "all")]
    variants: Vec<String>,
    /// All that wait for a word.
    #[arg(long, conflicts_with = "variants")]
    all: bool,
    /// Why, for whoever reads it later.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    behalf: Behalf,
}

/// Reject variants: they are not served, and taken out where they are.
#[derive(Debug, clap::Args)]
pub(crate) struct RejectArgs {
    #[command(flatten)]
    target: Target,
    /// The variants: their names, or the digits at their ends.
    #[arg(value_name = "VARIANT", required = true)]
    variants: Vec<String>,
    /// Why, for whoever reads it later.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    behalf: Behalf,
}

/// Edit a variant: other texts are served in its place.
///
/// What you write is approved by you, and the variant that you edit is rejected. Where an experiment goes on, the new variant
/// joins it and is counted from then on; what was counted of the old one stays. Texts that break a rule are refused, and
/// nothing changes.
#[derive(Debug, clap::Args)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    target: Target,
    /// The variant: its name, or the digits at its end.
    #[arg(value_name = "VARIANT")]
    variant: String,
    /// New texts, such as headline='Meet the Aero Trail 3'; the other slots stay.
    #[arg(value_name = "SLOT=TEXT", required = true)]
    texts: Vec<String>,
    /// Why, for whoever reads it later.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    behalf: Behalf,
}

/// Reject variants that are served, and wait until the table is without them.
#[derive(Debug, clap::Args)]
pub(crate) struct RecallArgs {
    #[command(flatten)]
    rejected: RejectArgs,
    /// How many seconds to wait.
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    timeout: u64,
}

impl Behalf {
    fn represented(self) -> Option<Represented> {
        let (person, commit) = self.on_behalf_of.zip(self.commit)?;
        Some(Represented { person, commit })
    }
}

/// The hash of a commit, as Git prints it.
fn commit(typed: &str) -> Result<String, String> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if (7..=64).contains(&typed.len()) && typed.bytes().all(is_digit) {
        Ok(typed.to_owned())
    } else {
        Err("write the hash as `git rev-parse HEAD` prints it".to_owned())
    }
}

/// Why nothing was said, or what was said does not count.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The campaign can't be read.
    #[error(transparent)]
    Campaign(#[from] campaign::Error),
    /// What was typed names no variants that anything can be said of.
    #[error(transparent)]
    Word(#[from] WordError),
    /// The spreadsheet says nothing that can be carried out.
    #[error("{}: {source}", path.display())]
    Sheet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: SheetError,
    },
    /// The spreadsheet can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The review was not taken.
    #[error(transparent)]
    Write(#[from] write::Error),
    /// What was recalled is still served.
    #[error(
        "after {0} seconds the table still serves it: see that the operator runs, and look again with `kubectl broadside review`"
    )]
    StillServed(u64),
    /// Standard output is closed or full.
    #[error("the answer can't be written: {0}")]
    Unwritable(#[from] io::Error),
}

/// Shows what waits, or reads what was decided.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Error> {
    let source = args.target.source().await?;
    let (campaign, variants) = source.look().await?;
    let output = Output::detect();
    match args.from {
        Some(path) => {
            let bytes =
                std::fs::read(&path).map_err(|source| Error::Unreadable { path: path.clone(), source })?;
            let words = read_sheet(&bytes, &variants).map_err(|source| Error::Sheet { path, source })?;
            say(&source, &campaign, &words, args.behalf, output).await?;
        }
        None => output.print(&match args.output {
            Form::Table => screen(&campaign, &variants, output.width()),
            Form::Csv => write_sheet(&variants),
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Approves.
pub(crate) async fn approve(args: ApproveArgs) -> Result<ExitCode, Error> {
    let source = args.target.source().await?;
    let (campaign, variants) = source.look().await?;
    let meant = if args.all { waiting(&campaign, &variants)? } else { find(&variants, &args.variants)? };
    let words = Word::new(Decision::Approve, &meant, args.reason.as_deref())?;
    say(&source, &campaign, &words, args.behalf, Output::detect()).await?;
    Ok(ExitCode::SUCCESS)
}

/// Rejects.
pub(crate) async fn reject(args: RejectArgs) -> Result<ExitCode, Error> {
    rejected(args, Output::detect()).await?;
    Ok(ExitCode::SUCCESS)
}

/// Edits.
pub(crate) async fn edit(args: EditArgs) -> Result<ExitCode, Error> {
    let source = args.target.source().await?;
    let (campaign, variants) = source.look().await?;
    let meant = find(&variants, std::slice::from_ref(&args.variant))?;
    let edited = meant.first().expect("one name finds one variant, or an error");
    let words = Word::edit(edited, &args.texts, args.reason.as_deref())?;
    say(&source, &campaign, &words, args.behalf, Output::detect()).await?;
    Ok(ExitCode::SUCCESS)
}

/// Rejects, and waits for the table.
pub(crate) async fn recall(args: RecallArgs) -> Result<ExitCode, Error> {
    let (output, started) = (Output::detect(), Instant::now());
    let (source, campaign, names) = rejected(args.rejected, output).await?;
    let number = until_out(&source, &campaign, &names, started, Duration::from_secs(args.timeout)).await?;
    let seconds = started.elapsed().as_secs_f64();
    output.print(&format!("out of the table after {seconds:.1} s: table {number} does not serve it\n"))?;
    Ok(ExitCode::SUCCESS)
}

async fn rejected(args: RejectArgs, output: Output) -> Result<(Source, AdCampaign, Vec<String>), Error> {
    let source = args.target.source().await?;
    let (campaign, mut variants) = source.look().await?;
    // What is served can be rejected though somebody deleted its AdVariant.
    variants.extend(source.served_alone(&campaign, &variants).await?);
    let meant = find(&variants, &args.variants)?;
    let names = meant.iter().map(|variant| variant.name_any()).collect();
    let words = Word::new(Decision::Reject, &meant, args.reason.as_deref())?;
    say(&source, &campaign, &words, args.behalf, output).await?;
    Ok((source, campaign, names))
}

/// All that wait for a word, once no more come.
fn waiting<'a>(campaign: &AdCampaign, variants: &'a [AdVariant]) -> Result<Vec<&'a AdVariant>, WordError> {
    if campaign.status.as_ref().and_then(|status| status.phase) == Some(Phase::Generating) {
        return Err(WordError::StillWriting);
    }
    let meant: Vec<&AdVariant> = variants.iter().filter(|variant| screen::waits(variant)).collect();
    if meant.is_empty() { Err(WordError::NothingWaits) } else { Ok(meant) }
}

/// Writes each word, and tells what became of it.
async fn say(
    source: &Source,
    campaign: &AdCampaign,
    words: &[Word<'_>],
    behalf: Behalf,
    output: Output,
) -> Result<(), Error> {
    let author = write::Author { reviewer: write::whoami(source).await?, on_behalf_of: behalf.represented() };
    for word in words {
        let written = write::write(source, campaign, word, &author).await?;
        output.print(&written.to_string())?;
    }
    Ok(())
}

/// How often the table is looked at. The operator answers within a fraction of a second.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The number of the first table that serves none of `names`.
async fn until_out(
    source: &Source,
    campaign: &AdCampaign,
    names: &[String],
    started: Instant,
    patience: Duration,
) -> Result<i64, Error> {
    loop {
        let table = source.table(campaign).await?;
        let served = |table: &AdTable| names.iter().any(|name| serves(table, name));
        if table.as_ref().is_none_or(|table| !served(table)) {
            return Ok(table.map_or(0, |table| table.spec.number));
        }
        if started.elapsed() >= patience {
            return Err(Error::StillServed(patience.as_secs()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether the rounds in force give anything to a variant.
fn serves(table: &AdTable, name: &str) -> bool {
    table.spec.placements.iter().any(|row| {
        let arm = row.variants.iter().position(|variant| variant.name == name);
        arm.zip(row.rounds.last()).is_some_and(|(arm, round)| round.gives(arm))
    })
}
