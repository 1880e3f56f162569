//! `broadside replay`: what another policy would have brought, from a log of decisions and rewards.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use api::Percent;

use crate::estimate::Format;
use crate::offline::file;
use crate::offline::replay::{Only, Policy, ReplayAnswer, Scoring, table};
use crate::offline::{Fault, ReplayProblem};
use crate::terminal::{Output, note};
use crate::text::thousands;

/// Tell what another policy would have brought, from a log of decisions and rewards.
///
/// Each line of the log is a JSON object with what was shown, the probability with which it was drawn, and the reward.
/// The other policy is scored by inverse propensity and doubly robust estimates, with limits for one planned look;
/// docs/replay.md describes the form of the log and of the answer, and when not to trust it. Exits with 0 whatever the
/// estimate is, with 1 when the log makes no sense or says nothing about the policy.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("scored").args(["shares", "always", "policy", "evaluation"]).required(true))]
pub(crate) struct Args {
    /// The log as JSON lines. `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The policy: each variant's share, the same for everybody.
    #[arg(long, value_parser = Policy::shares, value_name = "VARIANT=SHARE,..")]
    shares: Option<Policy>,
    /// The policy: one variant for everybody.
    #[arg(long, value_name = "VARIANT")]
    always: Option<String>,
    /// The policy: a YAML or JSON file with each variant's share for each segment.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The policy: what stands in the field `evaluation` of each line, a probability for each variant.
    #[arg(long)]
    evaluation: bool,
    /// Only lines of this placement. Without it, a log of several is refused.
    #[arg(long, value_name = "NAME")]
    placement: Option<String>,
    /// Only lines of this campaign, by its UID. Without it, a log of several is refused.
    #[arg(long, value_name = "UID")]
    campaign: Option<String>,
    /// One minus the chance that the limits miss the truth.
    #[arg(long, default_value = "95%", value_parser = confidence, value_name = "PERCENT")]
    confidence: f64,
    /// How the answer is printed.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read, makes no sense as a whole, or the answer can't be written.
    #[error(transparent)]
    File(#[from] file::Error),
    /// A line makes no sense.
    #[error("{}: line {line}: {fault}", file::name(.file))]
    Line {
        /// The log.
        file: PathBuf,
        /// The line's number, from 1.
        line: u64,
        /// What is wrong in it.
        fault: Box<Fault>,
    },
    /// A line without end.
    #[error("{}: line {line}: is longer than {} KiB: is this a log?", file::name(.file), MOST_BYTES >> 10)]
    LongLine {
        /// The log.
        file: PathBuf,
        /// The line's number, from 1.
        line: u64,
    },
}

/// As many bytes as a line may have.
const MOST_BYTES: usize = 1 << 20;

/// After so long a line tells how far it is, and again after as long.
const TELL_EVERY: Duration = Duration::from_secs(2);

fn confidence(text: &str) -> Result<f64, String> {
    let parts = Percent(text.to_owned()).parts_per_million().map_err(|error| error.to_string())?;
    let confidence = f64::from(parts) / 1e6;
    if (0.5..1.0).contains(&confidence) {
        Ok(confidence)
    } else {
        Err(ReplayProblem::Confidence(text.to_owned()).to_string())
    }
}

/// Prints the answer.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Error> {
    let output = Output::detect();
    let answer = answer(args)?;
    let text = match args.output {
        Format::Json => file::json(&answer),
        Format::Table => table(&answer, output.width()),
    };
    output.print(&text).map_err(file::Error::from)?;
    Ok(ExitCode::SUCCESS)
}

fn answer(args: &Args) -> Result<ReplayAnswer, Error> {
    let only = Only { campaign: args.campaign.clone(), placement: args.placement.clone() };
    let mut scoring = Scoring::new(args.policy()?, only);
    read(&args.file, &mut scoring)?;
    let answer = scoring.answer(args.confidence);
    Ok(answer.map_err(|fault| file::Error::Faulty { file: args.file.clone(), fault })?)
}

impl Args {
    fn policy(&self) -> Result<Policy, file::Error> {
        match (&self.shares, &self.always, &self.policy) {
            (Some(policy), ..) => Ok(policy.clone()),
            (_, Some(variant), _) => Ok(Policy::always(variant)),
            (.., Some(file)) => file::answer(file, Policy::parse),
            // clap asks for one of the four.
            (None, None, None) => Ok(Policy::OfEachLine),
        }
    }
}

/// Reads the log line by line.
fn read(file: &Path, scoring: &mut Scoring) -> Result<(), Error> {
    let unreadable = |source| file::Error::Unreadable { file: file.to_owned(), source };
    let mut log = open(file).map_err(unreadable)?;
    let (mut bytes, mut progress) = (Vec::new(), Progress::new());
    for line in 1.. {
        bytes.clear();
        let most = MOST_BYTES as u64 + 1;
        log.by_ref().take(most).read_until(b'\n', &mut bytes).map_err(unreadable)?;
        match bytes.len() {
            0 => break,
            long if long > MOST_BYTES => return Err(Error::LongLine { file: file.to_owned(), line }),
            _ => {}
        }
        let read = scoring.read(&bytes);
        read.map_err(|fault| Error::Line { file: file.to_owned(), line, fault: Box::new(fault) })?;
        progress.tell(line);
    }
    Ok(())
}

fn open(file: &Path) -> io::Result<Box<dyn BufRead>> {
    /// Fewer, larger reads than the usual 8 KiB: logs are long.
    const BUFFER: usize = 256 << 10;
    Ok(if file::is_standard_input(file) {
        Box::new(BufReader::with_capacity(BUFFER, io::stdin().lock()))
    } else {
        Box::new(BufReader::with_capacity(BUFFER, File::open(file)?))
    })
}

/// Tells somebody who looks how far it is.
struct Progress {
    told: Instant,
    is_watched: bool,
}

impl Progress {
    fn new() -> Self {
        Self { told: Instant::now(), is_watched: io::stderr().is_terminal() }
    }

    fn tell(&mut self, lines: u64) {
        /// Asking the clock for each line would take longer than reading some.
        const LOOK_EVERY: u64 = 1024;
        if self.is_watched && lines.is_multiple_of(LOOK_EVERY) && self.told.elapsed() >= TELL_EVERY {
            note(&format!("{} lines are read", thousands(i64::try_from(lines).unwrap_or(i64::MAX))));
            self.told = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_is_a_percentage_that_can_be_promised() {
        assert_eq!(confidence("95%"), Ok(0.95));
        assert_eq!(
            confidence("100%"),
            Err("100% can't be promised: write at least 50% and less than 100%".to_owned())
        );
        assert!(confidence("0.95").is_err());
    }
}
