//! What was shown and what came of it, from the log: for other tools, and for `broadside replay`.
//!
//! ```text
//!   log ─▶ reader ─ a line for each exposure that was counted ─▶ JSON lines or Parquet ─▶ one file, or one for each period
//! ```

mod draft;
mod json_lines;
mod line;
mod parquet;
mod periods;
mod reader;
pub mod schedule;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::log::{LogError, is_full};
use draft::Draft;
use json_lines::JsonLines;
use line::{Line, moment};
use parquet::Parquet;
use reader::{Moment, Take, read};

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The lines can't be written.
    #[error("the lines can't be written")]
    Write(#[from] std::io::Error),
    /// A file can't be written.
    #[error("{} can't be written: let this user write there, or name another place", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no room for a file.
    #[error("there is no room for {}: make some, or name another place; no part of it was left there", .0.display())]
    Full(PathBuf),
    /// There is no thread for it.
    #[error("the system has no thread left for the export")]
    Thread(#[source] std::io::Error),
    /// It ended without an end.
    #[error("the export broke off: this is a fault of ours")]
    Broken,
    /// What was exported before isn't known.
    #[error("{} does not tell up to when was exported: write a moment there, such as 2026-11-29T00:00:00Z", .0.display())]
    Marker(PathBuf),
}

impl ExportError {
    /// Tells which file it was.
    fn at(self, path: &Path) -> Self {
        match self {
            Self::Write(source) if is_full(&source) => Self::Full(path.to_owned()),
            Self::Write(source) => Self::File { path: path.to_owned(), source },
            other => other,
        }
    }
}

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// An object of JSON on each line.
    #[default]
    JsonLines,
    /// Apache Parquet, with the same names.
    Parquet,
}

impl Format {
    /// How the name of such a file ends.
    fn extension(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    fn sink(self, file: std::fs::File) -> std::io::Result<Box<dyn Sink>> {
        Ok(match self {
            Self::JsonLines => Box::new(JsonLines::new(file)),
            Self::Parquet => Box::new(Parquet::new(file)?),
        })
    }
}

/// Where lines are written in a format.
trait Sink {
    fn write(&mut self, line: &Line<'_>) -> std::io::Result<()>;

    /// Writes what is still in memory. Without it what was written is no whole file.
    fn finish(&mut self) -> std::io::Result<()>;
}

/// Writes a line of JSON for each exposure that was counted and is still in the log of `folder`, in the order in which they
/// were counted; only those of `campaign` where one is given. How many lines. The ledger may run meanwhile.
///
/// A reader that wants no more lines is no error.
///
/// # Errors
/// When the log can't be read, or the lines can't be written.
pub fn export(folder: &Path, campaign: Option<&str>, to: impl Write) -> Result<u64, ExportError> {
    let mut all = All::new(JsonLines::new(to));
    match read(folder, campaign, &mut all).and_then(|_| Ok(all.sink.finish()?)) {
        Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(all.lines),
        Err(error) => Err(error),
        Ok(()) => Ok(all.lines),
    }
}

/// The same into a file, in any format. It is there once it is whole, in the place of one that was there before.
///
/// # Errors
/// When the log can't be read, or the file can't be written: then no part of it is left.
pub fn export_to(
    file: &Path,
    format: Format,
    folder: &Path,
    campaign: Option<&str>,
) -> Result<u64, ExportError> {
    let written = || {
        let mut output = Output::create(file, format)?;
        let mut all = All::new(&mut *output.sink);
        read(folder, campaign, &mut all)?;
        let lines = all.lines;
        output.finish()?;
        Ok(lines)
    };
    written().map_err(|error: ExportError| error.at(file))
}

/// A file that is being written.
struct Output {
    draft: Draft,
    sink: Box<dyn Sink>,
}

impl Output {
    fn create(path: &Path, format: Format) -> std::io::Result<Self> {
        let (draft, file) = Draft::create(path)?;
        Ok(Self { draft, sink: format.sink(file)? })
    }

    /// It is there, and on disk, when this returns.
    fn finish(mut self) -> std::io::Result<()> {
        self.sink.finish()?;
        self.draft.publish()
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    fn write(&mut self, line: &Line<'_>) -> std::io::Result<()> {
        (**self).write(line)
    }

    fn finish(&mut self) -> std::io::Result<()> {
        (**self).finish()
    }
}

/// All lines, in one place.
struct All<S> {
    sink: S,
    lines: u64,
    told: Instant,
}

/// How often whoever waits is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(2);

impl<S> All<S> {
    fn new(sink: S) -> Self {
        Self { sink, lines: 0, told: Instant::now() }
    }
}

impl<S: Sink> Take for All<S> {
    fn reach(&mut self, reached: Moment) -> Result<(), ExportError> {
        if self.told.elapsed() > TOLD_EVERY {
            self.told = Instant::now();
            tracing::info!(lines = self.lines, at = %moment(reached.at), "exporting");
        }
        Ok(())
    }

    fn take(&mut self, line: &Line<'_>) -> Result<(), ExportError> {
        self.lines += 1;
        Ok(self.sink.write(line)?)
    }
}
